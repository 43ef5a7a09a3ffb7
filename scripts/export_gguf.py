"""Export to GGUF and prove it: merge the adapter, convert, prove the 16-bit file, quantise, prove each file, then publish.

    python scripts/export_gguf.py --model runs/x/sft --quantization q8_0,q4_k_m --output_dir runs/x/gguf
    python scripts/export_gguf.py --model runs/x/sft --data data/x/validation.jsonl        # rows to prove it on
    python scripts/export_gguf.py --model runs/x/sft --merge_only --output_dir runs/x/merged   # safetensors, no GGUF
    python scripts/export_gguf.py --model runs/x/sft --lora_only                           # the adapter alone, for llama.cpp
    python scripts/export_gguf.py --model runs/x/sft --llama_cpp ~/llama.cpp               # your own build
    python scripts/export_gguf.py --model runs/x/sft --push_to_hub --hub_model_id you/x-GGUF   # private, if you say no more

Input   an adapter folder (scripts/sft.py writes it) or a full model folder. Rows for the proof: --data, else the held-out
        rows that the training named in run.json, else built-in texts.
Output  output_dir/NAME-QUANTIZATION.gguf, verification.json (every figure, gate and hash), verification.txt (the table),
        Modelfile (for Ollama), README.md (model card), export.log (what the converter and llama.cpp printed). A file that
        fails a gate is kept as NAME-QUANTIZATION.FAILED.gguf, and the exit code is 1. --lora_only: NAME-lora-f16.gguf,
        proven beside its base.

Merged in 16 bits by PEFT (scripts/export/merge.py), converted by llama.cpp's own converter, quantised by llama.cpp's
library from a wheel: nothing is compiled, nothing is installed, and nothing is downloaded but a base model that --base
names. All of it works a tensor at a time, so a model need not fit the memory. Tools, architecture, tokenizer, disk and
memory are checked before the merge starts (scripts/export/preflight.py). The GB printed for a step count pages of files that
llama.cpp maps; the system takes those back where memory is short. What the proof compares: scripts/verify_gguf.py. Killed
anywhere and run again, it ends with the same bytes.

Next    scripts/chat.py and scripts/serve.py take the files, and so does scripts/evaluate.py: score what you deploy.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from common.arguments import check_at_least, parse_args, tell_unused
from common.entry import run_main
from common.errors import UserError
from common.hub import hub_problems, push
from common.machine import end_with_parent, output_problems, part_command
from common.models import adapter_config, damaged_files, is_adapter, local_folder
from export.adapter_folder import adapter_problems, base_of, folder_problems, lora_problems, quantized
from export.card import KEPT, SHARED
from export.plan import STAGES, Plan, check_before
from export.proof.gates import gate_problems
from export.run import export_adapter, export_files
from export.steps import Steps, work_folder
from llamacpp.files import QUANTIZATIONS


@dataclass
class Args:
    model: str
    """adapter folder or full model folder"""
    output_dir: str | None = None
    """where the files go; without it `gguf` beside the model"""
    quantization: str = "q8_0,q4_k_m"
    """comma-separated: f16, bf16, q8_0, q6_k, q5_k_m, q4_k_m, q4_0, iq4_xs, q3_k_m, q2_k"""
    base: str | None = None
    """16-bit base of the adapter; without it what the adapter names"""
    name: str | None = None
    """begin of the file names; without it the run's name"""
    data: str | None = None
    """held-out rows (JSONL) for the proof"""
    max_tokens: int = 3000
    """tokens that the proof compares on"""
    gates: dict[str, dict[str, float]] | None = None
    """changes to the gates of scripts/verify_gguf.py, as {"q4_k_m": {"kl": 0.3}}; the verdict names those made easier"""
    verify: bool = True
    """prove the files; false publishes them unproven, and verification.json says so"""
    merge_only: bool = False
    """merge, check and save safetensors; no GGUF"""
    lora_only: bool = False
    """convert the adapter alone to a GGUF that llama.cpp loads beside a base GGUF (--lora)"""
    llama_cpp: str | None = None
    """folder of your own llama.cpp (converter and llama-quantize), in the place of the wheels"""
    keep_work: bool = False
    """keep the merged model, the 16-bit GGUF and the reference in output_dir/work (for verify_gguf.py --reference)"""
    num_ctx: int = 4096
    """context length that the Modelfile asks Ollama for"""
    check_memory: bool = True
    """refuse where memory or disk would not suffice; false only warns"""
    push_to_hub: bool = False
    """upload files that passed, model card, Modelfile and report to the hub (needs hf auth login)"""
    hub_model_id: str | None = None
    """repository for --push_to_hub, OWNER/NAME"""
    hub_private_repo: bool = True
    """make that repository private"""

    def problems(self) -> list[str]:
        adapter = is_adapter(self.model)
        found = []
        if not adapter and not (Path(self.model) / "config.json").is_file():
            found.append(f"model: {self.model} is no folder with adapter_config.json or config.json; is the run finished?")
        if broken := damaged_files(Path(self.model)):
            return found + broken
        if adapter:
            found += self.problems_of_adapter()
        if not adapter and quantized(self.model):
            found.append(f"model: {self.model} is stored in few bits; export the 16-bit model")
        if not adapter and (self.merge_only or self.lora_only):
            found.append(f"model: {self.model} has no adapter, so there is nothing to merge or to export alone")
        if self.merge_only and self.lora_only:
            found.append("lora_only: give --merge_only or --lora_only, not both")
        found += [
            f"quantization: {q!r} is not known; choose from {', '.join(QUANTIZATIONS)}"
            for q in self.quantizations() or [""]
            if q not in QUANTIZATIONS
        ]
        if self.data and not Path(self.data).is_file():
            found.append(f"data: there is no file {self.data}")
        if self.push_to_hub and (self.merge_only or self.lora_only):
            found.append("push_to_hub: pushes GGUF files; leave --merge_only and --lora_only out")
        elif self.push_to_hub:
            found += hub_problems(self.hub_model_id, self.hub_private_repo)
        if self.name is not None and (
            not self.name.strip() or self.name.startswith(".") or {"/", "\\", "\0", "\n"} & set(self.name)
        ):
            found.append(f"name: {self.name!r} is no name of a file; --output_dir says where the files go")
        found += output_problems(self.output())
        return found + gate_problems(self.gates) + check_at_least(self, 300, "max_tokens", "num_ctx")

    def problems_of_adapter(self) -> list[str]:
        adapter_config(self.model)  # raises where it cannot be read
        base, found = self.base or base_of(self.model), adapter_problems(self.model, self.base)
        if base and not self.base and not local_folder(base):
            found.append(f"base: {base}, which the adapter names, is not on this machine; --base {base} downloads it")
        found += lora_problems(self.model) if self.lora_only else []
        return found + (folder_problems(self.output()) if self.merge_only else [])

    def unused(self) -> dict[str, str]:
        """Why a field would change nothing, "" where it does."""
        kind = self.plan().kind
        merged = "--merge_only makes no GGUF" if kind == "merged" else ""
        files = merged or ("--lora_only makes one file, of 16 bits" if kind == "adapter" else "")
        proof = merged or ("" if self.verify else "nothing is proven")
        return {
            "quantization": files,
            "num_ctx": files,
            "keep_work": merged,
            "llama_cpp": merged,
            "verify": merged,
            "data": proof,
            "max_tokens": proof,
            "gates": proof,
            "hub_model_id": "" if self.push_to_hub else "nothing is uploaded without --push_to_hub",
        }

    def quantizations(self) -> list[str]:
        return list(dict.fromkeys(q.strip().lower() for q in self.quantization.split(",") if q.strip()))

    def output(self) -> Path:
        """Where the files go."""
        beside = Path(self.model).parent / ("merged" if self.merge_only else "gguf")
        return Path(self.output_dir) if self.output_dir else beside

    def plan(self) -> Plan:
        model = Path(self.model)
        absolute = model.resolve()
        return Plan(
            model=self.model,
            base=self.base or (base_of(model) if is_adapter(model) else self.model),
            out=self.output(),
            name=self.name or (absolute.parent.name if absolute.name in STAGES else absolute.name),
            quantizations=self.quantizations(),
            data=self.data,
            max_tokens=self.max_tokens,
            gates=self.gates,
            verify=self.verify,
            keep_work=self.keep_work,
            num_ctx=self.num_ctx,
            llama_cpp=self.llama_cpp,
            kind="merged" if self.merge_only else "adapter" if self.lora_only else "files",
        )


