"""People choose between answers, blind, on a page served from this machine; the votes become a result and training rows.

    python scripts/annotate.py --answers runs/x/eval_base runs/x/eval_sft --mode pairs --output_dir runs/x/votes
    python scripts/annotate.py --model runs/x/sft --data prompts.jsonl --num_generations 4 --mode rank --output_dir runs/x/ranks
    python scripts/annotate.py --answers a.jsonl b.jsonl --mode rubric --raters Ana Bruno --overlap 0.3 --output_dir votes
    python scripts/annotate.py --export runs/x/votes                                                  # the result
    python scripts/annotate.py --export runs/x/ranks --task preference --output data/x/votes.jsonl    # rows for dpo.py
    python scripts/annotate.py --model runs/x/sft --data prompts.jsonl --rules rules.yaml --task preference --output pairs.jsonl

Input   `answers`: output folders of evaluate.py that hold written answers (protocol generate), or JSONL files of
        {"id", "prompt", "answer"} from anywhere, one system each, paired by id. Or `model` and `data`: answers are
        sampled first. A JSONL row may hold `reference`, the answer that is known to be right.
Modes   pairs   A is better, B is better, both good, both bad          rank    best to worst, ties allowed
        thumbs  good or bad, one answer at a time                      rubric  marks on criteria of a YAML file
                                                                               (scripts/annotation/rubric.yaml is the default)
Output  output_dir/votes.sqlite  every vote as it was cast (WAL); keep votes.sqlite-wal with it while the page is up
        output_dir/links.txt     the raters' personal links; whoever has one votes under that name
        --export, task result    output_dir/result.json and verdicts.jsonl: win rates with intervals, Bradley-Terry
                                 strengths, Krippendorff's alpha, position and length (scripts/annotation/verdicts.py
                                 documents the schema)
        --task preference        {"prompt", "chosen", "rejected", "weight"} for reward.py, dpo.py, simpo.py, which say that they
                                 count every pair alike: TRL's trainers read no weight
        --task feedback          {"prompt", "completion", "label"} for kto.py (scripts/annotation/rows.py says how)
        With --rules nobody is asked: a file of rules (scripts/training/rules.py) scores the answers, and the rows are written.

Each rater gets an order of questions of their own, and answers in random order; nothing on the page tells the models apart:
names of models in the answers are hidden too. `overlap` is the share of questions given to every rater, which is what
agreement is measured on; the rest is dealt out evenly. Raters may stop, come back by the same link, and change votes. Start
the command again to go on, or with more --raters to add some. Keys: digits, S, Enter and the arrows.

The page listens on this machine only. Another --host needs --url, the address that the links begin with; nothing is encrypted
there, so put a proxy with TLS before it. Answers to test questions (folders of evaluate.py) are not exported as training rows
unless --allow_test_rows says so: a model trained on them can no longer be measured on that test. Not for clinical use.
"""

import json
import random
import socket
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from annotation import by_rules, generate, modes, results, rows, sources, web
from annotation.store import Store
from common.arguments import check_at_least, tell_unused
from common.entry import run_main
from common.errors import UserError
from common.files import into_place, sha256, write_json, write_text
from common.machine import watched
from common.models import check_model_name
from common.paths import named_twice
from llamacpp.files import is_gguf
from training.rules import load_rules

from data_prep.chat_template import TEMPLATES
from data_prep.common.arguments import parse_args

LOCAL = ("127.0.0.1", "localhost", "::1")
RUBRIC = Path(__file__).parent / "annotation" / "rubric.yaml"


