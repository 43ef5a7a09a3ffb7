"""recipes/colab.ipynb runs from its first cell to its last, at rehearsal size, without a GPU."""

import ast
import re
import shlex
import sys
import types

import nbformat
import pytest
import yaml
from chain import recipe as recipes
from conftest import ROOT
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

NOTEBOOK = ROOT / "recipes" / "colab.ipynb"


def with_parameters(**values):
    """The notebook with other values in its cell of parameters; every name must stand there."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cell = next(c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    for name, value in values.items():
        cell.source, found = re.subn(rf"^{name} = .*$", f"{name} = {value!r}", cell.source, flags=re.M)
        assert found == 1, name
    return notebook


@pytest.mark.rehearsal
def test_notebook_runs_whole(tiny_model, tmp_path):
    notebook = with_parameters(FULL=False, OUT=str(tmp_path / "mine"), QUESTION="O que é febre?")
    NotebookClient(notebook, timeout=7200, resources={"metadata": {"path": str(ROOT / "recipes")}}).execute()
    printed = "".join(o.get("text", "") for c in notebook.cells for o in c.get("outputs", []))
    assert "all stages done" in printed and (tmp_path / "mine-rehearsal" / "ships" / "model.gguf").exists()
    assert re.search(r"report\.html, model-q8_0\.gguf: \d+ MB", printed)
    page = next(
        o["data"]["text/markdown"] for c in notebook.cells for o in c.get("outputs", []) if "text/markdown" in o.get("data", {})
    )
    assert "rehearsal" in page


def test_notebook_stops_where_a_command_fails(tmp_path):
    """A bare `!` would go on to the next cell, and chat with the file of an earlier run."""
    notebook = with_parameters(RECIPE="recipes/none", OUT=str(tmp_path / "mine"))
    with pytest.raises(CellExecutionError, match="exit code 2"):
        NotebookClient(notebook, timeout=3600, resources={"metadata": {"path": str(ROOT / "recipes")}}).execute()


def test_own_table_is_uploaded_read_and_kept_on_the_drive(tmp_path, monkeypatch):
    """As on Colab, with nothing run: what stands before the chat asks for what it should, in this order."""
    table = b"questao;A;B;gabarito\n"
    files = types.SimpleNamespace(upload=lambda: {"minha prova.csv": table})
    mounted = types.SimpleNamespace(mount=lambda place: None)
    colab = types.SimpleNamespace(files=files, drive=mounted)
    for name, module in (("google", types.SimpleNamespace(colab=colab)), ("google.colab", colab)):
        monkeypatch.setitem(sys.modules, name, module)
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/run_recipe.py").touch()
    monkeypatch.chdir(tmp_path)
    asked, own = [], {"_exit_code": 0}
    shell = types.SimpleNamespace(system=asked.append, user_ns=own)
    known = {"get_ipython": lambda: shell}
    code = [c.source for c in with_parameters(ROWS="upload", DRIVE="residencia").cells if c.cell_type == "code"]
    for source in code[: next(i for i, text in enumerate(code) if "report.md" in text)]:
        exec(source, known)
    restored, inspected, _, dry, whole = [line for line in asked if "runs" in line]
    assert restored.endswith("cp -ru --preserve=timestamps /content/drive/MyDrive/residencia/runs/. runs/")
    assert shlex.split(inspected)[2:] == ["runs/rows/minha prova.csv", "--inspect"]
    assert (tmp_path / "runs/rows/minha prova.csv").read_bytes() == table
    words = shlex.split(dry)
    given = yaml.safe_load(words[words.index("--variables") + 1])
    assert given["rows"] == "runs/rows/minha prova.csv" and words[-1] == "--dry_run"
    assert (
        dry.removesuffix(" --dry_run") in whole and "/content/drive/MyDrive/residencia/runs/" in whole and "exit $code" in whole
    )
    monkeypatch.chdir(ROOT)
    assert set(given | known["DEMO"]) <= set(recipes.load(ROOT / "recipes/my_exam").variables)


def test_notebook_is_kept_without_outputs_and_calls_scripts_only():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [c for c in notebook.cells if c.cell_type == "code"]
    assert all(not c.outputs and c.execution_count is None for c in code)
    imported = {
        alias.name.split(".")[0]
        for c in code
        for node in ast.walk(ast.parse(c.source))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert imported <= {"os", "shlex"}, "what a notebook does by itself no script can do"
