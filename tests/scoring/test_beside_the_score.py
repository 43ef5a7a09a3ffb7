"""What stands beside a score: simple baselines, samples, thinking, lengths, servers; and an engine short of room."""

import json
import sys
import threading
from pathlib import Path

import evaluate
import pytest
from common.errors import UserError
from conftest import ROOT
from scoring import baselines, engines, going_on, measures, packing, predict, summary, tasks
from scoring.engines_url import Url
from scoring.predictions import Prediction
from scoring.scores import Metrics
from scripted_server import reply

sys.path.insert(0, str(ROOT / "tests" / "benchmarks"))
from bench_scoring import medmcqa_rows, write_rows

ROW = {"id": "1", "question": "Q?", "options": {"A": "x", "B": "a longer one"}, "answer": "A"}


def labelled(count: int, start: int = 0) -> list[dict]:
    """Rows whose class is told by a word among others."""
    words = {"Heart": "systole valve pulse", "Bone": "femur marrow joint", "Skin": "rash dermis pore"}
    return [
        {
            "id": f"r{i}",
            "text": f"Case {i}: {words[label].split()[i % 3]} and {words[label].split()[(i + 1) % 3]} of patient {i * 7}.",
            "labels": list(words),
            "label": label,
        }
        for i in range(start, start + count)
        for label in [list(words)[i % 3]]
    ]


def run(monkeypatch, engine, *arguments) -> dict:
    """evaluate.py's main in this process with this engine; metrics.json and the folder's other files as text."""
    monkeypatch.setattr(evaluate, "load_engine", lambda args, folder: engine)
    monkeypatch.setattr(sys, "argv", ["scripts/evaluate.py", *map(str, arguments)])
    evaluate.main()
    out = Path(arguments[list(arguments).index("--output_dir") + 1])
    return json.loads((out / "metrics.json").read_text()) | {"folder": out}


@pytest.fixture(scope="module")
def engine(tiny_model):
    return engines.HuggingFace(tiny_model, "auto", False, "float32", False, 2048)


# ---------------------------------------------------------------------------------------------- baselines


def test_a_bag_of_words_learns_what_words_tell(tmp_path):
    rows, train = labelled(30), labelled(90, 100)
    found = baselines.tfidf(rows, str(write_rows(tmp_path / "train.jsonl", train)))
    assert found.predictions == {row["id"]: row["label"] for row in rows}
    assert found.facts == {"training_rows": 90, "left_out": 0}


