"""Several files of training rows, their weights, and files that are streamed."""

import itertools
import json
import shutil
from types import SimpleNamespace

import cpt
import kto
import pytest
import sft
from common.arguments import parse_args
from common.errors import UserError
from common.files import sha256
from conftest import ROOT, run_script
from training import data_files, pairs, pipeline
from training.rows import sample


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def conversation(text):
    return {"conversations": [{"from": "human", "value": f"{text}?"}, {"from": "gpt", "value": text}]}


@pytest.fixture
def files(tmp_path):
    """a.jsonl with 5 rows, b.jsonl with 4."""
    names = (("a", 5), ("b", 4))
    return [write(tmp_path / f"{name}.jsonl", [conversation(f"{name}{i}") for i in range(n)]) for name, n in names]


def args_of(script, *flags):
    return parse_args(script.Args, "", ["--model", str(ROOT / "models/tiny-qwen3"), *flags])


def read(*flags):
    found = data_files.read(args_of(sft, *flags), sft.check_row)
    return [row["conversations"][1]["value"] for row in found.rows], found


def test_a_weight_is_how_often_a_files_rows_are_read(tiny_model, files, capsys):
    names, found = read("--data", *files, "--data_weights", "2", "0.5")
    assert names[:10] == [f"a{i}" for i in range(5)] * 2 and len(names) == 12 and set(names[10:]) < {f"b{i}" for i in range(4)}
    assert found.taken == dict(zip(files, (10, 2), strict=True)) and "4 rows, weight 0.5: 2 are read" in capsys.readouterr().out
    assert found.rows[-1]["id"].startswith(f"{files[1]}:")
    assert read("--data", *files, "--data_weights", "2", "0.5")[0] == names
    assert len({tuple(read("--data", *files, "--data_weights", "2", "0.5", "--seed", seed)[0]) for seed in "1234"}) > 1


def test_synthetic_rows_are_counted_as_often_as_they_are_read(tiny_model, tmp_path):
    """By the rows, not by a manifest: a weight changes the share, a row without a generator is counted too."""
    written = [conversation("s") | {"synthetic": True} | by for by in ({"generator": "a"}, {"generator": "b"}, {})]
    files = [write(tmp_path / "made.jsonl", written), write(tmp_path / "real.jsonl", [conversation("r")] * 4)]
    assert (found := data_files.read(args_of(sft, "--data", *files, "--data_weights", "2", "1"), sft.check_row)).count == 10
    assert found.synthetic == {"a": 2, "b": 2, "a model that they do not name": 2}
    assert data_files.read(args_of(sft, "--data", files[1]), sft.check_row).synthetic == {}
    streamed = data_files.count(files, sft.check_row)
    assert streamed.count == 7 and streamed.synthetic == {"a": 1, "b": 1, "a model that they do not name": 1}


def test_without_weights_all_files_are_read_once_and_one_file_stays_as_it_was(tiny_model, files, tmp_path):
    (tmp_path / "c.yaml").write_text(f"data: [{', '.join(files)}]\n")
    assert read("--config", str(tmp_path / "c.yaml"))[0] == [f"a{i}" for i in range(5)] + [f"b{i}" for i in range(4)]
    alone = args_of(sft, "--data", files[0])
    assert alone.data == files[0]
    assert data_files.read(alone, sft.check_row).rows == [conversation(f"a{i}") for i in range(5)]


def test_what_cannot_be_is_refused_at_once_with_all_files_problems(tiny_model, files, tmp_path):
    bad = [write(tmp_path / f"bad{i}.jsonl", [conversation("x"), {"text": "x"}]) for i in (1, 2)]
    with pytest.raises(UserError) as refused:
        read("--data", *bad, files[1], "--data_weights", "1", "1", "0.1")
    assert [f"{bad[0]}:2:" in str(refused.value), f"{bad[1]}:2:" in str(refused.value), "is none" in str(refused.value)] == [
        True
    ] * 3
    for flags in (["--data_weights", "1"], ["--data_weights", "1", "0"]):
        with pytest.raises(UserError, match="data_weights:"):
            args_of(sft, "--data", *files, *flags)
    with pytest.raises(UserError, match="stands twice"):
        args_of(sft, "--data", files[0], str(files[0]).replace(str(tmp_path), f"{tmp_path}/."))


def test_a_stream_joins_rows_to_full_chunks_and_begins_again(tmp_path, capsys):
    files = (write(tmp_path / "a.jsonl", [{"text": "abc"}, {"text": "defgh"}]), write(tmp_path / "b.jsonl", [{"text": "ij"}]))
    found = data_files.chunks(files, lambda row: [ord(c) for c in row["text"]] + [0], 4)
    tokens = [chr(t) if t else "." for chunk in itertools.islice(found, 6) for t in chunk["input_ids"]]
    assert "".join(tokens) == "abc.defgh.ij.abc.defgh.i" and "read again" in capsys.readouterr().out


