"""Readers of documents: XML collections, exams in Markdown with their keys, dialogues and plain text, RTF.

Each yields (line or number, record, bytes so far).
"""

import io
import re
from pathlib import Path

from data_prep.common.errors import UserError
from data_prep.common.once import RepeatedName, load_json
from data_prep.documents.asked_text import faq_in, pairs_in, set_apart, unfolded, with_heads
from data_prep.documents.exam.layout import SIGN
from data_prep.documents.exam.markdown import QUESTION_HEAD, amend, check_numbers, is_key_of_any, key_of, keys_in, question_row
from data_prep.documents.exam.read import exam_in
from data_prep.documents.headed import headed_dialogues
from data_prep.documents.labelled import labelled_records
from data_prep.documents.line_pairs import line_pairs
from data_prep.documents.marked_text import asked_in_a_row, asks_often, holds_marked, marked_pairs
from data_prep.documents.moodle import aiken, gift, moodle_xml
from data_prep.documents.notes import as_prose, without_front
from data_prep.documents.tabled import tabled_dialogues
from data_prep.documents.written import at_lines, line_numbers, markdown_table, marked_exam
from data_prep.documents.xml_rows import xml_rows
from data_prep.tables.anki import anki_notes
from data_prep.tables.intents import intents_in
from data_prep.tables.json_records import json_file, jsonl
from data_prep.tables.records import Bad, csv_file
from data_prep.tables.unpack import SAID, open_bytes, whole_bytes, whole_text
from data_prep.values.strict import from_literal
from data_prep.values.turns import SPEAKER, looks_named, role_of
from data_prep.words.names import plain

# ---------------------------------------------------------------------------------------------- XML


DECLARED = re.compile(rb"\s*<\?xml[^>]*\bencoding\s*=")


def xml_file(path: Path, shown: str):
    """Moodle's question banks, MedQuAD (`QAPair` under any root), LiveQA (`NLM-QUESTION`), MEDIQA's answers (`AnswerList`),
    or rows of another form, in the encoding that the user or the file declares; in what is found where neither does.

    Entities stay unexpanded and the network is off.
    """
    from lxml import etree

    # A document type is where entity bombs and outside files are declared; no such data needs one.
    safe = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False, "remove_comments": True}
    with open_bytes(path) as file:
        declared = DECLARED.match(file.read(200))
    if declared and not SAID.get("encoding"):
        tree = etree.parse(str(path), etree.XMLParser(**safe))
    else:
        text = io.BytesIO(whole_text(path, shown).encode())
        tree = etree.parse(text, etree.XMLParser(encoding="utf-8", **safe))
    if tree.docinfo.internalDTD is not None and list(tree.docinfo.internalDTD.iterentities()):
        raise UserError(f"{shown}: declares XML entities, which are not expanded here; remove the document type")
    root = tree.getroot()
    if root.tag == "quiz" and root.find("question") is not None:
        yield from ((line, row, 0) for line, row in moodle_xml(root))
        return
    pairs, asked, ranked = root.findall(".//QAPair"), list(root.iter("NLM-QUESTION")), root.findall(".//AnswerList")
    yield from ((pair.sourceline, _pair(root, pair), 0) for pair in pairs)
    for item in asked:
        question = _inside(item, "NLM-Summary", "SUMMARY", "MESSAGE", "Original-Question")
        for answer in item.findall(".//ANSWER") or [None]:
            yield item.sourceline, _asked(item, question, answer), 0
    for answers in ranked:
        question = _inside(answers.getparent(), "QuestionText")
        yield from ((answer.sourceline, _ranked(question, answer), 0) for answer in answers.findall("Answer"))
    # A MedQuAD document without any pair is empty by design: its 0 rows stand in the manifest.
    if pairs or asked or ranked or root.find(".//QAPairs") is not None or root.tag == "Document":
        return
    rows = xml_rows(root, shown)
    yield from ((line, row, 0) for line, row in rows)
    if not rows:
        raise UserError(
            f"{shown}: root <{root.tag}> holds neither QAPair (MedQuAD), NLM-QUESTION (LiveQA) nor AnswerList (MEDIQA), and no "
            "tag that comes again with parts below it"
        )


def _all_text(node) -> str:
    return "".join(node.itertext()).strip()


def _inside(node, *tags: str) -> str:
    found = next((f for tag in tags if (f := node.find(f".//{tag}")) is not None), None)
    return "" if found is None else _all_text(found)


def _asked(item, question: str, answer) -> dict:
    """One answer to a question to a library: what was asked as it was summed up, and the letter itself beside it."""
    row = {"question": question, "answer": "" if answer is None else _all_text(answer)}
    return row | {"original_subject": _inside(item, "SUBJECT"), "original_message": _inside(item, "MESSAGE")}


def _pair(root, pair) -> dict:
    question = pair.find("Question")
    return {
        "question": _inside(pair, "Question"),
        "answer": _inside(pair, "Answer"),
        "qtype": question.get("qtype", "") if question is not None else "",
        "focus": _inside(root, "Focus"),
        "collection": root.get("source", ""),
        "url": root.get("url", ""),
    }


