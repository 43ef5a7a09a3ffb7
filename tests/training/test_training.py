"""What can go wrong in training: out of memory, a loss that is no number or explodes, a full disk, and stopping early."""

import importlib
import json
import re
import resource
import shutil
from types import SimpleNamespace

import kto
import pytest
from common import processor
from common.errors import CheckFailed
from common.synthetic import learnt
from conftest import ROOT, answer_at_once, ends_the_same_after_a_kill, run_script
from training import callbacks, loop, pairs

QUICK = ["--logging_steps", 1, "--save_steps", 0, "--learning_rate", 1e-3, "--gradient_checkpointing", "false"]


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_out_of_memory_halves_the_batch_and_ends_well(tiny_model, tmp_path):
    """Under a limit that 48 long rows a pass exceed and fewer do not, the effective batch stays."""
    rows = [
        {"id": i, "conversations": [{"from": "human", "value": f"{i} " * 300}, {"from": "gpt", "value": "yes, " * 300}]}
        for i in range(48)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out"
    flags = ["--per_device_train_batch_size", 48, "--gradient_accumulation_steps", 1, "--max_steps", 1, "--max_length", 2048]
    limit = 5_500_000 * 1024  # address space; the libraries alone take about three

    def limited():
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    done = run_script(
        "scripts/sft.py",
        "--model",
        tiny_model,
        "--data",
        tmp_path / "rows.jsonl",
        "--output_dir",
        out,
        *QUICK,
        *flags,
        preexec_fn=limited,
    )
    assert "out of memory" in done.stdout
    config = json.loads((out / "run.json").read_text())["config"]
    assert config["per_device_train_batch_size"] < 48
    assert config["per_device_train_batch_size"] * config["gradient_accumulation_steps"] == 48


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_rows(tiny_model, tiny_rows, tmp_path):
    """A model with one broken weight, as after a bad merge or download."""
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "model"
    shutil.copytree(ROOT / tiny_model, folder)
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][3] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    flags = ["--per_device_train_batch_size", 4, "--gradient_accumulation_steps", 1, "--max_steps", 3]
    data = ["--data", tiny_rows / "train.jsonl", "--output_dir", tmp_path / "out"]
    done = run_script("scripts/sft.py", "--model", folder, *data, *QUICK, *flags, code=1)
    assert "the loss is nan at step 1" in done.stderr and "Traceback" not in done.stderr
    assert len(re.findall(r"\brow\d+", done.stderr)) == 4


def test_weights_of_pairs_are_said_not_to_be_used(tiny_model):
    """annotate.py writes them, TRL reads none."""
    import dpo
    from common.arguments import parse_args
    from transformers import AutoTokenizer

    rows = [{"prompt": "Bile?", "chosen": "The liver.", "rejected": "No.", "weight": w} for w in (0.5, 1, 0.25)]
    args = parse_args(dpo.Args, "", ["--model", str(ROOT / tiny_model), "--data", str(ROOT / "pyproject.toml")])
    tokenizer = AutoTokenizer.from_pretrained(ROOT / tiny_model)
    said, plain = (pairs.make_dataset(some, tokenizer, args, "rows").summary for some in (rows, rows[1:2]))
    assert any("the weight of 2 pairs is not used" in line for line in said) and not any("weight" in line for line in plain)


@pytest.mark.parametrize("method", ["kto", "dpo"])
def test_too_long_rows_are_named_by_their_place_in_the_file(tiny_model, method):
    """KTO mixes its rows: a row without an id is still the one in that line of the file."""
    from common.errors import UserError
    from transformers import AutoTokenizer

    script, long = importlib.import_module(method), "on and on " * 60
    rows = [{"prompt": f"Question {n}?", "completion": "No.", "label": n % 2 == 0} for n in range(12)]
    if method == "dpo":
        rows = [{"prompt": row["prompt"], "chosen": "Yes.", "rejected": "No."} for row in rows]
    rows[9]["completion" if method == "kto" else "rejected"] = long
    args = script.Args(model=str(tiny_model), data="rows.jsonl", output_dir="out", max_length=64)
    with pytest.raises(UserError, match=r"1 of 12 rows .* first \[10\]"):
        (script.make_dataset if method == "kto" else pairs.make_dataset)(
            rows, AutoTokenizer.from_pretrained(tiny_model), args, "rows.jsonl"
        )


