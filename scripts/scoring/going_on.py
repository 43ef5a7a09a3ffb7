"""An evaluation that goes on where it was ended: what must be as it was, and what is kept of how it began."""

import dataclasses
import json
from pathlib import Path

from common.errors import UserError
from common.files import read_json, sha256, write_json
from common.hashes import model_sha256, text_sha256
from common.runs import begun_with
from scoring import packing
from scoring.asking import Asked


def settings_of(args, asked: Asked) -> dict:
    """What must be equal for an evaluation to be gone on with: the fields, and hashes in the place of files."""
    files = ("output_dir", "data", "shots_data", "train_data")
    return {k: v for k, v in dataclasses.asdict(args).items() if k not in files} | {
        "protocol": asked.protocol,
        "data_sha256": asked.data_sha256,
        "model_sha256": model_sha256(args.model),
        "shots_sha256": text_sha256(json.dumps(asked.shots)),
        "train_sha256": sha256(args.train_data) if args.train_data else None,
    }


TAKEN = "batch_tokens_taken"


def batch_tokens(args, engine, output_dir: Path) -> int:
    """Tokens a forward pass. What a run chose by the memory that was free stays, so that what goes on draws the same answers."""
    noted = read_json(output_dir / "settings.json")
    taken = args.batch_tokens or noted.get(TAKEN) or getattr(engine, "batch_tokens", packing.BATCH_TOKENS)
    write_json(output_dir / "settings.json", noted | {TAKEN: taken})
    return taken


def check_folder(output_dir: Path, settings: dict) -> bool:
    """Whether the folder holds this very evaluation, finished; raises UserError where it holds another one."""
    noted, before = output_dir / "settings.json", {}
    if noted.exists():
        before = read_json(noted)
        changed = [f"{k} {before.get(k)!r} -> {v!r}" for k, v in settings.items() if before.get(k) != v]
        if changed:
            raise UserError(
                f"output_dir: {output_dir} holds an evaluation with other settings "
                f"({'; '.join(changed[:4])}); choose another folder, or delete it"
            )
    elif held := [name for name in ("metrics.json", "run.json") if (output_dir / name).exists()]:  # a training's run.json too
        raise UserError(f"output_dir: {output_dir} holds another run's {held[0]}, which would be lost; choose another folder")
    write_json(noted, settings | {"versions": begun_with(before), TAKEN: before.get(TAKEN)})
    return (output_dir / "metrics.json").exists()
