"""The stages that are put to the test: their commands on the tiny model, the files they read, and what they must end with."""

import atexit
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from small_model import with_fewer_tokens
from warm import run_forked

ROOT = Path(__file__).resolve().parent.parent.parent
REHEARSAL = ROOT / "recipes" / "rehearsal"
FEW = ["--max_steps", "6", "--save_steps", "2", "--logging_steps", "1", "--max_length", "256"]
EXPORT = ["--quantization", "q8_0", "--max_tokens", "300"]
CHOOSE = ["--data", "{inputs}/test.jsonl", "--margin", "60"]  # what eight rows can rule out
FEW += ["--per_device_train_batch_size", "2", "--gradient_accumulation_steps", "1"]


@dataclass(frozen=True)
class Stage:
    """One script as it is run here."""

    name: str
    command: list[str]  # after `python`; {inputs} and {out} are folders
    reads: list[str]  # files below {inputs} that it reads, each to be damaged
    results: list[str]  # patterns below {out}: the files that must be the same, byte for byte, after any stop
    rows: list[str] = field(default_factory=list)  # JSONL files below {out} whose rows must be the same, times left out
    keeps: list[str] = field(default_factory=list)  # JSONL files below {out}, of which no line that is written may go
    begins_with: list[str] = field(default_factory=list)  # folders below {inputs} that lie in {out} before it is started
    told: str = "never said"  # what it prints where it leaves a damaged row out, counted and with its reason

    def words(self, inputs: Path, out: Path) -> list[str]:
        """The command line; what lies in its output folder before it begins is put there."""
        for name in self.begins_with:
            if not (out / name).exists():
                shutil.copytree(inputs / name, out / name)
        places = {"{inputs}": str(inputs), "{out}": str(out)}
        if (inputs / "urls.json").is_file():
            places |= json.loads((inputs / "urls.json").read_text())
        words = self.command
        for name, value in places.items():
            words = [word.replace(name, value) for word in words]
        return [sys.executable, *words]

    def result(self, out: Path) -> dict[str, str]:
        """Digest of each result; empty where the stage has not ended well."""
        found = {}
        for pattern in self.results:
            for path in sorted(out.glob(pattern)):
                found[str(path.relative_to(out))] = hashlib.sha256(path.read_bytes()).hexdigest()
        for name in self.rows:
            if (out / name).exists():
                rows = [json.loads(line) for line in (out / name).read_text(encoding="utf-8").splitlines()]
                text = json.dumps([{k: v for k, v in row.items() if "seconds" not in k} for row in rows])
                found[name] = hashlib.sha256(text.encode()).hexdigest()
        return found


