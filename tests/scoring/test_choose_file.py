"""scripts/choose_file.py: the smallest file that is not worse ships, on rows of its own."""

import json
import sys
from pathlib import Path

import choose_file
import evaluate
import pytest
from common.errors import UserError
from common.files import read_json, sha256
from test_beside_the_score import write_rows

ROWS = 600


def exported(folder, **failed):
    """An output folder of export_gguf.py with three files; `failed` by quantisation."""
    folder.mkdir()
    for size, name in enumerate(("q4_k_m", "q5_k_m", "q8_0"), 1):
        (folder / f"x-{name}.gguf").write_bytes(b"GGUF" * size)
    files = [{"file": f"x-{n}.gguf", "failed": failed.get(n, {})} for n in ("q8_0", "q4_k_m", "q5_k_m")]
    (folder / "verification.json").write_text(json.dumps({"files": files}))
    (folder / "Modelfile").write_text("FROM ./x-q5_k_m.gguf\nPARAMETER num_ctx 4096\n")
    return folder


def chosen(tmp_path, monkeypatch, lost: dict[str, int], *flags, rows: int = ROWS, **failed) -> tuple[dict, list[str]]:
    """choice.json and the models that were scored; `lost`: rows that a file gets wrong and the tuned model gets right."""
    scored = []

    def score(model, args, folder):
        name = str(model).rpartition("-")[2].removesuffix(".gguf")
        scored.append(name)
        folder.mkdir(parents=True)
        right = rows - lost.get(name, 0)
        known = {"task": "mcq", "protocol": "letter", "model": str(model), "precision": "x", "n": rows, "n_correct": right}
        known |= {"accuracy": right / rows, "accuracy_ci95": [0.4, 0.9]}
        (folder / "metrics.json").write_text(json.dumps(known))
        write_rows(
            folder / "predictions.jsonl", [{"id": i, "prediction": "A", "correct": i >= lost.get(name, 0)} for i in range(rows)]
        )
        return str(folder)

    monkeypatch.setattr(choose_file, "score", score)
    data = [{"id": i, "question": "Q?", "options": {"A": "a", "B": "b"}, "answer": "A"} for i in range(rows)]
    if not (tmp_path / "gguf").exists():
        exported(tmp_path / "gguf", **failed)
    (tmp_path / "tuned").mkdir()
    (tmp_path / "tuned/config.json").write_text("{}")
    words = ("--model", tmp_path / "tuned", "--gguf_dir", tmp_path / "gguf", "--data", write_rows(tmp_path / "d.jsonl", data))
    monkeypatch.setattr(sys, "argv", ["c", *map(str, (*words, "--output_dir", tmp_path / "ships", *flags))])
    choose_file.main()
    return json.loads((tmp_path / "ships/choice.json").read_text()), scored


def test_the_smallest_that_is_not_worse_ships(tmp_path, monkeypatch, capsys):
    choice, scored = chosen(tmp_path, monkeypatch, {"q4_k_m": 30, "q5_k_m": 2})
    assert (choice["file"], choice["settled"], choice["n"], choice["alpha"]) == ("x-q5_k_m.gguf", True, ROWS, 0.025)
    assert [c["verdict"] for c in choice["tried"]] == ["worse", "not_worse"] and len(scored) == 3  # the largest was not tried
    ships = tmp_path / "ships"
    assert (ships / "model.gguf").read_bytes() == b"GGUF" * 2
    assert (ships / "Modelfile").read_text() == "FROM ../gguf/x-q5_k_m.gguf\nPARAMETER num_ctx 4096\n"
    assert "x-q4_k_m.gguf is worse than tuned: 95.0 % against 100.0 %" in capsys.readouterr().out
    # A reader is told the file's own name, not the link's.
    asked = evaluate.Args(model=str(ships / "model.gguf"), data="d", output_dir="e")
    assert evaluate.named(asked) == "x-q5_k_m.gguf"


def test_the_largest_ships_where_no_smaller_one_is_shown_to_be_good_enough(tmp_path, monkeypatch, capsys):
    choice, scored = chosen(tmp_path, monkeypatch, {"q4_k_m": 30, "q5_k_m": 12})
    assert (choice["file"], choice["settled"]) == ("x-q8_0.gguf", False) and len(scored) == 3
    assert choice["tried"][1]["verdict"] in ("worse", "not_shown") and "no smaller one was shown" in capsys.readouterr().out


