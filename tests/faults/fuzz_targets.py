"""What parses foreign text and bytes: functions, what each is given, what it may raise, and what its answer must be."""

import io
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import fuzz_makers as makers

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
SLOW = 2.0  # seconds of this process's own time
OPTIONS = {"A": "Dengue", "B": "Amoxicilina 500 mg", "C": "A e B", "D": "Nenhuma das anteriores"}
TEXTS = (makers.soup, makers.web, makers.exam, makers.lines)  # makers of texts: any text can stand in their place


@dataclass
class Target:
    """A function of what `make` gives, which raises only what is allowed and whose result `fits`."""

    name: str
    call: Callable
    make: Callable = makers.soup
    fits: Callable = lambda given, found: True
    allowed: tuple = ()
    tried: int = 0
    failed: list[str] = field(default_factory=list)
    slowest: float = 0.0

    def once(self, dice) -> None:
        self.judge(self.make(dice))

    def judge(self, given) -> None:
        why, spent = self._try(given)
        if spent > SLOW:  # a first import, or a collection of garbage among a whole test run's objects, is slow once
            spent = min(spent, self._try(given)[1])
        self.tried, self.slowest = self.tried + 1, max(self.slowest, spent)
        if why or spent > SLOW:
            self.failed.append(f"{why or f'{spent:.1f} s'} for {given!r:.300}")

    def report(self, how: str) -> None:
        print(f"| {self.name} | {self.tried} | {how} | {self.slowest:.2f} s | {len(self.failed)} |", flush=True)
        for what in self.failed[:5]:
            print(f"  FAILED {what}", flush=True)

    def _try(self, given) -> tuple[str, float]:
        """What is wrong with the answer to this input, and the processor seconds it took."""
        start, why = time.process_time(), ""
        try:
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                found = self.call(given)
            why = "" if self.fits(given, found) else f"gives {found!r:.80}"
        except self.allowed:
            pass
        except Exception as error:
            why = f"{type(error).__name__}: {error}"[:160]
        return why, time.process_time() - start


def targets(folder: Path) -> Iterator[Target]:
    """All of them, those that need the fewest libraries first."""
    yield from texts()
    yield from _values()
    yield from _files(folder)
    yield from _blobs(folder)


def texts() -> list[Target]:
    from annotation.sources import names_pattern, shown
    from llamacpp.proxy import host_of, parsed
    from scoring import answers, judge, refusals

    from data_prep.cleaning import clean
    from data_prep.cleaning.privacy import TYPES, find, mask
    from data_prep.common.errors import UserError
    from data_prep.common.once import load_json
    from data_prep.documents import script_literals, scripted, written
    from data_prep.values import choices, strict, turns
    from data_prep.values.html_text import TAG, html_to_text

    names, customs = names_pattern([]), turns.Customs({})

    def words_kept(given: str, found: str) -> bool:
        """Whether what stands outside of tags, comments and what is dropped by its name is still there, in its order."""
        if any(tag in given.lower() for tag in ("<script", "<style", "<title", "<!--")):
            return True
        rest = iter(found)
        return all(c in rest for c in re.sub(r"&#?\w+;?", " ", TAG.sub(" ", given)) if c.isalnum())

    def literals(code: str):
        listed = scripted._literal_lists(code)
        try:
            return listed, script_literals.literal_at(code, 0)
        except ValueError:
            return listed, None

    def as_json(code: str, found: tuple) -> bool:
        """Whether JSON, which is a literal too, is read as it is read elsewhere; numbers that only JSON has aside."""
        try:
            right = load_json(code)
        except (ValueError, RecursionError):
            return True
        if re.search(r"[eE][+-]?\d|Infinity|NaN", code) or not isinstance(right, list | dict):
            return True
        return found[1] is not None and json.dumps(found[1][0]) == json.dumps(right)

    return [
        Target("answers.extract", lambda t: answers.extract(t, OPTIONS), fits=lambda _, f: f is None or f in OPTIONS),
        Target("answers.capitulo_letter", answers.capitulo_letter, fits=lambda _, f: f is None or f in "ABCDE"),
        Target("refusals.declined", refusals.declined),
        Target("judge.read_object", judge.read_object, fits=lambda _, f: f is None or isinstance(f, dict)),
        Target("privacy.mask", lambda t: mask(t, {}, TYPES), fits=lambda t, f: bool(find(t)) or f == t),
        Target("clean.clean_text", lambda t: clean.clean_text(t, list(clean.NAMES)), makers.web),
        Target("html_to_text", html_to_text, makers.web, words_kept),
        Target("choices.split_stem", choices.split_stem, makers.exam),
        Target("literals of a script", literals, makers.script, as_json),
        Target("written", lambda t: (written.marked_exam(t), written.markdown_table(t, "x")), makers.exam, allowed=(UserError,)),
        Target("turns", lambda t: turns.told(turns.blocks_of(t, {}), customs), makers.exam, allowed=(strict.Unreadable,)),
        Target("proxy.parsed", lambda t: parsed(t.encode("utf-8", "surrogatepass")), allowed=(ValueError,)),
        Target("proxy.host_of", host_of),
        Target("annotation shown", lambda t: shown(t, names, "?")),
    ]


