"""What is confirmed is on the disk before anything else is done, and the harness of power cuts loses what is not."""

import json
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from annotation import generate
from annotation.sources import Question
from conftest import ROOT
from scoring import predict
from scoring.predictions import Prediction

from data_prep.synthesis.calls import Caller, Model

sys.path.insert(0, str(ROOT / "tests" / "faults"))
import power

FILES = """import os, sqlite3, sys
os.chdir(sys.argv[1])
for name in ("half", "never", "whole"):
    file = open(name, "w")
    file.write("kept ")
    file.flush()
    if name != "never":
        os.fsync(file.fileno())
    if name == "half":
        file.write("lost")
        file.flush()
os.remove("whole")  # its inode is free for the next file
open("next", "w").write("lost")
"""
VOTES = """import random, sqlite3, sys
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/scripts"]
from annotation.sources import Answer, Material, Question
from annotation.store import Store
store, asked = Store(sys.argv[2]), [Question(f"q{i}", [{"role": "user", "content": "?"}], "", "en") for i in range(6)]
store.create(Material(asked, [Answer(q.name, s, s + q.name) for q in asked for s in "ab"], False), "pairs", {}, 1.0, 1)
rater = store.rater(store.add_raters(["Ana"], {}, "en", 1)["Ana"])
other = sqlite3.connect(store.path)  # another who votes: without one SQLite empties its log at each close
other.execute("SELECT * FROM vote").fetchall()
for number in range(10**6):
    task = store.task(rater, number % 6 + 1)
    chosen = task.answers[random.random() < 0.5][0]
    store.record(rater, task, {"preferred": chosen})
    print(task.item, chosen, flush=True)
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    made = power.built(tmp_path_factory.mktemp("library"))
    if made is None:
        pytest.skip("no C compiler here")
    return made


def disk_of(library, folder) -> tuple[power.Disk, dict]:
    """And the environment of what it is to watch."""
    disk = power.Disk(library, folder / "copies")
    disk.copies.mkdir()
    return disk, {**os.environ, "LD_PRELOAD": str(library), "SYNCED_TO": str(disk.copies)}


def test_what_was_not_synced_is_lost(tmp_path, library, monkeypatch):
    disk, env = disk_of(library, tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run([sys.executable, "-c", FILES, out], env=env, check=True)
    monkeypatch.setattr(power, "WAYS", ("cut",))
    assert disk.lose(out, random.Random(1)) == ["half cut", "never cut (never synced)", "next cut (never synced)"]
    assert {p.name: p.read_text() for p in out.iterdir()} == {"half": "kept ", "never": "", "next": ""}


def test_votes_that_were_confirmed_outlive_a_power_cut(tmp_path, library):
    from annotation.store import Store

    for number in range(4):
        folder = tmp_path / str(number)
        folder.mkdir()
        disk, env = disk_of(library, folder)
        command = [sys.executable, "-c", VOTES, str(ROOT), str(folder / "votes")]
        voting = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
        confirmed = [voting.stdout.readline() for _ in range(5 + 3 * number)]
        voting.kill()
        confirmed += voting.stdout.readlines()
        voting.wait()
        disk.lose(folder / "votes", random.Random(number))
        store = Store(folder / "votes")
        store.settings()  # looks the file through
        last = {int(item): int(chosen) for item, chosen in map(str.split, confirmed)}
        kept = {vote.item: vote.value["preferred"] for vote in store.votes()}
        unlike = {item for item in last if kept.get(item) != last[item]}
        assert len(unlike) <= 1, (last, kept)  # one may have been mended, and the page not have said so yet


def test_an_answer_is_on_the_disk_before_the_next_is_asked_for(tmp_path, monkeypatch):
    path, synced, sync = tmp_path / "votes" / "answers.jsonl", [0], os.fsync

    def kept(number):
        sync(number)
        if os.readlink(f"/proc/self/fd/{number}") == str(path):
            synced.append(os.fstat(number).st_size)

    def drawn(model, questions, sampling, folder):
        for question in questions:
            assert synced[-1] == (path.stat().st_size if path.exists() else 0)
            yield [generate.Drawn(f"an answer to {question.name}")]

    monkeypatch.setattr(os, "fsync", kept)
    monkeypatch.setattr(generate, "sampled", drawn)
    questions = [Question(f"q{i}", [{"role": "user", "content": "?"}], "", "en") for i in range(5)]
    sampling = generate.Sampling(1, 1.0, 8, 64, "auto", False, "", 1)
    generate.write_answers(["models/a"], questions, sampling, "1f", path.parent)
    assert len(synced) >= 6 and synced[-1] == path.stat().st_size


def test_a_servers_answers_are_on_the_disk_before_the_next_are_asked_for(tmp_path, monkeypatch):
    partial, synced, sync = tmp_path / "predictions.partial.jsonl", [b""], os.fsync

    def kept(number):
        sync(number)
        if os.readlink(f"/proc/self/fd/{number}") == str(partial):
            synced.append(partial.read_bytes())

    def scored(engine, rows, *_):
        assert synced[-1] == partial.read_bytes()
        return [Prediction(id=row["id"], correct=True) for row in rows]

    monkeypatch.setattr(os, "fsync", kept)
    monkeypatch.setattr(predict, "score_batch", scored)
    monkeypatch.setattr(
        predict, "what_fits", lambda engine, rows, *_: (list(range(len(rows))), dict.fromkeys(range(len(rows)), 1))
    )
    engine = SimpleNamespace(concurrency=1, window=100, reserve=lambda _: None)
    args = SimpleNamespace(permutations=1, num_samples=1, max_length=100)
    rows = [{"id": i} for i in range(12)]
    records, _ = predict.run_batches(engine, rows, [[1]] * 12, [], "generate", args, partial)
    assert len(records) == len(synced[-1].splitlines()) == 12 and len(synced) == 4


def test_a_call_is_on_the_disk_before_its_answer_is_used(tmp_path, monkeypatch):
    path, synced, sync = tmp_path / "calls.jsonl", [b""], os.fsync

    def kept(number):
        sync(number)
        synced.append(path.read_bytes())

    monkeypatch.setattr(os, "fsync", kept)
    monkeypatch.setattr(Caller, "_call", lambda self, model, prompt, *_: (f"to {prompt}", 1, 1, True))
    caller = Caller(path)
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda i: (caller.ask(Model("http://x", "m"), f"ask {i}"), synced[-1]), range(40))
    for text, disk in answers:
        assert json.dumps(text).encode() in disk
