"""Distillation: what is compared with the teacher, by which divergence, whom it refuses for a teacher, and that it is learnt."""

import json
import os
import shutil

import pytest
from conftest import ROOT, run_script

ORGANS = ["liver", "heart", "kidney", "lung", "spleen", "brain", "skin", "colon"]


def conversation(i: int, turns: int = 1) -> dict:
    organ = ORGANS[i % 8]
    ask, answer = f"Case {i}: what of the {organ}?", f"The {organ} is well, dear colleague."
    return {"id": i, "conversations": [{"from": who, "value": text} for who, text in [("human", ask), ("gpt", answer)] * turns]}


def write(path, numbers) -> str:
    path.write_text("".join(json.dumps(conversation(i)) + "\n" for i in numbers))
    return str(path)


@pytest.fixture(scope="module")
def teacher(tiny_model, tmp_path_factory) -> str:
    """The tiny model after a dozen steps on the rows, every weight trained."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from data_prep.chat_template import Renderer, to_messages

    folder = tmp_path_factory.mktemp("teacher")
    model, tokenizer = (kind.from_pretrained(ROOT / tiny_model) for kind in (AutoModelForCausalLM, AutoTokenizer))
    model.float()
    optimizer, renderer = torch.optim.AdamW(model.parameters(), lr=5e-3), Renderer(tokenizer)
    for step in range(12):
        row = renderer.encode(to_messages(conversation(step, 3)))
        model(input_ids=torch.tensor([row["input_ids"]]), labels=torch.tensor([row["labels"]])).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def test_what_is_compared_is_what_sft_would_train_and_the_last_answer_is_the_students(tiny_model):
    from common.models import load_tokenizer
    from training.distillation import Collator, answer_start

    from data_prep.chat_template import Renderer, to_messages

    tokenizer = load_tokenizer(str(ROOT / tiny_model))
    encoded = [Renderer(tokenizer).encode(to_messages(conversation(i, turns))) for i, turns in ((0, 1), (3, 2))]
    batch = Collator(tokenizer.pad_token_id)([{"input_ids": e["input_ids"], "labels": e["labels"]} for e in encoded])
    for i, one in enumerate(encoded):
        n, asked = len(one["input_ids"]), batch["prompts"][i][batch["prompt_attention_mask"][i] == 1].tolist()
        assert batch["input_ids"][i, :n].tolist() == list(one["input_ids"]) and batch["labels"][i, :n].tolist() == list(
            one["labels"]
        )
        assert (batch["labels"][i, n:] == -100).all() and batch["attention_mask"][i].sum() == n
        assert asked == list(one["input_ids"][: len(asked)]) and len(asked) == answer_start(one["labels"])
        text = tokenizer.decode(asked)
        assert text.count("colleague") == i and "assistant" in text[-60:]  # the earlier answer is part of the question


@pytest.fixture(scope="module")
def trained(tiny_model, teacher, tmp_path_factory):
    """Output folder of a short distillation, half of it on the student's own answers."""
    folder = tmp_path_factory.mktemp("distill")
    where = ["--model", tiny_model, "--teacher", teacher, "--output_dir", folder / "out", "--max_new_tokens", 8]
    where += ["--data", write(folder / "train.jsonl", range(64)), "--eval_data", write(folder / "held.jsonl", range(64, 72))]
    # Full, and beta 0: an adapter cannot make few of 151,936 words likely while the tiny model's random output layer stands.
    flags = ["--adapter", "full", "--beta", 0, "--max_steps", 6, "--logging_steps", 1, "--save_steps", 0, "--warmup_steps", 0]
    done = run_script("scripts/distill.py", *where, *flags, "--learning_rate", 5e-3, "--gradient_accumulation_steps", 2)
    return folder / "out", done.stdout


def test_the_student_moves_toward_the_teacher_on_held_out_rows(trained):
    folder, said = trained
    metrics = json.loads((folder / "run.json").read_text())["metrics"]
    before, after = (metrics[name]["loss"] for name in ("held_out_before", "held_out"))
    assert after < 0.9 * before and f"{before:.4f} before, {after:.4f} after" in said


def test_a_student_that_did_not_move_is_told(trained, tmp_path):
    from common.errors import CheckFailed
    from training.distillation import check_moved

    run = json.loads((trained[0] / "run.json").read_text())
    run["metrics"]["held_out"] = run["metrics"]["held_out_before"]
    (tmp_path / "run.json").write_text(json.dumps(run))
    with pytest.raises(CheckFailed, match="did not move toward it"):
        check_moved(str(tmp_path))


def test_the_loss_is_the_papers_divergence_over_the_trained_tokens(tiny_model, teacher, tmp_path):
    """Agarwal et al. 2023, equations 1 and 2, in float64 from both models' logits."""
    import unsloth  # noqa: F401  isort: skip
    import distill
    import torch
    from common.arguments import parse_args
    from common.files import read_rows
    from common.models import load_tokenizer

    data = write(tmp_path / "rows.jsonl", range(4))
    words = ["--model", str(ROOT / tiny_model), "--teacher", teacher, "--data", data, "--eval_data", data, "--adapter", "lora"]
    words += ["--output_dir", str(tmp_path / "out"), "--gradient_checkpointing", "false", "--lmbda", "0"]
    args = parse_args(distill.Args, "", [*words, "--per_device_train_batch_size", "4"])
    tokenizer = load_tokenizer(args.model)
    rows = distill.make_dataset(read_rows(data), tokenizer, args, data).rows
    trainer = distill.make_trainer(args, distill.load_model(args, tokenizer).float(), tokenizer, rows, rows)
    trainer.teacher_model.float()
    batch = next(iter(trainer.get_train_dataloader()))
    with torch.no_grad():
        asked = {name: batch[name] for name in ("input_ids", "attention_mask")}
        assert trainer.teacher_model(**asked).past_key_values is None
        both = [model.eval()(**asked).logits[:, :-1].double().log_softmax(-1) for model in (trainer.model, trainer.teacher_model)]
    student, taught = (logp[batch["labels"][:, 1:] != -100] for logp in both)

    def kl(p, q):
        return (p.exp() * (p - q)).sum(-1).mean()

    mixed = (0.3 * taught.exp() + 0.7 * student.exp()).log()
    wanted = {0.0: kl(taught, student), 0.3: 0.3 * kl(taught, mixed) + 0.7 * kl(student, mixed), 1.0: kl(student, taught)}
    for trainer.beta, divergence in wanted.items():
        loss = trainer.compute_loss(trainer.model, dict(batch)).item()
        assert divergence > 1e-3 and loss == pytest.approx(float(divergence), rel=1e-3), trainer.beta


def test_a_teacher_of_another_vocabulary_is_refused_before_a_model_is_loaded(tiny_model, teacher, tmp_path):
    other = tmp_path / "teacher"
    shutil.copytree(teacher, other)
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    tokenizer["added_tokens"].append(
        tokenizer["added_tokens"][-1] | {"id": tokenizer["added_tokens"][-1]["id"] + 1, "content": "<x>"}
    )
    (other / "tokenizer.json").write_text(json.dumps(tokenizer))
    os.remove(other / "model.safetensors")
    data = write(tmp_path / "rows.jsonl", range(4))
    where = ["--model", tiny_model, "--teacher", other, "--data", data, "--eval_data", data, "--output_dir", tmp_path / "out"]
    done = run_script("scripts/distill.py", *where, "--dry_run", code=2)
    assert "another vocabulary" in done.stderr and "1 tokens differ, first '<x>'" in done.stderr
