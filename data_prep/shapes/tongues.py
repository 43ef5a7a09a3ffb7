"""Files that say the same in several languages, by their columns' names (`question_pt`, `question_en`): which one is read."""

from data_prep.common.errors import UserError
from data_prep.shapes.columns import Column
from data_prep.shapes.fitting import option_columns
from data_prep.shapes.leftover import graded_by
from data_prep.shapes.nested import items_of
from data_prep.shapes.pasting import pasted
from data_prep.shapes.rules import ASKED, Candidate
from data_prep.words.names import OPTION_TEXTS, name_and_language, plain
from data_prep.words.phrases import meanings

ROLES = {**dict.fromkeys(ASKED, "question"), "options": "options", **dict.fromkeys(("answer", "output", "completion"), "answer")}


def tongues_of(columns: dict[str, Column]) -> dict[str, set[str]]:
    """Each language that has all that any has of question, options and answer -> the columns of the other ones.

    {} where columns ask in one language, or in none that they name.
    """
    own: dict[str, dict[str, Column]] = {}
    for column in columns.values():
        if language := name_and_language(column.name)[1]:
            own.setdefault(language, {})[column.name] = column
    roles = {language: _roles(some) for language, some in own.items()}
    asking = [language for language, has in roles.items() if "question" in has]
    if len(asking) < 2:
        return {}
    for column in columns.values():
        if (language := _of_options(column)) in roles:
            roles[language].add("options")
    every = set().union(*(roles[language] for language in asking))
    named = set().union(*own.values())
    return {language: named - own[language].keys() for language in asking if roles[language] >= every}


def _roles(some: dict[str, Column]) -> set[str]:
    called = {ROLES[name] for c in some for name in meanings(name_and_language(c)[0])[:1] if name in ROLES}
    return called | ({"options"} if option_columns(some) else set())


def _of_options(column: Column) -> str:
    """The language in which the options of a column of objects are, where their texts' one name says it: `textIt`."""
    keys = dict.fromkeys(key for item in items_of(column) if isinstance(item, dict) for key in item)
    named = {name_and_language(key) for key in keys}
    found = {language for name, language in named if plain(name) in OPTION_TEXTS}
    return found.pop() if len(found) == 1 else ""


def ask_of_tongues(
    found: dict[str, list[Candidate]], ways: dict[str, set[str]], columns: dict[str, Column], shown: str
) -> UserError:
    """What to ask of a file that is whole in several languages."""
    best = {language: max(some, key=lambda c: c.score).reading for language, some in found.items()}
    taken = {language: graded_by(some, columns) or best[language] for language, some in found.items()}
    lines = "\n       or\n".join(pasted(taken[language], sorted(ways[language])) for language in found)
    return UserError(
        f"{shown}: its columns say the same in several languages ({', '.join(found)}), and a row is of one. Paste one; for both, "
        f"prepare the file twice:\n{lines}"
    )
