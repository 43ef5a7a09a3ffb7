"""Questions made from documents by a language model, kept only if they hold; every refusal is kept with its reason.

    python data_prep/synthesize.py --data guidelines.jsonl --generator http://127.0.0.1:8080/v1 --kinds qa,mcq,dialogue,cot
    python data_prep/synthesize.py --config synthesize.yaml --base http://127.0.0.1:8081/v1 --eval_files data/benchmark.jsonl
    python data_prep/synthesize.py --seeds data/mine/train.jsonl --kinds instruct --num_instruct 200 --generator http://...

Input   text rows (JSONL with `text`), as data_prep/prepare.py --task text writes them; long ones are cut at paragraphs. For kind
        `instruct` (self-instruct, Wang et al. 2023, arXiv 2212.10560) seed questions instead. The generator is any
        OpenAI-compatible address: scripts/serve.py, vLLM, a hosted one (key: OPENAI_API_KEY).
Output  output_dir/train.jsonl     ShareGPT rows with `synthetic`, `generator`, `kind`, `passage_id`, `passage`, `evidence`
        output_dir/rejects.jsonl   {"stage", "reason", "kind", "passage", "content"}, all that was refused
        output_dir/manifest.json   funnel, reasons, tokens, cost, settings, hashes; report.html the same to look at
        output_dir/calls.jsonl     every finished call: killed and started again, none is made twice
        output_dir/mixed.jsonl     with --mix_into: real rows and at most --max_share synthetic ones

The filter, cheapest first: form (parses, options differ, one key, the question stands without its passage); language; grounding
(the quoted evidence stands in the passage, and so does every number of the answer); personal data; leaks of --eval_files; exact
duplicates; self-consistency (asked again without the key, the generator agrees, and says that the passage supports it); too easy
(--base answers with the passage hidden); near-duplicates of kept rows and seeds. Options are put in a new order, for generators
like their first letter. The generator judges itself unless --judge names another model, and shares its own errors: let people
read a sample (scripts/annotate.py) before training. The prompts are files in data_prep/synthesis/prompts; --prompts takes yours.

A loop on the `openai` client, not distilabel (last release 1.5.3, January 2025) nor NVIDIA's data-designer (0.9.7 wants an older
pyarrow and rich than ours): what decides here is the filter, which both leave to the user, and no call is paid twice.
"""

import collections
import hashlib
import importlib.metadata
import json
import random
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from data_prep.common.arguments import parse_args, tell_unused
from data_prep.common.errors import UserError, exit_on_error
from data_prep.common.files import write_text
from data_prep.synthesis import checks
from data_prep.synthesis.calls import Caller, Model, served_name
from data_prep.synthesis.candidates import KINDS, Candidate, Passage, Reject, read_candidates
from data_prep.synthesis.inputs import LEAST_PASSAGE, read_jsonl, read_passages, seed_questions
from data_prep.synthesis.sieve import UNCHECKED, Settings, filtered, leak_check


