"""Prove that a GGUF file is the model it claims to be: same tokens, same template, nearly the same probabilities.

    python scripts/verify_gguf.py --model runs/x/merged --gguf runs/x/gguf/x-q4_k_m.gguf --data data/x/validation.jsonl
    python scripts/verify_gguf.py --model Qwen/Qwen3-1.7B --gguf downloaded-Q4_K_M.gguf --quantization q4_k_m

Input   --model: the Hugging Face model (16 bits) that the file was made from; --gguf: one or more files, comma-separated;
        --data: held-out rows (conversations, scoring rows or texts), else a few built-in texts in English and Portuguese.
Output  a table on the screen; with --output_dir verification.json, with every figure and gate. Exit code 1 if a gate fails.

What is compared, against the model in float32 arithmetic:
  loads       llama.cpp loads the file and survives the whole check (it runs in a process of its own: llama.cpp may abort)
  metadata    tokenizer kind, vocabulary (every token), end token, chat template (byte-equal), number of logits
  tokens      token ids of nasty strings and of the rows, control tokens read as tokens and as text; no difference allowed
  template    the file's template as llama.cpp's server renders it: same text and ids as Hugging Face renders, thinking off
  end_token   llama.cpp ends an answer at the tokenizer's end token and at the token that ends a turn in the template
  kl, top1, perplexity   next-token probabilities on the rows, teacher-forced (what rows begin with alike, a system message,
              counts once); gates per quantisation, see GATES
  task_loss   with --untuned: loss of the answers is lower than that of the untuned file in the same quantisation
  stop        the end token ends generation in llama.cpp's server; where the model itself ends an answer, so does the file

GATES were set on SmolLM2-135M (q8_0: KL 0.0045, perplexity ratio 1.004; q4_k_m: 0.055, 1.07) with room of two to four
times. They catch a lost adapter, a wrong tokenizer, broken weights; they do not promise equal scores: evaluate the file too.
Another model may need others: --gates '{"q4_k_m": {"kl": 0.3}}'.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from common.arguments import parse_args
from common.entry import run_main
from common.files import write_json
from common.machine import import_less
from common.models import check_model_name
from export.reference import make_reference
from export.verify import GATES, gate_problems, quantization_of, report_failures, table, verify
from llamacpp.files import is_gguf


@dataclass
class Args:
    gguf: str = ""
    """GGUF files, comma-separated"""
    model: str | None = None
    """Hugging Face folder or hub id that the files were made from"""
    reference: str | None = None
    """folder of an earlier run's reference, in the place of --model"""
    data: str | None = None
    """held-out rows (JSONL) to compare on; without it built-in texts"""
    untuned: str | None = None
    """GGUF of the untuned model, one per file, comma-separated: the tuned must have the lower loss on the answers"""
    quantization: str | None = None
    """whose gates hold, one per file, comma-separated; without it read from the file name"""
    train_data: str | None = None
    """training rows (JSONL), some of which are tokenised both ways"""
    max_tokens: int = 3000
    """tokens to compare on"""
    gates: dict[str, dict[str, float]] | None = None
    """changes to the gates, as {"q4_k_m": {"kl": 0.3}}"""
    output_dir: str | None = None
    """where verification.json and the log of llama.cpp go"""
    make_reference: bool = False
    """(internal) only write the reference of --model to --reference"""

    def problems(self) -> list[str]:
        if self.make_reference:
            return check_model_name(self.model)
        files = self.gguf.split(",")
        found = [f"gguf: {f} is no GGUF file" for f in files if not is_gguf(f)]
        if not self.gguf:
            found = ["gguf: give one or more GGUF files"]
        if (self.model is None) == (self.reference is None):
            found.append("model: give --model (or --reference, the folder of an earlier run)")
        if self.model:
            found += check_model_name(self.model)
        if self.reference and not (Path(self.reference) / "reference.json").is_file():
            found.append(f"reference: {self.reference} holds no reference.json")
        for name in ("data", "train_data"):
            path = getattr(self, name)
            found += [f"{name}: there is no file {path}"] if path and not Path(path).is_file() else []
        names = self.quantizations()
        if len(names) != len(files) or any(n not in GATES for n in names):
            found.append(f"quantization: give one of {', '.join(GATES)} per file (found {', '.join(map(str, names))})")
        if self.untuned and len(self.untuned.split(",")) != len(files):
            found.append("untuned: give one file per GGUF")
        found += gate_problems(self.gates)
        return found

    def quantizations(self) -> list[str | None]:
        """Quantisation of each file, given or read from its name."""
        return self.quantization.split(",") if self.quantization else [quantization_of(f) for f in self.gguf.split(",")]


def main() -> None:
    args = parse_args(Args, __doc__)
    import_less()
    if args.make_reference:
        make_reference(args.model, Path(args.reference), args.data, args.max_tokens, args.train_data)
        return
    files = args.gguf.split(",")
    with tempfile.TemporaryDirectory() as scratch:
        reference = Path(args.reference or scratch)
        if args.model:
            make_reference(args.model, reference, args.data, args.max_tokens, args.train_data)
        log = Path(args.output_dir or reference) / "verify.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        untuned = args.untuned.split(",") if args.untuned else None
        results = verify(files, args.quantizations(), reference, untuned, args.gates, log)
        if any("loads" in r["failed"] for r in results) and not args.output_dir and not args.reference:
            print("what llama.cpp said last:\n" + "\n".join(log.read_text(errors="replace").splitlines()[-5:]))
    if args.output_dir:
        write_json(Path(args.output_dir) / "verification.json", {"model": args.model, "data": args.data, "files": results})
    print(table(results))
    report_failures(results)


if __name__ == "__main__":
    run_main(main)
