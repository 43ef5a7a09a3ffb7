"""How a model is sampled where nobody says otherwise: as its makers say, the same in chat, server and Modelfile."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from common.files import reading
from llamacpp.files import Header, read_header

# GGUF's name (general.sampling.*), generation_config.json's and llama.cpp's request field; Ollama says repeat_penalty too.
NAMES = {
    "temperature": ("temp", "temperature"),
    "top_k": ("top_k", "top_k"),
    "top_p": ("top_p", "top_p"),
    "min_p": ("min_p", "min_p"),
    "repeat_penalty": ("penalty_repeat", "repetition_penalty"),
}


@dataclass(frozen=True)
class Sampling:
    """None: not set. Where a model says nothing its answers are greedy (temperature 0), as scripts/evaluate.py asks it."""

    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repeat_penalty: float | None = None

    def settings(self) -> dict[str, float]:
        """The fields that are set, by the names that llama.cpp's server and Ollama's Modelfile have for them."""
        return {k: v for k, v in asdict(self).items() if v is not None}


GREEDY = Sampling(temperature=0.0)


def of_header(header: Header) -> Sampling:
    """What a GGUF says."""
    said = {name: header.fields.get(f"general.sampling.{key}") for name, (key, _) in NAMES.items()}
    return _made({k: v for k, v in said.items() if v is not None})


def sampling_of(model: str | Path) -> Sampling:
    """What a GGUF file or a model folder's generation_config.json says."""
    if Path(model).is_file():
        with reading(model):
            return of_header(read_header(model))
    try:
        config = json.loads((Path(model) / "generation_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return GREEDY
    if config.get("do_sample") is False:
        return GREEDY
    return _made({name: config[key] for name, (_, key) in NAMES.items() if isinstance(config.get(key), int | float)})


def _made(said: dict) -> Sampling:
    """Rounded as people write them: a GGUF keeps float32, in which 0.6 is 0.60000002."""
    if not said:
        return GREEDY
    return Sampling(**{k: int(v) if k == "top_k" else round(float(v), 4) for k, v in said.items()})