@dataclass
class Args:
    answers: list[str] = field(default_factory=list)
    """output folders of evaluate.py, or JSONL files of answers; one system each"""
    model: list[str] = field(default_factory=list)
    """models that write the answers first: hub ids, folders, GGUF files or URLs (http://.../v1)"""
    data: str | None = None
    """questions (JSONL): needed with `model`; with `answers` where the rows they name are not here"""
    mode: Literal[modes.MODES] = "pairs"
    """what raters do: compare two, rank all, thumbs, or marks by a rubric"""
    output_dir: str = "runs/votes"
    """where votes, links and generated answers are kept"""
    raters: list[str] = field(default_factory=lambda: ["rater"])
    """names of the people who vote; each gets a link"""
    overlap: float = 0.2
    """share of questions that every rater is given, to measure agreement on"""
    limit: int = 0
    """put only so many questions before the raters, drawn at random; 0: all"""
    reference: Literal["hidden", "shown"] = "hidden"
    """whether raters see the reference answer"""
    rubric: str = str(RUBRIC)
    """YAML file of criteria (mode rubric)"""
    language: Literal["en", "pt"] = "en"
    """language that the page opens in; raters can switch"""
    hide: list[str] = field(default_factory=list)
    """more words to hide in the answers, beside the known names of models"""
    host: str = "127.0.0.1"
    """address to listen on"""
    port: int = 8765
    """port; 0 takes a free one"""
    url: str | None = None
    """address that raters type, where it is another than host and port (https://votes.example.org)"""
    num_generations: int = 4
    """answers a model writes to each question"""
    temperature: float = 1.0
    """of sampling"""
    max_new_tokens: int = 256
    """longest written answer, tokens"""
    max_length: int = 2048
    """longest question, tokens"""
    template: Literal[TEMPLATES] = "auto"
    """chat template; auto keeps the model's own"""
    enable_thinking: bool = False
    """whether a model that can think first does so; thoughts are not shown"""
    url_model: str = "default"
    """the model's name at a URL"""
    rules: str | None = None
    """YAML file of rules that score the answers in the place of raters; needs --task and --output, serves nothing"""
    export: str | None = None
    """folder of votes: write out what was voted, and serve nothing"""
    task: Literal["result", "preference", "feedback"] = "result"
    """what --export or --rules writes"""
    output: str | None = None
    """file that rows are written to"""
    good_score: float = 4.0
    """rubric: mean mark from which an answer is good (feedback rows)"""
    bad_score: float = 2.0
    """rubric: mean mark up to which an answer is bad; what lies between is left out"""
    allow_test_rows: bool = False
    """export training rows although the questions are test rows"""
    seed: int = 3407
    """seed of orders, dealing and sampling"""

    def problems(self) -> list[str]:
        if self.export:
            found = [] if Path(self.export, "votes.sqlite").is_file() else [f"export: {self.export} holds no votes.sqlite"]
            if self.task != "result" and not self.output:
                found.append(f"output: name the file that {self.task} rows are written to")
            return found + ([] if self.bad_score < self.good_score else ["bad_score: must be below good_score"])
        found = [] if bool(self.answers) != bool(self.model) else ["answers: give --answers, or --model with --data"]
        if self.model and not (self.data and Path(self.data).is_file()):
            found.append(f"data: {f'there is no file {self.data}' if self.data else 'name the questions (JSONL)'}")
        if self.rules and (self.task == "result" or not self.output):
            found.append("rules: give --task preference or feedback, and --output")
        found += [p for m in self.model if not m.startswith("http") for p in check_model_name(m)]
        if self.mode == "pairs" and len(self.answers) == 1 and not self.rules:
            found.append("answers: pairs compare two systems or more; one system alone: --mode thumbs or rubric")
        twice = [("answers", path) for path in named_twice(self.answers)] + [("model", m) for m in named_twice(self.model)]
        found += [f"{name}: {path} is named twice; one answer would count as those of two systems" for name, path in twice]
        if self.model and self.mode in ("pairs", "rank") and len(self.model) * self.num_generations < 2:
            found.append("num_generations: comparing needs two answers to a question")
        if not 0 <= self.overlap <= 1:
            found.append(f"overlap: {self.overlap} is not between 0 and 1")
        names = [name.strip() for name in self.raters]
        if len(set(names)) < len(names) or not all(name and name.isprintable() for name in names):
            found.append("raters: names must differ, not be empty, and be of one line")
        return found + self.address_problems() + check_at_least(self, 1, "num_generations", "max_new_tokens", "max_length")

    def unused(self) -> dict[str, str]:
        """Why a field would change nothing, "" where it does."""
        serves = not (self.export or self.rules)
        written = "" if self.model and not self.export else "no model writes answers"
        paged = "" if serves else "nothing is served"
        rubric = "" if self.mode == "rubric" or self.export else f"--mode {self.mode} asks for no marks"
        rows = "--export or --rules writes rows" if serves else ""
        return {
            **dict.fromkeys(("num_generations", "temperature", "max_new_tokens", "max_length", "template"), written),
            "enable_thinking": written,
            "url_model": written or ("" if any(m.startswith("http") for m in self.model) else "no model is a URL"),
            **dict.fromkeys(("raters", "overlap", "reference", "language", "hide", "host", "port", "url"), paged),
            "rubric": paged or rubric,
            **dict.fromkeys(("task", "output", "allow_test_rows"), rows),
            **dict.fromkeys(("good_score", "bad_score"), rows or rubric),
        }

    def address_problems(self) -> list[str]:
        found = []
        if self.url and not (
            urllib.parse.urlsplit(self.url).scheme in ("http", "https") and urllib.parse.urlsplit(self.url).netloc
        ):
            found.append(f"url: {self.url} must begin with http:// or https://")
        if self.host not in LOCAL and not self.url:
            found.append(f"host: {self.host} can be reached from other machines; give --url, the address that links begin with")
        if not 0 <= self.port <= 65535:
            found.append(f"port: {self.port} is not between 0 and 65535")
        return found + check_at_least(self, 0, "limit")


