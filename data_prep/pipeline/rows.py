"""One record through the stages that look at it alone: convert, clean, mask, language. No stage needs another row."""

import collections
import functools
import re

from data_prep.chat_template import INSTRUCTIONS
from data_prep.cleaning import clean, privacy
from data_prep.common.files import HALF
from data_prep.pipeline.options import Args
from data_prep.pipeline.outputs import ANSWER_INSTRUCTIONS
from data_prep.pipeline.read import Record
from data_prep.pipeline.tally import Tally
from data_prep.shapes.convert import convert
from data_prep.shapes.reading import Reading
from data_prep.values.strict import cell, strings
from data_prep.words.language import language_of_row
from data_prep.words.names import MADE_BY, PROVENANCE
from data_prep.words.phrases import asks_nothing
from data_prep.words.said import SPLITS

AS_WRITTEN = ("label", "answer", "score", "good", "language", "task", *PROVENANCE)  # of rows that are not open: names, no prose


def plain_row(record: Record, reading: Reading, args: Args, tally: Tally) -> dict | str:
    """A record as a clean plain row, or the reason why it cannot be one. `tally` counts what cleaning and masking did."""
    if record.bad:
        return record.bad
    row = convert(record.raw, reading, args)
    if isinstance(row, str):
        return row
    if any(HALF.search(text) for text in strings(row)):
        return "holds half of a character (a lone surrogate): it was lost before the file came here"
    tally.clock.mark("convert")
    row = _tidy(row, record, args, tally)
    if reason := _worthless(row, args):
        return reason
    said = row.pop("language", "")
    topic = _topic(record, reading)
    topic = masked_topic(topic) if args.personal_data == "mask" else topic
    row |= {"source": record.source, "topic": topic, "language": said or _language(row, reading)}
    row |= {name: record.raw[name] for name in MADE_BY if name in record.raw} if record.raw.get("synthetic") else {}
    tally.clock.mark("language")
    return row | _instruction(row, reading, args)


def _tidy(row: dict, record: Record, args: Args, tally: Tally) -> dict:
    """The row cleaned and masked, every text of it; what was done is counted, and the first passages are kept to look at."""
    changed: set[str] = set()
    masked: collections.Counter = collections.Counter()
    known: dict = {}

    def tidy(text: str) -> str:
        rules: set[str] = set()
        tidied = clean.clean_text(text, args.clean, rules)
        tally.clock.mark("clean")
        types: collections.Counter = collections.Counter()
        whole = privacy.mask(tidied, known, privacy.TYPES, types) if args.personal_data == "mask" else tidied
        tally.clock.mark("personal data")
        changed.update(rules)
        masked.update(types)
        if rules and tally.wants_example(sorted(rules)):
            both = (
                [privacy.mask(t, dict(known), privacy.TYPES) for t in (text, tidied)]
                if args.personal_data == "mask"
                else [text, tidied]
            )
            tally.example(record, sorted(rules), *both)
        if types and tally.wants_example(sorted(types)):
            tally.example(record, sorted(types), privacy.hidden(tidied), whole)
        return whole

    kept = AS_WRITTEN if row["task"] != "open" else ("task", "language", *PROVENANCE)
    row = {name: value if name in kept else clean.each_text(value, tidy) for name, value in row.items()}
    tally.cleaned.update(changed)
    tally.personal.update(masked)
    return row