@dataclass
class Args:
    generator: str
    """base URL of the model that writes (http://.../v1)"""
    data: str | None = None
    """text rows (JSONL) to make questions from; every kind but instruct needs them"""
    output_dir: str = "data/synthetic"
    """where rows, rejects, manifest and calls go"""
    kinds: list[str] = field(default_factory=lambda: ["qa", "mcq"])
    """what is made, as words or with commas: qa, mcq, dialogue, cot (worked reasoning), instruct (self-instruct from seeds)"""
    generator_model: str | None = None
    """the generator's name at its address, which every row keeps; without it that of the one model that is served there"""
    judge: str | None = None
    """base URL of the model that checks; without it the generator checks itself"""
    judge_model: str | None = None
    """its name there, as the generator's"""
    base: str | None = None
    """base URL of the model to be trained: what it answers with the passage hidden is too easy; without it nothing is"""
    base_model: str | None = None
    """its name there, as the generator's"""
    count: int = 3
    """items asked for in one call"""
    seeds: str | None = None
    """seed questions (JSONL) of kind instruct"""
    num_instruct: int = 50
    """items of kind instruct to ask for in all"""
    prompts: str | None = None
    """folder of prompts that replace ours, file by file"""
    passage_chars: int = 3000
    """longest passage in characters; longer texts are cut at paragraphs"""
    limit: int = 0
    """use the first so many passages only; 0: all"""
    eval_files: list[str] = field(default_factory=list)
    """rows (JSONL) that nothing may repeat"""
    leak_threshold: float = 0.6
    """similarity of questions from which a row leaks"""
    near_threshold: float = 0.7
    """similarity of questions from which two rows are near-duplicates"""
    temperature: float = 0.7
    """of the generator; checks are greedy"""
    max_tokens: int = 2048
    """longest answer of the generator"""
    parallel: int = 4
    """calls under way at once"""
    budget_tokens: int = 0
    """tokens sent and received, all calls of this folder together, after which nothing more is asked; 0: no limit"""
    price_input: float = 0.0
    """price of a million tokens sent, for the cost in the manifest"""
    price_output: float = 0.0
    """price of a million tokens received"""
    mix_into: str | None = None
    """real training rows (JSONL) to mix the kept ones into"""
    max_share: float = 0.3
    """largest share of synthetic rows in mixed.jsonl"""
    seed: int = 3407
    """seed of sampling, seed questions and mixing"""

    def problems(self) -> list[str]:
        self.kinds = [kind.strip() for kinds in self.kinds for kind in kinds.split(",") if kind.strip()]
        found = [f"{n}: {getattr(self, n)} is no URL" for n in ("generator", "judge", "base") if not is_url(getattr(self, n))]
        for name in ("data", "seeds", "mix_into"):
            if getattr(self, name) and not Path(getattr(self, name)).is_file():
                found.append(f"{name}: there is no file {getattr(self, name)}; data_prep/prepare.py makes such files")
        found += [f"eval_files: there is no file {path}" for path in self.eval_files if not Path(path).is_file()]
        if self.prompts and not Path(self.prompts).is_dir():
            found.append(f"prompts: there is no folder {self.prompts}; copy data_prep/synthesis/prompts and change it")
        if set(self.kinds) - {"instruct"} and not self.data:
            found.append("data: name the text rows that questions are made from")
        if "instruct" in self.kinds and not self.seeds:
            found.append("seeds: kind instruct needs seed questions")
        if unknown := set(self.kinds) - set(KINDS) or (not self.kinds and {"none"}):
            found.append(f"kinds: {', '.join(sorted(unknown))}: choose among {', '.join(KINDS)}")
        if not 0 < self.max_share < 1:
            found.append(f"max_share: {self.max_share} is not between 0 and 1")
        least = {
            "count": 1,
            "num_instruct": 1,
            "parallel": 1,
            "max_tokens": 16,
            "passage_chars": 400,
            "budget_tokens": 0,
            "limit": 0,
        }
        return found + [f"{n}: {getattr(self, n)} is less than {low}" for n, low in least.items() if getattr(self, n) < low]

    def unused(self) -> dict[str, str]:
        """Why a field would change nothing, "" where it does."""
        instruct = "" if "instruct" in self.kinds else "--kinds names no instruct"
        return {
            "seeds": instruct,
            "num_instruct": instruct,
            "data": "" if set(self.kinds) - {"instruct"} else "instruct is made from seeds alone",
            "judge_model": "" if self.judge else "there is no --judge",
            "base_model": "" if self.base else "there is no --base",
            "leak_threshold": "" if self.eval_files else "there are no --eval_files",
            "max_share": "" if self.mix_into else "there is no --mix_into",
        }


def is_url(address: str | None) -> bool:
    return address is None or address.startswith(("http://", "https://"))


# ------------------------------------------------------------------------------------------ generating


class Job(NamedTuple):
    """One call of the generator."""

    kind: str
    passage: Passage | None
    language: str
    prompt: str
    seed: int


