"""The house's shape: scripts/ holds what a user runs, its rooms hold parts, imports run one way and in no circle."""

import ast
import sys
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from conftest import ROOT

SCRIPTS = ROOT / "scripts"
FILES = sorted(SCRIPTS.rglob("*.py"))
ENTRIES = {path.stem for path in SCRIPTS.glob("*.py")}
# A room may import from those before it. common knows nobody.
PREPARING = ("common", "words", "templates", "values", "tables", "documents", "cleaning", "shapes", "pipeline")
ROOMS = ("common", "llamacpp", "export", "chatting", "scoring", "training", "annotation", "reporting", "chain")


def name_of(path: Path) -> str:
    parts = path.relative_to(SCRIPTS).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path) for path in FILES}


def imports_of(path: Path) -> set[str]:
    """Modules of scripts/ that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & NAMES
            found |= inner or {node.module}
    return (found & NAMES) - {name_of(path)}


GRAPH = {name_of(path): imports_of(path) for path in FILES}


def data_prep_graph() -> dict[str, set[str]]:
    """Module of data_prep/ -> the others that it imports, anywhere in it."""
    files = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in (ROOT / "data_prep").rglob("*.py")}
    graph = {}
    for name, path in files.items():
        nodes = [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.ImportFrom) and n.module]
        found = {n.module for n in nodes} | {f"{n.module}.{alias.name}" for n in nodes for alias in n.names}
        graph[name] = (found & set(files)) - {name}
    return graph


@pytest.mark.parametrize("graph", [GRAPH, data_prep_graph()], ids=["scripts", "data_prep"])
def test_imports_run_in_no_circle(graph):
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_no_part_imports_an_entry_point():
    assert not {(part, entry) for part, found in GRAPH.items() if "." in part for entry in found & ENTRIES}


def test_rooms_import_one_way():
    """Whole rooms too: a room never imports from one that stands after it."""
    wrong = {
        (part, other)
        for part, found in GRAPH.items()
        if "." in part
        for other in found
        if ROOMS.index(other.partition(".")[0]) > ROOMS.index(part.partition(".")[0])
    }
    assert not wrong


def test_rooms_of_data_prep_import_one_way():
    def room(name: str) -> int:
        part = name.split(".")[1]
        return PREPARING.index(part) if part in PREPARING else len(PREPARING)

    graph = data_prep_graph()
    shared = {"data_prep.chat_template"}  # the one file that both rooms import
    wrong = {(part, other) for part, found in graph.items() for other in found - shared if room(other) > room(part)}
    assert not wrong
    commands = {"prepare", "synthesize", "push_to_hub", "chat_template"}
    assert {name.split(".")[1] for name in graph if name.count(".") == 1} == commands


@pytest.mark.parametrize("path", [p for p in FILES if p.parent == SCRIPTS], ids=lambda p: p.name)
def test_what_lies_in_scripts_is_run_by_a_user(path):
    text = path.read_text(encoding="utf-8")
    assert '__name__ == "__main__"' in text and f"python scripts/{path.name}" in ast.get_docstring(ast.parse(text))


def test_no_file_or_folder_shadows_a_library():
    ours = {p.name.removesuffix(".py") for p in SCRIPTS.iterdir() if p.suffix == ".py" or p.is_dir()} - {"__pycache__"}
    assert ours & (set(packages_distributions()) | set(sys.stdlib_module_names)) <= {"evaluate"}


def test_names_of_test_files_differ():
    """pytest imports tests and their helpers by bare name: of two alike, one would get the other's."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "sitecustomize.py"]
    assert len(names) == len(set(names))


def test_paths_that_make_names_exist():
    words = {word for word in (ROOT / "Makefile").read_text(encoding="utf-8").split() if word.startswith("tests/")}
    assert words and all((ROOT / word).exists() for word in words), words