def test_a_stream_is_looked_at_before_and_needs_max_steps(tiny_model, tmp_path):
    path = write(tmp_path / "t.jsonl", [{"text": "a"}, {"text": " "}, {"no": 1}])
    with pytest.raises(UserError) as refused:
        data_files.count([path], cpt.check_row)
    assert f"{path}:2: its text is empty" in str(refused.value) and f"{path}:3: has no `text`" in str(refused.value)
    for flags in ([], ["--max_steps", "3", "--data_weights", "2"]):
        with pytest.raises(UserError, match="stream"):
            args_of(cpt, "--data", path, "--streaming", *flags)


@pytest.mark.slow  # two trainings
def test_a_streamed_training_resumed_ends_with_the_same_weights(tiny_model, tmp_path):
    """Its rows are fewer than its steps, so the files are read again; each file's hash stands in the record."""
    texts = [[{"text": f"The {organ} of case {i}. " * (i % 5 + 1)} for i in range(40)] for organ in ("liver", "heart")]
    files = [write(tmp_path / f"{n}.jsonl", rows) for n, rows in enumerate(texts)]
    flags = ["scripts/cpt.py", "--model", tiny_model, "--data", *files, "--streaming", "--max_length", 64, "--max_steps", 4]
    flags += ["--save_steps", 2, "--logging_steps", 1, "--per_device_train_batch_size", 8, "--gradient_accumulation_steps", 2]
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    assert "read again" in run_script(*flags, "--output_dir", whole).stdout
    shutil.copytree(whole / "checkpoint-2", resumed / "checkpoint-2")
    assert "goes on from" in run_script(*flags, "--output_dir", resumed).stdout
    one, two = ((folder / "adapter_model.safetensors").read_bytes() for folder in (whole, resumed))
    assert one == two
    record = json.loads((whole / "run.json").read_text())
    assert {path: of["sha256"] for path, of in record["data"].items()} == {path: sha256(path) for path in files}
    assert (
        record["metrics"]["rows"] == 80
        and record["metrics"]["tokens_seen"] == 4 * 16 * 64
        and record["metrics"]["tokens"] is None
    )


def test_rows_that_say_the_opposite_of_another_are_told(tiny_model):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(ROOT / tiny_model)
    args = SimpleNamespace(enable_thinking=False, max_length=256, seed=0, desirable_weight=1.0, undesirable_weight=1.0)
    asked = [{"id": f"row{i}", "prompt": f"What of illness {i}?"} for i in range(6)]
    both = [row | {"chosen": "Rest.", "rejected": "Run."} for row in asked]
    marked = [row | {"completion": "Rest.", "label": i % 2 == 0} for i, row in enumerate(asked)]
    for make, rows, opposite in (
        (pairs.make_dataset, both, {"chosen": "Run.", "rejected": "Rest."}),
        (kto.make_dataset, marked, {"label": False}),
    ):
        assert not any("opposite" in line for line in make(rows, tokenizer, args, "x").summary)
        (told,) = [line for line in make([*rows, rows[4] | opposite], tokenizer, args, "x").summary if "opposite" in line]
        assert told.startswith("warning: 2 of 7 rows") and "row4" in told


@pytest.mark.parametrize("fields", [{"assistant_only_loss": True}, {}])
def test_what_trl_refuses_of_the_user_s_own_fields_is_one_error(fields):
    """`--trainer '{assistant_only_loss: true}'` ended in a traceback; a fault of ours must still be one."""

    def refuse(args, *parts):
        raise ValueError("only for conversational\n datasets")

    method = pipeline.Method("sft", None, None, refuse)
    with pytest.raises(UserError if fields else ValueError, match="only for conversational") as told:
        pipeline.make_trainer(method, SimpleNamespace(trainer=fields), "model")
    assert not fields or str(told.value) == "trainer: assistant_only_loss: only for conversational datasets"


def test_held_out_rows_that_are_trained_on_are_told():
    """The same file for both went unsaid: the held-out loss falls with the other, and early stopping never stops."""
    trained = [{"id": str(i), **conversation(f"row {i}")} for i in range(4)]
    [said] = data_files.trained_too(trained, [{**trained[1], "id": "x"}, {"id": "y", **conversation("new")}], "held.jsonl")
    assert said.startswith("warning: 1 of the 2 rows of held.jsonl are trained on, too (the first: x)")
    assert not data_files.trained_too(trained, [{"id": "1", **conversation("new")}], "held.jsonl")
    assert not data_files.trained_too(trained, [], None)


def test_rows_without_a_thought_are_told_where_thinking_is_on():
    thought = {"conversations": [{"from": "human", "value": "?"}, {"from": "gpt", "value": "<think>hm</think>yes"}]}
    assert data_files.lack_thoughts([conversation("a")]) and not data_files.lack_thoughts([conversation("a"), thought])
    assert not data_files.lack_thoughts([{"prompt": "?"}]), "rows to be answered hold none"


def test_the_row_that_is_shown_ends_where_its_answer_begins():
    """The template's line break after the answer stood before it, as if the prompt ended in two."""
    words = SimpleNamespace(decode=lambda ids: " ".join(map(str, ids)))
    encoded = {"input_ids": [1, 2, 3, 4, 5, 9], "labels": [-100, -100, 3, -100, 5, -100]}
    assert sample(encoded, words) == ["given: '1 2 4'", "trained: '3 5'"]
