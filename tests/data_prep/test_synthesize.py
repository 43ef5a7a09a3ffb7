"""Questions from documents: the filter on planted items, calls that are never made twice, a budget, and a real poor generator."""

import json
import subprocess
import sys
import urllib.request

import pytest
from conftest import ROOT, kill_when, run_script
from planted_answers import FAULTS, Server, make_plan
from scripted_server import ScriptedServer, reply

from data_prep.common.errors import UserError
from data_prep.synthesis import checks
from data_prep.synthesis.calls import Caller, Model
from data_prep.synthesis.candidates import Candidate, Passage, read_candidates


@pytest.fixture(scope="module")
def plan():
    return make_plan(60)


@pytest.fixture
def server(plan):
    with Server(plan) as server:
        yield server


def write(path, rows) -> str:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def read(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def flags(server, plan, tmp_path, *more) -> list:
    return [
        "data_prep/synthesize.py",
        *("--data", write(tmp_path / "passages.jsonl", plan.passages), "--generator", server.url, "--generator_model", "writer"),
        *("--base", server.url, "--base_model", "base", "--kinds", "qa,mcq,dialogue,cot", "--count", 2),
        *("--eval_files", write(tmp_path / "protected.jsonl", plan.protected), "--output_dir", tmp_path / "out", *more),
    ]


def question_of(row: dict) -> tuple[str, str]:
    """(kind, question) of a kept row; a multiple-choice row's question ends before its options."""
    asked = row["conversations"][0]["value"]
    return row["kind"], asked.split("\n\nA. ")[0] if row["kind"] == "mcq" else asked


def test_precision_and_recall_on_planted_items(server, plan, tmp_path):
    """240 good items and 240 with one fault each, about 60 real abstracts: at least 0.95 of both, and every fault is met."""
    done = run_script(*flags(server, plan, tmp_path, "--near_threshold", 0.7))
    rows, rejects = read(tmp_path / "out/train.jsonl"), read(tmp_path / "out/rejects.jsonl")
    kept = {question_of(row) for row in rows}
    precision, recall = len(kept & plan.good) / len(kept), len(kept & plan.good) / len(plan.good)
    print(f"{len(plan.good)} good, {len(plan.bad)} bad, {len(rows)} kept: precision {precision:.3f}, recall {recall:.3f}")
    missed = [plan.bad.get(k, k) for k in kept - plan.good]
    assert precision >= 0.95 and recall >= 0.95, (precision, recall, missed, sorted(plan.good - kept)[:5], done.stdout[-1500:])
    assert len(rows) + len(rejects) == 480, "every item is kept or refused with a reason"
    assert set(plan.bad.values()) == set(FAULTS)
    row = next(row for row in rows if row["kind"] == "mcq")
    assert row["synthetic"] is True and row["generator"] == "writer" and row["evidence"] in row["passage"]
    letters = [row["conversations"][1]["value"] for row in rows if row["kind"] == "mcq"]
    assert len(set(letters)) == 4, "the right letter was A in all that the generator wrote"
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["tokens"]["calls"] == len(server.asked) and manifest["counted_by"] == {"server": len(server.asked)}
    page = (tmp_path / "out/report.html").read_text()
    assert "evidence that is not in the passage" in page and "kept" in page


@pytest.mark.parametrize(
    "answer, said",
    [
        ((200, b"<html><body>Sign in</body></html>"), "without a choice (<html><body>Sign in"),
        ((200, {"error": {"message": "no such model"}}), "without a choice"),
        (reply([{"type": "text", "text": "x"}]), "parts in the place of a text"),
    ],
)
def test_what_is_no_answer_ends_in_one_line(answer, said, plan, tmp_path):
    with ScriptedServer(lambda body: answer) as server:
        done = run_script(*flags(server, plan, tmp_path), code=2)
    assert said in done.stderr and server.url in done.stderr and "Traceback" not in done.stderr


def test_the_rows_train(server, plan, tmp_path, tiny_model):
    run_script(*flags(server, plan, tmp_path, "--limit", 6))
    run_script(
        "scripts/sft.py", "--model", tiny_model, "--data", tmp_path / "out/train.jsonl", "--output_dir", tmp_path, "--dry_run"
    )


def test_killed_and_started_again_nothing_is_paid_for_twice(server, plan, tmp_path):
    """Killed in the middle, then run to the end: as many calls in all as one run alone makes, and the same rows."""
    command = flags(server, plan, tmp_path, "--limit", 20, "--parallel", 1)
    process = subprocess.Popen([sys.executable, *map(str, command)], cwd=ROOT, stdout=subprocess.DEVNULL)
    calls = tmp_path / "out/calls.jsonl"
    kill_when(process, lambda: calls.exists() and calls.read_text().count("\n") >= 30)
    finished = calls.read_text().count("\n")
    assert not (tmp_path / "out/train.jsonl").exists(), "it ended before it was killed"
    with open(calls, "a", encoding="utf-8") as file:
        file.write('{"key": "cut in the mid')
    done = len(server.asked)
    run_script(*command)
    first, rows = len(server.asked), read(tmp_path / "out/train.jsonl")
    assert first - done == calls.read_text().count("\n") - finished, "only unfinished calls were made"
    run_script(*command)
    assert len(server.asked) == first and read(tmp_path / "out/train.jsonl") == rows and len(rows) > 40


def test_answers_with_line_separators_are_read_again(tmp_path):
    """U+2028 and U+0085 stand in JSON as they are, and end no line; what a kill cut inside a letter goes."""
    record = {"key": "k", "text": "a\u2028b\u0085c", "prompt_tokens": 1, "completion_tokens": 2, "counted_by": "server"}
    whole = json.dumps(record, ensure_ascii=False).encode() + b"\n"
    (tmp_path / "calls.jsonl").write_bytes(whole + '{"key": "é'.encode()[:-1])
    caller = Caller(tmp_path / "calls.jsonl")
    caller.close()
    assert caller.done == {"k": record} and (tmp_path / "calls.jsonl").read_bytes() == whole


def test_the_budget_of_tokens_stops_and_says_so(server, plan, tmp_path):
    run_script(*flags(server, plan, tmp_path, "--limit", 10, "--budget_tokens", 60_000, "--max_tokens", 1500))
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["tokens"]["tokens sent"] + manifest["tokens"]["tokens received"] <= 60_000
    refused = {row["stage"] for row in read(tmp_path / "out/rejects.jsonl")}
    assert "budget" in refused and "not checked" in manifest["words"]
    done = run_script(*flags(server, plan, tmp_path, "--limit", 10, "--budget_tokens", 1000), code=2)
    assert "nothing was kept" in done.stderr


def test_a_failing_server_ends_it_and_what_was_paid_for_is_kept(server, plan, tmp_path):
    server.limit = 12
    done = run_script(*flags(server, plan, tmp_path, "--limit", 6), code=2)
    assert "finished calls are kept" in done.stderr and not (tmp_path / "out/train.jsonl").exists()
    assert len(read(tmp_path / "out/calls.jsonl")) == 12
    server.limit = None
    run_script(*flags(server, plan, tmp_path, "--limit", 6))
    assert len(read(tmp_path / "out/train.jsonl")) > 10


def test_the_share_of_synthetic_rows_is_capped(server, plan, tmp_path):
    conversation = [{"from": "human", "value": "What is it?"}, {"from": "gpt", "value": "This."}]
    real = write(tmp_path / "real.jsonl", [{"id": str(i), "conversations": conversation} for i in range(20)])
    run_script(*flags(server, plan, tmp_path, "--limit", 20, "--mix_into", real, "--max_share", 0.2))
    rows = read(tmp_path / "out/mixed.jsonl")
    assert len(rows) == 25 and sum(bool(row.get("synthetic")) for row in rows) == 5
    run_script(*flags(server, plan, tmp_path, "--limit", 6))  # nothing is mixed: those of the run before would be taken for its
    assert not (tmp_path / "out/mixed.jsonl").exists()


def test_rows_name_the_model_that_the_address_serves(server, plan, tmp_path):
    unnamed = [w for w in flags(server, plan, tmp_path, "--limit", 6) if w not in ("--generator_model", "writer")]
    run_script(*unnamed)
    assert {row["generator"] for row in read(tmp_path / "out/train.jsonl")} == {"served"}
    server.models, done = ["one", "two"], len(server.asked)
    assert "serves 2 models; name one of them: one, two" in run_script(*unnamed, code=2).stderr and len(server.asked) == done


def test_prompts_are_files_of_the_users_own(server, plan, tmp_path):
    folder = tmp_path / "prompts"
    folder.mkdir()
    text = (ROOT / "data_prep/synthesis/prompts/qa.en.txt").read_text().replace("Rules:", "Rules of our hospital:")
    (folder / "qa.en.txt").write_text(text)
    run_script(*flags(server, plan, tmp_path, "--limit", 3, "--kinds", "qa", "--prompts", folder))
    assert any("our hospital" in body["messages"][0]["content"] for body in server.asked)
    (folder / "qa.en.txt").write_text("Write questions.")
    assert "lacks {count}, {passage}" in run_script(*flags(server, plan, tmp_path, "--prompts", folder), code=2).stderr


@pytest.mark.parametrize(
    "more, says",
    [
        (["--generator", "gpt"], "generator: gpt is no URL"),
        (["--kinds", "qa,poem"], "kinds: poem"),
        (["--kinds", "instruct"], "seeds: kind instruct"),
        (["--data", "none.jsonl"], "there is no file"),
        (["--max_share", "1.5"], "max_share"),
        (["--data", "EVAL"], "holds no `text`"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_asked(server, plan, tmp_path, more, says):
    path = write(tmp_path / "protected.jsonl", plan.protected)
    words = flags(server, plan, tmp_path, *[path if word == "EVAL" else word for word in more])
    assert says in run_script(*words, code=2).stderr and not server.asked


@pytest.mark.parametrize("flag", ["--data", "--eval_files", "--mix_into"])
def test_a_file_of_another_encoding_is_told_by_its_line(server, plan, tmp_path, flag):
    (tmp_path / "latin.jsonl").write_bytes('{"text": "pulse"}\n{"text": "pressão"}\n'.encode("latin-1"))
    done = run_script(*flags(server, plan, tmp_path, flag, tmp_path / "latin.jsonl"), code=2)
    assert "latin.jsonl:2: is no text in UTF-8" in done.stderr and "Traceback" not in done.stderr and not server.asked


def test_a_prompt_of_another_encoding_is_told(tmp_path):
    (tmp_path / "qa.pt.txt").write_bytes("Faça {count} de {passage}".encode("latin-1"))
    with pytest.raises(UserError, match=r"qa.pt.txt:1: is no text in UTF-8"):
        checks.read_prompts(str(tmp_path))


@pytest.mark.parametrize("counts", [(None, None), ("many", 5), (-1, 5)])
def test_a_server_that_counts_wrongly_is_estimated(tmp_path, counts):
    """The call was kept without counts, and every later start ended in a traceback."""
    usage = dict(zip(("prompt_tokens", "completion_tokens"), counts, strict=True)) | {"total_tokens": 1}
    with ScriptedServer(lambda body: reply("x" * 40, usage)) as server:
        caller = Caller(tmp_path / "calls.jsonl")
        assert caller.ask(Model(server.url, "m"), "y" * 80) == "x" * 40
        caller.close()
    again = Caller(tmp_path / "calls.jsonl")
    again.close()
    assert again.usage()[2:] == (20, 10) and [r["counted_by"] for r in again.done.values()] == ["estimate"]


@pytest.mark.parametrize("said", ["", "<think> It may be A. or", "<think>B.</think>"])
def test_a_judge_or_base_that_says_nothing_is_told(tmp_path, said):
    """A silent base let every row through as not too easy; thinking that was cut was read as the answer."""
    options = {letter: f"choice {letter}" for letter in "ABCD"}
    candidate = Candidate("mcq", PASSAGE, "en", "What was given every 12 hours?", "A", "a dose", options=options)
    with ScriptedServer(lambda body: reply(said)) as server:
        caller, model = Caller(tmp_path / "calls.jsonl"), Model(server.url, "m")
        asker = checks.Asker(caller, model, model, checks.read_prompts(None))
        assert checks.consistency(asker, candidate) == checks.SILENT and caller.silent == {"judge": 1}
        assert checks.too_easy(asker, candidate) == "" and caller.silent == {"judge": 1, "base": 1}
        caller.close()


@pytest.mark.parametrize("line", [b"no json", b"5", b'{"key": "k"}', b"\xff\xfe"])
def test_a_damaged_line_of_calls_is_told_and_stays(tmp_path, line):
    """It was paid for, so nobody but the user takes it out."""
    path, whole = tmp_path / "calls.jsonl", {"key": "k", "text": "a", "prompt_tokens": 1, "completion_tokens": 2}
    path.write_bytes(json.dumps(whole).encode() + b"\n" + line + b"\n")
    with pytest.raises(UserError, match=r"calls.jsonl:2: is no call"):
        Caller(path)
    assert path.read_bytes().endswith(line + b"\n")


# ------------------------------------------------------------------------------------------ single checks

PASSAGE = Passage(
    "p1",
    "A dose of 0.5 mg was given every 12 hours. Patients older than 65 years received half. It was stopped after 1,200 days.",
    "s",
    "",
    "en",
)


@pytest.mark.parametrize(
    "answer, evidence, refused",
    [
        ("0,5 mg every 12 h.", "A dose of 0.5 mg was given every 12 hours", False),
        ("After 1200 days.", "It was stopped after 1,200 days.", False),
        ("Half a dose.", "A dose of 0.5 mg ... was given every 12 hours", False),
        ("5 mg every 12 h.", "A dose of 0.5 mg was given every 12 hours", True),
        ("Half a dose.", "Patients above 65 years received half", True),
        ("Half a dose.", "0.5 mg", True),
    ],
)
def test_grounding(answer, evidence, refused):
    candidate = Candidate("qa", PASSAGE, "en", "What is the usual dose of it?", answer, evidence)
    assert bool(checks.grounding(candidate)) == refused


@pytest.mark.parametrize(
    "text, letter",
    [
        ("B", "B"),
        ("B. Half", "B"),
        ("**C**", "C"),
        ("The answer is (D).", "D"),
        ("A patient needs B or C.", ""),
        ("NONE", ""),
        ("", ""),
    ],
)
def test_letters_are_read_and_never_guessed(text, letter):
    assert checks.letter_of(text, dict.fromkeys("ABCD", "x")) == letter


@pytest.mark.parametrize("text", ["", "Sorry.", '{"items": []}', '{"items": [{"question": "Wh', '{"questions": []}', "<think>hm"])
def test_answers_that_are_no_items_are_refused_with_a_reason(text):
    [reject] = read_candidates(text, "qa", PASSAGE, "en")
    assert reject.stage == "form" and reject.reason


@pytest.mark.parametrize(
    "question, refused",
    [
        ("Segundo o estudo, qual é a dose usual?", True),
        ("O que o texto diz sobre a dose usual?", True),
        ("Quando o estudo eletrofisiológico está indicado?", False),
        ("When is an electrophysiology study indicated?", False),
        ("What does this study show about the dose?", True),
    ],
)
def test_questions_that_point_to_the_passage(question, refused):
    item = {"question": question, "answer": "0.5 mg", "evidence": "A dose of 0.5 mg was given every 12 hours"}
    [found] = read_candidates(json.dumps({"items": [item]}), "qa", PASSAGE, "en")
    assert isinstance(found, Candidate) != refused


@pytest.mark.parametrize(
    "question, answer, refused",
    [
        ("Patients older than 65 years received half.", "Half a dose was given.", "asks nothing"),
        (
            "Did patients older than 65 years receive half?",
            "Patients older than 65 years receive half.",
            "says the question again",
        ),
        ("Is half a dose or a whole one usual at 70?", "Half a dose.", ""),
    ],
)
def test_statements_and_echoes_are_no_questions(question, answer, refused):
    """SmolLM2 wrote such items, and their evidence stood in the passage."""
    item = {"question": question, "answer": answer, "evidence": "Patients older than 65 years received half"}
    [found] = read_candidates(json.dumps({"items": [item]}), "qa", PASSAGE, "en")
    assert refused in found.reason if refused else isinstance(found, Candidate)


def test_a_judge_that_always_says_the_same_letter_agrees_with_no_choice(tmp_path):
    """One of three new orders has the right option at any letter; two of them never both."""
    item = {"question": "What was given to patients of 70 years?", "answer": "A", "evidence": "0.5 mg was given every 12 hours"}
    item |= {"options": {"A": "half a dose", "B": "one dose", "C": "two doses", "D": "no dose at all"}}
    [candidate] = read_candidates(json.dumps({"items": [item]}), "mcq", PASSAGE, "en")
    for letter in "ABCD":
        with ScriptedServer(lambda body, letter=letter: reply(letter)) as server:
            caller = Caller(tmp_path / f"{letter}.jsonl")
            asker = checks.Asker(caller, Model(server.url, "m"), None, checks.read_prompts(None))
            assert checks.consistency(asker, candidate)
            caller.close()


def held_to_the_form(url: str):
    """An answer function that passes all on to a real server; what the generator writes is held to its form by a grammar.

    Left alone SmolLM2 writes no JSON at all, and only the first check of the filter would be met.
    """

    def made(**parts) -> dict:
        return {"type": "object", "properties": parts, "required": list(parts), "additionalProperties": False}

    def text(most: int) -> dict:
        return {"type": "string", "minLength": 1, "maxLength": most}

    parts = {"question": text(160), "answer": text(200), "evidence": text(200)}
    choice = {"options": made(**{letter: text(60) for letter in "ABCD"}), "answer": {"enum": list("ABCD")}}

    def answer(body: dict) -> tuple[int, dict]:
        prompt = body["messages"][0]["content"]
        if prompt.startswith("Write "):
            item = made(**parts | (choice if "multiple-choice" in prompt[:40] else {}))
            schema = made(items={"type": "array", "items": item, "minItems": 2, "maxItems": 2})
            body["response_format"] = {"type": "json_schema", "json_schema": {"schema": schema}}
        sent = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(sent) as got:
            return got.status, json.loads(got.read())

    return answer


@pytest.mark.slow
def test_a_poor_generator_gets_nearly_nothing_through(smollm2, tmp_path):
    """SmolLM2-135M, served by llama.cpp, writes and judges: well-formed nonsense, of which the filter lets next to none pass."""
    gguf = tmp_path / "gguf"
    flags = ["--quantization", "q8_0", "--verify", "false", "--output_dir", gguf]
    run_script("scripts/export_gguf.py", "--model", smollm2, "--name", "m", *flags)
    [path] = gguf.glob("*q8_0.gguf")
    process = subprocess.Popen(
        [sys.executable, "scripts/serve.py", "--model", str(path), "--port", "0"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        url = next(line for line in process.stdout if line.startswith("API:")).split()[1]
        data = write(tmp_path / "passages.jsonl", [{**p, "text": p["text"][:800]} for p in make_plan(8).passages[:6]])
        with ScriptedServer(held_to_the_form(url)) as server:
            words = ["--data", data, "--generator", server.url, "--kinds", "qa,mcq", "--count", 2, "--parallel", 1]
            command = [sys.executable, "data_prep/synthesize.py", *map(str, words), "--output_dir", str(tmp_path / "out")]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode in (0, 2), done.stderr[-2000:]
    finally:
        process.terminate()
        process.wait()
    kept, refused = read(tmp_path / "out/train.jsonl"), read(tmp_path / "out/rejects.jsonl")
    print(f"{len(kept)} kept, {len(refused)} refused", {row["reason"] for row in refused}, *kept, sep="\n")
    assert len(kept) + len(refused) >= 20 and len(kept) <= 0.1 * (len(kept) + len(refused))
    assert sum(row["stage"] != "form" for row in refused) >= 3, "more than the form was looked at"
