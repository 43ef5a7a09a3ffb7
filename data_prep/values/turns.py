"""Conversations of any written form as turns: lists of messages, pairs, dialogues written as text. No role is ever guessed."""

import difflib
import re
from dataclasses import dataclass
from typing import NamedTuple

from data_prep.templates.marks import marked_turns
from data_prep.values.strict import Unreadable, from_literal, is_missing, text_of
from data_prep.words.names import plain
from data_prep.words.said import PAIRS_OF_SINGLES, ROLE_OF, SINGLE, TITLED, side_named

SPEAKER = re.compile(
    r"^\s*(?:(?:\*\*|__)\s*)?"
    r"(?:\[([^\[\]\n]{1,40})\]\s*:?|([^\W\d_][\wऀ-๿ .'()-]{0,40}?)\s{0,4}(?:\*\*|__)?\s{0,4}[:：](?!//))(?:\*\*|__)?\s*(.*)$"
)
THINK = re.compile(r"\s*<(think|thinking|reasoning)>(.*?)</\1>\s*", re.S | re.I)
ROLE_KEYS = ("from", "role", "speaker", "author", "sender", "user", "autor", "participant")
TEXT_KEYS = ("value", "content", "text", "message", "utterance", "parts", "texto", "mensagem", "sentence", "frase")
THOUGHT_KEYS = ("reasoning_content", "reasoning", "thinking", "thought")
THIRD = [word for word, side in ROLE_OF.items() if side == "third"]
SIDE_OF_PART = {  # a turn and its answer as one object, by the names of its parts
    "system": "system",
    **dict.fromkeys("input instruction question query prompt pergunta pregunta entrada".split(), "human"),
    **dict.fromkeys("output answer response resposta respuesta saida".split(), "gpt"),
}
SIDES = ("human", "gpt", "system", "tool", "third", "drop", "text")  # text: no speaker, the line goes on with the turn
NAMED = re.compile(r"[^\W\d_一-鿿][\wऀ-๿.'-]*(?:[ _-][\wऀ-๿.'()-]+){0,2}")  # ऀ-๿: vowels of Indic scripts are no \w


def looks_named(words: str) -> bool:
    """Whether words before a colon look as a speaker's name does: few, the first with no small letter (scripts without any too).

    Chinese is left out, where any phrase before a colon would.
    """
    return bool(NAMED.fullmatch(words)) and not words[0].islower()


class Turn(NamedTuple):
    role: str  # human, gpt or system; before `told` any speaker's name
    text: str
    thought: str = ""


@dataclass(frozen=True)
class Customs:
    """How turns that are no plain exchange are treated: the options of the same names, and the user's roles."""

    roles: dict[str, str]
    third_role: str = "named_user"
    leading_assistant: str = "opening"
    opening: str = "..."
    trailing_user: str = "keep"


def role_of(speaker: str, roles: dict[str, str], both_sides: bool = True) -> str | None:
    """human, gpt, system, tool, third or drop; None for a speaker that is not known. `roles` are the user's own words."""
    for raw, side in roles.items():
        if plain(raw) == plain(speaker):
            return side
    word = plain(speaker)
    if word in ROLE_OF:
        return ROLE_OF[word]
    if both_sides and (word in SINGLE or re.fullmatch(r"[qa]\d{1,3}", word)):  # Q1: and A1: are a pair by its number
        return SINGLE[word[0]]
    if TITLED.match(str(speaker).strip()):
        return "gpt"
    inside = re.fullmatch(r"(\w+?)\s*\(.*\)|(\w+?)[ _-]?\d+", str(speaker).strip())
    base = plain(inside[1] or inside[2]) if inside else ""
    if base in ROLE_OF:  # "Patient (Ana)" is the patient, "Doctor_2" a further speaker
        return ROLE_OF[base] if inside[1] else "third"
    parts = [plain(p) for p in re.split(r"[\W_]+", str(speaker)) if p]
    if len(parts) > 1 and (parts[0] in THIRD or _misspelt(parts[0], THIRD)):
        return "third"
    near = _misspelt(re.sub(r"\d+$", "", word), [w for w in ROLE_OF if len(w) > 4])
    return ("third" if word[-1:].isdigit() else ROLE_OF[near]) if near else None


