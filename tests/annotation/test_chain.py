"""The whole way: a model writes answers, people rank them on the page, the rows train a reward model, DPO and KTO."""

import json
import urllib.parse
import urllib.request

import pytest
from conftest import run_script
from scripted_server import ScriptedServer, reply
from vote_pages import QUESTIONS, Served, write_rows


@pytest.fixture
def server():
    """An OpenAI-compatible server that writes another answer to each seed, the same to one and the same seed."""

    def answer(body):
        return reply(f"<think>hm</think>Answer {body['seed'] % 10}: " + "rest and water. " * (body["seed"] % 3 + 1))

    with ScriptedServer(answer) as server:
        yield server


def rank_all(link: str, count: int) -> None:
    """Post a ranking for every place: the answer shown first is the best, the others in the order shown."""
    for place in range(1, count + 1):
        page = urllib.request.urlopen(f"{link}?place={place}").read().decode()
        size = len({part.split('"')[0] for part in page.split('name="rank_')[1:]})
        form = {"place": place, "choice": "send"} | {f"rank_{n}": n for n in range(1, size + 1)}
        urllib.request.urlopen(f"{link}/vote", urllib.parse.urlencode(form).encode())


def ranked(tmp_path, server, more=()) -> list:
    """Answers by the server, ranked over HTTP and exported; the flags' paths are returned: preference and feedback rows."""
    data = write_rows(tmp_path / "prompts.jsonl", [{"id": f"p{i}", "prompt": q} for i, q in enumerate(QUESTIONS)])
    flags = ["--model", server.url, "--data", data, "--num_generations", 3, "--mode", "rank", "--port", 0, *more]
    served = Served(flags, tmp_path / "votes")
    try:
        rank_all(served.links["rater"], 6)
    finally:
        served.kill()
    asked = len(server.asked)
    Served(flags, tmp_path / "votes").kill()
    assert len(server.asked) == asked == 18, "answers that were written are not asked for again"
    paths = []
    for task in ("preference", "feedback"):
        paths.append(tmp_path / f"{task}.jsonl")
        run_script("scripts/annotate.py", "--export", tmp_path / "votes", "--task", task, "--output", paths[-1])
    return paths


def test_rank_export_and_every_trainer_takes_the_rows(tmp_path, server, tiny_model):
    preferences, feedback = ranked(tmp_path, server)
    rows = [json.loads(line) for line in preferences.read_text().splitlines()]
    assert len(rows) == 18 and all("<think>" not in row["chosen"] for row in rows)
    assert {row["weight"] for row in rows} == {0.333333}
    labels = [json.loads(line)["label"] for line in feedback.read_text().splitlines()]
    assert labels.count(True) == labels.count(False) == 6
    for script, data in (("reward", preferences), ("dpo", preferences), ("kto", feedback)):
        flags = [
            "--model",
            tiny_model,
            "--data",
            data,
            "--output_dir",
            tmp_path / script,
            "--dry_run",
            "--gradient_accumulation_steps",
            1,
        ]
        assert run_script(f"scripts/{script}.py", *flags).stdout


@pytest.mark.slow
def test_one_real_step_of_each_trainer(tmp_path, server, tiny_model):
    preferences, feedback = ranked(tmp_path, server)
    for script, data in (("reward", preferences), ("dpo", preferences), ("kto", feedback)):
        flags = ["--model", tiny_model, "--data", data, "--output_dir", tmp_path / script, "--max_steps", 1]
        run_script(f"scripts/{script}.py", *flags)
        assert (tmp_path / script / "run.json").is_file()


@pytest.mark.slow
def test_a_folder_writes_its_own_answers(tmp_path, smollm2):
    """Real weights, sampled through the scoring engine: answers differ, and the page opens on them."""
    data = write_rows(
        tmp_path / "prompts.jsonl", [{"id": "p0", "prompt": "What is asthma?"}, {"id": "p1", "prompt": "O que é febre?"}]
    )
    flags = ["--model", smollm2, "--data", data, "--num_generations", 3, "--mode", "rank", "--max_new_tokens", 12, "--port", 0]
    served = Served(flags, tmp_path / "votes")
    try:
        page = urllib.request.urlopen(served.links["rater"]).read().decode()
    finally:
        served.kill()
    rows = [json.loads(line) for line in (tmp_path / "votes" / "answers.jsonl").read_text().splitlines()]
    assert [len(set(row["answers"])) for row in rows] == [3, 3] and page.count('class="answer"') == 3
