"""One raw row as one plain row, as its file's `Reading` says: a dict with its `task`, or a str: why it cannot be one.

Plain rows have a task: mcq, classification, open, dialogue, preference, graded or text. Thinking that stood in the row is kept
beside its answer (`thought`), for training with thinking on.
"""

import re

from data_prep.shapes.cells import EMBEDDED, Cells, options_in, with_image
from data_prep.shapes.reading import Reading
from data_prep.shapes.statements import are_lacking, pointed_at
from data_prep.templates.marks import marked_turns
from data_prep.values.choices import Option, fold_text, is_option_text, key_letters
from data_prep.values.strict import Unreadable, answer_text, is_missing, mark_of, text_of
from data_prep.values.turns import Customs, Turn, apart, blocks_of, exchange, is_turns, messages_of, tagged_turns, told
from data_prep.words.said import ANNULLED, YES


def convert(raw: dict, reading: Reading, args) -> dict | str:
    """A raw row as a plain row, or the reason why it cannot be one.

    A context that was put before the question stands in `context` as well: many questions on one passage are no duplicates.
    """
    try:
        cells = Cells(raw, reading)
        row = CONVERTERS[reading.shape](cells, args)
        if row["task"] in ("mcq", "open", "classification", "graded") and args.context != "none":
            if context := cells.text("context"):
                row["context"] = context
        return row
    except Unreadable as reason:
        return str(reason)


# ---------------------------------------------------------------------------------------------- multiple choice


def _mcq(cells: Cells, args) -> dict:
    question, answer = cells.question(), cells.value("answer")
    by_key = isinstance(answer, str) and ANNULLED.fullmatch(answer.strip()) and not _is_an_option(cells, answer)
    if by_key or ANNULLED.fullmatch(cells.text("status")) or cells.text("annulled").casefold() in YES:
        raise Unreadable("annulled by its examiners")
    if not question:
        raise Unreadable("key without a question" if cells.raw.get("key_file") else "no question")
    stem, options = options_in(cells.raw, cells.reading)
    pointed = pointed_at([o.text for o in options])
    parts = (question if stem is None else stem, cells.statements(pointed.roman), cells.text("question_end"))
    question = "\n".join(filter(None, parts))
    if not question:
        raise Unreadable("no question")
    question = with_image(cells, cells.with_context(question, args), args)
    if are_lacking(question, pointed):
        raise Unreadable("its options point at numbered statements that are not there")
    if (stem is not None or "key_file" in cells.raw) and not all(o.text for o in options):
        raise Unreadable("an option is empty: the exam's text is cut")
    letters = right_letters(cells, options)
    kept = sorted((o for o in options if o.text), key=lambda o: o.letter)
    _check_options(kept, options)
    if any(fold_text(o.text) == fold_text(stem or cells.question()) for o in kept):
        raise Unreadable("an option is the question: the options are shifted")
    if args.images != "ignore" and any(EMBEDDED.search(o.text) for o in kept):
        raise Unreadable("an option holds a picture, which is not described")
    if told := next((o.text for o in kept if TELLS.search(o.text)), ""):
        raise Unreadable(f"an option tells the key: '{told[-60:]}'")
    if len(letters) > 1:
        raise Unreadable(f"several right answers: '{', '.join(letters)}'")
    if letters[0] not in {o.letter for o in kept}:
        raise Unreadable(f"no right answer: the key points at an empty option: '{letters[0]}'")
    _agree(cells, options, letters[0])
    _, thought = cells.thought("")
    found = {o.letter: o.text for o in kept}
    return {"task": "mcq", "question": question, "options": found, "answer": letters[0], **cells.extra(), **thought}


def _is_an_option(cells: Cells, answer: str) -> bool:
    """Whether a key is an option's own text: of O and X, say, where X is no annulment."""
    try:
        return is_option_text(answer, options_in(cells.raw, cells.reading)[1])
    except Unreadable:
        return False


TELLS = re.compile(
    r"(?i)\b(?:correct(?: answer)?|answer|resposta(?: correta)?|gabarito|respuesta(?: correcta)?)\s*[:=]\s*\(?[A-J]\)?\W*$"
)


def right_letters(cells: Cells, options: list[Option]) -> list[str]:
    if not options:
        raise Unreadable("a question without options")
    letters = key_letters(cells.value("answer"), options, cells.reading.base)
    if not letters:
        raise Unreadable(
            "no right answer: none is marked" if cells.reading.base == "marked" else "no right answer: the key is empty"
        )
    return letters