def in_singles(names: set[str]) -> bool:
    """Whether speakers are called by a letter: `P` beside `D`, or `Q7` beside `A7`, each question with its answer."""
    if any(pair <= names for pair in PAIRS_OF_SINGLES):
        return True
    asked = _numbers("q", names)
    return bool(asked) and asked == _numbers("a", names)


def _numbers(letter: str, names: set[str]) -> set[str]:
    return {name[1:] for name in names if name[:1] == letter and name[1:].isdecimal() and len(name) < 5}


def _misspelt(word: str, known: list[str]) -> str | None:
    """The known word that a word of four letters or more is with two letters exchanged or one amiss."""
    near = difflib.get_close_matches(word, known, 1, 0.83) if len(word) > 3 else []
    return near[0] if near else None


def apart(text: str) -> tuple[str, str]:
    """An answer and the thinking written before it in a think block; (text, "") where there is none."""
    found = THINK.match(text)
    if found:
        return text[found.end() :].strip(), found[2].strip()
    if "</think>" in text:  # the opening tag stood in the prompt
        thought, _, rest = text.partition("</think>")
        return rest.strip(), thought.replace("<think>", "").strip()
    return text.strip(), ""


def is_turns(value) -> bool:
    """Whether a value is a list of messages."""
    value = from_literal(value)
    if not isinstance(value, list) or not value or not all(isinstance(v, dict) for v in value):
        return False
    return all(any(k in v for k in ROLE_KEYS) and any(k in v for k in (*TEXT_KEYS, "tool_calls")) for v in value)


def messages_of(value) -> list[Turn]:
    """A list of messages, or of (question, answer) pairs, as turns with the speakers' own names. Raises Unreadable."""
    value = from_literal(value)
    if isinstance(value, dict) and isinstance(value.get("messages") or value.get("conversations"), list):
        value = value.get("messages") or value["conversations"]
    if (
        isinstance(value, dict) and value and all(isinstance(v, list) for v in value.values())
    ):  # columns of turns, as parquet has them
        value = [dict(zip(value, each, strict=False)) for each in zip(*value.values(), strict=False)]
    if not isinstance(value, list) or not value:
        raise Unreadable("no list of turns")
    if said_lines(value):
        return blocks_of("\n".join(value), {})
    if all(isinstance(t, list) and len(t) == 2 and all(isinstance(x, str) for x in t) for t in value):
        if all(role_of(t[0], {}) for t in value):
            return [Turn(*t) for t in value]
        return [turn for asked, told in value for turn in (Turn("human", asked), Turn("gpt", *apart(told)))]
    if not all(isinstance(t, dict) for t in value):
        raise Unreadable("no list of turns with a role and a text each")
    return [turn for t in value for turn in _turns_of(t)]


def said_lines(value) -> bool:
    """Whether a value is a list of lines that each begin with a speaker of a known side."""
    if not isinstance(value, list) or not value or not all(isinstance(line, str) for line in value):
        return False
    return all((said := speakers_of(line)) and role_of(said[0], {}) for line in value)


def _turns_of(message: dict) -> list[Turn]:
    if any(isinstance(message.get(k), str) for k in ("from", "role", "speaker")):
        return [_message(message)]
    sides = [SIDE_OF_PART.get(plain(k), "") for k in message]  # in whatever order: what asks stands before what answers
    if all(sides) and sorted(set(sides) - {"system"}) == ["gpt", "human"] and len(set(sides)) == len(sides):
        said = dict(zip(sides, message.values(), strict=True))
        return [Turn(s, text_of(said[s], "a turn")) for s in ("system", "human", "gpt") if not is_missing(said.get(s))]
    sides = [k if role_of(k, {}) else side_named(k) for k in message]  # {"patient": "...", "doctor": "..."}, user_content
    if all(sides):
        return [Turn(side, text_of(said, "a turn")) for side, said in zip(sides, message.values(), strict=True)]
    return [_message(message)]


