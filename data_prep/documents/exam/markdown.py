"""The key of an exam in Markdown, in another file that names it, and its questions as rows."""

import collections
import functools
import re
from pathlib import Path

from data_prep.common.errors import UserError
from data_prep.documents.exam.errata import annulled_in, changed_in
from data_prep.tables.json_records import BAD_AT_ALL
from data_prep.tables.records import Bad
from data_prep.tables.unpack import suffix_of, whole_text
from data_prep.values.choices import LINE, split_stem
from data_prep.values.strict import is_count
from data_prep.words.said import ANNULLED

QUESTION_HEAD = re.compile(r"^(?:#{1,6}[ \t]*|\*\*[ \t]*)(?:Quest[ãa]o|Question|Pregunta)[ \t]+(\d+)\b[^\n]*$", re.M | re.I)
KEY_LINE = re.compile(
    r"^[ \t]*(?:[-*][ \t]*)?(?:Quest[ãa]o[ \t]+)?(\d{1,3})[ \t]*[-–.):][ \t]*\(?([A-Ja-j*]|anulada|nula)\)?[ \t]*$", re.M | re.I
)


def keys_in(text: str) -> dict[int, list[tuple[str, str]]]:
    """A key's answers: number -> [(letter, status)], of which there are several where it gives a number other ones as well.

    Tables of `| 1 | D |` (and a status, or further pairs), or lines `1 - D`.
    """
    given: list[tuple[str, str, str]] = []
    for line in text.splitlines():
        if not line.lstrip().startswith("|"):
            continue
        cells = [c.strip(" *_`") for c in line.strip().strip("|").split("|")]
        if len(cells) >= 4 and len(cells) % 2 == 0 and all(is_count(c) for c in cells[::2] if c):
            given += [(n, a, "") for n, a in zip(cells[::2], cells[1::2], strict=True) if n]
        elif len(cells) >= 2 and re.fullmatch(r"(?:Quest[ãa]o\s+)?\d{1,9}", cells[0], re.I):
            given.append((re.sub(r"\D", "", cells[0]), cells[1], cells[2] if len(cells) > 2 else ""))
    given += [(n, a, "") for n, a in KEY_LINE.findall(text)]
    found: dict[int, dict[str, tuple[str, str]]] = {}
    for number, answer, status in given:
        same = found.setdefault(int(number), {})
        said = f"{answer} {status}" if ANNULLED.fullmatch(status) else answer  # `| 3 | D | Anulada |` is another answer than D
        _, known = same.get(said.casefold(), ("", ""))
        same[said.casefold()] = (answer, known or status)
    return {n: [a for said, a in same.items() if said] or [*same.values()] for n, same in found.items()}


@functools.lru_cache(maxsize=4)
def key_files(markdown: tuple[Path, ...]) -> dict[str, tuple[Path, ...]]:
    """The Markdown files of the inputs that are keys, by the name of the exam that they mention. Each file is read once."""
    found: dict[str, tuple[Path, ...]] = {}
    for path in markdown:
        text = whole_text(path, str(path))
        if not QUESTION_HEAD.search(text) and keys_in(text):
            for name in dict.fromkeys(re.findall(r"[\w.()-]+\.md\b", text)):
                found[name] = (*found.get(name, ()), path)
    return found


def is_key_of_any(text: str, siblings: list[Path]) -> bool:
    """Whether a text is a key and names an exam among the inputs: other tables of numbers name files too."""
    names = set(re.findall(r"[\w.()-]+\.md\b", text)) if keys_in(text) else set()
    return any(p.name in names and QUESTION_HEAD.search(whole_text(p, str(p))) for p in siblings)


def key_of(path: Path, shown: str, siblings: list[Path]) -> tuple[str, str] | None:
    """The text and the name of the file that holds the keys and names this exam."""
    markdown = tuple(p for p in siblings if suffix_of(p) == ".md")
    found = key_files(markdown).get(path.name, ())
    near = [p for p in found if p.parent == path.parent] or list(found)
    if not near:
        return None
    if len(near) > 1:
        raise UserError(f"{shown}: an exam with several keys ({', '.join(map(str, near))}); --exclude all but one")
    return whole_text(near[0], str(near[0])), near[0].name


def amend(keys: dict[int, list[tuple[str, str]]], key_text: str, above: str, exam: str) -> None:
    """Say in the keys what sentences beside them, or above the exam, change, and what lines of either file annul.

    A number that is annulled has that status, one that was changed has another answer as well.
    """
    annulled, changed = annulled_in(key_text) | annulled_in(exam), changed_in(above) | changed_in(key_text)
    for number in annulled & keys.keys():
        keys[number] = [(keys[number][0][0], "anulada")]
    for number in changed.keys() & keys.keys() - annulled:
        given = {answer.strip().upper() for answer, _ in keys[number]}
        if changed[number] not in given and not any(ANNULLED.fullmatch(said) for said in (*given, keys[number][0][1])):
            keys[number].append((changed[number] or "?", "by a sentence beside it"))


def check_numbers(numbers: list[int], keys: dict[int, list], shown: str, key_file: str) -> None:
    """Raises UserError where a key can be that of another part, or of another booklet."""
    if twice := [str(n) for n, times in collections.Counter(numbers).items() if times > 1 and n in keys]:
        raise UserError(
            f"{shown}: has the number{'s' * (len(twice) > 1)} {', '.join(twice[:5])}{' and more' * (len(twice) > 5)} of its key "
            f"({key_file}) more than once, and nothing says which question is meant; bring each part, with its key, into files "
            "of its own"
        )
    several = sum(len(answers) > 1 for answers in keys.values())
    if several > max(1, BAD_AT_ALL * len(keys)):
        raise UserError(
            f"{shown}: its key ({key_file}) gives {several} of {len(keys)} numbers several answers; leave that of one booklet "
            "in it"
        )


def question_row(number: int, body: str, answers: list[tuple[str | None, str]], key_file: str) -> dict | Bad:
    if len(answers) > 1:
        named = ", ".join(f"{answer} ({status})" if status else f"{answer}" for answer, status in answers)
        return Bad(f"no right answer: the key gives this question several: '{number}: {named}'", body.strip())
    [(answer, status)] = answers
    body = re.sub(r"\*\*Alternativas:\*\*|^---+\s*$", "", body, flags=re.M)
    first = LINE.search(body)
    stem, options = split_stem(body[first.start() :]) if first else ("", [])
    question = (body[: first.start()] + stem).strip() if options else body.strip()
    question = re.sub(
        r"^(?:\*\*(.+?)\*\*|(.+?)\*\*)$", r"\1\2", question
    )  # a stem in bold; its beginning can stand at the number
    return {
        "number": number,
        "question": question,
        "options": {o.letter: o.text for o in options},
        "answer": answer,
        "status": status or "",
        "key_file": key_file,
    }
