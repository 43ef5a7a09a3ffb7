"""Prove that a GGUF file is the model it claims to be: same tokens, same template, nearly the same probabilities.

    python scripts/verify_gguf.py --model runs/x/merged --gguf runs/x/gguf/x-q4_k_m.gguf --data data/x/validation.jsonl
    python scripts/verify_gguf.py --model Qwen/Qwen3-1.7B --gguf downloaded-Q4_K_M.gguf --quantization q4_k_m

Input   --model: the Hugging Face model (16 bits) that the file was made from; --gguf: one or more files, comma-separated;
        --data: held-out rows (conversations, scoring rows or texts), else a few built-in texts in English and Portuguese.
        --source: the 16-bit GGUF that quantised files were made from; without it one is made of --model, and proven first.
Output  a table on the screen; with --output_dir verification.json, with every figure and gate. Exit code 1 if a gate fails.

What is compared, against the model in float32 arithmetic:
  loads       llama.cpp loads the file and survives the whole check (it runs in a process of its own: llama.cpp may abort)
  metadata    tokenizer kind, every token, its type, merges, scores; end tokens, template (byte-equal); context length, sizes,
              epsilons, every key of the rotary positions, sampling: with config and tokenizer, not with what a converter says
  tokens      token ids of nasty strings and of the rows, control tokens read as tokens and as text; no difference allowed
  template    the file's template as llama.cpp's server renders it: same text and ids as Hugging Face renders, thinking off
  end_token   the set of tokens at which llama.cpp ends an answer: all of the model's, none that belongs to answers
  kl, top1, perplexity   next-token probabilities on the rows, teacher-forced (what rows begin with alike, a system message,
              counts once); gates per quantisation, see scripts/export/proof/gates.py
  long_document   the same after position 2,048 of one long text
  same_metadata, tensors   a quantised file against its 16-bit file: every field; every tensor, byte for byte what quantising
              again gives, or (a file that someone else made) within the error of its type
  task_loss   with --untuned: the answers are not as likely, token by token, as in the untuned file of the same quantisation;
              where they are no likelier, a remark says so
  stop        every end token ends generation in llama.cpp's server; where the model itself ends an answer, so does the file

The 16-bit file is held tightly (mean KL 1e-4 in f16, 5e-4 in bf16): a weight that is wrong shows there. The gates of
quantised files (set on SmolLM2-135M) allow what quantising does; they do not promise equal scores: evaluate the file too.
Another model may need others: --gates '{"q4_k_m": {"kl": 0.3}}'; the verdict then says so.
"""

import dataclasses
import tempfile
from dataclasses import dataclass
from pathlib import Path

from common.arguments import parse_args
from common.entry import run_main
from common.errors import UserError
from common.files import write_json
from common.machine import import_less, output_problems
from common.models import check_model_name, is_adapter, local_folder
from export.proof.gates import GATES, SIXTEEN_BIT, Checked, gate_problems, quantization_of
from export.proof.verify import report_failures, table, verify
from export.run import sixteen_bits
from export.steps import Steps, Tools
from llamacpp.files import is_gguf
from llamacpp.tools import find_converter


