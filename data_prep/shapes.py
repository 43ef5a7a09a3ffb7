"""What a file's rows are (question and answer, multiple choice, dialogue, ...), and one raw row as one plain row.

    found = find_shape(sample, args, shown)          # Found(shape, fields, ...), or UserError with YAML to paste
    row = convert(record.raw, found, args)           # {"task": "mcq", "question", ...}, or a str: why it cannot be one

Plain rows have a task: mcq, classification, open, dialogue, preference, feedback, graded or text.
A wrong guess is worse than a question: where two readings are possible nothing is guessed.
"""

import ast
import json
import re
from typing import NamedTuple

from data_prep.clean import TAG
from data_prep.errors import UserError
from data_prep.read import OPTION_LINE, SPEAKER

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
NAMES = {  # our name -> how raw files call it, compared without case, spaces and underscores
    "question": "question query pergunta questao questão enunciado stem harmfulmedicalrequest patientquestion",
    "options": "options choices alternativas opcoes opções alternatives",
    "answer": "answer freeformanswer saferesponse response resposta longanswer answerkey correctanswer correctoption answeridx "
    "gold cop gabarito",
    "context": "context contexts passage",
    "label": "label finaldecision majoritylabel category class classe rotulo rótulo",
    "text": "text texto",
    "conversations": "conversations conversation",
    "messages": "messages",
    "dialogue": "dialogue dialog dialogo diálogo",
    "instruction": "instruction",
    "input": "input",
    "output": "output",
    "prompt": "prompt",
    "chosen": "chosen",
    "rejected": "rejected",
    "completion": "completion respostabruta",
    "score": "correta correct score rating grade nota",
    "explanation": "explanation exp explicacao explicação rationale",
    "topic": "topic subjectname subject topico tópico sectionheader qtype specialty especialidade titulo",
    "language": "language lang idioma",
    "system": "system",
    "status": "status",
}
ALIASES = {alias: name for name, aliases in NAMES.items() for alias in aliases.split()}
NEEDS = {
    "sharegpt": ("conversations",),
    "messages": ("messages",),
    "preference": ("prompt", "chosen", "rejected"),
    "feedback": ("prompt", "completion", "label"),
    "graded": ("question", "completion", "score"),
    "dialogue": ("dialogue",),
    "alpaca": ("instruction", "output"),
    "mcq": ("question", "answer"),
    "classification": ("text", "label"),
    "qa": ("question", "answer"),
    "text": ("text",),
}
SHAPES = tuple(NEEDS)
OPTION_COLUMNS = (
    [f"op{c}" for c in "abcdefgh"],
    [f"option{c}" for c in "abcdefgh"],
    [f"ending{i}" for i in range(8)],
    list("abcdefgh"),
    [f"option{i}" for i in range(1, 9)],
    [f"alternativa{c}" for c in "abcdefgh"],
)
ANNULLED = re.compile(r"(?:-|\*|x|anulad[ao]|annulled|nula)\s*", re.I)


class Found(NamedTuple):
    shape: str
    fields: dict[str, str]  # our name -> raw name
    option_columns: list[str]
    base: str  # mcq's key: "letter", "0", "1", "text"
    evidence: str


def plain(name: str) -> str:
    return re.sub(r"[\s_\-.]", "", str(name)).casefold()


def _yaml(shape: str, fields: dict) -> str:
    needed = {name: fields.get(name, "YOUR_FIELD") for name in (*NEEDS[shape], *(("options",) if shape == "mcq" else ()))}
    written = ", ".join(f"{k}: {v}" if str(v).isidentifier() else f"{k}: {v!r}" for k, v in needed.items())
    return f"         shape: {shape}\n         fields: {{{written}}}"