def test_pairs_that_differ_in_what_the_template_leaves_out_are_refused(tiny_model):
    """Qwen3's template empties thoughts where thinking is off, and two answers that differ in nothing else become one."""
    import dpo
    from common.errors import UserError
    from transformers import AutoTokenizer

    rows = [{"prompt": f"Question {n}?", "chosen": "Yes.", "rejected": "No."} for n in range(4)]
    rows[2] |= {"chosen": "<think>\nIs it?\n</think>\n\nNo."}
    args, tokenizer = dpo.Args(model=str(tiny_model), data="rows.jsonl"), AutoTokenizer.from_pretrained(tiny_model)
    with pytest.raises(UserError, match=r"1 of 4 pairs .* first \[3\].*--enable_thinking true"):
        pairs.make_dataset(rows, tokenizer, args, "rows.jsonl")
    args.enable_thinking = True
    assert pairs.make_dataset(rows, tokenizer, args, "rows.jsonl").counts.rows == 4


def test_a_folder_takes_one_training_at_a_time(tiny_model, tiny_rows, tmp_path):
    """Both ended well, the checkpoints and the record of either mixed with the other's."""
    from common.files import hold

    words = ["--model", tiny_model, "--data", tiny_rows / "train.jsonl", "--output_dir", tmp_path / "out", "--max_steps", 2]
    with hold(tmp_path / "out", "training", loop.LOCK):
        assert "another training works in" in answer_at_once("scripts/sft.py", *words).stderr
        run_script("scripts/sft.py", *words, "--dry_run")  # writes nothing