@dataclass
class Args:
    gguf: str = ""
    """GGUF files, comma-separated"""
    model: str | None = None
    """Hugging Face folder or hub id that the files were made from"""
    reference: str | None = None
    """folder of an earlier run's reference, in the place of --model"""
    source: str | None = None
    """16-bit GGUF that quantised files were made from; it is proven first"""
    data: str | None = None
    """held-out rows (JSONL) to compare on; without it built-in texts"""
    untuned: str | None = None
    """GGUF of the untuned model, one per file, comma-separated: whether the tuned answers otherwise"""
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

    def problems(self) -> list[str]:
        files = self.gguf.split(",")
        found = [f"gguf: {f} is no GGUF file" for f in [*files, *([self.source] if self.source else [])] if not is_gguf(f)]
        if not self.gguf:
            found = ["gguf: give one or more GGUF files"]
        if (self.model is None) == (self.reference is None):
            found.append("model: give --model (or --reference, the folder of an earlier run)")
        found += output_problems(self.output_dir) if self.output_dir else []
        if self.model:
            found += check_model_name(self.model)
            if is_adapter(self.model):
                found.append(
                    f"model: {self.model} is an adapter, and the file was made of it merged: first export_gguf.py --model "
                    f"{self.model} --merge_only --output_dir FOLDER, then --model FOLDER here"
                )
        if self.reference and not (Path(self.reference) / "reference.json").is_file():
            found.append(f"reference: {self.reference} holds no reference.json")
        for name in ("data", "train_data"):
            path = getattr(self, name)
            found += [f"{name}: there is no file {path}"] if path and not Path(path).is_file() else []
        names = self.quantizations()
        if len(names) != len(files) or any(n not in GATES for n in names):
            found.append(f"quantization: give one of {', '.join(GATES)} per file (found {', '.join(map(str, names))})")
        if self.source and quantization_of(self.source) not in SIXTEEN_BIT:
            found.append(f"source: {self.source} does not say f16 or bf16 in its name")
        if self.untuned and len(self.untuned.split(",")) != len(files):
            found.append("untuned: give one file per GGUF")
        return found + gate_problems(self.gates)

    def quantizations(self) -> list[str | None]:
        """Quantisation of each file, given or read from its name."""
        return self.quantization.split(",") if self.quantization else [quantization_of(f) for f in self.gguf.split(",")]


def make_source(model: str, folder: Path, steps: Steps) -> Path | None:
    """The model's own 16-bit GGUF; None where the converter is not here, which is said."""
    place = local_folder(model)
    try:
        tools = Tools(find_converter(), None)
    except UserError as error:
        print(f"quantised files are not compared with a 16-bit file: {'; '.join(error.problems)}")
        return None
    outtype = sixteen_bits(place)
    path = folder / f"source-{outtype}.gguf"
    tools.convert(steps, "", place, path, "model", outtype)
    return path


def prove(args: Args, scratch: Path) -> list[Checked]:
    """Every file's result; the 16-bit file's first, where there is one that was not asked for."""
    from export.proof.record import Reference
    from export.proof.reference import make_reference

    files, names = args.gguf.split(","), args.quantizations()
    reference = Path(args.reference or scratch)
    if args.model:
        make_reference(args.model, reference, args.data, args.max_tokens, args.train_data)
    else:
        Reference.load(reference)  # before llama.cpp is begun
    steps = Steps(Path(args.output_dir or scratch) / "verify.log")
    steps.log.parent.mkdir(parents=True, exist_ok=True)
    source, results = args.source, []
    if set(names) - set(SIXTEEN_BIT) and not source and args.model:
        source = make_source(args.model, scratch, steps)
    if source:
        results.append(verify(source, quantization_of(source), reference, steps.log, args.gates))
    proven = source if source and not results[0].failed else None
    untuned = args.untuned.split(",") if args.untuned else [None] * len(files)
    for path, name, before in zip(files, names, untuned, strict=True):
        of = None if name in SIXTEEN_BIT else proven
        results.append(verify(path, name, reference, steps.log, args.gates, source=of, untuned=before))
    if any("loads" in r.failed for r in results) and not args.output_dir:
        print("what llama.cpp said last:\n" + "\n".join(steps.log.read_text(errors="replace").splitlines()[-5:]))
    return results


def main() -> None:
    args = parse_args(Args, __doc__)
    import_less()
    with tempfile.TemporaryDirectory() as scratch:
        results = prove(args, Path(scratch))
    if args.output_dir:
        report = {"model": args.model, "data": args.data, "files": [dataclasses.asdict(r) for r in results]}
        write_json(Path(args.output_dir) / "verification.json", report)
    print(table(results))
    report_failures(results)


if __name__ == "__main__":
    run_main(main)