def _message(message: dict) -> Turn:
    role = next((message[k] for k in ROLE_KEYS if isinstance(message.get(k), str)), None)
    if role is None:
        raise Unreadable(f"a turn has no role: its names are '{', '.join(map(str, message))}'"[:200])
    if not is_missing(message.get("tool_calls")) or not is_missing(message.get("function_call")):
        return Turn("tool", "")
    if message.get("weight") == 0:  # OpenAI's mark of an answer that is not to be learnt
        raise Unreadable("an answer of weight 0, which is not to be trained: every answer of these rows is")
    keys = [k for k in TEXT_KEYS if k in message]
    if not keys:
        raise Unreadable(f"a turn has no text: its names are '{', '.join(map(str, message))}'"[:200])
    filled = [k for k in keys if not is_missing(message[k])] or keys
    if len({" ".join(message[k].split()) for k in filled if isinstance(message[k], str)}) > 1:
        raise Unreadable(f"a turn has several texts that differ: '{', '.join(filled)}'")
    text = text_of(message[filled[0]], "a turn")
    thought = next((text_of(message[k], "a thought") for k in THOUGHT_KEYS if not is_missing(message.get(k))), "")
    return Turn(role, text, thought)


def blocks_of(text: str, roles: dict[str, str]) -> list[Turn]:
    """A dialogue written as text, with a template's marks, or with one speaker's name before each turn.

    Lines of no known speaker go on with the turn. Raises Unreadable where text stands before the first speaker.
    """
    if marked := marked_turns(text, pairs=True):
        return [Turn(*turn) for turn in marked]
    lines = text.splitlines()
    hits = [SPEAKER.match(line) for line in lines]
    names = {plain(hit[1] or hit[2]) for hit in hits if hit}
    both = in_singles(names) and len(_numbers("q", names)) < 2  # several are no conversation
    turns: list[tuple[str, list[str]]] = []  # a speaker's name and the lines
    for line, hit in zip(lines, hits, strict=True):
        name = (hit[1] or hit[2]).strip() if hit else ""
        role = role_of(name, roles, both) if name else None
        if name and role is None and (hit[1] or looks_named(name)) and not hit[3].startswith("//"):
            raise Unreadable(f"an unknown role (say whose turn it is: --roles '{{NAME: human}}', or text): '{name}'")
        if role not in (None, "text"):
            turns.append((name, [hit[3].strip()]))
        elif turns:
            turns[-1][1].append(line.strip())
        elif line.strip():
            raise Unreadable("text before the first speaker" + (f": '{name}'" if name else ""))
    return [Turn(name, "\n".join(filter(None, said))) for name, said in turns]


TURN_MARK = re.compile(  # "<user>: …"; without the colon "<patient>" can stand for a name that was taken out
    r"<\|?(user|human|patient|bot|assistant|doctor|gpt|ai|model)\|?>\s*[:：]", re.I
)


LABEL = re.compile(r"\s*([^\W\d_]{1,12})\s*[:：]")


def _framed(text: str) -> Turn | None:
    """The question in a prompt's frame (`问：… 答：`, `Pergunta: … Resposta:`), whose answer stands elsewhere; None without."""
    *lines, last = text.strip().removeprefix("<s>").strip().splitlines() or [""]
    opens, closes = LABEL.match(lines[0]) if lines else None, LABEL.fullmatch(last.rstrip())
    if not opens or not closes or role_of(opens[1], {}) != "human" or role_of(closes[1], {}) != "gpt":
        return None
    said = [lines[0][opens.end() :], *lines[1:]]
    body = "\n".join(said).strip()
    return Turn(opens[1], body) if body and not any(map(LABEL.match, said)) else None