def _check_options(kept: list[Option], options: list[Option]) -> None:
    if len(kept) < 2:
        raise Unreadable("fewer than two options, or an empty one" if len(options) > 1 else "fewer than two options")
    if len({o.letter for o in options}) < len(options):
        raise Unreadable("two options have the same letter")
    if len({o.text for o in kept}) < len(kept):
        raise Unreadable("two options are the same")


def _agree(cells: Cells, options: list[Option], letter: str) -> None:
    """Every further column that gives the key must name the same option."""
    for column in cells.reading.checked:
        value = cells.raw.get(column)
        if is_missing(value):
            continue
        for base in ("letter", "text", "id", "0", "1"):
            try:
                if key_letters(value, options, base) == [letter]:
                    break
            except Unreadable:
                continue
        else:
            raise Unreadable(f"no right answer: {column} names another option")


# ---------------------------------------------------------------------------------------------- other shapes


def _qa(cells: Cells, args) -> dict:
    question = with_image(cells, cells.with_context(cells.question(), args), args)
    if not cells.question():
        raise Unreadable("no question")
    answer, thought = cells.thought(answer_text(cells.value("answer")))
    if not answer:
        raise Unreadable("empty answer")
    return _answered(cells, question, answer, thought, args)


def _alpaca(cells: Cells, args) -> dict:
    asked, given = cells.text("instruction"), cells.text("input")
    if not asked + given:
        raise Unreadable("no question")
    answer, thought = cells.thought(answer_text(cells.value("output")))
    if not answer:
        raise Unreadable("empty answer")
    if given and asked and args.instruction_as_system:
        return _answered(cells, given, answer, thought, args, system=asked)
    return _answered(cells, "\n\n".join(p for p in (asked, given) if p), answer, thought, args)


def _answered(cells: Cells, question: str, answer: str, thought: dict, args, system: str = "") -> dict:
    """The question with its answer; a dialogue where the row has a history before them."""
    history, within = cells.value("history"), tagged_turns(question)
    if is_missing(history) and len(within) <= 1:
        first = {"system": system} if system else {}
        question = within[0].text if within else question
        return {"task": "open", "question": question, "answer": answer, **cells.extra(), **thought, **first}
    customs = customs_of(args, cells.reading)
    before = [] if is_missing(history) else messages_of(history)
    asked = within or [Turn("human", question)]
    turns = told([*before, *asked, Turn("gpt", answer, thought.get("thought", ""))], customs)
    turns, _ = exchange(turns, customs)
    told_of = {**cells.provenance(), **cells.language()}
    return {"task": "dialogue", "conversations": [_turn(t) for t in cells.with_system(turns, system)], **told_of}


def _classification(cells: Cells, args) -> dict:
    text, label = cells.text("text"), answer_text(cells.value("label"), "the label")
    if not text or not label:
        raise Unreadable("no text or no label")
    return {
        "task": "classification",
        "text": with_image(cells, cells.with_context(text, args), args),
        "label": label,
        **cells.extra(),
    }


def customs_of(args, reading: Reading) -> Customs:
    roles = {**reading.roles, **args.roles}
    return Customs(roles, args.third_role, args.leading_assistant, args.opening, args.trailing_user)


def _dialogue(cells: Cells, args) -> dict:
    name = {"sharegpt": "conversations"}.get(cells.reading.shape, cells.reading.shape)
    value, customs = cells.value(name), customs_of(args, cells.reading)
    written = isinstance(value, str) and not is_turns(value)
    turns = blocks_of(value, customs.roles) if written else messages_of(value)
    if "answer" in cells.fields:  # a prompt of messages, and its answer beside it
        answer, thought = cells.thought(answer_text(cells.value("answer")))
        if not answer:
            raise Unreadable("empty answer")
        turns.append(Turn("gpt", answer, thought.get("thought", "")))
    turns = told(turns, customs)
    turns, trailing = exchange(turns, customs)
    row = {"task": "dialogue", "conversations": [_turn(t) for t in cells.with_system(turns)], **cells.language()}
    return row | ({"unanswered": trailing} if trailing else {})


def _turn(turn: Turn) -> dict:
    said = {"from": turn.role, "value": turn.text}
    return said | ({"thought": turn.thought} if turn.thought and turn.role == "gpt" else {})


HUMAN = re.compile(r"\n*\s*(Human|Assistant|H|A): ")


def _side(value, customs: Customs, what: str) -> list[Turn]:
    """A prompt or an answer as turns: a text, or a number, is one of the user (`prompt`) or of the assistant."""
    if is_missing(value):
        return []
    value = text_of(value) if isinstance(value, int | float) else value
    if isinstance(value, str) and not is_turns(value):
        text = value.strip()
        if marked := marked_turns(text):
            return told([Turn(*turn) for turn in marked], customs)
        if re.match(r"\s*Human: ", text):  # Anthropic's dialogues in one text
            parts = HUMAN.split(text)[1:]
            return told([Turn(role, said.strip()) for role, said in zip(parts[::2], parts[1::2], strict=True)], customs)
        answer, thought = apart(text) if what != "prompt" else (text, "")
        return [Turn("human" if what == "prompt" else "gpt", answer, thought)] if answer else []
    return told(messages_of(value if isinstance(value, list | str) or "messages" in value else [value]), customs)