MODEL = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]
MODEL = [f"model/{name}" for name in [*MODEL, "generation_config.json"]]
ADAPTER = ["adapter_config.json", "adapter_model.safetensors", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]
ADAPTER = [f"sft/{name}" for name in ADAPTER]
WRITER = ["--generator", "{writer}", "--generator_model", "writer", "--base", "{writer}", "--base_model", "base"]
ITEMS = ["--kinds", "qa,mcq,dialogue,cot", "--count", "2", "--eval_files", "{inputs}/protected.jsonl"]
BY_RULES = ["--rules", "{inputs}/rules.yaml", "--task", "preference", "--output", "{out}/rows.jsonl"]
MAKE_MODEL = Stage(
    "make_model", ["scripts/make_model.py", "--name", "tiny_qwen3", "--output_dir", "{out}/model"], [], ["model/*"]
)
CHEAP = [
    MAKE_MODEL,
    Stage(
        "synthesize",
        ["data_prep/synthesize.py", "--data", "{inputs}/passages.jsonl", *WRITER, *ITEMS, "--output_dir", "{out}"],
        ["passages.jsonl", "protected.jsonl"],
        ["train.jsonl", "rejects.jsonl"],
        keeps=["calls.jsonl"],
    ),
    Stage(
        "annotate",
        ["scripts/annotate.py", "--model", "{answers}", "--data", "{inputs}/prompts.jsonl", *BY_RULES, "--output_dir", "{out}"],
        ["prompts.jsonl", "rules.yaml"],
        ["rows.jsonl", "answers.jsonl"],
        keeps=["answers.jsonl"],
    ),
    Stage(
        "recipe",
        ["scripts/run_recipe.py", "{inputs}/recipe", "--output_dir", "{out}"],
        ["exam.jsonl", "recipe/recipe.yaml", "prompts.jsonl", "rules.yaml"],
        ["data/*.jsonl", "more/*.jsonl", "pairs.jsonl", "votes/answers.jsonl"],
    ),
]
STAGES = [
    Stage(
        "prepare",
        ["data_prep/prepare.py", "{inputs}/exam.jsonl", "--test_size", "0.3", "--output_dir", "{out}"],
        ["exam.jsonl"],
        ["train.jsonl", "validation.jsonl", "test.jsonl", "rejects.jsonl"],
        told="reasons: not JSON",
    ),
    Stage(
        "sft",
        ["scripts/sft.py", "--model", "{inputs}/model", "--data", "{inputs}/train.jsonl", *FEW, "--output_dir", "{out}"],
        [*MODEL, "train.jsonl"],
        ["adapter_model.safetensors"],
    ),
    Stage(
        "evaluate",
        ["scripts/evaluate.py", "--model", "{inputs}/sft", "--data", "{inputs}/test.jsonl", "--output_dir", "{out}"],
        [*MODEL, *ADAPTER, "test.jsonl"],
        [],
        ["predictions.jsonl"],
    ),
    Stage(
        "export",
        ["scripts/export_gguf.py", "--model", "{inputs}/sft", "--name", "x", *EXPORT, "--output_dir", "{out}"],
        [*MODEL, *ADAPTER],
        ["x-q8_0.gguf", "Modelfile"],
    ),
    Stage(
        "evaluate_gguf",
        ["scripts/evaluate.py", "--model", "{inputs}/x.gguf", "--data", "{inputs}/test.jsonl", "--output_dir", "{out}"],
        ["x.gguf", "test.jsonl"],
        [],
        ["predictions.jsonl"],
    ),
    Stage(
        "compare",
        ["scripts/compare.py", "{inputs}/eval", "{inputs}/eval_gguf", "--allow", "[template]", "--output_dir", "{out}"],
        ["eval/metrics.json", "eval/predictions.jsonl", "eval_gguf/predictions.jsonl"],
        ["comparison.json"],
    ),
    Stage(
        "choose",
        ["scripts/choose_file.py", "--model", "{inputs}/sft", "--gguf_dir", "{inputs}/gguf", *CHOOSE, "--output_dir", "{out}"],
        [*MODEL, *ADAPTER, "gguf/verification.json", "gguf/x-q4_k_m.gguf", "gguf/x-q8_0.gguf", "test.jsonl"],
        ["choice.json", "model.gguf"],
    ),
    Stage(
        "report",
        ["scripts/report.py", "--run", "{out}"],
        [
            "comparison/comparison.json",
            "sft/run.json",
            "sft/metrics.jsonl",
            "gguf/verification.json",
            "out_prepare/manifest.json",
        ],
        ["report.html", "report.md", "summary.json"],
        begins_with=["comparison", "sft", "gguf", "out_prepare"],
    ),
]
ALL = [*CHEAP, *STAGES]


def run(words: list[str], timeout: float = 900, warm: bool = False) -> subprocess.CompletedProcess:
    if warm:
        return run_forked(words[1:])
    return subprocess.run(
        words, cwd=ROOT, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, timeout=timeout
    )


RECIPE = """title: Small stages
stages:
  - name: prepare
    command: python data_prep/prepare.py {exam} --test_size 0.3 --output_dir {out}/data
    outputs: ["{out}/data"]
  - name: again
    command: python data_prep/prepare.py {exam} --test_size 0.4 --seed 5 --output_dir {out}/more
    outputs: ["{out}/more"]
  - name: pairs
    command: python scripts/annotate.py --model {answers} --data {inputs}/prompts.jsonl --rules {inputs}/rules.yaml
      --task preference --output {out}/pairs.jsonl --output_dir {out}/votes
    outputs: ["{out}/pairs.jsonl", "{out}/votes"]
"""
RULES = "rules:\n  - {name: short, type: length, unit: words, min: 1, max: 6, slack: 9}\n"