def test_a_bag_of_words_never_learns_tested_rows(tmp_path, capsys):
    rows, train = labelled(30), labelled(90, 100)
    renamed = [{**row, "id": f"again-{row['id']}"} for row in rows]
    found = baselines.tfidf(rows, str(write_rows(tmp_path / "t.jsonl", [*train, *renamed])))
    assert found.facts == {"training_rows": 90, "left_out": 30}
    talk = [{"id": "x", "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]}]
    assert baselines.tfidf(rows, str(write_rows(tmp_path / "u.jsonl", talk))) is None
    assert "not the test's labels" in capsys.readouterr().out


def test_what_every_prompt_repeats_is_cut():
    texts = ["Say the class. one two end of it", "Say the class. three end of it", "Say the class. two end of it"]
    cut = baselines.shared_ends(texts)
    assert [cut(text) for text in texts] == ["one two", "three", "two"]


def test_baselines_are_rows_of_their_own(engine, monkeypatch, tmp_path, capsys):
    data = write_rows(tmp_path / "test.jsonl", labelled(12))
    train = write_rows(tmp_path / "train.jsonl", labelled(90, 100))
    arguments = ("--model", "models/tiny-qwen3", "--data", data, "--train_data", train, "--output_dir", tmp_path / "e")
    metrics = run(monkeypatch, engine, *arguments)
    (found,) = metrics["baselines"]
    assert (found["name"], found["n_correct"], found["n"]) == (baselines.TFIDF, 12, 12)
    assert len((tmp_path / "e/baselines.jsonl").read_text().splitlines()) == 12
    assert baselines.TFIDF in capsys.readouterr().out and metrics["model_name"] == "tiny-qwen3"
    import compare

    other = run(monkeypatch, engine, *arguments[:-1], tmp_path / "f", "--seed", "1")["folder"]
    monkeypatch.setattr(sys, "argv", ["c", str(tmp_path / "e"), str(other), "--output_dir", str(tmp_path / "c")])
    compare.main()
    result = json.loads((tmp_path / "c/comparison.json").read_text())
    assert [c["baseline"] for c in result["against_baselines"]] == [baselines.TFIDF]
    assert "simple baseline “TF-IDF and logistic regression”" in (tmp_path / "c/comparison.html").read_text()


def test_multiple_choice_has_rules_of_its_own(engine, monkeypatch, tmp_path):
    rows = medmcqa_rows(16)
    known = [{**row, "id": f"t{i}", "question": f"{i}?", "answer": "C"} for i, row in enumerate(rows)]
    train = write_rows(tmp_path / "train.jsonl", known)
    arguments = ("--model", "models/tiny-qwen3", "--data", write_rows(tmp_path / "t.jsonl", rows), "--train_data", train)
    metrics = run(monkeypatch, engine, *arguments, "--output_dir", tmp_path / "e")
    found = {one["name"]: one for one in metrics["baselines"]}
    longest = sum(max(r["options"], key=lambda k: len(r["options"][k])) == r["answer"] for r in rows)
    assert found[baselines.LONGEST]["n_correct"] == longest
    assert found[baselines.COMMONEST]["letter"] == "C"
    assert found[baselines.COMMONEST]["n_correct"] == sum(r["answer"] == "C" for r in rows)
    lines = [json.loads(line) for line in (tmp_path / "e/baselines.jsonl").read_text().splitlines()]
    hidden = {line["id"]: line["prediction"] for line in lines if line["baseline"] == baselines.OPTIONS_ONLY}
    engine.prefix, engine.cache = [], None
    row = baselines.hidden(rows[0])
    assert rows[0]["question"] not in tasks.user_text(row)
    scores = engine._one_by_one([(engine.encode(tasks.messages_of(row)), [engine.option(k) for k in row["options"]])])[0]
    assert hidden[rows[0]["id"]] == list(row["options"])[max(range(4), key=scores.__getitem__)]
    assert 0 < metrics["option_mass"] < 1


# ---------------------------------------------------------------------------------------------- how it is asked


def test_thinking_is_not_scored_by_likelihood(engine, monkeypatch, tmp_path):
    data = write_rows(tmp_path / "t.jsonl", [ROW])
    arguments = ("--model", "models/tiny-qwen3", "--data", data, "--enable_thinking", "--max_new_tokens", "4", "--output_dir")
    with pytest.raises(UserError, match="where the think block belongs"):
        run(monkeypatch, engine, *arguments, tmp_path / "a", "--protocol", "letter")
    assert run(monkeypatch, engine, *arguments, tmp_path / "b")["protocol"] == "generate"


def test_answers_have_room(engine):
    args = evaluate.Args("m", "d", "o")
    assert predict.new_tokens("generate", args, "mcq", 32768) == 512
    assert predict.new_tokens("generate", args, "safety", 32768) == 128
    assert predict.new_tokens("generate", args, "mcq", 600) == 300
    args.enable_thinking = True
    assert predict.new_tokens("generate", args, "mcq", 32768) == 4608
    args.max_new_tokens = 7
    assert predict.new_tokens("generate", args, "mcq", 32768) == 7 and predict.new_tokens("capitulo", args, "mcq", 9) == 10


def test_accuracy_by_exam_year_and_third_of_difficulty():
    rows = [
        {"id": i, "gold": "A", "prediction": "AB"[i >= 6], "correct": i < 6, "options": ["A", "B"], "topic": "", "source": "s"}
        | {"exam": f"R{i % 2}", "year": 2020 + i % 2, "difficulty": i / 10}
        for i in range(9)
    ]
    rows.append({key: value for key, value in rows[0].items() if key not in ("exam", "year", "difficulty")} | {"id": 9})
    records = [Prediction(**row) for row in rows]
    found = summary.summary(records, "mcq", "generate")
    assert {name: part.n for name, part in found.by_exam.items()} == {"R0": 5, "R1": 4, "none": 1}
    assert found.by_year["2021"].n_correct == 3
    thirds = [(name, part.n, part.n_correct) for name, part in found.by_difficulty.items()]
    assert thirds == [("none", 1, 1), ("1/3: 0 to 0.2", 3, 3), ("2/3: 0.3 to 0.5", 3, 3), ("3/3: 0.6 to 0.8", 3, 0)]
    assert not summary.summary(records[-1:], "mcq", "generate").by_difficulty
    row = {"id": "x", "question": "Q?", "options": {"A": "a", "B": "b"}, "answer": "A", "difficulty": "hard"}
    assert tasks.check_row(row) == ["x: difficulty 'hard' must be a number"]
    assert tasks.check_row(row | {"difficulty": -0.5}) == []


def test_calibration_is_the_letters_alone():
    records = [predict.record_of(ROW, "", "A", scores={"A": -1.0, "B": -2.0}) for _ in range(3)]
    assert summary.summary(records, "mcq", "letter").calibration
    assert summary.summary(records, "mcq", "text").calibration is None


def test_options_of_equal_likelihood_are_counted_and_told():
    answer, more = predict.read_scores(ROW, [[-1.5, -1.5]], "text")
    assert answer == "A"  # the first, as in lm-evaluation-harness
    records = [predict.record_of(ROW, "", answer, **more), predict.record_of(ROW, "", "A", scores={"A": -1.0, "B": -2.0})]
    metrics = summary.summary(records, "mcq", "text")
    assert (metrics.n_tied, metrics.n_tied_correct) == (1, 1)
    told = summary.warnings_of(Metrics(task="mcq", **metrics.as_fields(), protocol="text"))
    assert any("1 of 2 rows have several likeliest options" in note and "so 1 of them" in note for note in told)
    one = summary.summary([predict.record_of(ROW, "", "A", output="A", finished=True)], "mcq", "generate")
    assert "n_tied" not in one.as_json()


def test_answers_given_equally_often_are_counted_and_told():
    """The first one counts, of samples as of rotations (where the second names the other option's letter)."""
    for read, outputs in ((predict.read_samples, "BAAB?"), (predict.read_samples, "BAAA?"), (predict.read_texts, "BB")):
        answer, more = read(ROW, [(text, True) for text in outputs], "generate")
        metrics = summary.summary([predict.record_of(ROW, "", answer, **more)], "mcq", "generate")
        assert (answer, metrics.n_tied) == (("A", 0) if outputs == "BAAA?" else ("B", 1))
    told = summary.warnings_of(Metrics(task="mcq", **metrics.as_fields(), protocol="generate"))
    assert any("1 of 1 rows have several answers given equally often" in note and "so 0 of them" in note for note in told)


def test_samples_vote_and_are_drawn_again_alike(engine, monkeypatch, tmp_path):
    data = write_rows(tmp_path / "t.jsonl", medmcqa_rows(4))
    how = ("--protocol", "generate", "--num_samples", "3", "--temperature", "1.5", "--max_new_tokens", "4", "--output_dir")
    arguments = ("--model", "models/tiny-qwen3", "--data", data, *how)
    one, two = (run(monkeypatch, engine, *arguments, tmp_path / name) for name in "ab")
    assert (tmp_path / "a/predictions.jsonl").read_bytes() == (tmp_path / "b/predictions.jsonl").read_bytes()
    assert one["samples"]["num_samples"] == 3 and one["samples"] == two["samples"]
    record = json.loads((tmp_path / "a/predictions.jsonl").read_text().splitlines()[0])
    assert len(set(record["outputs"])) > 1
    answer, more = predict.read_samples(ROW, [("B", True), ("A", True), ("A", False)], "generate")
    assert answer == "A" and more["sample_answers"] == ["B", "A", "A"] and not more["finished"]
    other = Prediction(id=2, gold="B", sample_answers=["B", None, "B"])
    found = measures.samples([Prediction(id=1, gold="A", **more), other])
    assert found.accuracy_by_sample == [0.5, 0.5, 1.0] and found.agreement == pytest.approx(2 / 3)
    with pytest.raises(UserError, match="temperature"):
        run(monkeypatch, engine, *arguments[:6], "--num_samples", "3", "--output_dir", tmp_path / "c")


# ---------------------------------------------------------------------------------------------- short of room


def test_batches_do_not_count_what_all_prompts_share(engine):
    """Eight examples before each question: the shared part is computed once, and must not cut the batches."""
    args = evaluate.Args("m", "d", "o", batch_tokens=400)
    rows = medmcqa_rows(12)
    examples = [{"role": "user", "content": "word " * 300}, {"role": "assistant", "content": "B"}]
    prompts = [engine.encode(tasks.messages_of(row, examples)) for row in rows]
    fits, beside = list(range(12)), dict.fromkeys(range(12), 4)
    engine.prefix, engine.cache = [], None
    alone = predict.cut_batches(engine, fits, prompts, beside, "letter", args)
    engine.share_prefix(prompts)
    shared = predict.cut_batches(engine, fits, prompts, beside, "letter", args)
    engine.prefix, engine.cache = [], None
    assert len(alone) == 12 and len(shared) <= 6 and sorted(i for batch in shared for i in batch) == fits


def test_a_forward_pass_follows_the_memory_that_is_free(engine, monkeypatch, tmp_path):
    """2,048 tokens whatever the card, it was: the batches of a processor."""
    import torch
    from transformers import Qwen3Config

    sizes = {"hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 28, "num_attention_heads": 16}
    config = Qwen3Config(**sizes, num_key_value_heads=8, head_dim=128, vocab_size=151936)
    small, large = packing.tokens_that_fit(config, 3e9), packing.tokens_that_fit(config, 12e9)
    assert 2048 < small < large < 60_000 and large == pytest.approx(4 * small, abs=4)
    assert packing.tokens_that_fit(config, 0) == 2048 and packing.tokens_that_fit(config, 1e15) == packing.MOST_TOKENS
    assert engine.batch_tokens == 2048
    monkeypatch.setattr(engines, "has_cuda", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (24e9, 24e9))
    chosen = engine.batch_tokens
    assert chosen == packing.tokens_that_fit(engine.model.config, 12e9) > 2048
    # What was begun goes on with the batches that it began with.
    data = write_rows(tmp_path / "t.jsonl", medmcqa_rows(4))
    arguments = ("--model", "models/tiny-qwen3", "--data", data, "--question_hidden", "false", "--output_dir", tmp_path / "e")
    run(monkeypatch, engine, *arguments)
    noted = json.loads((tmp_path / "e/settings.json").read_text())
    assert noted["batch_tokens"] == 0 and noted[going_on.TAKEN] == chosen
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (1e9, 24e9))
    (tmp_path / "e/metrics.json").unlink()
    run(monkeypatch, engine, *arguments)
    assert json.loads((tmp_path / "e/settings.json").read_text())[going_on.TAKEN] == chosen
    assert json.loads((tmp_path / "e/run.json").read_text())["config"]["batch_tokens"] == chosen


@pytest.mark.parametrize("how", ["longest", "memory"])
def test_a_batch_that_is_too_much_is_taken_in_halves(engine, monkeypatch, how):
    import torch

    engine.prefix, engine.cache, engine.packed = [], None, True
    requests = [
        (engine.encode(tasks.messages_of(row)), [engine.option(t) for t in row["options"].values()]) for row in medmcqa_rows(5)
    ]
    wanted, widths, packed = engine._one_by_one(requests), [], engine._packed
    most = max(len(p) + max(map(len, o)) for p, o in requests) + 2

    def limited(some):
        width = max(len(p) for p, _ in some) + max(sum(len(o) - 1 for o in options) for _, options in some)
        if how == "memory" and len(some) > 1:
            raise torch.OutOfMemoryError("no room")
        widths.append(width)
        return packed(some)

    monkeypatch.setattr(engine, "_packed", limited)
    if how == "longest":
        monkeypatch.setattr(engine, "longest", most)
    found = engine.log_likelihoods(requests)
    for one, two in zip(wanted, found, strict=True):
        assert one == pytest.approx(two, abs=1e-3)
    assert how == "memory" or max(widths) <= most
    engine.packed = None


def test_samples_of_one_prompt_differ_where_memory_halves_a_batch(engine, monkeypatch):
    import torch

    made = engine._generate

    def limited(prompts, *how):
        if len(prompts) > 2:
            raise torch.OutOfMemoryError("no room")
        return made(prompts, *how)

    monkeypatch.setattr(engine, "_generate", limited)
    prompt = engine.encode([{"role": "user", "content": "What is asthma?"}])
    found = engine.generate([prompt] * 4, 8, temperature=1.0, seed=1)
    assert len(found) == 4 and found[:2] != found[2:]


def test_a_decoder_that_gives_pairs_shares_its_beginning_too(engine, monkeypatch):
    """Unsloth's decoder on a GPU returns (keys, values) pairs; the shared beginning was given up without a word."""
    from transformers import DynamicCache

    forward = engine.model.forward

    def pairs(past_key_values=None, **more):
        if isinstance(past_key_values, list):
            cache = DynamicCache()
            for layer, (k, v) in enumerate(past_key_values):
                cache.update(k, v, layer)
            past_key_values = cache
        out = forward(past_key_values=past_key_values, **more)
        if out.past_key_values is not None:
            out.past_key_values = tuple((layer.keys, layer.values) for layer in out.past_key_values.layers)
        return out

    system = [{"role": "system", "content": "Answer as a careful physician would, and briefly."}]
    prompts = [engine.encode([*system, *tasks.messages_of(row)]) for row in medmcqa_rows(3)]
    requests = [(p, [engine.option(k) for k in "ABCD"]) for p in prompts]
    engine.prefix, engine.cache = [], None
    wanted = engine._one_by_one(requests)
    monkeypatch.setattr(engine.model, "forward", pairs)
    engine.share_prefix(prompts)
    assert engine.pairs and engine.cache
    for one, two in zip(wanted, engine._packed(requests), strict=True):
        assert one == pytest.approx(two, abs=1e-3)
    engine.prefix, engine.cache, engine.pairs = [], None, False


# ---------------------------------------------------------------------------------------------- a server


def test_a_server_is_asked_side_by_side(server, tmp_path, monkeypatch):
    server.together = threading.Barrier(4)  # none is answered before four have come
    server.answer = lambda body: reply("Resposta: B")
    data = write_rows(tmp_path / "t.jsonl", medmcqa_rows(8))
    arguments = ("--model", server.url, "--data", data, "--concurrency", "4", "--output_dir", tmp_path / "e")
    monkeypatch.setattr(sys, "argv", ["scripts/evaluate.py", *map(str, arguments)])
    evaluate.main()
    metrics = json.loads((tmp_path / "e/metrics.json").read_text())
    assert server.most == 4 and metrics["predicted"] == {"B": 8} and metrics["protocol"] == "generate"
    assert all(body["max_tokens"] == 512 and body["temperature"] == 0 for body in server.asked)


def test_a_server_that_writes_nothing_has_no_score(server, tmp_path, monkeypatch):
    """Thoughts that took all tokens, or calls of tools: 0 % with exit code 0."""
    row = {"question": "Q?", "options": {"A": "alpha", "B": "beta"}, "answer": "A"}
    data = write_rows(tmp_path / "rows.jsonl", [{**row, "id": f"q{i}"} for i in range(3)])
    words = ["e", "--model", server.url, "--data", data, "--output_dir", tmp_path / "e"]
    monkeypatch.setattr(sys, "argv", list(map(str, words)))
    server.answer = lambda body: reply(None, finish_reason="tool_calls")
    with pytest.raises(UserError, match="wrote nothing in all of 3 answers"):
        evaluate.main()
    assert not (tmp_path / "e/metrics.json").exists()


def test_letters_are_scored_by_a_server_that_gives_logprobs(server, tmp_path, monkeypatch):
    top = [{"token": t, "logprob": p, "bytes": None} for t, p in ((" C", -0.2), ("A", -2.0), ("x", -5.0))]
    content = [{"token": " C", "logprob": -0.2, "bytes": None, "top_logprobs": top}]
    server.answer = lambda body: reply("C", logprobs={"content": content, "refusal": None})
    engine = Url(server.url, "m", quiet=True)
    assert engine.log_likelihoods([([{"role": "user", "content": "?"}], [["A"], ["B"], ["C"]])]) == [[-2.0, -5.01, -0.2]]
    assert server.asked[0]["logprobs"] is True and server.asked[0]["max_tokens"] == 1
    server.answer = lambda body: reply("C")
    with pytest.raises(UserError, match="no logprobs"):
        engine.log_likelihoods([([{"role": "user", "content": "?"}], [["A"]])])


def test_a_busy_server_is_asked_again_and_a_short_one_told_from_a_broken_one(server):
    tries = []

    def answer(body):
        tries.append(body)
        return (503, {"error": {"message": "loading"}}) if len(tries) < 3 else reply("B")

    server.answer = answer
    engine = Url(server.url, "m", quiet=True)
    assert engine.generate([[{"role": "user", "content": "?"}]], 8) == [("B", True)] and len(tries) == 3
    server.answer = lambda body: (400, {"error": {"message": "the request exceeds the available context size"}})
    assert engine.generate([[{"role": "user", "content": "?"}]], 8) == [(None, False)]
    server.answer = lambda body: (401, {"error": {"message": "wrong key"}})
    with pytest.raises(UserError, match="HTTP 401"):
        engine.generate([[{"role": "user", "content": "?"}]], 8)
    for told in ("<html>please log in</html>", {"error": {"message": "quota"}}, {**reply("B")[1], "choices": []}):
        server.answer = lambda body, told=told: (200, told)  # a page, an error that calls itself an answer: a traceback before
        with pytest.raises(UserError, match="does not answer"):
            engine.generate([[{"role": "user", "content": "?"}]], 8)


def asked_by_letter(server, tmp_path, monkeypatch, top: list, name: str) -> dict:
    """metrics.json of three rows scored by letters, where the server's likeliest tokens are these, each with its logprob."""
    row = {"question": "Q?", "options": {"A": "alpha", "B": "beta"}}
    data = write_rows(tmp_path / "rows.jsonl", [{**row, "id": f"q{i}", "answer": "AB"[i % 2]} for i in range(3)])
    told = [{"token": token, "logprob": number, "bytes": None} for token, number in top]
    first = {"token": "x", "logprob": -0.1, "bytes": None, "top_logprobs": told}
    server.answer = lambda body: reply("x", logprobs={"content": [first]})
    words = ["e", "--model", server.url, "--data", data, "--output_dir", tmp_path / name, "--protocol", "letter"]
    monkeypatch.setattr(sys, "argv", list(map(str, words)))
    evaluate.main()
    return json.loads((tmp_path / name / "metrics.json").read_text())


def test_a_server_that_would_begin_with_no_letter_has_answered_nothing(server, tmp_path, monkeypatch):
    """All letters were alike then, and the first was taken for the answer: 100 % where the key was A throughout."""
    thinking = asked_by_letter(server, tmp_path, monkeypatch, [("<think>", -0.01), ("\n", -5.0)], "thinking")
    assert (thinking["n_invalid"], thinking["n_correct"]) == (3, 0)
    assert any("begins with none of the letters" in warning for warning in summary.warnings_of(Metrics(**thinking)))
    partly = asked_by_letter(server, tmp_path, monkeypatch, [("<think>", -0.01), (" B", -4.0)], "partly")
    assert partly["predicted"] == {"B": 3}  # A is not among the likeliest: it was as likely as the least of them, and came first
    with pytest.raises(UserError, match="gives no logprobs"):
        asked_by_letter(server, tmp_path, monkeypatch, [], "none")


def test_what_a_server_or_a_row_cannot_be_read_by_is_one_clear_line(server, tmp_path, monkeypatch):
    rows = [{"id": "q", "question": "Q?", "options": {"0": "alpha", "1": "beta"}, "answer": "1"}]
    server.answer = lambda body: reply([{"type": "text", "text": "B"}])
    words = ["e", "--model", server.url, "--data", write_rows(tmp_path / "n.jsonl", rows), "--output_dir", tmp_path / "e"]
    monkeypatch.setattr(sys, "argv", list(map(str, words)))
    with pytest.raises(UserError, match="calls options 0, 1: a free answer is read by letters from A to J"):
        evaluate.main()
    write_rows(tmp_path / "n.jsonl", [{**rows[0], "options": {"A": "alpha", "B": "beta"}, "answer": "B"}])
    with pytest.raises(UserError, match="answers with a list, not with text"):
        evaluate.main()


def test_a_folder_takes_one_evaluation_at_a_time(server, tmp_path, monkeypatch):
    """Two wrote between each other's lines, and what a kill left of them was gone on with as if one had written it."""
    from common.files import hold

    data = write_rows(tmp_path / "r.jsonl", [{"id": "q", "question": "Q?", "options": {"A": "x", "B": "y"}, "answer": "B"}])
    server.answer = lambda body: reply("B")
    monkeypatch.setattr(sys, "argv", ["e", "--model", server.url, "--data", str(data), "--output_dir", str(tmp_path / "e")])
    with (held := hold(tmp_path / "e", "evaluate.py", ".evaluate.lock")), pytest.raises(UserError, match="wait for it, end it"):
        evaluate.main()
    assert not server.asked and held, "whoever still knows of it, the folder is free"
    evaluate.main()
    assert len(server.asked) == 1