def find_shape(sample: list[dict], args, shown: str, preset: dict | None = None) -> Found:
    """Shape and fields of a file from its first rows and the user's `shape` and `fields`.

    Raises UserError, with YAML to paste, where no shape fits, two fit, a named field is nowhere, or a key's base is unclear.
    """
    preset = dict(preset or {}) if args.shape == "auto" and not args.fields else {}
    keys = dict.fromkeys(key for raw in sample for key in raw)
    fields = {}
    for key in keys:
        name = ALIASES.get(plain(key))
        # Of two fields for one thing the first is taken only where one bears the very name.
        if name and (name not in fields or (plain(key) == name and plain(fields[name]) != name)):
            fields[name] = key
    twice = {}
    for key in keys:
        twice.setdefault(ALIASES.get(plain(key)), []).append(key)
    wanted = preset.pop("shape", args.shape)
    given = {**preset, **args.fields}
    if missing := [f"{name}: {key}" for name, key in given.items() if key not in keys and key != "topic"]:
        raise UserError(f"{shown}: no row has the field of {'; '.join(missing)}; its fields: {', '.join(map(str, keys))}")
    if wrong := [name for name in given if name not in NAMES]:
        raise UserError(f"fields: {', '.join(wrong)} is not one of {', '.join(NAMES)}")
    fields.update(given)
    columns = next(
        (
            found
            for names in OPTION_COLUMNS
            if len(found := [key for n in names for key in keys if plain(key) == n]) >= 2 and found
        ),
        [],
    )
    inline = [len(OPTION_LINE.findall(str(raw.get(fields.get("question"), "")))) >= 2 for raw in sample]
    has_options = "options" in fields or bool(columns) or (inline and sum(inline) >= 0.8 * len(inline))
    fits = [
        shape for shape, needed in NEEDS.items() if all(name in fields for name in needed) and (shape != "mcq" or has_options)
    ]
    if wanted != "auto":
        shape = wanted
        lacking = [name for name in NEEDS[shape] if name not in fields]
        if shape == "mcq" and not has_options:
            lacking.append("options")
        if lacking:
            raise UserError(
                f"{shown}: shape {shape} needs {', '.join(lacking)}; its fields: {', '.join(map(str, keys))}. Paste and mend:\n"
                + _yaml(shape, fields)
            )
    else:
        narrowed = set(fits)
        for more, less in (
            ("mcq", "qa"),
            ("alpaca", "text"),
            ("preference", "text"),
            ("sharegpt", "text"),
            ("messages", "text"),
            ("mcq", "classification"),
            ("classification", "text"),
            ("qa", "text"),
            ("dialogue", "text"),
        ):
            if {more, less} <= narrowed:
                narrowed.discard(less)
        if (
            "label" in fields
            and "qa" in narrowed
            and "text" not in fields
            and len({str(raw.get(fields["label"])) for raw in sample}) <= max(2, len(sample) // 5)
        ):
            narrowed.add("classification")  # a question with a full answer and a class: both could be meant
            fields.setdefault("text", fields["question"])
        if len(narrowed) > 1:
            raise UserError(
                f"{shown}: its rows can be {' or '.join(sorted(narrowed))} (fields: {', '.join(map(str, keys))}). Paste one:\n"
                + "\n       or\n".join(_yaml(s, fields) for s in sorted(narrowed))
            )
        if not narrowed:
            nearest = max(
                ("mcq", "qa", "classification", "text") if has_options else ("qa", "classification", "text"),
                key=lambda s: sum(n in fields for n in NEEDS[s]),
            )
            raise UserError(
                f"{shown}: no shape fits its fields ({', '.join(map(str, keys)) or 'none'}). Paste and mend:\n"
                + _yaml(nearest, fields)
            )
        shape = narrowed.pop()
        for name in NEEDS[shape]:
            same = [k for k in twice.get(name, []) if k != fields[name]]
            if name not in given and same and plain(fields[name]) != name:
                raise UserError(
                    f"{shown}: {name} can be {' or '.join(map(str, [fields[name], *same]))}. Paste one:\n"
                    + "\n       or\n".join(_yaml(shape, {**fields, name: k}) for k in [fields[name], *same])
                )
    base = _key_base(sample, fields, columns, args, shown) if shape == "mcq" else ""
    used = [
        *NEEDS[shape],
        *(n for n in ("options", "context", "topic", "explanation", "input", "system", "status") if n in fields),
    ]
    evidence = ", ".join(f"{n}={fields[n]}" for n in used if n in fields)
    if shape == "mcq":
        evidence += (
            f", options in columns {', '.join(columns)}"
            if columns and "options" not in fields
            else ""
            if "options" in fields
            else ", options inline in the stem"
        ) + f", key as {base if base in ('letter', 'text') else f'index from {base}'}"
    return Found(shape, fields, columns, base, evidence)


def _key_base(sample, fields, columns, args, shown) -> str:
    """How a multiple-choice key is written: letter, full text, or an index from 0 or 1; UserError where 0 or 1 is unclear."""
    if args.answer_base != "auto":
        return args.answer_base
    values = [raw.get(fields["answer"]) for raw in sample]
    numbers = [int(v) for v in values if re.fullmatch(r"\s*\d+\s*", str(v))]
    if len(numbers) < 0.8 * max(1, len([v for v in values if v not in (None, "")])):
        lettered = sum(bool(re.match(r"\s*\(?[A-Za-z](?:[).:]|\s*$)", str(v))) for v in values)
        return "letter" if lettered >= len(values) / 2 else "text"
    sizes = [len(parse_options(_options(raw, fields, columns))) for raw in sample]
    if min(numbers) == 0 and not any(n == s for n, s in zip(numbers, sizes, strict=False)):
        return "0"
    if min(numbers) >= 1 and any(n == s for n, s in zip(numbers, sizes, strict=False)):
        return "1"
    raise UserError(
        f"{shown}: the key of {fields['answer']} counts from 0 or from 1 "
        f"(it goes from {min(numbers)} to {max(numbers)}). Paste one:\n"
        "         answer_base: '0'\n       or\n         answer_base: '1'"
    )


def _options(raw, fields, columns):
    if "options" in fields:
        return raw.get(fields["options"])
    if columns:
        return [raw.get(c) for c in columns if str(raw.get(c) or "").strip()]
    return raw.get(fields["question"])


def parse_options(value) -> dict[str, str]:
    """Options as letter -> text, from a list, a dict, a lettered string, or a list written as text; {} where it is none."""
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        for load in (json.loads, ast.literal_eval):
            try:
                value = load(value)
                break
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
    if isinstance(value, dict) and isinstance(value.get("text"), list):  # ARC and others: {"text": [...], "label": [...]}
        value = value["text"]
    if isinstance(value, dict):
        return {str(k).strip().upper(): str(v).strip() for k, v in value.items() if v is not None}
    if isinstance(value, list):
        if value and isinstance(value[0], dict) and {"key", "value"} <= set(value[0]):
            return {str(v["key"]).strip().upper(): str(v["value"]).strip() for v in value}
        lettered = [re.match(r"\s*\(?([A-Za-z])[).:]\s+(.*)", str(v), re.S) for v in value]
        if value and all(lettered) and [m[1].upper() for m in lettered] == list(LETTERS[: len(value)]):
            return {m[1].upper(): m[2].strip() for m in lettered}
        return dict(zip(LETTERS, (str(v).strip() for v in value), strict=False))
    parts = re.split(r"(?:^|\n)\s*[-*]?\s*\(?([A-Za-z])[.)]\s*", str(value or ""))
    letters = [letter.upper() for letter in parts[1::2]]
    if letters != list(LETTERS[: len(letters)]):
        return {}
    return dict(zip(letters, (text.strip() for text in parts[2::2]), strict=True))


def parse_answer(value, options: dict[str, str], base: str) -> list[str]:
    """Letters of the right options, from a letter ("B", "B. text", "A, C"), an index or the full text; [] where it is none."""
    if isinstance(value, list):
        return [letter for v in value for letter in parse_answer(v, options, base)]
    value = str(value if value is not None else "").strip()
    if base in ("0", "1") and value.isdigit():
        at = int(value) - int(base)
        return [list(options)[at]] if 0 <= at < len(options) else []
    same = [letter for letter, text in options.items() if text == value]
    if len(same) == 1:
        return same
    lettered = re.fullmatch(r"\(?([A-Za-z])(?:[).:]\s*(.*))?", value, re.S)
    if lettered and lettered[1].upper() in options:
        # A key with a text must agree with its own option: one that does not is contradictory, not a letter.
        return [lettered[1].upper()] if not lettered[2] or lettered[2].strip() == options[lettered[1].upper()] else []
    several = re.fullmatch(r"[A-Za-z](?:\s*(?:,|;|/|&|\be\b|\band\b)?\s*[A-Za-z]){1,7}", value)
    if several:
        letters = [c for c in re.split(r"\s*(?:,|;|/|&|\be\b|\band\b)\s*|\s+", value.upper()) if c]
        letters = [c for part in letters for c in part]
        return letters if all(c in options for c in letters) and len(set(letters)) == len(letters) else []
    return []


def _text(value) -> str:
    if isinstance(value, list):
        return "\n\n".join(str(v).strip() for v in value)
    if isinstance(value, dict):  # PubMedQA's parquet: {"contexts": [...], ...}
        return _text(value.get("contexts") or value.get("text") or [])
    return "" if value is None else str(value).strip()


def convert(raw: dict, found: Found, args) -> dict | str:
    """A raw row as a plain row with its `task`, or the reason why it cannot be one. A context that was put before the question
    stands in `context` as well: many questions on one passage are no duplicates."""
    row = _convert(raw, found, args)
    context = _text(raw.get(found.fields.get("context", "")))
    if (
        isinstance(row, dict)
        and context
        and args.context != "none"
        and row["task"] in ("mcq", "open", "classification", "graded")
    ):
        row["context"] = context
    return row


def _convert(raw: dict, found: Found, args) -> dict | str:

    def get(name):
        return raw.get(found.fields.get(name, ""), None)

    shape, extra = found.shape, {}
    for name in ("language", "system", "explanation"):
        if name in found.fields and _text(get(name)):
            extra[name] = _text(get(name))
    question, context = _text(get("question")), _text(get("context"))
    if context and question and args.context != "none":
        question = f"{context}\n\n{question}"
    if shape == "mcq":
        return _mcq(raw, found, args, question, extra)
    if shape == "qa":
        if not question:
            return "no question"
        if not _text(get("answer")):
            return "empty answer"
        return {"task": "open", "question": question, "answer": _text(get("answer")), **extra}
    if shape == "alpaca":
        asked, given = _text(get("instruction")), _text(get("input"))
        if not asked + given:
            return "no question"
        if not _text(get("output")):
            return "empty answer"
        row = {"task": "open", "question": "\n\n".join(p for p in (asked, given) if p), "answer": _text(get("output")), **extra}
        if given and args.instruction_as_system:
            row |= {"question": given, "system": asked}
        return row
    if shape == "classification":
        text, label = _text(get("text")), _text(get("label"))
        text = f"{context}\n\n{text}" if context and args.context != "none" else text
        return {"task": "classification", "text": text, "label": label, **extra} if text and label else "no text or no label"
    if shape in ("sharegpt", "messages", "dialogue"):
        return _dialogue(get({"sharegpt": "conversations"}.get(shape, shape)), args, extra)
    if shape == "preference":
        prompt, chosen, rejected = (_last(get(n)) for n in ("prompt", "chosen", "rejected"))
        if not (prompt and chosen and rejected):
            return "no prompt, or an empty side"
        return (
            "chosen and rejected are the same"
            if chosen == rejected
            else {"task": "preference", "prompt": prompt, "chosen": chosen, "rejected": rejected, **extra}
        )
    if shape in ("feedback", "graded"):
        label = get("label" if shape == "feedback" else "score")
        value = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0, "sim": 1.0, "não": 0.0, "👍": 1.0, "👎": 0.0}.get(
            str(label).strip().lower()
        )
        try:
            value = float(str(label).replace(",", ".")) if value is None else value
        except ValueError:
            return f"the mark {label!r} is no number, true or false"
        prompt, completion = (
            _text(get("prompt" if shape == "feedback" else "question")),
            _text(get("completion")).replace("\\n", "\n"),
        )
        if not prompt or not completion:
            return "no prompt, or an empty answer"
        return {"task": "graded", "prompt": prompt, "completion": completion, "score": value, **extra}
    return {"task": "text", "text": _text(get("text")), **extra} if _text(get("text")) else "empty text"