def tagged_turns(text: str) -> list[Turn]:
    """A question's turns where the text begins with the mark of one who asks and every turn has such a mark; [] of other texts.

    One question in a prompt's frame is one turn. A mark of the answer at the end is none. Raises Unreadable where the last turn
    is an answer: a second one would follow.
    """
    hits = list(TURN_MARK.finditer(text))
    if not hits and (framed := _framed(text)):
        return [framed]
    if not hits or text[: hits[0].start()].strip() or role_of(hits[0][1], {}) != "human":
        return []
    ends = [*(hit.start() for hit in hits[1:]), len(text)]
    turns = [Turn(hit[1], text[hit.end() : end].strip()) for hit, end in zip(hits, ends, strict=True)]
    if not turns[-1].text:
        turns.pop()
    if not turns or role_of(turns[-1].role, {}) != "human":
        raise Unreadable("the turns within the question end with an answer")
    return turns


def speakers_of(value) -> list[str]:
    """The speakers of a value as they are written; of text the names in marks, before a colon or in brackets. [] where none."""
    try:
        if isinstance(value, str) and not is_turns(value):
            if marked := marked_turns(value, pairs=True):
                return [speaker for speaker, _ in marked]
            found = [SPEAKER.match(line) for line in value.splitlines()]
            return [(hit[1] or hit[2]).strip() for hit in found if hit]
        return [turn.role for turn in messages_of(value)]
    except Unreadable:
        return []


def told(turns: list[Turn], customs: Customs) -> list[Turn]:
    """Turns of the sides human, gpt and system. Raises Unreadable for a speaker that is not known, and for tools."""
    names = {plain(t.role) for t in turns}
    both = in_singles(names) or not names & set(SINGLE)
    found: list[Turn] = []
    for speaker, text, thought in turns:
        role = role_of(speaker, customs.roles, both)
        if role is None:
            raise Unreadable(f"an unknown role (say whose turn it is: --roles '{{NAME: human}}'): '{speaker}'")
        if role == "tool":
            raise Unreadable("function calls or a tool's answers, which these rows cannot hold")
        if role == "gpt":
            text, inside = apart(text)
            thought = thought or inside
        if role == "drop" or not (text or thought):
            continue
        if role == "third":
            if customs.third_role == "reject":
                raise Unreadable(f"a third role: '{speaker}'")
            role, text = "human", f"{speaker}: {text}" if customs.third_role == "named_user" else text
        if found and found[-1].role == role:
            text = f"{found[-1].text}\n{text}".strip()
            thought = "\n".join(t for t in (found[-1].thought, thought) if t)
            found[-1] = Turn(role, text, thought)
        else:
            found.append(Turn(role, text, thought))
    return found


def exchange(turns: list[Turn], customs: Customs) -> tuple[list[Turn], str]:
    """(turns that a model can be trained on, an unanswered last question that was taken off or "").

    A leading assistant turn and a trailing user turn are treated as `customs` says. Raises Unreadable.
    """
    if any(t.role == "system" for t in turns[1:]):
        raise Unreadable("a system turn after the first turn")
    system, body = ([turns[0]], turns[1:]) if turns and turns[0].role == "system" else ([], list(turns))
    if {t.role for t in body} != {"human", "gpt"}:
        raise Unreadable("a conversation of one side only")
    if body[0].role == "gpt":
        if customs.leading_assistant == "reject":
            raise Unreadable("the assistant speaks first")
        if customs.leading_assistant == "opening":  # a user turn that opens, so that every word of the doctor can stay
            body.insert(0, Turn("human", customs.opening))
        else:
            first = body.pop(0).text
            system = [Turn("system", "\n".join([*(t.text for t in system), first]))]
    trailing = ""
    if body and body[-1].role == "human":
        if customs.trailing_user == "reject":
            raise Unreadable("the last turn has no answer")
        if customs.trailing_user == "drop":
            trailing = body.pop().text
    if {t.role for t in body} != {"human", "gpt"}:
        raise Unreadable("a conversation of one side only")
    return [*system, *body], trailing