def _ranked(question: str, answer) -> dict:
    row = {"question": question, "answer": _inside(answer, "AnswerText")}
    return row | {"reference_score": answer.get("ReferenceScore", ""), "reference_rank": answer.get("ReferenceRank", "")}


# ---------------------------------------------------------------------------------------------- exams in Markdown


def markdown_file(path: Path, shown: str, siblings: list[Path], key: str = ""):
    """An exam in Markdown, its key in itself or in another file of the same inputs that names it; any other file is one text.

    A key file gives no records of its own, except a row for each key that has no question.
    """
    text, front = without_front(whole_text(path, shown))
    rows = list(_of_notes(_markdown_rows(text, path, shown, siblings, key)))
    yield from rows
    if front and rows:
        yield 1, front, 0


def _of_notes(rows):
    """Rows of a text, the text alone as prose."""
    for line, row, at in rows:
        if isinstance(row, Bad) or list(row) != ["text"]:
            yield line, row, at
            continue
        text, drawn = as_prose(row["text"])
        yield line, {"text": text}, at
        yield from ((line, one, at) for one in drawn)


def _markdown_rows(text: str, path: Path, shown: str, siblings: list[Path], key: str):
    heads = list(QUESTION_HEAD.finditer(text))
    if not heads:
        if not is_key_of_any(text, siblings):  # a key file is read with its exam
            yield from written_or_text(text, shown, exam_rows(text, key))
        return
    found = key_of(path, shown, siblings)
    if found is None:
        rows = exam_rows(text, key)
        if not rows and not pairs_in(text):
            raise UserError(
                f"{shown}: an exam, but no file among the inputs is its key (a table `| 1 | D |` that names {path.name})"
            )
        yield from rows or written_or_text(text, shown, rows)
        return
    key_text, key_file = found
    keys = keys_in(key_text)
    check_numbers([int(head[1]) for head in heads], keys, shown, key_file)
    amend(keys, key_text, text[: heads[0].start()], text)
    for line, head, body in zip(line_numbers(text, [h.start() for h in heads]), heads, _between(text, heads), strict=True):
        yield line, question_row(int(head[1]), body, keys.pop(int(head[1]), [(None, "")]), key_file), 0
    for number, answers in sorted(keys.items()):
        yield number, question_row(number, "", answers, key_file), 0


def _between(text: str, heads: list) -> list[str]:
    """What stands between each head and the next."""
    return [text[h.end() : n.start() if n else len(text)] for h, n in zip(heads, [*heads[1:], None], strict=True)]


def exam_rows(signed: str, key: str = "") -> list[tuple[int, dict | Bad, int]]:
    """(line, row, 0) of each question of an exam in running text; [] where it is none."""
    rows = gift(signed) or aiken(signed) or exam_in(signed, key)
    return [(line, row, 0) for line, row in at_lines(signed, rows)]


# ---------------------------------------------------------------------------------------------- text


MOST_TURNS = 200  # of one dialogue: a longer text is a collection


def _is_json(text: str) -> bool:
    """Whether a text is one JSON value that holds others, be it with a name twice, which its reader tells."""
    try:
        return text.lstrip("\ufeff \t\r\n")[:1] in ("[", "{") and isinstance(load_json(text), list | dict)
    except RepeatedName:
        return True
    except (ValueError, RecursionError):
        return False


def text_file(path: Path, shown: str, key: str = ""):
    """JSON, an exam, Anki's notes, objects, one a line, a table of tabs, dialogues (a speaker a turn), RTF, or one text."""
    text = whole_text(path, shown)
    if text.lstrip().startswith("{\\rtf"):
        text = _from_rtf(text)
        yield from written_or_text(text, shown, exam_rows(text, key))
        return
    if _is_json(text):
        yield from json_file(path, shown)
        return
    if notes := anki_notes(text, shown):
        yield from ((line, note, 0) for line, note in notes)
        return
    if exam := exam_rows(text, key):
        yield from exam
        return
    if found := headed_dialogues(text):
        yield from ((line, record, 0) for line, record in found)
        return
    if found := labelled_records(text) or marked_pairs(text) or line_pairs(text):
        yield from ((line, row, 0) for line, row in at_lines(text, found))
        return
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and sum(isinstance(from_literal(line), dict) for line in lines[:50]) >= 0.95 * len(lines[:50]):
        yield from jsonl(path, shown, from_literal)
        return
    tabs = {line.count("\t") for line in lines[:50]}
    if len(lines) > 1 and len(tabs) == 1 and tabs != {0}:
        yield from csv_file(path, shown)
    elif (turns := sum(_speaks(line) for line in lines)) >= max(2, len(lines) / 3) and not _is_no_talk(text):
        yield from ((line, {"dialogue": block}, 0) for line, block in told_apart(text, shown, turns))
    elif len(lines) >= 5 and (cells := next((c for c in "|\t" if sum(c in line for line in lines) >= 0.95 * len(lines)), "")):
        sign = {"|": "|", "\t": "tabs"}[cells]
        raise UserError(f"{shown}: is a table whose cells {sign} set apart, no text; give it a line of names and the suffix .csv")
    else:
        yield from _of_notes(written_or_text(text, shown, exam))