def merge_only(plan: Plan) -> None:
    """Merge to a folder of safetensors; exits with the merge's code."""
    command = part_command("export.merge", "--model", plan.model, "--base", plan.base, "--output_dir", plan.out)
    code = subprocess.run(command, preexec_fn=end_with_parent).returncode
    if code == 0:
        print(
            f"done: {plan.out} is an ordinary model folder; every script takes it as --model. To serve it on a GPU:\n"
            f"  vllm serve {plan.out} --served-model-name {plan.name}\n"
            f"  python -m sglang.launch_server --model-path {plan.out} --served-model-name {plan.name}\n"
            "With --quantization fp8 vLLM halves the weights as it loads; score that by scripts/evaluate.py --model ADDRESS/v1"
        )
    sys.exit(code)


def main() -> None:
    args = parse_args(Args, __doc__)
    tell_unused(args, args.unused())
    plan = args.plan()
    problems = check_before(plan)
    if problems.wrong or (problems.short and args.check_memory):
        more = ["--check_memory false tries all the same"] if problems.short and not problems.wrong else []
        raise UserError([*problems.wrong, *problems.short, *more])
    for problem in problems.short:
        print(f"warning: {problem}", file=sys.stderr)
    if plan.kind == "merged":
        merge_only(plan)
    with work_folder(plan.out, plan.keep_work) as work:
        (plan.out / "export.log").unlink(missing_ok=True)
        steps = Steps(plan.out / "export.log")
        (export_adapter if plan.kind == "adapter" else export_files)(plan, work, steps)
    if args.push_to_hub:
        print(f"pushed: {push(plan.out, args.hub_model_id, args.hub_private_repo, SHARED, KEPT)}")


if __name__ == "__main__":
    run_main(main)
