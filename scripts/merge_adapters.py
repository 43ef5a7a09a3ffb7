"""Merge LoRA adapters of one base into a new adapter, each at a weight: a learned style at half strength, two tasks in one model.

    python scripts/merge_adapters.py runs/bode/sft runs/notes/sft --output_dir runs/both                  # half of each
    python scripts/merge_adapters.py runs/bode/sft runs/bode/dpo --weights 0.3 0.7 --output_dir runs/bode/between
    python scripts/merge_adapters.py runs/bode/sft --weights 0.5 --output_dir runs/bode/half

Input   adapter folders of qlora, lora, rslora, pissa or loftq, trained on the same base with the same chat template.
Output  output_dir: an adapter folder like any other, for evaluate.py, chat.py, export_gguf.py and further training, its rank
        the sum of their ranks; run.json. What each layer adds is checked to be the weighted sum of what theirs add.

Weights. Without any, all weigh the same and sum to 1. An adapter that was trained further from another (dpo.py from sft.py)
holds that one already: 0.3 of it and 0.7 of its start is a point between the two, 1 and 1 is the start twice. A sum of
adapters is not their knowledge added up: score the result beside each (evaluate.py, compare.py).

By PEFT's add_weighted_adapter, combination "cat", which loses nothing. Of the base its config.json alone is read. To keep
several adapters apart on one base, and choose at each request: serve.py --lora.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from common.arguments import parse_args
from common.entry import run_main
from common.errors import CheckFailed, UserError
from common.files import folder_beside, into_place
from common.hashes import weights_sha256
from common.loading import loading
from common.models import BASE_WEIGHTS, adapter_config, check_model_name, find_model, is_adapter, load_tokenizer, with_adapter
from common.paths import named_twice
from common.runs import begin_run, finish_run
from export.adapter_folder import adapter_problems, base_of, beside_matrices

ROUNDING = 1e-5  # what is left of float32 numbers that cancel out, beside them


@dataclass
class Args:
    POSITIONAL: ClassVar[str] = "adapters"
    adapters: list[str]
    """adapter folders, the words before the flags"""
    weights: list[float] = field(default_factory=list)
    """one an adapter; without any 1 / their number each"""
    output_dir: str = "runs/merged_adapters"

    def problems(self) -> list[str]:
        found = [p for adapter in self.adapters for p in _problems(adapter)]
        if self.weights and len(self.weights) != len(self.adapters):
            found.append(f"weights: {len(self.weights)} for {len(self.adapters)} adapters")
        if not all(map(math.isfinite, self.weights)):
            found.append("weights: each must be a finite number")
        if 0 in self.weights or (len(self.adapters) == 1 and self.weights in ([], [1.0])):
            found.append("weights: leave out an adapter of weight 0; one adapter alone needs a weight other than 1")
        found += [f"adapters: {adapter} is named twice; give it a larger weight" for adapter in named_twice(self.adapters)]
        bases = {base_of(adapter) for adapter in self.adapters if is_adapter(adapter)}
        if len(bases) > 1:
            found.append(f"adapters: they are of several bases, {', '.join(sorted(map(str, bases)))}")
        if Path(self.output_dir).exists():
            found.append(f"output_dir: {self.output_dir} is there already; choose another")
        return found


def _problems(adapter: str) -> list[str]:
    """Why this folder cannot be summed with others."""
    if not is_adapter(adapter):
        return check_model_name(adapter, "adapters") or [f"adapters: {adapter} is no adapter folder"]
    if more := beside_matrices(adapter_config(adapter)):
        return [f"adapters: {adapter} is no plain LoRA ({', '.join(more)}); only those add up"]
    return adapter_problems(adapter)


def check_sum(model, names: list[str], weights: list[float]) -> None:
    """CheckFailed where a layer of the new adapter does not add the weighted sum of what the given ones add, or adds nothing."""
    import torch
    from peft.tuners.lora import LoraLayer

    largest, given = 0.0, 0.0
    for path, layer in model.named_modules():
        if isinstance(layer, LoraLayer):
            made = layer.get_delta_weight("merged").float()
            parts = [w * layer.get_delta_weight(n).float() for n, w in zip(names, weights, strict=True) if n in layer.lora_A]
            wanted = sum(parts)
            if not torch.allclose(made, wanted, rtol=1e-3, atol=1e-6 + 1e-3 * float(wanted.abs().max())):
                raise CheckFailed(f"{path}: the merged adapter adds something else than the sum; nothing was written")
            largest = max(largest, float(made.abs().max()))
            given = max([given, *(float(part.abs().max()) for part in parts)])
    if largest <= ROUNDING * given:
        raise CheckFailed("the merged adapter adds nothing to any layer, for the given ones cancel out; nothing was written")


def shape_of(base: str):
    """The base without its weights: each layer's is one zero, seen as a float32 matrix, for PEFT makes the sum of its type."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(base))
    for module in model.modules():
        if isinstance(module, torch.nn.Linear | torch.nn.Embedding):
            module.weight = torch.nn.Parameter(torch.zeros(1).expand(module.weight.shape), requires_grad=False)
    return model


def merged(args: Args, base: str, weights: list[float]):
    """The base's shape with the given adapters and their sum, which is named `merged`."""
    names = [f"adapter{number}" for number in range(len(args.adapters))]
    model = shape_of(base)
    model = with_adapter(model, args.adapters[0], adapter_name=names[0])
    for name, adapter in zip(names[1:], args.adapters[1:], strict=True):
        with loading(adapter):
            if missing := model.load_adapter(adapter, adapter_name=name).missing_keys:
                raise ValueError(f"it lacks {', '.join(missing[:3])}")
    model.peft_config[names[0]].use_rslora = False  # the sum takes over the first one's, and its scale must be 1
    model.peft_config[names[0]].base_model_name_or_path = base
    model.add_weighted_adapter(names, weights, "merged", combination_type="cat")
    check_sum(model, names, weights)
    return model


def main() -> None:
    args, run = parse_args(Args, __doc__), begin_run()
    base = base_of(args.adapters[0])
    find_model(base)
    tokenizers = [load_tokenizer(adapter) for adapter in args.adapters]
    if unlike := [a for a, t in zip(args.adapters, tokenizers, strict=True) if t.chat_template != tokenizers[0].chat_template]:
        raise UserError(f"adapters: {unlike[0]} was trained with another chat template than {args.adapters[0]}")
    weights = args.weights or [1 / len(args.adapters)] * len(args.adapters)
    model = merged(args, base, weights)
    metrics = {"weights": dict(zip(args.adapters, weights, strict=True)), "rank": model.peft_config["merged"].r}
    files = [str(path) for adapter in args.adapters for path in sorted(Path(adapter).glob("adapter_model.*"))]
    with folder_beside(Path(args.output_dir)) as temporary:
        model.save_pretrained(temporary, selected_adapters=["merged"])
        for file in (temporary / "merged").iterdir():
            into_place(file, temporary / file.name)
        (temporary / "merged").rmdir()
        tokenizers[0].save_pretrained(temporary)
        finish_run(run, args, temporary, files, metrics, **{BASE_WEIGHTS: weights_sha256(base)})
    said = " + ".join(f"{weight:g} {adapter}" for adapter, weight in metrics["weights"].items())
    print(f"done:  {args.output_dir} (rank {metrics['rank']}, on {base}: {said})")


if __name__ == "__main__":
    run_main(main)
