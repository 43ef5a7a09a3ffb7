"""A run that was interrupted and goes on later: what changed meanwhile is said, and stands in its record."""

import json
from dataclasses import dataclass

from common.runs import finish_run, start_run, versions


@dataclass
class Args:
    seed: int = 1


def begun(folder, versions_then: dict | None):
    (folder / "checkpoint-2").mkdir(parents=True)
    more = {"versions": versions_then} if versions_then else {}
    (folder / "settings.json").write_text(json.dumps({"seed": 1} | more))
    run = start_run(Args(), folder)
    finish_run(run, Args(), folder, [], {})
    return json.loads((folder / "run.json").read_text())


def test_other_versions_are_said_and_kept(tmp_path, capsys):
    then = versions() | {"torch": "1.0"}
    record = begun(tmp_path / "other", then)
    assert f"torch 1.0 -> {versions()['torch']}" in capsys.readouterr().out
    assert record["begun_with"] == then and record["versions"] == versions()
    for name, before in (("same", versions()), ("of_an_older_form", None)):
        assert "begun_with" not in begun(tmp_path / name, before)
    assert capsys.readouterr().out == ""