def jobs_of(args: Args, passages: list[Passage], seeds: list[str], prompts: dict[str, str]) -> list[Job]:
    """All calls, in a fixed order: each kind of each passage, then self-instruct."""
    found = []
    for passage in passages:
        for kind in args.kinds:
            if kind != "instruct":
                prompt = checks.fill(prompts, kind, passage.language, passage=passage.text, count=str(args.count))
                found.append(Job(kind, passage, passage.language, prompt, args.seed))
    if "instruct" in args.kinds:
        import py3langid

        if len(seeds) < 3:
            raise UserError(f"seeds: {args.seeds} holds {len(seeds)} questions; give at least 3")
        language, draw = py3langid.classify(" ".join(seeds)[:4000])[0], random.Random(args.seed)
        for number in range(-(-args.num_instruct // args.count)):
            shown = "\n".join(f"- {seed}" for seed in draw.sample(seeds, min(5, len(seeds))))
            prompt = checks.fill(prompts, "instruct", language, seeds=shown, count=str(args.count))
            found.append(Job("instruct", None, language, prompt, args.seed + number))
    return found


def generate(args: Args, caller: Caller, jobs: list[Job]) -> tuple[list[Candidate], list[Reject], int]:
    """Candidates, items of the wrong form, and how many calls the budget left undone."""
    model = Model(args.generator, args.generator_model)
    texts = caller.map(lambda job: caller.ask(model, job.prompt, args.temperature, args.max_tokens, job.seed), jobs)
    candidates, rejects = [], []
    for job, text in zip(jobs, texts, strict=True):
        for item in read_candidates(text, job.kind, job.passage, job.language) if text is not None else ():
            (rejects if isinstance(item, Reject) else candidates).append(item)
    return candidates, rejects, sum(text is None for text in texts)


# ------------------------------------------------------------------------------------------ what comes out


def row_of(candidate: Candidate, generator: str) -> dict:
    """A training row that says what it is and where it comes from; options stand in an order of the question's own."""
    from data_prep.cleaning.duplicates import digest

    if candidate.kind == "mcq":
        candidate.options, candidate.answer = checks.turned(
            candidate, digest(f"place {candidate.question}") % len(candidate.options)
        )
    passage = candidate.passage
    key = hashlib.sha256(json.dumps(candidate.conversation(), ensure_ascii=False).encode()).hexdigest()[:16]
    return {
        "id": f"synthetic-{candidate.kind}-{key}",
        "conversations": candidate.conversation(),
        "source": passage.source if passage else "self-instruct",
        "topic": passage.topic if passage else "",
        "synthetic": True,
        "generator": generator,
        "kind": candidate.kind,
        "passage_id": passage.id if passage else None,
        "passage": passage.text if passage else None,
        "evidence": candidate.evidence or None,
    }


def read_real(path: str) -> list[dict]:
    """Rows to mix into. Raises UserError where some are synthetic already."""
    real = read_jsonl(path)
    if already := sum(bool(row.get("synthetic")) for row in real):
        raise UserError(f"mix_into: {path} holds {already} synthetic rows already; give the real rows")
    return real


def mixed(args: Args, real: list[dict], rows: list[dict]) -> list[dict]:
    """All real rows and as many synthetic ones as the share allows, in a random order."""
    most = int(len(real) * args.max_share / (1 - args.max_share))
    draw = random.Random(args.seed)
    found = real + draw.sample(rows, min(most, len(rows)))
    draw.shuffle(found)
    return found


def lines(rows: list[dict]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def manifest_of(
    args: Args, prompts: dict[str, str], caller: Caller, funnel: list, rejects: list[Reject], rows: list[dict]
) -> dict:
    usage = caller.usage()
    cost = (usage.prompt_tokens * args.price_input + usage.completion_tokens * args.price_output) / 1e6
    unchecked, asked = sum(r.stage == UNCHECKED for r in rejects), len(rows) + len(rejects)
    files = [p for p in (args.data, args.seeds, args.mix_into, *args.eval_files) if p]
    return {
        "synthetic": True,
        "generator": {"name": args.generator_model, "url": args.generator},
        "judge": {"name": args.judge_model, "url": args.judge} if args.judge else "the generator itself",
        "words": f"{len(rows)} of {asked} generated items were kept ({len(rows) / max(1, asked):.1%})."
        + (f" {unchecked} were not checked, for the budget of tokens was spent." if unchecked else ""),
        "funnel": funnel,
        "reasons": dict(collections.Counter(f"{r.stage}: {r.reason}" for r in rejects).most_common()),
        "kept_by_kind": dict(collections.Counter(row["kind"] for row in rows)),
        "tokens": {
            "calls": usage.calls,
            "taken from an earlier run": usage.reused,
            "tokens sent": usage.prompt_tokens,
            "tokens received": usage.completion_tokens,
            "cost": round(cost, 4),
        },
        "said nothing": dict(caller.silent),
        "counted_by": dict(collections.Counter(record["counted_by"] for record in caller.done.values())),
        "options": asdict(args),
        "prompts_sha256": hashlib.sha256(json.dumps(prompts, sort_keys=True).encode()).hexdigest(),
        "inputs": {path: hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in files},
        "versions": {n: importlib.metadata.version(n) for n in ("openai", "rensa", "py3langid", "regex")},
    }


def write_out(args: Args, manifest: dict, rows: list[dict], rejects: list[Reject], real: list[dict]) -> None:
    from data_prep.synthesis.page import page

    out, refused = Path(args.output_dir), [reject._asdict() for reject in rejects]
    write_text(out / "rejects.jsonl", lines(refused))
    write_text(out / "report.html", page(manifest, rows, refused))
    write_text(out / "train.jsonl", lines(rows))
    (out / "mixed.jsonl").unlink(missing_ok=True)  # an earlier run's, in which rows stand that this one may have refused
    if real and rows:
        found = mixed(args, real, rows)
        share = sum(bool(row.get("synthetic")) for row in found) / len(found)
        manifest["mixed"] = {"rows": len(found), "synthetic_share": round(share, 4), "max_share": args.max_share}
        write_text(out / "mixed.jsonl", lines(found))
    write_text(out / "manifest.json", json.dumps(manifest, ensure_ascii=False, indent=2) + "\n")


def asker_of(args: Args, caller: Caller, prompts: dict[str, str]) -> checks.Asker:
    """Who checks: the judge, or else the generator itself; and the base."""
    judge = Model(args.judge, args.judge_model) if args.judge else Model(args.generator, args.generator_model)
    return checks.Asker(caller, judge, Model(args.base, args.base_model) if args.base else None, prompts)


def synthesize(args: Args) -> dict:
    """The whole of it; returns the manifest. Raises UserError where nothing is kept."""
    out = Path(args.output_dir)
    # All files are read first: what is wrong with one ends it before anything is paid for.
    prompts = checks.read_prompts(args.prompts)
    passages, short = read_passages(args.data, args.passage_chars, args.limit) if args.data else ([], 0)
    seeds = seed_questions(args.seeds) if args.seeds else []
    leaks = leak_check(args.eval_files, args.leak_threshold)
    real = read_real(args.mix_into) if args.mix_into else []
    jobs = jobs_of(args, passages, seeds, prompts)
    for name in ("generator", "judge", "base"):
        if (url := getattr(args, name)) and not getattr(args, f"{name}_model"):
            setattr(args, f"{name}_model", served_name(url, f"{name}_model"))
    out.mkdir(parents=True, exist_ok=True)
    caller = Caller(out / "calls.jsonl", args.budget_tokens, args.parallel)
    print(
        f"{len(passages)} passages ({short} shorter than {LEAST_PASSAGE} characters left out), {len(jobs)} calls of the generator"
    )
    try:
        candidates, rejects, undone = generate(args, caller, jobs)
        asked = len(candidates) + len(rejects)
        settings = Settings(asker_of(args, caller, prompts), leaks, seeds, args.near_threshold)
        kept, funnel = filtered(settings, candidates, rejects)
    finally:
        caller.close()
    rows = [row_of(candidate, args.generator_model) for candidate in kept]
    funnel = [("calls of the generator", len(jobs) - undone), ("items", asked), *funnel]
    if undone:
        funnel.append(("calls that the budget left undone", undone))
    manifest = manifest_of(args, prompts, caller, funnel, rejects, rows)
    write_out(args, manifest, rows, rejects, real)
    return manifest


def main() -> None:
    args = parse_args(Args, __doc__)
    tell_unused(args, args.unused())
    manifest = synthesize(args)
    for name, number in manifest["funnel"]:
        print(f"{name:>42} {number:9,}")
    print("refused: " + ("; ".join(f"{n} x {reason}" for reason, n in list(manifest["reasons"].items())[:12]) or "nothing"))
    print("; ".join(f"{name} {value:,}" for name, value in manifest["tokens"].items()))
    print(manifest["words"])
    if silent := manifest["said nothing"].get("base"):
        print(f"warning: base: said nothing to {silent} questions, which count as not too easy; does its thinking not end?")
    if not sum(manifest["kept_by_kind"].values()):
        raise UserError(f"nothing was kept; what was refused and why: {args.output_dir}/rejects.jsonl")
    print(f"done: {args.output_dir} (train.jsonl, rejects.jsonl, report.html, manifest.json)")


if __name__ == "__main__":
    exit_on_error(main)