def make_cheap_inputs(folder: Path) -> subprocess.Popen:
    """What synthesize.py, annotate.py and run_recipe.py read, and the servers in the place of models, until they are ended."""
    from damage import lines, text
    from planted_answers import make_plan
    from writers import PASSAGES

    plan = make_plan(PASSAGES)
    lines(folder / "passages.jsonl", plan.passages)
    lines(folder / "protected.jsonl", plan.protected)
    lines(folder / "prompts.jsonl", [{"id": f"p{i}", "prompt": f"What is best for case {i}?"} for i in range(40)])
    text(folder / "rules.yaml", RULES)
    writers = subprocess.Popen([sys.executable, "tests/faults/writers.py", str(folder / "urls.json")], cwd=ROOT)
    while not (folder / "urls.json").is_file():
        assert writers.poll() is None
        time.sleep(0.1)
    recipe = RECIPE.replace("{exam}", str(folder / "exam.jsonl")).replace("{inputs}", str(folder))
    answers = json.loads((folder / "urls.json").read_text())["{answers}"]
    text(folder / "recipe" / "recipe.yaml", recipe.replace("{answers}", answers))
    return writers


def classification_rows(count: int) -> list[dict]:
    """Scoring rows, a class told by one word of the text."""
    labels = ["Anatomy", "Dental", "Surgery"]
    return [
        {
            "id": f"row{i}",
            "task": "classification",
            "text": f"Question {i} on {labels[i % 3].lower()}, case {i * 7}.",
            "labels": labels,
        }
        | {"label": labels[i % 3], "source": "test", "topic": labels[i % 3], "language": "en"}
        for i in range(count)
    ]


def with_another_file(folder: Path) -> None:
    """A second file in an export, the same under another name, so that there is one to choose."""
    shutil.copy(folder / "x-q8_0.gguf", folder / "x-q4_k_m.gguf")
    record = json.loads((folder / "verification.json").read_text())
    record["files"].insert(0, record["files"][0] | {"file": "x-q4_k_m.gguf", "quantization": "q4_k_m"})
    (folder / "verification.json").write_text(json.dumps(record))


def make_model(folder: Path, small: bool) -> None:
    """The tiny random model; of a small vocabulary unless a converter that is not ours asks for a known one."""
    if not (made := ROOT / "models" / "tiny-qwen3").is_dir():
        ended = run([sys.executable, "scripts/make_model.py", "--name", "tiny_qwen3", "--output_dir", str(made)])
        assert ended.returncode == 0, ended.stderr
    (with_fewer_tokens if small else shutil.copytree)(made, folder)


def make_inputs(folder: Path, wanted: list[str], warm: bool = False) -> dict[str, dict[str, str]]:
    """Make what the wanted stages read, each stage by the one before; returns each stage's results when it is left alone."""
    sys.path[:0] = [str(ROOT)]
    from data_prep.chat_template import scoring_prompt

    folder.mkdir(parents=True)
    shutil.copy(REHEARSAL / "exam.jsonl", folder)
    cheap = [s for s in CHEAP if s.name in wanted]
    if cheap:
        sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "data_prep")]
        writers, mine = make_cheap_inputs(folder), os.getpid()
        atexit.register(lambda: os.getpid() == mine and writers.terminate())  # no fork of this process ends them
    dear = [s for s in STAGES if s.name in wanted]
    if [s.name for s in dear] not in ([], ["prepare"]):
        make_model(folder / "model", small=warm or not {s.name for s in dear} - {"prepare", "sft", "evaluate"})
    rows = classification_rows(28)
    turns = [[{"from": "human", "value": scoring_prompt(r)}, {"from": "gpt", "value": r["label"]}] for r in rows[:20]]
    for name, lines in (("train", [{"conversations": t} for t in turns]), ("test", rows[20:])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    left_alone = {}
    kept = {
        "sft": "sft",
        "evaluate": "eval",
        "export": "gguf",
        "evaluate_gguf": "eval_gguf",
        "compare": "comparison",
        "report": "out",
    }
    for stage in [*cheap, *STAGES[: 1 + max((STAGES.index(s) for s in dear), default=-1)]]:
        out = folder / kept.get(stage.name, f"out_{stage.name}")
        ended = run(stage.words(folder, out), warm=warm)
        assert ended.returncode == 0, f"{stage.name} alone: {ended.stdout[-2000:]}{ended.stderr[-2000:]}"
        left_alone[stage.name] = stage.result(out)
        assert left_alone[stage.name], stage.name
        if stage.name == "export":
            shutil.copy(out / "x-q8_0.gguf", folder / "x.gguf")
            with_another_file(out)
    return left_alone
