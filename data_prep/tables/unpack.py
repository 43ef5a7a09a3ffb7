"""Bytes and text of files: unpacked within limits, in the encoding that they are written in."""

import codecs
import gzip
import io
import re
from pathlib import Path

from data_prep.common.errors import UserError
from data_prep.words.language import KANA

PACKED = (".gz", ".zst")
MOST_BYTES = 32 * 2**20  # of one record: a longer one is a broken file rather than a question
MOST_WHOLE = 512 * 2**20  # unpacked, of a format that is read whole: JSON takes six times as much memory
MOST_RATIO, SMALL = 100, 256 * 2**20  # a packed file of more than SMALL that unpacks to so many times its size is no data


def suffix_of(path: Path) -> str:
    """The format's suffix, below a .gz or .zst."""
    return Path(path.stem).suffix.lower() if path.suffix.lower() in PACKED else path.suffix.lower()


class Capped(io.RawIOBase):
    """A stream that refuses to give more than `most` bytes."""

    def __init__(self, inner, most: float, shown: str):
        self.inner, self.left, self.shown = inner, most, shown

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        data = self.inner.read(len(buffer))
        self.left -= len(data)
        if self.left < 0:
            raise UserError(f"{self.shown}: unpacks to far more than its size; it is no data file, or a broken one")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self.inner.close()
        super().close()


def open_bytes(path: Path):
    """A binary stream of a file, unpacked where it ends in .gz or .zst. Raises UserError for one that unpacks without end."""
    packed = path.suffix.lower()
    if packed not in PACKED:
        return open(path, "rb")
    if packed == ".gz":
        inner = gzip.open(path, "rb")
    else:
        import zstandard

        inner = zstandard.ZstdDecompressor().stream_reader(open(path, "rb"), read_across_frames=True, closefd=True)
    return io.BufferedReader(Capped(inner, max(SMALL, MOST_RATIO * path.stat().st_size), path.name), 2**20)


SAID: dict[str, str] = {}  # {"encoding": what the user says that text files are written in}; set once, by find_sources
LOSSY = "_lossy"  # ends the name of an encoding in which bytes that do not fit become U+FFFD


def say_encoding(name: str) -> None:
    """Text files are read in this encoding from here on; "" for each its own. What does not fit becomes U+FFFD."""
    SAID["encoding"] = f"{codecs.lookup(name).name.replace('-', '_')}{LOSSY}" if name else ""


def _lossy(name: str) -> codecs.CodecInfo | None:
    """`cp1252_lossy` for Python's codecs."""
    if not name.endswith(LOSSY):
        return None
    own = codecs.lookup(name.removesuffix(LOSSY))

    def decoder(errors: str = "strict") -> codecs.IncrementalDecoder:
        return own.incrementaldecoder("replace")

    return codecs.CodecInfo(
        own.encode, lambda data, errors="": own.decode(data, "replace"), incrementaldecoder=decoder, name=name
    )


codecs.register(_lossy)


def find_encoding(path: Path, shown: str) -> str:
    """Encoding of a text file: what the user says, UTF-8 (with or without mark), UTF-16 by its mark, else what is found.

    Raises UserError naming the line where UTF-8 and another encoding are mixed: no guess could be right for both.
    """
    if SAID.get("encoding"):
        return SAID["encoding"]
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
    return _western(path, shown)


def _western(path: Path, shown: str) -> str:
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
        raise UserError(
            f"{shown}:{other}: is not UTF-8, while line {utf8} is: the file mixes encodings. Save it again as UTF-8, or, "
            "where only a few characters are broken, pass --encoding utf-8: rows that hold one are then rejects"
        )
    found = max(WESTERN, key=lambda encoding: _reads_well(sample, encoding))
    well = _reads_well(sample, found)
    if _in_runs(sample) >= 0.6 and well < 0.6:
        return _of_other_letters(sample, f"{shown}:{other}")
    if well <= 0 or len(NOT_WESTERN.findall(sample.decode("cp1252", "replace"))) >= 0.1 * len(sample.split()):
        raise UserError(f"{shown}:{other}: no encoding of Western Europe fits; save the file as UTF-8, or pass --encoding")
    beyond = {byte for byte in sample if byte > 127}
    if found == "mac_roman" and len(beyond) == 1 and _reads_well(sample, "cp1252") > 0:  # 0x97: a dash of Windows, a Mac's ó
        letter, sign = (bytes(beyond).decode(encoding) for encoding in ("mac_roman", "cp1252"))
        raise UserError(f"{shown}:{other}: is it {letter} or {sign}? Pass --encoding mac_roman or --encoding cp1252")
    return found


# Bytes above 127 stand alone in Western words; in these encodings they stand side by side.
OTHER_LETTERS = {"gb18030", "gbk", "gb2312", "big5", "cp949", "euc_kr", "cp932", "shift_jis", "euc_jp", "cp1251", "cp1256"}
SUPERSETS = {"euc_jis_2004": "euc_jp", "euc_jisx0213": "euc_jp", "shift_jis_2004": "shift_jis", "big5hkscs": "big5"}
NOT_WESTERN = re.compile(r"(?<=[a-z])[ðþý³¹¿](?=[a-z]|\b)")  # Turkish, Polish and others, read as if they were Western