# ---------------------------------------------------------------------------------------------- before the page


def gather(args: Args) -> sources.Material:
    """What is voted on: read, or written by the models first."""
    if args.answers:
        questions, answers, tested = sources.read_material(args.answers, args.data)
        questions = drawn(questions, args)
    else:
        questions, tested = drawn(sources.read_questions(args.data), args), False
        sampling = generate.Sampling(**{name: getattr(args, name) for name in generate.Sampling._fields})
        answers = generate.write_answers(args.model, questions, sampling, sha256(args.data), Path(args.output_dir))
    known = {q.name for q in questions}
    return sources.Material(questions, [a for a in answers if a.question in known], tested)


def drawn(questions: list[sources.Question], args: Args) -> list[sources.Question]:
    """`limit` of the questions, drawn at random, in their order."""
    if not args.limit or args.limit >= len(questions):
        return questions
    chosen = set(random.Random(args.seed).sample(range(len(questions)), args.limit))
    return [q for i, q in enumerate(questions) if i in chosen]


def open_store(args: Args, material: sources.Material) -> Store:
    """The folder's votes, begun or gone on with; raises UserError where it holds votes on something else."""
    store = Store(args.output_dir)
    rubric = modes.read_rubric(args.rubric)
    settings = {
        "material_sha256": sources.material_sha256(material),
        "seed": args.seed,
        "overlap": args.overlap,
        "rubric": [[*c] for c in rubric.criteria] + [rubric.scale] if args.mode == "rubric" else None,
    }
    store.settings()  # looks the file through, before anything is written
    check_material(args, material)
    store.create(material, args.mode, settings, args.overlap, args.seed)
    return store


def check_material(args: Args, material: sources.Material) -> None:
    """Says what raters will not see as it is, and refuses what cannot be voted on."""
    texts: dict[str, set[str]] = {q.name: set() for q in material.questions}
    for answer in material.answers:
        texts[answer.question].add(answer.text)
    distinct = sum(len(some) > 1 for some in texts.values())
    if args.mode in ("pairs", "rank"):
        if not distinct:
            raise UserError("answers: every question was answered with one text only, so there is nothing to compare")
        if distinct < len(texts):
            print(f"note: {len(texts) - distinct} of {len(texts)} questions have one distinct answer; nobody is asked about them")
    if args.mode == "rank" and (most := max(map(len, texts.values()))) > 9:
        raise UserError(f"answers: {most} answers to one question; rank at most 9 (one key each), or use --mode pairs")
    names = sources.names_pattern(args.hide)
    if named := sum(bool(names.search(a.text)) for a in material.answers):
        print(f"note: {named} answers name a model; the name is hidden on the page")
    if long := sum(len(a.text) > sources.MAX_SHOWN for a in material.answers):
        print(
            f"note: {long} answers are longer than {sources.MAX_SHOWN:,} characters; the page shows their beginning, and says so"
        )
    if empty := sum(not a.text for a in material.answers):
        print(f"note: {empty} answers are empty; the page says so")
    if args.mode in ("pairs", "rank") and args.answers and len(args.raters) == 1:
        print("note: one rater alone: no agreement can be measured; name more by --raters")