def told_apart(text: str, shown: str, turns: int) -> list[tuple[int, str]]:
    """`dialogues_in`. Raises UserError where nothing in a text says whether it is one conversation."""
    found = dialogues_in(text)
    if len(found) == 1 and turns > MOST_TURNS:
        raise UserError(
            f"{shown}: is one dialogue of {turns:,} turns, or several whose ends nothing marks; put an empty line between "
            "dialogues, and none within one"
        )
    if len(found) == 1 and (asked := asked_in_a_row(text)):
        raise UserError(
            f"{shown}: is one conversation, or {asked} questions that have nothing to do with each other: marks like Question: "
            "and Answer: do not tell. Put an empty line between questions that stand by themselves; where it is one "
            "conversation, write who speaks (Patient:, Doctor:)"
        )
    return found


def written_or_text(signed: str, shown: str, exam: list[tuple[int, dict | Bad, int]]):
    """The rows of intents, an exam or a table that are written into a text, `exam` those of `exam_rows`; else the text alone."""
    text = signed.replace(SIGN, "")
    if rows := intents_in(text) or marked_exam(text) or tabled_dialogues(text) or markdown_table(text, shown):
        yield from ((line, row, 0) for line, row in rows)
    elif exam:
        yield from exam
    elif (
        rows := pairs_in(text)
        or faq_in(unfolded(text) if "<summary>" in text else text)
        or labelled_records(text)
        or marked_pairs(text)
        or line_pairs(text)
    ):
        yield from ((line, row, 0) for line, row in at_lines(text, rows))
    elif asks_often(text) and (rows := set_apart(heads := with_heads(signed))):  # a leaflet, whose parts are long, stays a text
        yield from ((line, row, 0) for line, row in at_lines(heads, rows))
    else:
        yield 1, {"text": text}, 0


def _speaks(line: str) -> bool:
    hit = SPEAKER.match(line)
    return bool(hit) and (bool(hit[1]) or role_of(hit[2], {}) is not None or (" " not in hit[2] and looks_named(hit[2])))


def _is_form(text: str) -> bool:
    """Whether each block of a text has labels of its own (`Drugs: …`, `Mechanism: …`), three and more, each once, and no role; or
    the text has four and more, none of which comes again: titles of its parts."""
    blocks = [[plain(hit[1] or hit[2]) for line in b.split("\n") if (hit := SPEAKER.match(line))] for b in text.split("\n\n")]
    blocks = [labels for labels in blocks if labels]
    labels = [label for block in blocks for label in block]
    once = all(len(set(block)) == len(block) for block in blocks)
    no_role = not any(role_of(label, {}) for label in set(labels))
    in_each = once and len(blocks) > 1 and len(labels) >= 3 * len(blocks)
    return no_role and (in_each or (len(labels) >= 4 and len(set(labels)) == len(labels)))


def _is_no_talk(text: str) -> bool:
    """Whether names before a colon are no speakers: labels of a form, or marks of numbered questions, not all of them plain."""
    return _is_form(text) or holds_marked(text)


def dialogues_in(text: str) -> list[tuple[int, str]]:
    """(line, dialogue) of each dialogue of a text: cut at rules or empty lines, where each part has two speakers."""
    for rule in (r"\n[ \t]*(?:-{3,}|={3,}|\*{3,}|#{3,})[ \t]*\n", r"\n[ \t]*\n[ \t]*\n\s*", r"\n[ \t]*\n"):
        cuts = [(m.start(), m.end()) for m in re.finditer(rule, text)]
        begins, ends = [0, *(b for _, b in cuts)], [*(a for a, _ in cuts), len(text)]
        parts = [(b, text[b:e].strip()) for b, e in zip(begins, ends, strict=True) if text[b:e].strip()]
        headed = len(parts) > 2 and not any(role_of(s, {}) for s in _speakers(parts[0][1]))  # a heading is listed as no dialogue
        if len(parts) > 1 and all(len(_speakers(part)) > 1 for _, part in parts[headed:]):
            return at_lines(text, parts)
    return [(1, text.strip())]


def _speakers(text: str) -> set[str]:
    return {plain(hit[1] or hit[2]) for line in text.splitlines() if _speaks(line) and (hit := SPEAKER.match(line))}


# ---------------------------------------------------------------------------------------------- RTF


def _from_rtf(text: str) -> str:
    from striprtf.striprtf import rtf_to_text

    return rtf_to_text(text, errors="ignore").strip()


def rtf_file(path: Path, shown: str, key: str = ""):
    # RTF is ASCII with escapes; a byte beyond it stands for itself in the writer's code page.
    text = _from_rtf(whole_bytes(path, shown).decode("cp1252", errors="replace"))
    yield from written_or_text(text, shown, exam_rows(text, key))
