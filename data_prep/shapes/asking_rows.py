"""What is asked of rows that are no questions of their own: intents of a chatbot, numbered pairs, single turns."""

from data_prep.common.errors import UserError
from data_prep.shapes.columns import Column
from data_prep.shapes.nested import intents
from data_prep.shapes.pasting import pasted
from data_prep.shapes.reading import Reading, Wish, to_paste, yaml_line
from data_prep.shapes.unused import sorts
from data_prep.tables.turn_rows import Single, single_turns
from data_prep.values.strict import is_missing
from data_prep.values.turns import role_of

MOST_SPEAKERS = 8  # whose sides are asked about; more are names of people, not of sides


def ask_of_intents(columns: dict[str, Column], shown: str) -> None:
    """Raises UserError where the rows are intents of a chatbot, several answers to each of which are in reach."""
    if not (found := intents(columns)):
        return
    text, tag, answers = found["text"], found["label"], found["answer"]
    sorts = pasted(Reading("classification", {"text": text, "label": tag}, explode=text), [answers])
    pairs = pasted(Reading("qa", {"question": text, "answer": answers}, explode=text))
    raise UserError(
        f"{shown}: its rows are intents, whose {text} have several {answers} to choose from. Paste one: to sort texts into the "
        f"intents, or to learn the answers of those that have one alone (the others are left out and counted):\n{sorts}"
        f"\n       or\n{pairs}"
    )


def ask_of_pairs(pairs: dict[str, str], shown: str) -> UserError:
    """What to ask of numbered questions with their answers in one row."""
    return UserError(
        f"{shown}: its rows hold several questions with their answers ({', '.join(pairs)}). Where each stands by itself, paste "
        f"the line below; where a later one goes on with those before, bring them into turns (messages):\n"
        + to_paste(yaml_line("pairs", pairs))
    )


def ask_of_turns(columns: dict[str, Column], sample: list[dict], wish: Wish, shown: str) -> None:
    """Raises UserError where the rows are single turns that are joined to no conversation: why not, and the lines."""
    turns = single_turns(list(columns), sample)
    if turns is None:
        return
    speaker, text, differ = turns.speaker, turns.text, turns.differ
    labels = [c for c in dict.fromkeys((*differ, speaker, *columns)) if c != text and c in columns and sorts(columns[c])]
    lines = [pasted(Reading("classification", {"text": text, "label": c}), [o for o in labels if o != c]) for c in labels]
    lines = lines or [pasted(Reading("text", {"text": text}))]
    if sides := _unknown_sides(turns, sample, wish):
        ways = [to_paste(yaml_line("roles", sides)), *lines]
        raise UserError(
            f"{shown}: its rows are single turns ({speaker} says {text}) of conversations ({turns.conversation}). Whose "
            f"are those of {', '.join(map(repr, sides))}? For conversations paste the roles, with the right sides (human, gpt, "
            "system, third, drop), for single sentences with a label another:\n" + "\n       or\n".join(ways)
        )
    why = (
        f"{', '.join(differ)} differ from turn to turn of one conversation, and a conversation has one value of each. For "
        "conversations leave these columns out of the file"
        if differ
        else "no column says which conversation a turn belongs to, or the sides of its speakers are not known. For "
        "conversations give it conversation_id, and speakers such as patient and doctor"
    )
    raise UserError(
        f"{shown}: its rows are single turns ({speaker} says {text}), and {why}. For single sentences with a label paste one:\n"
        + "\n       or\n".join(lines)
    )


def _unknown_sides(turns: Single, sample: list[dict], wish: Wish) -> dict[str, str]:
    """The speakers of conversations that only lack their sides, as a line to paste; {} for other rows, or for many speakers."""
    if not turns.conversation or turns.differ:
        return {}
    speakers = {str(v): role_of(str(v), wish.roles) for raw in sample if not is_missing(v := raw.get(turns.speaker))}
    return {s: "YOUR_SIDE" for s, side in speakers.items() if side is None} if len(speakers) <= MOST_SPEAKERS else {}