def _worthless(row: dict, args: Args) -> str:
    """Why a clean row is no use, or ""."""
    lost = [text for text in strings(row) if "\ufffd" in text] if "replacement_character" in args.clean else []
    if lost and not (row["task"] == "text" and row["text"].count("\ufffd") <= args.lost_characters):
        line = lost[0].count("\n", 0, lost[0].index("\ufffd")) + 1
        where = f": 'in line {line} of {len(lost[0].splitlines())}; --lost_characters'" if row["task"] == "text" else ""
        return f"holds U+FFFD: characters were lost before the file came here{where}"
    if row["task"] in ("mcq", "open") and row["question"] and asks_nothing(row["question"]):
        return f"a question that is only its number: '{row['question']}'"
    if row["task"] == "mcq":
        texts = list(row["options"].values())
        if not all(texts):
            return "fewer than two options, or an empty one, after cleaning"
        return "two options are the same after cleaning" if len(set(texts)) < len(texts) else _says_nothing(row, texts)
    if row["task"] == "preference" and row["chosen"] == row["rejected"]:
        return "chosen and rejected are the same after cleaning"
    if row["task"] != "open":
        return ""
    if not row["question"]:
        return "no question after cleaning"
    short = "short_answer" in args.clean and len(row["answer"]) < max(1, args.min_answer)
    return "near-empty answer" if short or not any(c.isalnum() for c in row["answer"]) else ""


MASK = re.compile(r"(?:[^\W\d_]{1,12}\.?\s+)?\[[A-Z]+(?:_[A-Z]+)*(?:_\d+)?\]\.?")  # alone, or behind a title
HOLDER = re.compile(
    r"(?:op[cç][aã]o|opci[oó]n|option|alternativ[ae]|choice|answer|resposta|respuesta|选项|選項)\s*(?P<own>[A-J]|\d{1,2})\b", re.I
)


def _says_nothing(row: dict, texts: list[str]) -> str:
    """Why the options of a row say nothing: one is masked whole, or all are alike but for their letter; or ""."""
    if MASK.fullmatch(row["options"][row["answer"]]):
        return f"its right option is masked whole: '{row['options'][row['answer']]}'; --personal_data keep"
    if masked := next(filter(MASK.fullmatch, texts), ""):
        return f"an option is masked whole, and so is told to be wrong: '{masked}'; --personal_data keep"
    hits = [HOLDER.match(text) for text in texts]
    if all(hits) and len({text[hit.end() :] for text, hit in zip(texts, hits, strict=True)}) == 1:
        return f"options that say nothing but their letter: '{texts[0]}'"
    return ""


def _topic(record: Record, reading: Reading) -> str:
    if record.topic:
        return record.topic
    value = cell(record.raw, reading.fields.get("topic", ""))
    return str(value).strip() if isinstance(value, str | int) else ""


@functools.cache
def masked_topic(topic: str) -> str:
    """A topic is a title now and then, and a title names people. The same topic gives the same text in every row."""
    return privacy.mask(topic, {}, privacy.TYPES)


def _language(row: dict, reading: Reading) -> str:
    texts = [row.get(name, "") for name in ("question", "text", "prompt", "completion", "answer")]
    texts += [turn["value"] for turn in row.get("conversations", ())[:4]]
    return language_of_row(" ".join(t for t in texts if isinstance(t, str)), reading.language)


def _instruction(row: dict, reading: Reading, args: Args) -> dict:
    """The sentence that tells how to answer, where it is not the usual one of the row's language."""
    if row["task"] not in ("mcq", "classification"):
        return {}
    listed = {} if args.labels_in_prompt or row["task"] == "mcq" else {"labels_in_prompt": False}
    if args.instruction:
        return {"instruction": args.instruction} | listed
    spoken = [args.language, row["language"], reading.language, "en"]
    language = next(name for name in spoken if name in ("en", "pt"))
    if row["task"] == "mcq" and args.answer != "letter":  # the usual sentence asks for the letter only
        return {"instruction": ANSWER_INSTRUCTIONS[args.answer, language]}
    return {} if language == row["language"] else {"instruction": INSTRUCTIONS[row["task"], language]}


def split_of(record: Record, reading: Reading) -> str:
    """The split that the file itself puts a row into, or ""."""
    value = cell(record.raw, reading.fields.get("split", ""))
    return SPLITS.get(value.strip().casefold().split("[")[0], "") if isinstance(value, str) else ""