def _values() -> list[Target]:
    import sft
    from scoring import tasks

    from data_prep.common.errors import UserError
    from data_prep.pipeline.options import Args
    from data_prep.shapes.convert import convert
    from data_prep.shapes.detect import find_reading
    from data_prep.shapes.reading import Wish
    from data_prep.values import choices, strict

    args = Args()

    def rows_as_read(rows: list[dict]) -> list:
        reading = find_reading(rows, Wish(), "x.jsonl")
        return [convert(raw, reading, args) for raw in rows]

    def right(given: tuple) -> tuple:
        options = choices.options_of(given[0])
        return options, choices.key_letters(given[1], options, given[2])

    def letters(given: tuple, found: tuple) -> bool:
        return set(found[1]) <= {option.letter for option in found[0]}

    def problems(given, found) -> bool:
        return isinstance(found, list) and all(isinstance(p, str) for p in found)

    return [
        Target("choices.options_of", choices.options_of, makers.value, allowed=(strict.Unreadable,)),
        Target("choices.key_letters", right, makers.keyed, letters, allowed=(strict.Unreadable,)),
        Target("shapes", rows_as_read, makers.alike, lambda _, f: all(isinstance(r, dict | str) for r in f), (UserError,)),
        Target("sft.check_row", sft.check_row, makers.row, problems),
        Target("tasks.check_row", tasks.check_row, makers.row, problems),
    ]


def _files(folder: Path) -> list[Target]:
    """Readers of text files, called by themselves: `file_records` makes a UserError of whatever they raise."""
    import csv

    from chain.recipe import load
    from common.files import read_rows
    from scoring import tasks

    from data_prep.common.errors import UserError
    from data_prep.documents import texts
    from data_prep.documents.exam import markdown as exam_markdown
    from data_prep.tables import json_records, records
    from data_prep.tables.turn_rows import conversations

    def written(name: str, text: str) -> Path:
        (folder / name).write_bytes(text.encode("utf-8", "surrogatepass"))
        return folder / name

    def recipe(text: str):
        written("recipe.yaml", text)
        return load(folder)

    def read(reader: Callable, name: str) -> Callable:
        return lambda text: list(conversations(reader(written(name, text), name), name, {}))

    def markdown(path: Path, shown: str):
        exam_markdown.key_files.cache_clear()
        return texts.markdown_file(path, shown, [path])

    def encodable(_, rows: list[dict]) -> bool:
        """A tokenizer and a file take no half of a character."""
        return bool(json.dumps(rows, ensure_ascii=False).encode())

    of_files = (UserError, UnicodeError, csv.Error)
    return [
        Target(
            "read_rows", lambda t: read_rows(written("rows.jsonl", t), tasks.check_row), makers.lines, encodable, (UserError,)
        ),
        Target("reader of .jsonl", read(json_records.jsonl, "a.jsonl"), makers.lines, allowed=of_files),
        Target(
            "reader of .json",
            read(json_records.json_file, "a.json"),
            makers.lines,
            allowed=(*of_files, ValueError, RecursionError),
        ),
        Target("reader of .csv", read(records.csv_file, "a.csv"), makers.exam, allowed=of_files),
        Target("reader of .txt", read(texts.text_file, "a.txt"), makers.exam, allowed=of_files),
        Target("reader of .md", read(markdown, "exam.md"), makers.exam, allowed=of_files),
        Target("recipe.load", recipe, allowed=(UserError,)),
    ]


def _blobs(folder: Path) -> list[Target]:
    from llamacpp.files import gguf_problems, read_header
    from transformers import AutoTokenizer

    from data_prep.chat_template import Renderer, TemplateError, set_template
    from data_prep.common.errors import UserError
    from data_prep.pipeline import read

    seeds, header, opened = makers.seeds(), makers.gguf_seed(folder), []
    read.atexit = SimpleNamespace(register=opened.append)  # what is unpacked goes at the process's end, here after each trial

    def damaged(dice) -> tuple[str, bytes]:
        name = dice.choice(list(seeds))
        return name, makers.changed(dice, seeds[name])

    def records(given: tuple[str, bytes]) -> list:
        path = folder / given[0]
        path.write_bytes(given[1])
        try:
            return [record for file in read.input_files(str(path)) for record in read.file_records(file)]
        finally:
            while opened:
                opened.pop()()

    def read_gguf(content: bytes):
        path = folder / "a.gguf"
        path.write_bytes(content)
        return gguf_problems(path), read_header(path)

    tokenizer = set_template(AutoTokenizer.from_pretrained(ROOT / "models" / "tiny-qwen3"))
    renderer = Renderer(tokenizer)

    def marks_are_the_templates(messages: list[dict], encoded) -> bool:
        """Whether control tokens come of the template alone, and what is trained ends with the one that ends a turn."""
        plain = renderer.encode([m | {"content": "x"} for m in messages])
        count = [sum(i in renderer.control_ids for i in e.input_ids) for e in (plain, encoded)]
        last = [label for label in encoded.labels if label != -100][-1]
        return count[0] == count[1] and tokenizer.decode([last]) == renderer.end

    return [
        Target("damaged files", records, damaged, allowed=(UserError,)),
        Target("GGUF header", read_gguf, lambda dice: makers.changed(dice, header), allowed=(ValueError,)),
        Target("chat template", renderer.encode, makers.conversation, marks_are_the_templates, (TemplateError,)),
    ]