def links(args: Args, store: Store, address: str) -> dict[str, str]:
    """Name -> personal link; written to links.txt, which only its owner may read."""
    path = Path(args.output_dir, "links.txt")
    known = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        name, _, link = line.partition("\t")
        known[name] = link.rpartition("/")[2]
    tokens = store.add_raters(args.raters, known, args.language, args.seed)
    found = {name: f"{address}/r/{token}" for name, token in tokens.items()}
    path.touch(mode=0o600)
    temporary = path.with_name(".links.txt.tmp")
    temporary.touch(mode=0o600)
    temporary.write_text("".join(f"{name}\t{link}\n" for name, link in found.items()), encoding="utf-8")
    into_place(temporary, path)
    return found


# ---------------------------------------------------------------------------------------------- serving, exporting


def serve(args: Args, store: Store) -> None:
    """The page, until Ctrl-C."""
    from common.web_server import server_of

    try:
        family = socket.AF_INET6 if ":" in args.host else socket.AF_INET
        listening = socket.create_server((args.host, args.port), family=family)
    except (OSError, ValueError) as error:  # a ValueError for "127.0..1", which no name can be
        why = getattr(error, "strerror", None) or error
        raise UserError(f"port: {args.host}:{args.port} cannot be listened on ({why}); choose another --port") from None
    host = f"[{args.host}]" if ":" in args.host else args.host
    address = (args.url or f"http://{host}:{listening.getsockname()[1]}").rstrip("/")
    for name, link in links(args, store, address).items():
        print(f"{name}: {link}")
    parts = urllib.parse.urlsplit(address)
    settings = web.Settings(
        args.mode,
        modes.read_rubric(args.rubric),
        args.reference == "shown",
        sources.names_pattern(args.hide),
        sorted({parts.hostname or "", *LOCAL}),
        [parts.netloc.lower()],
    )
    for name, done, given in store.counts():
        print(f"{name}: {done} of {given} voted")
    print("ready. Ctrl-C ends it; every vote is kept, and the same command goes on.")
    server_of(web.make_app(store, settings), log_level="warning", access_log=False).run(sockets=[listening])
    for name, done, given in store.counts():
        print(f"{name}: {done} of {given} voted")


def export(args: Args) -> None:
    """Writes the result, or training rows with what was left out."""
    store = Store(args.export)
    material = results.read(store)  # once: people may be voting
    found = results.result(material)
    print("\n".join(found.words))
    if args.task == "result":
        write_json(Path(args.export, "result.json"), found.as_json())
        verdicts = rows.vote_rows(material)
        write_text(Path(args.export, "verdicts.jsonl"), "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in verdicts))
        print(f"done: {args.export} (result.json, verdicts.jsonl)")
        return
    check_tested(args, store.settings()["tested"])
    if args.task == "preference":
        made = rows.preference_rows(material, store.questions())
    else:
        made = rows.feedback_rows(material, store.questions(), args.good_score, args.bad_score)
    write_rows(args, made)


def export_by_rules(args: Args, material: sources.Material) -> None:
    """Training rows from the rules' scores."""
    rules = load_rules(args.rules)
    check_tested(args, material.tested)
    columns = by_rules.columns_of(rules, args.data, args.answers)
    made = by_rules.rows_by_rules(material, rules, columns, args.task)
    print(by_rules.means(material, rules, columns))
    write_rows(args, made)


def check_tested(args: Args, tested: bool) -> None:
    """UserError where test rows would become training rows and nobody said that they may."""
    if tested and not args.allow_test_rows:
        raise UserError(
            "export: these questions are test rows (they come from folders of evaluate.py); a model trained on them can no "
            "longer be measured on that test. Take other questions (--model with --data), or pass --allow_test_rows"
        )


def write_rows(args: Args, made: rows.Rows) -> None:
    """The rows to `output`, and what was left out to the screen; UserError where there are none."""
    for reason, count in made.left_out.items():
        print(f"left out: {count} ({reason})")
    if not made.rows:
        raise UserError(f"output: nothing gives {args.task} rows; what was left out is said above")
    write_text(args.output, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in made.rows))
    print(f"done: {args.output} ({len(made.rows)} rows)")


def main() -> None:
    args = parse_args(Args, __doc__)
    tell_unused(args, args.unused())
    if args.export:
        return export(args)
    if files := [model for model in args.model if is_gguf(model)]:
        watched(f"model: {' or '.join(files)}", Path(args.output_dir) / "llama.log")
    if args.rules:
        load_rules(args.rules)  # a mistake in it ends this before a model is loaded
        return export_by_rules(args, gather(args))
    serve(args, open_store(args, gather(args)))


if __name__ == "__main__":
    run_main(main)