def _prompt(turns: list[Turn]) -> str | list[dict]:
    """A prompt as it is written: a text, or messages where it has a system turn or a history."""
    if not turns or turns[-1].role != "human":
        raise Unreadable("the prompt does not end with the user's turn")
    if len(turns) == 1:
        return turns[0].text
    names = {"human": "user", "gpt": "assistant", "system": "system"}
    return [{"role": names[t.role], "content": t.text} for t in turns]


def _answer(turns: list[Turn], what: str) -> tuple[list[Turn], Turn]:
    """(turns before it, the last turn, which is the assistant's)."""
    if not turns or turns[-1].role != "gpt":
        raise Unreadable("no prompt, or an empty side" if not turns else f"{what} does not end with the assistant's turn")
    return turns[:-1], turns[-1]


def _preference(cells: Cells, args) -> dict:
    customs = customs_of(args, cells.reading)
    prompt = _side(cells.value("prompt"), customs, "prompt")
    if (given := cells.text("input")) and len(prompt) == 1:  # an instruction, and what it is about
        prompt = [Turn("human", f"{prompt[0].text}\n\n{given}")]
    before, chosen = _answer(_side(cells.value("chosen"), customs, "chosen"), "chosen")
    other, rejected = _answer(_side(cells.value("rejected"), customs, "rejected"), "rejected")
    if [t.text for t in before] != [t.text for t in other] and before and other:
        raise Unreadable("chosen and rejected answer different conversations")
    before = before or other
    if before and (not prompt or before[-1].text == prompt[-1].text or len(before) > len(prompt)):
        prompt = before if len(before) >= len(prompt) else prompt
    prompt = cells.with_system(prompt)
    if not prompt or not chosen.text or not rejected.text:
        raise Unreadable("no prompt, or an empty side")
    if chosen.text == rejected.text:
        raise Unreadable("chosen and rejected are the same")
    marks = [cells.value(name) for name in ("chosen_score", "rejected_score")]
    if not any(is_missing(m) for m in marks) and mark_of(marks[0]) < mark_of(marks[1]):
        raise Unreadable("the rejected answer is marked higher than the chosen one")
    thoughts = {f"{n}_thought": t.thought for n, t in (("chosen", chosen), ("rejected", rejected)) if t.thought}
    return {
        "task": "preference",
        "prompt": _prompt(prompt),
        "chosen": chosen.text,
        "rejected": rejected.text,
        **cells.language(),
        **thoughts,
    }


def _graded(cells: Cells, args) -> dict:
    feedback = cells.reading.shape == "feedback"
    score = mark_of(cells.value("label" if feedback else "score"))
    customs = customs_of(args, cells.reading)
    if feedback and "prompt" not in cells.fields:  # a conversation whose last answer is marked
        name = next(n for n in ("messages", "conversations") if n in cells.fields)
        before, last = _answer(told(messages_of(cells.value(name)), customs), "the conversation")
    else:
        before = _side(cells.value("prompt" if feedback else "question"), customs, "prompt")
        completion = cells.value("completion" if "completion" in cells.fields else "answer")
        completion = completion.replace("\\n", "\n") if isinstance(completion, str) else completion
        further, last = _answer(_side(completion, customs, "completion") or [Turn("gpt", "")], "the answer")
        before += further
    if not before or not last.text:
        raise Unreadable("no prompt, or an empty answer")
    if len(before) == 1:
        before = [Turn("human", cells.with_context(before[0].text, args))]
    before = cells.with_system(before)
    thought = {"thought": last.thought} if last.thought else {}
    return {
        "task": "graded",
        "prompt": _prompt(before),
        "completion": last.text,
        "score": score,
        "good": score >= cells.reading.good_score,
        **cells.language(),
        **thought,
    }


def _text(cells: Cells, args) -> dict:
    text = cells.text("text")
    if not text:
        raise Unreadable("empty text")
    return {"task": "text", "text": text, **cells.extra()}


CONVERTERS = {
    "mcq": _mcq,
    "qa": _qa,
    "alpaca": _alpaca,
    "classification": _classification,
    "dialogue": _dialogue,
    "sharegpt": _dialogue,
    "messages": _dialogue,
    "preference": _preference,
    "feedback": _graded,
    "graded": _graded,
    "text": _text,
}
