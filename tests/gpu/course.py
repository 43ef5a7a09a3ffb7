"""What tests/gpu/run.py runs: the tasks of all parts, with their models and rows. The standard library alone is imported."""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
METHODS = ("cpt", "sft", "dpo", "kto", "simpo", "orpo", "reward", "grpo", "rloo", "distill")
FEEDS = {
    "teacher": "distill",
    "reward": "grpo_reward",
    "sft": "merge",
    "whole": "resumed",
}  # task -> one that begins with its folder
PARTS = ("methods", "resume", "oom", "memory", "scoring", "fit", "speed")  # what is right first, the longest last
SHAPES = {  # name -> hidden, layers, inner, heads
    "rehearsal": (256, 2, 512, 8),
    "1.7b": (2048, 28, 6144, 16),
    "4b": (2560, 36, 9728, 32),
    "8b": (4096, 36, 12288, 32),
    "14b": (5120, 40, 17408, 40),
}
# A matrix at a time: a card of 16 GB, and a machine of 12, could not hold the 8B shape in 16 bits.
MAKE = """
import sys, torch
from pathlib import Path
from shutil import copy
from bitsandbytes.nn import Linear4bit, Params4bit
from huggingface_hub import save_torch_state_dict
from transformers import AutoConfig, AutoModelForCausalLM
sys.path.insert(0, "scripts")
from common.models import nf4_config
tiny, out, four, hidden, layers, inner, heads = Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:])
given, dtype = AutoConfig.from_pretrained(tiny), torch.bfloat16
values = given.to_dict() | dict(hidden_size=hidden, num_hidden_layers=layers, intermediate_size=inner, num_attention_heads=heads,
                                num_key_value_heads=8, head_dim=128, tie_word_embeddings=hidden < 4096)
values.pop("layer_types", None)
config, device = type(given)(**values), "cuda" if torch.cuda.is_available() else "cpu"
with torch.device("meta"):
    model = AutoModelForCausalLM.from_config(config, dtype=dtype)
how = nf4_config(dtype)
for name, module in list(model.named_modules()):
    if four and isinstance(module, torch.nn.Linear) and name != "lm_head":
        drawn = torch.randn(module.out_features, module.in_features, device=device, dtype=dtype) * 0.02
        kept = Linear4bit(module.in_features, module.out_features, bias=False, compute_dtype=dtype, device="meta")
        flags = dict(quant_type=how.bnb_4bit_quant_type, compress_statistics=how.bnb_4bit_use_double_quant)
        kept.weight = Params4bit(drawn, requires_grad=False, **flags).to(device)
        model.set_submodule(name, kept)
state = {}
for name, value in model.state_dict().items():
    if value.is_meta and value.dim() == 1:  # norms
        value = torch.ones(value.shape, dtype=dtype)
    elif value.is_meta:  # embeddings and, in 16 bits, all
        value = torch.randn(value.shape, device=device, dtype=dtype) * 0.02
    if name != "lm_head.weight" or not config.tie_word_embeddings:
        state[name] = value.cpu()
config.architectures, config.dtype = [type(model).__name__], dtype
if four:
    config.quantization_config = how.to_dict()
out.mkdir(parents=True, exist_ok=True)
save_torch_state_dict(state, out, metadata={"format": "pt"})
config.save_pretrained(out)
for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
    copy(tiny / name, out)
"""


@dataclass
class Task:
    """One process."""

    name: str
    command: list[str]
    out: Path
    """the run's folder"""
    memory_gb: float = 0
    """all that it may take of the card; 0: everything"""


def bench_training():
    """tests/benchmarks/bench_training.py, imported late: on a bare machine its packages are not there yet."""
    import bench_training

    return bench_training