def test_a_file_that_failed_its_proof_never_ships(tmp_path, monkeypatch, capsys):
    choice, scored = chosen(tmp_path, monkeypatch, {}, q4_k_m={"kl": "too far"})
    assert choice["file"] == "x-q5_k_m.gguf" and "q4_k_m" not in scored
    assert "x-q4_k_m.gguf is left out" in capsys.readouterr().out


def test_a_single_file_ships_untried(tmp_path, monkeypatch):
    choice, scored = chosen(tmp_path, monkeypatch, {}, rows=2, q4_k_m={"kl": "x"}, q5_k_m={"kl": "x"})
    assert choice["file"] == "x-q8_0.gguf" and not choice["tried"] and not choice["settled"] and not scored


@pytest.mark.parametrize(("margin", "needed"), [("2", 247), ("5", 96)])
def test_of_too_few_rows_the_largest_ships_untried_and_that_is_said(tmp_path, monkeypatch, capsys, margin, needed):
    """z of 0.975 / 2 squared times (1 - margin) / margin: 5.024 at two tests."""
    choice, scored = chosen(tmp_path, monkeypatch, {}, "--margin", margin, rows=needed - 1)
    assert (choice["file"], choice["settled"], choice["tried"], scored) == ("x-q8_0.gguf", False, [], [])
    assert choice["rows_needed"] == needed and f"Give {needed} rows or more" in capsys.readouterr().out
    (tmp_path / "tuned/config.json").unlink()
    (tmp_path / "tuned").rmdir()
    assert chosen(tmp_path, monkeypatch, {}, "--margin", margin, rows=needed)[0]["settled"]


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    folder = exported(tmp_path / "gguf")
    (folder / "x-q8_0.gguf").unlink()
    with pytest.raises(UserError, match=r"lacks x-q8_0\.gguf"):
        chosen(tmp_path, monkeypatch, {})
    monkeypatch.setattr(
        sys, "argv", ["c", "--model", "m", "--gguf_dir", "g", "--data", "d", "--output_dir", "o", "--margin", "0"]
    )
    with pytest.raises(UserError, match=r"(?s)verification\.json.*no file d.*margin: 0"):
        choose_file.main()


def test_files_that_were_never_proven_do_not_ship_and_those_of_another_model_are_told(tmp_path, capsys):
    """Exported with --verify false no file fails: the only one shipped. And the files of one run were held against another."""
    folder = exported(tmp_path / "gguf")
    record = json.loads((folder / "verification.json").read_text())
    (folder / "verification.json").write_text(json.dumps(record | {"verified": False, "model": "runs/other/sft"}))
    with pytest.raises(UserError, match="never proven"):
        choose_file.read_proof(folder)
    (folder / "verification.json").write_text(json.dumps(record | {"model": "runs/other/sft"}))
    made_of = choose_file.read_proof(folder).made_of
    args = choose_file.Args(model="runs/x/sft", gguf_dir=str(folder), data="d", output_dir="o")
    choose_file.tell_other_model(args, made_of)
    assert "were made of runs/other/sft, and are held against runs/x/sft" in capsys.readouterr().out
    args.model = "runs/../runs/other/sft"
    choose_file.tell_other_model(args, made_of)
    assert not capsys.readouterr().out


def test_a_file_that_was_exchanged_since_its_proof_does_not_ship(tmp_path):
    """Quantised anew by hand under the same name, it shipped as proven."""
    folder = exported(tmp_path / "gguf")
    record = json.loads((folder / "verification.json").read_text())
    for file in record["files"]:
        file["sha256"] = sha256(folder / file["file"])
    (folder / "verification.json").write_text(json.dumps(record))
    assert len(choose_file.read_proof(folder).sound) == 3
    (folder / "x-q5_k_m.gguf").write_bytes(b"GGUFgguf")
    with pytest.raises(UserError, match=r"x-q5_k_m\.gguf is not the file that was proven"):
        choose_file.read_proof(folder)


def test_the_export_s_record_is_read_once(tmp_path, monkeypatch):
    """Read again for the model's name, it could be another one by then."""
    exported(tmp_path / "gguf")
    read = []
    monkeypatch.setattr(choose_file, "read_json", lambda path: read.append(Path(path).name) or read_json(path))
    chosen(tmp_path, monkeypatch, {})
    assert read.count("verification.json") == 1
