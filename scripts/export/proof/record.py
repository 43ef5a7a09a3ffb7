"""What a Hugging Face model does, as a proof keeps it in a folder: reference.json, and log probabilities in log_probs.f16."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path

from common.errors import UserError
from common.files import write_json

LOG_PROBS = "log_probs.f16"


@dataclass
class Document:
    """Tokens on which probabilities are compared, from position `first` on; `row`: where they begin in LOG_PROBS."""

    ids: list[int]
    labels: list[int]  # -100 where nothing is trained
    first: int = 0
    row: int = 0
    ends: list[int] = field(default_factory=list)  # lengths of the beginnings after which the model itself ends its answer

    def answered(self) -> list[int]:
        """Positions of the tokens that the answers hold."""
        return [i for i, label in enumerate(self.labels) if label != -100 and i > 0]


@dataclass
class Tokenised:
    """Token ids of a string: control tokens in it read as such (`special`), and as text (`plain`)."""

    text: str
    special: list[int]
    plain: list[int]
    otherwise: bool  # llama.cpp cannot read it as the tokenizer does; the ids are what it should read instead


@dataclass
class Rendered:
    """A conversation as the template writes it; `pieces`: (text, may it hold control tokens)."""

    messages: list[dict]
    text: str
    ids: list[int]
    pieces: list[tuple[str, bool]]


@dataclass
class Vocabulary:
    """The tokenizer, as a GGUF must hold it."""

    size: int  # rows of the output layer
    spelled: list[str | None]
    added: list[int]
    special: list[int]
    byte_level: bool
    merges: list[str | int] | None  # SHA-256 and number; None: not told by merges
    scores: list[str | int] | None  # SHA-256 and number of SentencePiece's; None: none
    eos: int | None
    ends: list[int]  # every id that ends an answer: tokenizer, generation config, end of a turn in the template
    named: dict[str, list[int]]  # ids that may stand for bos, pad, unk
    adds: dict[str, bool]  # whether the tokenizer begins (bos) and ends (eos) every text with a token
    bos_text: str | None
    template: str | None
    openers: list[int] = field(default_factory=list)  # what generation config calls an end too, but begins answers (Phi-3)

    def spell(self, token: int | None) -> str:
        return repr(self.spelled[token]) if token is not None and 0 <= token < len(self.spelled) else str(token)


@dataclass
class Expected:
    """What config.json says, by GGUF's names without the architecture; see proof/expected.py."""

    fields: dict[str, int | float | str]
    rope_factors: list[float] | None  # of rope_freqs.weight
    rope_unknown: bool  # a kind of rope scaling that is not compared
    sampling: dict[str, float]


@dataclass
class Reference:
    model: str
    data: str | None
    data_sha256: str | None
    documents: list[Document]
    texts: list[Tokenised]
    conversations: dict[str, Rendered]
    vocabulary: Vocabulary
    expected: Expected
    remark: str = ""  # what llama.cpp reads otherwise, where a user can do something about it

    def save(self, folder: Path) -> None:
        write_json(folder / "reference.json", dataclasses.asdict(self))

    @classmethod
    def load(cls, folder: Path) -> "Reference":
        """Raises UserError for one that other versions of these scripts wrote."""
        made = json.loads((folder / "reference.json").read_text(encoding="utf-8"))
        try:
            return cls(
                **made
                | {
                    "documents": [Document(**d) for d in made["documents"]],
                    "texts": [Tokenised(**t) for t in made["texts"]],
                    "conversations": {name: Rendered(**c) for name, c in made["conversations"].items()},
                    "vocabulary": Vocabulary(**made["vocabulary"]),
                    "expected": Expected(**made["expected"]),
                }
            )
        except (TypeError, KeyError):
            raise UserError(
                f"reference: {folder} is of another version of these scripts; make it anew: give --model instead"
            ) from None


def read_log_probs(folder: Path, vocabulary: int, first: int, count: int):
    """Rows of the log probabilities, numpy float32 [count, vocabulary]."""
    import numpy

    rows = numpy.fromfile(folder / LOG_PROBS, numpy.float16, count * vocabulary, offset=2 * first * vocabulary)
    return rows.reshape(count, vocabulary).astype(numpy.float32)