def test_an_adapter_on_other_weights_than_it_was_trained_on_is_refused(tiny_model, tiny_rows, tmp_path):
    """Its base merged anew at the same place: it was scored and exported, proven and all, as a model that nobody trained."""
    from common import models
    from common.errors import UserError

    base, out = tmp_path / "base", tmp_path / "out"
    shutil.copytree(ROOT / tiny_model, base)
    words = ["--model", base, "--data", tiny_rows / "train.jsonl", "--output_dir", out, "--max_steps", 2]
    run_script("scripts/sft.py", *words)
    models.find_model.cache_clear()
    models.find_model(str(out))
    weights = bytearray((base / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (base / "model.safetensors").write_bytes(weights)
    models.find_model.cache_clear()
    with pytest.raises(UserError, match="other weights than the adapter"):
        models.find_model(str(out))
    said = run_script("scripts/evaluate.py", "--model", out, "--data", tiny_rows / "test.jsonl", "--output_dir", tmp_path, code=2)
    assert "other weights than the adapter" in said.stderr
    record = json.loads((out / "run.json").read_text())
    del record[models.BASE_WEIGHTS]
    (out / "run.json").write_text(json.dumps(record))
    models.find_model(str(out))


def test_a_loss_that_explodes_stops_the_run():
    from common.errors import CheckFailed

    watch = callbacks.Trend()
    for loss in (2.0, 3.1, 1.2, 5.9):
        watch.check({"step": 1, "loss": loss})
    with pytest.raises(CheckFailed, match=r"explodes.*learning_rate"):
        watch.check({"step": 5, "loss": 6.1})


@pytest.mark.parametrize(
    "name, larger, values, warned",
    [
        ("loss", False, (2.1, 1.9, 1.2, 1.1, 0.9, 0.8), False),
        ("loss", False, (2.1, 1.9, 2.2, 2.0, 2.3, 2.2), True),
        ("loss", False, (0.004, 0.003, 0.004), False),  # learnt at once
        ("loss", False, (2.1, 2.3), False),  # too few to tell
        ("reward", True, (0.2, 0.3, 0.5), False),
        ("reward", True, (0.4, 0.3, 0.2), True),
    ],
)
def test_a_loss_that_does_not_fall_is_warned_of(tmp_path, name, larger, values, warned):
    records = [{"step": 0, "eval_loss": 9.0}, *({"step": step, name: value} for step, value in enumerate(values, 1))]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    said = callbacks.unlearnt(tmp_path / "metrics.jsonl", name, larger)
    assert [f"the {name} did not" in line for line in said] == [True] * warned


def test_a_training_that_changed_nothing_says_so_and_so_do_its_rows(tiny_model, tmp_path):
    """The only step of this one has a rate of 0; the rows' answers are one text, most of them beyond max_length."""
    said = [{"from": "gpt", "value": "The answer is A."}]
    rows = [{"conversations": [{"from": "human", "value": f"Question {i}{' or so' * 3}?"}, *said]} for i in range(8)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["--data", tmp_path / "rows.jsonl", "--output_dir", tmp_path / "out", "--max_steps", 1, "--max_length", 26]
    out = run_script("scripts/sft.py", "--model", tiny_model, *words).stdout
    assert "warning: no weight has changed" in out
    assert "warning: all 8 rows teach the same answer, 'The answer" in out
    assert "warning: 8 of 8 rows are cut at max_length 26" in out


def test_a_fall_of_the_chosen_answers_is_warned_of_once(capsys):
    watch = callbacks.Trend()
    for step, chosen in enumerate((-50, -45, -58, -61, -90)):
        watch.check({"step": step, "loss": 0.5, "logps/chosen": chosen})
    assert capsys.readouterr().out.count("less likely (logps/chosen -50.0 -> -61.0)") == 1


@pytest.mark.slow  # half a minute
def test_early_stopping_keeps_the_best(tiny_model, tiny_rows, tmp_path):
    out = tmp_path / "out"
    data = ["--data", tiny_rows / "train.jsonl", "--eval_data", tiny_rows / "train.jsonl", "--output_dir", out]
    # The rate is so high that the held-out loss rises after a few steps.
    flags = ["--learning_rate", 0.05, "--save_steps", 1, "--max_steps", 12, "--early_stopping_patience", 1, "--logging_steps", 1]
    flags += ["--per_device_train_batch_size", 8, "--gradient_accumulation_steps", 1, "--gradient_checkpointing", "false"]
    run_script("scripts/sft.py", "--model", tiny_model, *data, *flags)
    run = json.loads((out / "run.json").read_text())["metrics"]
    losses = {line["step"]: line["eval_loss"] for line in lines(out) if "eval_loss" in line}
    best = min(losses, key=losses.get)
    assert run["best_checkpoint"] == f"checkpoint-{best}" and run["steps"] < 12


def test_short_rows_take_plain_attention_and_the_same_numbers(tiny_model):
    import torch
    from transformers import AutoModelForCausalLM

    plain, quick = (AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32) for _ in "ab")
    processor.optimize_for_cpu(quick)
    for length, way in ((40, "eager"), (processor.SHORT_ROWS + 40, "sdpa"), (1, "sdpa"), (2, "eager")):
        ids = torch.arange(2 * length).reshape(2, length) % 900
        mask = torch.ones_like(ids)
        mask[0, : length // 3] = 0
        told = [m(input_ids=ids, attention_mask=mask).logits[mask.bool()] for m in (plain, quick)]
        assert quick.config._attn_implementation == way and plain.config._attn_implementation == "sdpa"
        assert torch.allclose(*told, atol=1e-4)


def test_the_output_layer_is_never_copied_for_every_row(tiny_model):
    """It is for rows that do not lie side by side, as the last position of each does not; in bfloat16 a hundredfold time."""
    import torch
    from transformers import AutoModelForCausalLM

    plain, quick = (AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.bfloat16) for _ in "ab")
    processor.optimize_for_cpu(quick)
    side_by_side, last = [], torch.randn(4, 8, plain.config.hidden_size, dtype=torch.bfloat16)[:, -1:]
    heads = [model.get_output_embeddings() for model in (plain, quick)]
    for head in heads:
        head.register_forward_pre_hook(lambda _, args: side_by_side.append(args[0].is_contiguous()))
    with torch.no_grad():
        one, two = (head(last).float() for head in heads)
    assert side_by_side == [False, True] and torch.allclose(one, two, atol=1e-2)


def test_plan_is_told_before_a_weight_is_loaded(tiny_model, tiny_rows, tmp_path):
    """The model has no weights here, so nothing could have been loaded."""
    folder = tmp_path / "model"
    shutil.copytree(ROOT / tiny_model, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    data = ["--data", tiny_rows / "train.jsonl", "--output_dir", tmp_path / "out"]
    config = json.loads((folder / "config.json").read_text()) | {"hidden_size": 2**17, "intermediate_size": 2**19}
    (folder / "config.json").write_text(json.dumps(config))
    done = run_script("scripts/sft.py", "--model", folder, *data, "--dry_run", "--adapter", "prefix")
    assert "memory: about" in done.stdout and "disk:" in done.stdout and "learning_rate: 0.0002" in done.stdout
    assert "export: a prefix adapter cannot be exported" in done.stdout
    assert "does not fit" in done.stdout and "change first" in done.stdout


def test_model_card_and_picture_are_there(tiny_sft):
    card = (tiny_sft / "README.md").read_text()
    assert "Not for clinical use" in card and "SHA-256" in card and card.startswith("---\nlibrary_name:"), "no base: a folder"
    said = "8 of 32 rows are synthetic (25.0%), written by writer (8)"
    assert said in card and said in (tiny_sft.parent / "printed.txt").read_text()
    assert learnt(str(tiny_sft)) == [f"sft: {said}"], "as the card of a GGUF, or of a training that goes on from here, says"
    assert (tiny_sft / "loss.png").read_bytes().startswith(b"\x89PNG")


def losses_of(folder):
    return [line["loss"] for line in lines(folder) if "loss" in line]


@pytest.mark.slow
@pytest.mark.parametrize("sharing", ["DDP", "FSDP2"])
@pytest.mark.parametrize("script", ["sft", "dpo"])
def test_two_processes_learn_what_one_learns(tiny_model, tiny_rows, tmp_path, script, sharing):
    """Two processes by torchrun with half the accumulation each: the same losses, and one of them writes and prints.

    Shared out by FSDP2 the weights come together again in what is saved, and a run goes on from its checkpoint.
    """
    import os

    from safetensors.torch import load_file

    data = tiny_rows / "train.jsonl"
    if script == "dpo":
        data = tmp_path / "pairs.jsonl"
        pairs = [
            {"prompt": f"Name organ {i}.", "chosen": f"The liver, {i}.", "rejected": "No. " * (i % 3 + 1)} for i in range(32)
        ]
        data.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    flags = ["--model", tiny_model, "--data", data, *QUICK, "--max_steps", 4, "--per_device_train_batch_size", 4]
    flags = [f"scripts/{script}.py", *map(str, flags), "--save_steps", 2, "--gradient_accumulation_steps"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"} | ({"UNSLOTH_FSDP2": "1"} if sharing == "FSDP2" else {})

    def two():
        return run_script("-m", "torch.distributed.run", "--nproc_per_node", 2, *flags, 1, "--output_dir", out, env=env).stdout

    run_script(*flags, 2, "--output_dir", tmp_path / "one")
    out = tmp_path / "two"
    printed = two()
    assert printed.count("step 4/4") == 1 and printed.count("done:") == 1
    assert ("FSDP2 sharded" in printed) == (sharing == "FSDP2")
    assert losses_of(out) == pytest.approx(losses_of(tmp_path / "one"), rel=2e-3)
    saved, kept = (load_file(folder / "adapter_model.safetensors") for folder in (out, out / "checkpoint-4"))
    assert all((saved[k] == kept[k]).all() for k in kept) and any(v.abs().max() > 0 for k, v in saved.items() if "lora_B" in k)
    shutil.rmtree(out / "checkpoint-4")
    for left in ("run.json", "adapter_model.safetensors"):
        (out / left).unlink()
    assert "goes on from" in two()
    again = load_file(out / "adapter_model.safetensors")
    assert max((again[k] - saved[k]).abs().max() for k in saved) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("step", [2, 4])
def test_killed_dpo_goes_on_and_ends_with_the_same_weights(tiny_model, tmp_path, step):
    pairs = [{"prompt": f"Organ {i}?", "chosen": f"The liver, {i}.", "rejected": "No. " * (i % 3 + 1)} for i in range(32)]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    flags = ["scripts/dpo.py", "--model", tiny_model, "--data", tmp_path / "pairs.jsonl", *QUICK, "--max_steps", 6]
    flags = [*map(str, flags), "--save_steps", "2", "--per_device_train_batch_size", "4", "--gradient_accumulation_steps", "1"]
    ends_the_same_after_a_kill(flags, tmp_path, step)


def test_a_last_batch_of_one_row_has_the_answer_before_it_as_its_mismatch():
    rows = [{"prompt_ids": [0], "label": True, "completion_ids": [i]} for i in range(5)]
    assert [row["KL_completion_ids"] for row in kto.with_mismatched(rows, 2)] == [[1], [0], [3], [2], [3]]


def test_a_model_that_can_draw_no_answer_is_told_in_words(monkeypatch, tmp_path):
    """GRPO on weights that are no numbers ended in torch.multinomial's traceback, before there was a loss to look at."""

    torch = importlib.import_module("torch")

    def draw(**_):
        torch.multinomial(torch.tensor([float("nan"), 1.0]), 1)

    monkeypatch.setattr(loop, "_prepare", lambda *_: None)
    monkeypatch.setattr(callbacks, "refuse_nan", lambda *_: None)
    trainer = SimpleNamespace(model=torch.nn.Linear(1, 1), train=draw)
    with pytest.raises(CheckFailed, match="no numbers, so it can answer nothing"):
        loop.train(trainer, None, SimpleNamespace(output_dir=tmp_path), [])