def _mcq(raw, found, args, question, extra) -> dict | str:
    inline = "options" not in found.fields and not found.option_columns
    options = parse_options(_options(raw, found.fields, found.option_columns))
    if inline and options:
        first = OPTION_LINE.search(question)
        question = question[: first.start()].strip() if first else ""
    answer = raw.get(found.fields["answer"])
    status = _text(raw.get(found.fields.get("status", ""), ""))
    if ANNULLED.fullmatch(str(answer or "").strip()) or ANNULLED.fullmatch(status):
        return "annulled by its examiners"
    if not question:
        return "key without a question" if found.fields.get("status") == "status" and raw.get("key_file") else "no question"
    if len(options) < 2 or not all(options.values()):
        return "fewer than two options, or an empty one"
    if len(set(options.values())) < len(options):
        return "two options are the same"
    letters = parse_answer(answer, options, found.base)
    if not letters:
        return "no right answer, or one that is not among the options"
    if len(letters) > 1:
        return f"several right answers ({', '.join(letters)})"
    return {"task": "mcq", "question": question, "options": options, "answer": letters[0], **extra}


def _last(value) -> str:
    """A preference side: a string, or a list of messages whose last one counts."""
    if isinstance(value, list):
        value = value[-1] if value else ""
        value = value.get("content", value.get("value")) if isinstance(value, dict) else value
    return _text(value)