def _in_runs(sample: bytes) -> float:
    """Share of the bytes above 127 that stand beside another."""
    runs = [len(run) for run in re.findall(rb"[\x80-\xff]+", sample)]
    return sum(n for n in runs if n > 1) / max(1, sum(runs))


def _of_other_letters(sample: bytes, where: str) -> str:
    """The encoding of Chinese, Japanese, Korean, Russian or Arabic, where one alone is likely; else a UserError."""
    from charset_normalizer import from_bytes

    best = from_bytes(sample).best()
    found = SUPERSETS.get(best.encoding, best.encoding) if best else ""
    told = (
        best is not None
        and best.chaos <= 0.05
        and (best.coherence >= 0.1 or len(KANA.findall(str(best))) >= 0.02 * len(str(best)))
    )
    if found not in OTHER_LETTERS or not told:
        likely = f" ({found} is likely, and not sure)" if found else ""
        raise UserError(
            f"{where}: is not UTF-8, and its encoding cannot be told{likely}; save the file as UTF-8, or pass --encoding"
        )
    return found


WESTERN = ("cp1252", "latin_1", "cp850", "mac_roman")  # the first of equals is taken
ACCENTED = re.compile(
    r"(?<=[A-Za-z])[àáâãäçèéêëíñóôõöúüß]|\b[àáâéêíóôúçñüö](?=[a-z])|[ÀÁÂÃÉÊÍÓÔÕÚÇÑÜÖÄ](?=[A-Za-zÀ-ÿ])|\b[ÀÁÉÓàéó]\b"
)
SIGNS = re.compile(r"[åæìîïòøùûýÿ“”‘’–—…•·°ºª¹²³±µ§£€×½¼≤≥®©™«»¿¡]")  # seldom letters tell less than the usual ones


def _reads_well(sample: bytes, encoding: str) -> float:
    """Share of the characters beyond ASCII that stand as letters and signs do in Western texts; 0 where it cannot be read so.

    Ours, as charset-normalizer takes a short text of Windows for one of a Macintosh ("aÁ„o" for "ação").
    """
    try:
        text = sample.decode(encoding)
    except UnicodeDecodeError:
        return 0.0
    if any("\x80" <= c < "\x85" or "\x85" < c < "\xa0" for c in text):
        return 0.0
    beyond = sum(c > "\x7f" for c in text)
    of_signs = 1.0 if _apostrophes_stand(text) else 0.5
    return (len(ACCENTED.findall(text)) + of_signs * len(SIGNS.findall(text))) / max(1, beyond)


APOSTROPHE = re.compile(r"(?<=[A-Za-z])’(?=[A-Za-z])")
SHORTENED = re.compile(r"(?<=[a-z])’(?:s|t|re|ll|ve|d|m)\b|\b(?:[ldjncsmt]|qu)’(?=[a-z])", re.I)  # it’s, don’t, l’homme


def _apostrophes_stand(text: str) -> bool:
    """Whether most apostrophes between letters stand where English and French shorten words: one that was an accented letter of
    another encoding stands anywhere (`pa’ses`)."""
    between = len(APOSTROPHE.findall(text))
    return between > 0 and len(SHORTENED.findall(text)) >= 0.8 * between


def open_text(path: Path, shown: str, newline: str | None = None):
    """A text stream of a file, unpacked and decoded."""
    return io.TextIOWrapper(open_bytes(path), encoding=find_encoding(path, shown), newline=newline)


def lines_of(path: Path, shown: str):
    """(number, line, bytes so far) of a text file; UserError for a line of more than MOST_BYTES."""
    encoding = find_encoding(path, shown)
    at = 0
    if encoding == "utf-16":
        with open_text(path, shown) as file:
            for number, line in enumerate(file, 1):
                yield number, line, 0
        return
    with open_bytes(path) as file:
        for number, line in enumerate(iter(lambda: file.readline(MOST_BYTES + 1), b""), 1):
            if len(line) > MOST_BYTES:
                raise UserError(f"{shown}:{number}: one line of more than {MOST_BYTES // 2**20} MB; is the file broken?")
            at += len(line)
            yield number, line.decode(encoding if number == 1 or encoding != "utf-8-sig" else "utf-8"), at


def whole_text(path: Path, shown: str) -> str:
    """A text file in one piece, its lines as they end here: those of Windows are no others. Raises UserError for more than
    MOST_WHOLE bytes."""
    encoding = find_encoding(path, shown)
    return whole_bytes(path, shown).decode(encoding).replace("\r\n", "\n").replace("\r", "\n")


def whole_bytes(path: Path, shown: str) -> bytes:
    with open_bytes(path) as file:
        content = file.read(MOST_WHOLE + 1)
    if len(content) > MOST_WHOLE:
        raise UserError(f"{shown}: more than {MOST_WHOLE // 2**20} MB in one piece; write it as JSONL, a record a line")
    return content
