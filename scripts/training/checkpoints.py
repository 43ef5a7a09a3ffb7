"""A training's weights on disk: the last whole checkpoint, going on from it, the result saved beside its place and moved in.

Importing this file imports no torch.
"""

import dataclasses
import functools
import json
import shutil
import zipfile
from pathlib import Path

from common.errors import CheckFailed
from common.files import into_place, reading, write_text
from common.models import damaged_files
from training import adapters

from data_prep.common.files import on_disk


def last(output_dir: str | Path) -> Path | None:
    """The newest whole checkpoint of a folder. trainer_state.json is written last, so its lack tells a broken one.

    After a power cut files of the right name may be cut short, or zeros, where an older version wrote them (`save_in_order`).
    """
    found = sorted(Path(output_dir).glob("checkpoint-*"), key=lambda p: int(p.name.rpartition("-")[2]), reverse=True)
    for checkpoint in found:
        try:
            json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
            pickled = [*checkpoint.glob("*.pt"), *checkpoint.glob("*.pth")]  # torch writes an archive, its directory last
            if not damaged_files(checkpoint) and all(map(zipfile.is_zipfile, pickled)):
                return checkpoint
        except (OSError, ValueError, RecursionError):
            pass
        print(f"warning: {checkpoint} is incomplete and is passed over")
    return None


RESULT = ("*.safetensors", "*.json", "*.jinja", "README.md", "metrics.jsonl", "loss.png")  # what a training writes
BEGUN = ("settings.json", "run.json", "checkpoint-*")  # what one of ours leaves, interrupted or finished


def others_files(output_dir: str | Path) -> list[str]:
    """A folder in which no training began, and whose files one would write over: the model it starts from, a project's README."""
    folder = Path(output_dir)
    if any(any(folder.glob(name)) for name in BEGUN):
        return []
    there = sorted(path.name for name in RESULT for path in folder.glob(name))
    said = f"output_dir: {output_dir} holds {', '.join(there[:3])} of something else, which would be written over"
    return [f"{said}; choose an empty or a new folder"] if there else []


def save_in_order() -> None:
    """Let transformers write trainer_state.json when all else of a checkpoint is on the disk, under a temporary name.

    It syncs nothing: after a power cut weights could be zeros in files of the right length, beside a whole trainer_state.json.
    """
    from transformers import TrainerState

    def save_to_json(state, json_path: str) -> None:
        on_disk(Path(json_path).parent)
        write_text(json_path, json.dumps(dataclasses.asdict(state), indent=2, sort_keys=True) + "\n")

    TrainerState.save_to_json = save_to_json


def resume_from(checkpoint: Path, trainer) -> None:
    """Make `trainer.train(resume_from_checkpoint=checkpoint)` bring back the adapter that was trained, and the optimizer.

    Killed between its last checkpoint and the end, a training is not trained further: transformers would take one step more.
    """
    import torch

    if ended(checkpoint):
        print("all of it is trained; the result is saved")
        trainer.get_batch_samples = lambda *_: ([], None)
    if hasattr(trainer.model, "peft_config"):
        trainer.add_callback(_restore_adapter(checkpoint, trainer.model))
    if not torch.cuda.is_available():
        _read_numbered_cpus()


def ended(checkpoint: Path) -> bool:
    """Whether the training was at its end there: its last step, or where early stopping stopped it."""
    path = checkpoint / "trainer_state.json"
    with reading(path):
        kept = json.loads(path.read_text(encoding="utf-8"))["stateful_callbacks"]
        return kept["TrainerControl"]["args"]["should_training_stop"]


@functools.cache
def _read_numbered_cpus() -> None:
    """Let torch read tensors saved on "cpu:0", where transformers puts the optimizer of several processes."""
    import torch

    torch.serialization.register_package(50, lambda _: None, lambda kept, at: kept if at.startswith("cpu:") else None)


def _restore_adapter(checkpoint: Path, model):
    """Callback that reads the trained adapter of a checkpoint back, before the first step.

    transformers' own way reads the adapters in a checkpoint's subfolders where there are any, DPO's and KTO's reference, and
    then passes over the one that was trained: the run would go on from untrained weights with a trained optimizer.
    """
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file
    from transformers import TrainerCallback

    class Restore(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs):  # given a model, it may be one that DDP has wrapped
            weights = load_file(checkpoint / "adapter_model.safetensors")
            if is_sharded(model):
                from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict

                weights = {name.replace(".weight", ".default.weight"): value for name, value in weights.items()}
                options = StateDictOptions(full_state_dict=True, strict=False)
                if set_model_state_dict(model, weights, options=options).unexpected_keys:
                    raise CheckFailed(f"{checkpoint} cannot be read back into parts; start again in another output_dir")
                return
            missing = set_peft_model_state_dict(model, weights, adapter_name="default").unexpected_keys
            if missing:
                raise CheckFailed(f"{checkpoint} does not fit the model: {missing[:3]}; delete it, or the run")

    return Restore


def is_sharded(model) -> bool:
    """Whether the model is shared out by FSDP: each process holds a part of every weight."""
    return any(hasattr(parameter, "full_tensor") for parameter in model.parameters())


def sizes(model) -> list[float]:
    """The norm of every weight that is trained, by which a training that changed none is told; [] where FSDP shares them out."""
    import torch

    if is_sharded(model):
        return []
    trained = (parameter.detach() for parameter in model.parameters() if parameter.requires_grad)
    return [float(torch.linalg.vector_norm(weight)) for weight in trained]


def save_model(model, tokenizer, output_dir: str | Path, weights: dict | None = None) -> None:
    """Save adapter (or model) and tokenizer into a folder beside its place, then move the files in one by one.

    `weights` are all of the model's, where it holds only parts of them itself.
    """
    output_dir = Path(output_dir)
    temporary = output_dir / ".saving"
    shutil.rmtree(temporary, ignore_errors=True)
    # DPO holds its reference as a second adapter; only the trained one is the result.
    more = {"selected_adapters": ["default"]} if hasattr(model, "peft_config") else {}
    model.save_pretrained(temporary, **more, **({"state_dict": weights} if weights is not None else {}))
    if (output_dir / ".start").is_dir():
        adapters.subtract_initial_adapter(temporary, output_dir / ".start")
    tokenizer.save_pretrained(temporary)
    for file in temporary.iterdir():
        into_place(file, output_dir / file.name)
    temporary.rmdir()
    shutil.rmtree(output_dir / ".start", ignore_errors=True)