ROLES = {
    "human": "human",
    "user": "human",
    "patient": "human",
    "paciente": "human",
    "usuário": "human",
    "gpt": "gpt",
    "assistant": "gpt",
    "doctor": "gpt",
    "médico": "gpt",
    "médica": "gpt",
    "medico": "gpt",
    "dr": "gpt",
    "bot": "gpt",
    "system": "system",
}


def _dialogue(value, args, extra) -> dict | str:
    """Turns in order. Runs of one speaker joined; a third speaker and a leading assistant turn as the options say."""
    if isinstance(value, str):
        turns = []
        for line in value.splitlines():
            said = SPEAKER.match(line)
            if said and (plain(said[1]) in ROLES or re.fullmatch(r"[A-Z]\w*(?:_\w+)?", said[1])):
                turns.append([said[1], said[2].strip()])
            elif turns:
                turns[-1][1] = f"{turns[-1][1]}\n{line.strip()}".strip()
            elif line.strip():
                return "text before the first speaker"
    elif isinstance(value, list) and all(isinstance(t, dict) for t in value):
        turns = [[t.get("from", t.get("role")), t.get("value", t.get("content"))] for t in value]
    else:
        return "no list of turns"
    joined = []
    for speaker, text in turns:
        role, text = ROLES.get(plain(str(speaker))), _text(text)
        if not text:
            continue
        if role is None:
            if args.third_role == "reject":
                return f"third role {speaker!r}"
            role, text = ("human", f"{speaker}: {text}") if args.third_role == "named_user" else ("human", text)
        if joined and joined[-1]["from"] == role:
            joined[-1]["value"] += f"\n{text}"
        else:
            joined.append({"from": role, "value": text})
    body = [t for t in joined if t["from"] != "system"]
    if any(t["from"] == "system" for t in joined[1:]):
        return "a system turn after the first turn"
    if body and body[0]["from"] == "gpt":
        if args.leading_assistant == "reject":
            return "the assistant speaks first"
        if args.leading_assistant == "opening":  # a user turn that opens, so that every word of the doctor can stay
            joined.insert(len(joined) - len(body), {"from": "human", "value": args.opening})
        else:
            body[0]["from"] = "system" if joined[0]["from"] != "system" else "gpt"
            if joined[0]["from"] == "system" and joined[0] is not body[0]:
                joined[0]["value"] += "\n" + body[0]["value"]
                joined.remove(body[0])
    if not any(t["from"] == "human" for t in joined) or not any(t["from"] == "gpt" for t in joined):
        return "a conversation of one side only"
    trailing = ""
    if joined[-1]["from"] == "human":
        if args.trailing_user == "reject":
            return "the last turn has no answer"
        if args.trailing_user == "drop":
            trailing = joined.pop()["value"]
    row = {"task": "dialogue", "conversations": joined, **{k: v for k, v in extra.items() if k == "language"}}
    if extra.get("system") and joined[0]["from"] != "system":
        joined.insert(0, {"from": "system", "value": extra["system"]})
    return row | ({"unanswered": trailing} if trailing else {})


def holds_html(text: str) -> bool:
    return bool(TAG.search(text))
