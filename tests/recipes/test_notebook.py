"""recipes/colab.ipynb runs from its first cell to its last, at rehearsal size, without a GPU."""

import ast
import re

import nbformat
import pytest
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
@pytest.mark.slow  # not in CI: Dr. Bode's whole chain
def test_notebook_runs_whole(tiny_model, tmp_path):
    notebook = with_parameters(FULL=False, OUT=str(tmp_path / "bode"), QUESTION="O que é febre?")
    NotebookClient(notebook, timeout=7200, resources={"metadata": {"path": str(ROOT / "recipes")}}).execute()
    printed = "".join(o.get("text", "") for c in notebook.cells for o in c.get("outputs", []))
    assert "all stages done" in printed and (tmp_path / "bode-rehearsal" / "gguf" / "model-q8_0.gguf").exists()
    assert re.search(r"model-q8_0\.gguf: \d+ MB", printed)
    page = next(
        o["data"]["text/markdown"] for c in notebook.cells for o in c.get("outputs", []) if "text/markdown" in o.get("data", {})
    )
    assert "rehearsal" in page


def test_notebook_stops_where_a_command_fails(tmp_path):
    """A bare `!` would go on to the next cell, and chat with the file of an earlier run."""
    notebook = with_parameters(RECIPE="recipes/none", OUT=str(tmp_path / "bode"))
    with pytest.raises(CellExecutionError, match="exit code 2"):
        NotebookClient(notebook, timeout=3600, resources={"metadata": {"path": str(ROOT / "recipes")}}).execute()


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