class Course:
    """The tasks of all parts, their models and rows."""

    def __init__(self, args: argparse.Namespace):
        self.args, self.folder = args, ROOT / args.folder / ("rehearsal" if args.rehearse else "card")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.steps = 2 if args.rehearse else 12

    def model(self, shape: str, four: bool = True) -> str:
        """Folder of a model of this shape, made once, in NF4 or in bfloat16; the tiny one is whole."""
        tiny = ROOT / "models/tiny-qwen3"
        if not (tiny / "config.json").exists():
            subprocess.run(
                [sys.executable, "scripts/make_model.py", "--name", "tiny_qwen3", "--output_dir", str(tiny)], cwd=ROOT, check=True
            )
        if shape == "tiny":
            return str(tiny)
        shape = "rehearsal" if self.args.rehearse else shape
        out = self.folder / f"qwen3-{shape}{'-nf4' if four else ''}"
        if not (out / "chat_template.jinja").exists():  # copied last
            command = [sys.executable, "-c", MAKE, str(tiny), str(out), str(int(four)), *map(str, SHAPES[shape])]
            subprocess.run(command, cwd=ROOT, check=True)
        return str(out)

    def rows(self, method: str) -> str:
        import gpu_trainers

        path = self.folder / f"{method}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in gpu_trainers.rows_of(method) * 4))
        return str(path)

    def long_rows(self, tokens: int, mixed: bool = False) -> str:
        """Conversations of about `tokens` tokens; mixed: MedMCQA's lengths, 30 to 200, for packing."""
        path = self.folder / f"long{tokens}{'m' if mixed else ''}.jsonl"
        sizes = [30 + 37 * i % 170 for i in range(256)] if mixed else [tokens - 40] * 128
        turns = [[{"from": "human", "value": "?"}, {"from": "gpt", "value": "pain " * size}] for size in sizes]
        path.write_text("".join(json.dumps({"id": i, "conversations": t}) + "\n" for i, t in enumerate(turns)))
        return str(path)

    def questions(self) -> str:
        """Multiple-choice rows of about the lengths of exams, of no sense."""
        path = self.folder / "questions.jsonl"
        rows = [
            {
                "id": f"q{i}",
                "task": "mcq",
                "question": f"Case {i}: " + "pain and fever " * (5 + 7 * i % 40),
                "answer": "ABCD"[i % 4],
            }
            | {"options": {letter: f"drug {letter} " * (1 + i % 5) for letter in "ABCD"}, "language": "en"}
            for i in range(16 if self.args.rehearse else 500)
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return str(path)

    def train(self, name: str, method: str, model: str, data: str, *flags, memory_gb: float = 0) -> Task:
        out = self.folder / name
        command = [f"scripts/{method}.py", "--model", model, "--data", data, "--output_dir", str(out), "--logging_steps", "1"]
        return Task(name, [*command, "--max_steps", str(self.steps), *map(str, flags)], out, memory_gb)

    def methods(self) -> list[Task]:
        small = ["--save_steps", 4, "--learning_rate", 2e-4, "--max_length", 256, "--gradient_accumulation_steps", 1]
        small += ["--per_device_train_batch_size", 4]
        grpo = ["--num_generations", 4, "--max_completion_length", 16]
        # From weights of chance nothing is learnt of another model's: the teacher is the same one, tuned faster.
        teacher = self.train("teacher", "sft", self.model("tiny"), self.rows("sft"), *small, "--learning_rate", 5e-3)
        distill = ["--teacher", teacher.out, "--teacher_load_in_4bit", "true", "--eval_data", self.rows("distill")]
        distill += ["--max_new_tokens", 16, "--learning_rate", 1e-3]
        more = {"grpo": grpo, "rloo": grpo, "distill": distill}
        made = [self.train(m, m, self.model("tiny"), self.rows(m), *small, *more.get(m, [])) for m in METHODS]
        scored = self.train(
            "grpo_reward", "grpo", self.model("tiny"), self.rows("grpo"), *small, *grpo, "--reward_model", self.folder / "reward"
        )
        out = self.folder / "merged"
        merge = ["scripts/export_gguf.py", "--model", str(self.folder / "sft"), "--merge_only", "--output_dir", str(out)]
        return [teacher, *made, scored, Task("merge", merge, out)]

    def resume(self) -> list[Task]:
        # Two checkpoints, as many as are kept: of more the first would be gone when the second task begins with it.
        flags = ["--save_steps", self.steps // 2, "--max_length", 256, "--gradient_accumulation_steps", 1]
        whole = self.train("whole", "sft", self.model("tiny"), self.rows("sft"), *flags)
        return [whole, self.train("resumed", "sft", self.model("tiny"), self.rows("sft"), *flags)]

    def oom(self) -> list[Task]:
        """On a processor the address space is limited, of which the libraries alone take about three of the five gigabytes."""
        rows, flags = (48, ["--gradient_checkpointing", "false"]) if self.args.rehearse else (64, [])
        flags += ["--per_device_train_batch_size", rows, "--gradient_accumulation_steps", 1, "--max_length", 2048]
        flags += ["--save_steps", 0, "--max_steps", 1]
        limit = 5.6 if self.args.rehearse else 8
        data = self.long_rows(640 if self.args.rehearse else 2048)
        return [self.train("out_of_memory", "sft", self.model("1.7b"), data, *flags, memory_gb=limit)]

    def speed(self) -> Iterator[Task]:
        yield Task("matrix_rate", ["-c", bench_training().RATE], self.folder / "matrix_rate")
        for shape in ("1.7b",) if self.args.rehearse else ("1.7b", "8b"):
            for tokens in (64,) if self.args.rehearse else (512, 2048):
                rows, name, model = self.long_rows(tokens), f"{shape}_{tokens}", self.model(shape)
                flags = ["--max_length", tokens, "--save_steps", 0, "--gradient_accumulation_steps", 1]
                yield self.train(f"ours_{name}", "sft", model, rows, *flags)
                for other in ("bare_sft", "plain_sft"):
                    command = [f"tests/benchmarks/{other}.py", model, rows, str(self.steps), "random", str(self.folder / other)]
                    yield Task(f"{other}_{name}", [*command, f"max_length={tokens}"], self.folder / other)
            short = self.long_rows(200, mixed=True)
            flags = ["--max_length", 2048, "--save_steps", 0]
            yield self.train(f"short_{shape}", "sft", self.model(shape), short, *flags)
            if not self.args.rehearse:  # packing needs a card
                yield self.train(f"packed_{shape}", "sft", self.model(shape), short, *flags, "--packing", "true")

    def fit(self) -> Iterator[Task]:
        flags = ["--max_length", 64 if self.args.rehearse else 2048, "--save_steps", 0, "--per_device_train_batch_size", 1]
        for shape, gigabytes in (("8b", 8), ("14b", 16)):
            yield self.train(f"fit_{shape}", "sft", self.model(shape), self.long_rows(2048), *flags, memory_gb=gigabytes)

    def memory(self) -> Iterator[Task]:
        rows = self.long_rows(1024)
        for batch in (2,) if self.args.rehearse else (2, 8):
            flags = [
                "--max_length",
                64 if self.args.rehearse else 1024,
                "--save_steps",
                0,
                "--per_device_train_batch_size",
                batch,
            ]
            yield self.train(f"memory_{batch}", "sft", self.model("1.7b"), rows, *flags)

    def scoring(self) -> list[Task]:
        out, model, data = self.folder / "scored", self.model("1.7b", four=False), self.questions()
        command = ["scripts/evaluate.py", "--model", model, "--data", data, "--output_dir", str(out)]
        loop_rows = "4" if self.args.rehearse else "40"
        beside = ["tests/benchmarks/bench_scoring.py", "card", "--model", model, "--data", data, "--loop_rows", loop_rows]
        return [Task("scoring", command, out), Task("scoring_beside_loop", beside, self.folder / "scored_beside_loop")]
