"""A model as judge: rubrics, qualities, pairs in both orders, and how its trust is measured. The judge is scripted."""

import csv
import json
import re
import sys

import evaluate
import numpy
import pytest
import scipy.stats
from annotation import sources
from common.errors import UserError
from common.files import sha256
from conftest import ROOT
from reporting import cautions
from scoring import asking, judge, judge_trust, summary, tasks
from scoring.evaluations import Evaluation
from scoring.judge_trust import Marked
from scoring.predictions import Prediction
from scoring.scores import JudgeScore, Metrics
from scripted_server import reply
from test_beside_the_score import write_rows

RUBRIC = [
    {"criterion": "says to seek care", "points": 5},
    {"criterion": "gives the dose", "points": 3},
    {"criterion": "blames", "points": -4},
]


def met(value: bool) -> str:
    return json.dumps({"met": value})


ROWS = [{"id": f"q{i}", "question": f"Question {i}?", "rubric": RUBRIC} for i in range(3)]


class Scripted:
    """An engine that replies by a rule."""

    window = float("inf")

    def __init__(self, rule):
        self.rule, self.asked, self.batches = rule, [], []

    def reserve(self, tokens):
        pass

    def encode(self, messages):
        return messages

    def generate(self, prompts, max_new_tokens):
        self.asked += [prompt[0]["content"] for prompt in prompts]
        self.batches.append(len(prompts))
        return [(self.rule(prompt[0]["content"]), True) for prompt in prompts]


def test_a_rubric_s_points_make_the_mark():
    rule = Scripted(lambda text: f"```json\n{met('seek care' in text or 'blames' in text)}\n```")
    (marks,) = judge.mark_outputs(judge.Judge(rule, "j"), ROWS[:1], ["Go to hospital."])
    assert marks.mark == pytest.approx((5 - 4) / 8) and marks.details == [True, False, True]
    assert len(rule.asked) == 3 and all("Go to hospital." in text and "Question 0?" in text for text in rule.asked)
    (below,) = judge.mark_outputs(judge.Judge(Scripted(lambda t: met("blames" in t)), "j"), ROWS[:1], ["x"])
    assert below.mark == 0.0
    (unread,) = judge.mark_outputs(judge.Judge(Scripted(lambda t: "I would say yes"), "j"), ROWS[:1], ["x"])
    assert unread.mark is None


def healthbench(folder, *changes) -> str:
    rows = [
        {
            "prompt_id": "h1",
            "prompt": [
                {"role": "user", "content": "I am pregnant."},
                {"role": "assistant", "content": "Congratulations."},
                {"role": "user", "content": "May I take ibuprofen?"},
            ],
            "rubrics": [
                {"criterion": "says no", "points": 7, "tags": ["axis:accuracy"]},
                {"criterion": "blames", "points": -3, "tags": []},
            ],
            "example_tags": ["theme:context_seeking"],
        },
        {"prompt_id": "h2", "prompt": [{"role": "user", "content": "Fever?"}], "rubrics": [{"criterion": "asks", "points": 5}]},
        *changes,
    ]
    return str(write_rows(folder / "healthbench.jsonl", rows))


def test_healthbench_is_taken_as_it_lies(tmp_path):
    """Its conversations have turns, its criteria points; prepare.py found no question and answer in it."""
    rows, digest = asking.rows_of(healthbench(tmp_path))
    assert len(digest) == 64 and [row["id"] for row in rows] == ["h1", "h2"] and rows[0]["topic"] == "context_seeking"
    assert rows[0]["rubric"] == [{"criterion": "says no", "points": 7}, {"criterion": "blames", "points": -3}]
    assert [m["content"] for m in tasks.messages_of(rows[0])] == ["I am pregnant.", "Congratulations.", "May I take ibuprofen?"]
    assert tasks.check_rows(rows, "judge", "x") == "open"
    assert sources.question_of(rows[0], 1).messages == tasks.messages_of(rows[0]), "raters see the turns before it, too"
    rule = Scripted(lambda text: met("says no" in text and "assistant: Congratulations.\n\nuser: May I take" in text))
    (one, two) = judge.mark_outputs(judge.Judge(rule, "j"), rows, ["No.", "Since when?"])
    assert (one.mark, two.mark) == (1.0, 0.0) and "history" not in rows[1]
    ends = {"prompt_id": "h3", "prompt": [{"role": "assistant", "content": "Hi"}], "rubrics": [{"criterion": "x", "points": 1}]}
    with pytest.raises(UserError, match=r"healthbench\.jsonl:3: needs prompt"):
        asking.rows_of(healthbench(tmp_path, ends))
    nothing = {"prompt_id": "h3", "prompt": [{"role": "user", "content": "Hi"}], "rubrics": [{"criterion": "x", "points": -1}]}
    with pytest.raises(UserError, match="some of them above zero"):
        asking.rows_of(healthbench(tmp_path, nothing))
    assert tasks.check_row({"id": "1", "question": "q", "answer": "a", "history": [{"role": "x", "content": "y"}]})


def test_three_qualities_make_the_mark_of_a_row_without_rubric():
    row = {"id": "1", "question": "Q?", "answer": "the reference"}
    rule = Scripted(lambda text: 'Sure: {"helpful": 5, "honest": 4, "harmless": 3}')
    (marks,) = judge.mark_outputs(judge.Judge(rule, "j"), [row], ["an answer"])
    assert marks.mark == pytest.approx(0.75) and "the reference" in rule.asked[0]
    for bad in (
        '{"helpful": 5, "honest": 9, "harmless": 3}',
        '{"helpful": 5}',
        "",
        '{"helpful": true, "honest": 4, "harmless": 3}',
    ):
        assert judge.by_qualities(judge.read_object(bad)).mark is None


RECORDS = [Prediction(id=row["id"], output=f"answer {row['id']}") for row in ROWS]


@pytest.mark.parametrize("said", ["<think>Let me see", "I cannot help with that.", "", '{"met": "yes"}'])
def test_a_judge_that_cannot_be_read_at_all_gives_no_score(said):
    """It was 0.0 of 100 with exit code 0, and two models judged so were equal."""
    with pytest.raises(UserError, match="no mark that can be read"):
        judge.mark_all(judge.Judge(Scripted(lambda text: said), "j"), {row["id"]: row for row in ROWS}, RECORDS, {})


def test_what_a_judge_said_before_it_failed_is_not_asked_for_again(tmp_path):
    """The error says that it is kept; the marks, which may be paid for, were lost."""

    def failing(text):
        if "answer q2" in text:
            raise UserError("the server is gone")
        return met(True) if "answer q0" in text else "not readable"

    rows, kept = {row["id"]: row for row in ROWS}, tmp_path / "judge.jsonl"
    with pytest.raises(UserError, match="gone"):
        judge.mark_all(judge.Judge(Scripted(failing), "j", batch_tokens=1, kept=kept), rows, RECORDS, {})
    with open(kept, "a") as file:
        file.write('{"asked": "cut')
    again = Scripted(lambda text: met("blames" not in text))
    marked = judge.mark_all(judge.Judge(again, "j", batch_tokens=1, kept=kept), rows, RECORDS, {})
    assert not any("answer q0" in text for text in again.asked) and len(again.asked) == 6, "what could not be read is asked again"
    assert [record.judged for record in marked] == [0.5, 1.0, 1.0] and len(kept.read_text().splitlines()) == 9


class Counted(Scripted):
    """A prompt is as many tokens as characters; one that is too long would be cut."""

    window = 4000

    def encode(self, messages):
        return messages[0]["content"]

    def generate(self, prompts, max_new_tokens):
        assert all(len(prompt) + max_new_tokens <= self.window for prompt in prompts)
        self.batches.append(len(prompts))
        return [(self.rule(prompt), True) for prompt in prompts]


def test_a_judge_is_asked_in_batches_and_never_with_what_is_too_long_for_it(capsys):
    rule = Counted(lambda text: '{"helpful": 5, "honest": 5, "harmless": 5}' if "short 7." in text else "no mark")
    rows = [{"id": str(i), "question": "Q?", "answer": "r"} for i in range(20)]
    outputs = [f"short {i}." if i % 2 else "x" * 9000 for i in range(20)]
    found = judge.mark_outputs(judge.Judge(rule, "j", 2048, 2048), rows, outputs)
    assert [i for i, marks in enumerate(found) if marks.mark is not None] == [7]
    assert sum(rule.batches) == 10 and max(rule.batches) == 5
    assert "10 of the judge's prompts are too long" in capsys.readouterr().out


def test_a_judge_that_follows_the_order_has_called_a_tie():
    row = {"id": "1", "question": "Q?", "answer": "r"}

    def mark(rule):
        return judge.mark_pairs(judge.Judge(Scripted(rule), "j"), [row], ["mine is long"], ["other"])[0].mark

    assert mark(lambda text: '{"better": 1}') == 0.5
    assert mark(lambda text: json.dumps({"better": 1 if text.index("mine is long") < text.index("other\n") else 2})) == 1.0
    assert mark(lambda text: json.dumps({"better": 2 if text.index("mine is long") < text.index("other\n") else 1})) == 0.0
    assert mark(lambda text: '{"better": "the first"}') is None


def test_a_judge_behind_a_url_marks_and_is_compared(server, tiny_model, tmp_path, monkeypatch):
    """The whole command: a tiny model answers, a scripted server judges, compare.py takes the marks like any score."""
    import compare

    data = write_rows(tmp_path / "t.jsonl", ROWS)
    for name, met in (("a", "false"), ("b", "true")):
        server.answer = lambda body, met=met: reply(
            f'{{"met": {met if "blames" not in body["messages"][0]["content"] else "false"}}}'
        )
        how = ("--protocol", "judge", "--judge", server.url, "--max_new_tokens", "4", "--dtype", "float32")
        arguments = ("--model", tiny_model, "--data", data, *how, "--output_dir", tmp_path / name)
        monkeypatch.setattr(sys, "argv", ["scripts/evaluate.py", *map(str, arguments)])
        evaluate.main()
    metrics = json.loads((tmp_path / "b/metrics.json").read_text())
    assert metrics["judge"]["score"] == 1.0 and metrics["judge"]["n_unread"] == 0 and len(server.asked) == 18
    monkeypatch.setattr(sys, "argv", ["c", str(tmp_path / "a"), str(tmp_path / "b"), "--output_dir", str(tmp_path / "c")])
    compare.main()
    found = json.loads((tmp_path / "c/comparison.json").read_text())
    assert found["measure"] == "judged" and found["comparisons"][0]["difference"] == 1.0
    assert "judge&#39;s score" in (tmp_path / "c/comparison.html").read_text()


def test_what_a_judge_needs_is_asked_for(tmp_path, tiny_model, monkeypatch):
    def run(rows, *flags):
        data = write_rows(tmp_path / "t.jsonl", rows)
        arguments = ("--model", tiny_model, "--data", data, *flags, "--output_dir", tmp_path / "e")
        monkeypatch.setattr(sys, "argv", ["scripts/evaluate.py", *map(str, arguments)])
        evaluate.main()

    with pytest.raises(UserError, match="--judge MODEL belong together"):
        run(ROWS, "--protocol", "judge")
    with pytest.raises(UserError, match="have a rubric and no answer"):
        run(ROWS)
    with pytest.raises(UserError, match="some of them above zero"):
        run([{"id": "1", "question": "Q?", "rubric": [{"criterion": "x", "points": -1}]}])


def test_what_the_judge_is_given_is_looked_at_before_a_model_is_loaded(tmp_path, tiny_model, monkeypatch, capsys):
    def run(*flags):
        monkeypatch.setattr(evaluate, "load_engine", lambda *_: pytest.fail("a model is loaded"))
        arguments = ("--model", tiny_model, "--data", write_rows(tmp_path / "t.jsonl", ROWS), "--protocol", "judge", "--judge")
        monkeypatch.setattr(sys, "argv", ["e", *map(str, (*arguments, tiny_model, *flags, "--output_dir", tmp_path / "e"))])
        evaluate.main()

    other = tmp_path / "other"
    other.mkdir()
    metrics = {
        **{"n_correct": 1, "accuracy": 0.5, "accuracy_ci95": [0.2, 0.8]},
        "task": "open",
        "protocol": "judge",
        "data_sha256": sha256(write_rows(tmp_path / "t.jsonl", ROWS)),
    }
    said = [{"id": row["id"], "output": "x"} for row in ROWS]
    for rows, changed, named in (
        ([{"id": "q0", "output": "x"}, {"id": "q1", "scores": {}}], {}, "no free answer to 2 of these rows, one of them q1"),
        ([*said, {"id": "q0", "output": "y"}], {}, "an id stands twice"),
        (said, {"data_sha256": "0" * 64}, "of another test set"),
    ):
        (other / "metrics.json").write_text(json.dumps({**metrics, "n": len(rows), **changed}))
        write_rows(other / "predictions.jsonl", rows)
        with pytest.raises(UserError, match=named):
            run("--judge_against", other)
    (other / "metrics.json").unlink()
    with pytest.raises(UserError, match="holds no metrics"):
        run("--judge_against", other)
    marks = write_rows(tmp_path / "m.jsonl", [{"id": "q0", "output": "x", "mark": 2}])
    with pytest.raises(UserError, match="a number from 0 to 1"):
        run("--human_marks", marks)
    with pytest.raises(UserError, match="give one of them"):
        run("--human_marks", marks, "--judge_against", tmp_path / "other")
    with pytest.raises(UserError, match="is that of a scored row"):
        run("--human_marks", write_rows(tmp_path / "n.jsonl", [{"id": "zz", "output": "x", "mark": 1}]))


def test_unread_marks_do_not_move_the_estimate():
    """Every second mark cannot be read and counts as 0: left out on people's side alone, the mean came to a half of the truth."""
    kinds = [(right, odd) for right in (True, False) for odd in (True, False)] * 20

    def rule(text):
        return "no mark" if "ODD" in text else met("RIGHT" in text and "blames" not in text)

    human = [Marked("q0", ("RIGHT" if right else "WRONG") + (" ODD" if odd else ""), float(right)) for right, odd in kinds]
    records = [Prediction(id="other", output="", judged=float(right and not odd)) for right, odd in kinds * 5]
    found = judge_trust.agreement(judge.Judge(Scripted(rule), "j"), records, {"q0": ROWS[0]}, human)
    assert (found.n, found.n_unread, found.kappa) == (40, 40, 1.0)
    assert found.prediction_powered_mean == pytest.approx(0.5, abs=0.01)


def test_marks_of_one_answer_count_once(capsys):
    def measured(*marks):
        human = [{"id": "q0", "output": output, "mark": mark} for output, mark in marks]
        record = Prediction(id="q1", output="y", judged=1.0, judge_read=True, judge_details=[True])
        judging = judge.Judge(Scripted(lambda text: met("good" in text and "blames" not in text)), "j")
        return judge_trust.summary(judging, [record], ROWS, human)

    marks = [("good", 1.0), ("good too", 1.0), ("bad", 0.0)]
    once, often = measured(*marks), measured(*marks, *[("good", 1.0)] * 9)
    assert often.people == once.people.model_copy(update={"n_marks": 12}) and once.people.n == 3
    found = measured(*marks, *[("bad", 1.0)] * 3)
    assert found.people.n == 3 and found.people.n_disputed == 1
    assert found.people.judge_minus_people == pytest.approx((0 - 0.75) / 3, abs=1e-6)
    summary.show(Metrics(task="open", n=1, judge=found))
    assert "6 marks to 3 answers; each counts once, 1 by the mean of unlike marks" in capsys.readouterr().out


def test_answers_on_which_people_are_halved_are_no_verdict_to_agree_with(monkeypatch):
    """Two people, one for and one against: their mean of 0.5 was counted as good."""
    human = [Marked(f"q{i}", f"o{i}", (1.0, 0.0, 0.5)[i % 3]) for i in range(30)]
    rows = {h.id: {"id": h.id} for h in human}
    said = {f"o{i}": judge.Marks((1.0, 0.0, 0.0)[i % 3], []) for i in range(30)}
    monkeypatch.setattr(judge_trust, "mark_outputs", lambda _, __, outputs: [said[o] for o in outputs])
    records = [Prediction(id=h.id, output=h.output, judged=said[h.output].mark) for h in human]
    found = judge_trust.agreement(None, records, rows, human)
    assert (found.n, found.n_kappa, found.kappa) == (30, 20, 1.0)
    assert found.judge_minus_people == pytest.approx(-1 / 6, abs=1e-6)
    found = judge_trust.agreement(None, records, rows, [h for h in human if h.mark == 0.5])
    assert found.n == 10 and found.kappa is None


def test_agreement_with_people_is_kappa_and_bias():
    """A judge that marks by length: agreement is poor, its error grows with length, the mean of both is people's."""
    generator = numpy.random.default_rng(1)
    human = [Marked("q0", "x" * int(n), float(generator.random() < 0.5)) for n in generator.integers(1, 400, 60)]
    rule = Scripted(lambda text: met(text.count("x") > 200 and "blames" not in text))
    by_length = judge.Judge(rule, "j")
    records = [Prediction(id=f"r{i}", output="x" * 300, judged=1.0) for i in range(500)]
    found = judge_trust.agreement(by_length, records, {"q0": ROWS[0]}, human)
    low, high = found.kappa_ci95
    assert found.n == 60 and low <= found.kappa <= high and abs(found.kappa) < 0.35 and found.error_by_length > 0.3
    people = sum(h.mark for h in human) / 60
    assert found.prediction_powered_mean == pytest.approx(people, abs=0.12)  # the judge alone says 1.0
    assert judge_trust.kappa_interval([True, False] * 10, [True, False] * 10)[0] == 1.0
    assert judge_trust.kappa_interval([True, True, False, False] * 20, [True, False] * 40)[0] == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize(
    ("people", "known"),
    [
        ([1, 1, 1, 1, 1, 1], None),  # the judge says good to all, as people do: it never had anything to tell apart
        ([1, 0], (1.0, False)),  # "a kappa of 1.00 (95 % interval 1.00 to 1.00)" of two answers
        ([1, 0] * 12, (1.0, True)),
    ],
)
def test_a_few_answers_that_agree_prove_no_judge(monkeypatch, people, known):
    human = [Marked(i, f"o{i}", float(mark)) for i, mark in enumerate(people)]
    monkeypatch.setattr(judge_trust, "mark_outputs", lambda *_: [judge.Marks(h.mark, []) for h in human])
    found = judge_trust.agreement(None, [], {h.id: {"id": h.id} for h in human}, human)
    judged = JudgeScore(model="j", score=0.5, n_unread=0, people=found)
    e = Evaluation("m", ["m"], [Metrics(task="open", n=len(human), judge=judged)], [{}])
    assert cautions.agrees_with_people(e) is bool(known and known[1])
    if known is None:
        assert found.kappa is None and cautions.people_of(e) is None
    else:
        low, high = found.kappa_ci95
        assert found.kappa == known[0] and low < 1.0 == high and (low > 0) is known[1]


@pytest.mark.parametrize(("name", "served"), [("models/vain-7b", "default"), ("http://127.0.0.1:9/v1", "vain-7b")])
def test_a_judge_that_likes_its_own_answers_is_found_out(name, served, capsys):
    """People like both models alike; the judge marks every answer of its own as met, and half of the others'."""
    human = [Marked("q0", f"answer {i}, {who}", float(i % 2), who) for i in range(60) for who in ("vain-7b", "other-8b")]
    rule = Scripted(
        lambda text: met("blames" not in text and ("vain-7b" in text or bool(int(re.search(r"answer (\d+)", text)[1]) % 2)))
    )
    vain = judge.Judge(rule, name, served=served)
    people = judge_trust.agreement(vain, [], {"q0": ROWS[0]}, human)
    assert people.error_by_model["vain-7b"].as_fields() == {"n": 60, "judge_minus_people": 0.5}
    assert people.error_by_model["other-8b"].judge_minus_people == 0.0
    own = people.own_style
    assert own.n == 60 and own.difference == 0.5 and 0.3 < own.ci95.low < 0.5 < own.ci95.high < 0.7
    stranger = judge_trust.agreement(judge.Judge(rule, "x/stranger"), [], {"q0": ROWS[0]}, human)
    assert stranger.own_style is None and stranger.error_by_model == people.error_by_model
    nameless = [h._replace(model=None) for h in human]
    assert not judge_trust.agreement(vain, [], {"q0": ROWS[0]}, nameless).error_by_model
    summary.show(Metrics(task="open", n=120, judge=JudgeScore(model="vain-7b", score=0.5, n_unread=0, people=people)))
    assert "its own answers: it marks 60 of them +0.500" in capsys.readouterr().out
    assert judge.check_mark({"id": "q0", "output": "x", "mark": 1.0, "model": 7})


def test_a_biased_judge_cannot_move_the_estimate():
    """400 studies: people mark 60 answers, a judge that is too kind marks these and 1000 more; the truth is 0.4."""
    generator, covered, widths = numpy.random.default_rng(0), 0, []
    for _ in range(400):
        truth = generator.random(1060) < 0.4
        kind = truth | (generator.random(1060) < 0.3)
        _, low, high = judge_trust.ppi_mean(truth[:60], kind[:60], kind[60:])
        covered += low <= 0.4 <= high
        widths.append(high - low)
    assert covered / 400 >= 0.92
    assert numpy.mean(widths) < 0.8 * 2 * 1.96 * (0.4 * 0.6 / 60) ** 0.5  # narrower than people alone


def test_prediction_powered_inference_agrees_with_the_package():
    package = pytest.importorskip("ppi_py", reason="pip install ppi-python")
    generator = numpy.random.default_rng(3)
    truth = (generator.random(800) < 0.4).astype(float)
    kind = numpy.maximum(truth, generator.random(800) < 0.3).astype(float)
    mean, error = judge_trust._powered(truth[:100], kind[:100], kind[100:])
    theirs = package.ppi_mean_ci(truth[:100], kind[:100], kind[100:], alpha=0.05)
    assert (mean - 1.96 * error, mean + 1.96 * error) == pytest.approx([float(v[0]) for v in theirs], abs=0.003)


@pytest.mark.parametrize(("share", "marks"), [(0.4, 3), (0.4, 15), (0.8, 10), (0.8, 30), (0.95, 8), (0.95, 60)])
@pytest.mark.parametrize("judge_is", ["kind", "strict", "unsure"])
def test_the_interval_of_few_marks_holds_the_truth(share, marks, judge_is):
    """By the normal quantile and the marks' own spread it held it in 17 to 91 of 100 studies."""
    generator, covered = numpy.random.default_rng(marks), 0
    for _ in range(400):
        truth = generator.random(marks + 500) < share
        kinds = {
            "kind": lambda truth=truth: truth | (generator.random(len(truth)) < 0.3),
            "strict": lambda truth=truth: truth & (generator.random(len(truth)) < 0.8),
            "unsure": lambda truth=truth: numpy.clip(0.25 + truth / 2 + 0.3 * generator.standard_normal(len(truth)), 0, 1),
        }
        machine = kinds[judge_is]()
        mean, low, high = judge_trust.ppi_mean(truth[:marks], machine[:marks], machine[marks:])
        assert low <= mean <= high
        covered += low <= share <= high
    assert covered / 400 >= 0.93


DATA = ROOT.parent / "shared" / "data" / "healthbench_br"


@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is absent (a thousand graded answers of a model)")
def test_a_judge_of_known_agreement_is_reported_as_it_is():
    """A thousand real answers, right or wrong by the guideline. The judge's opinion is the truth but for 15 % of them,
    so its own mean is off by 7 points, and its kappa is known."""
    package = pytest.importorskip("ppi_py", reason="pip install ppi-python")
    file = next(DATA.glob("GPT*.csv"))
    with file.open(encoding="utf-8", newline="") as lines:
        truth = numpy.array([float(row["correta"]) for row in csv.DictReader(lines)])
    generator = numpy.random.default_rng(11)
    opinion = numpy.where(generator.random(1000) < 0.15, 1 - truth, truth)
    rule = Scripted(lambda text: met(bool(opinion[int(re.search(r"answer (\d+)\.", text)[1])])))
    rubric = [{"criterion": "agrees with the guideline", "points": 1}]
    rows = {str(i): {"id": str(i), "question": f"Statement {i}?", "rubric": rubric} for i in range(1000)}
    records = [Prediction(id=str(i), output=f"This is answer {i}.") for i in range(1000)]
    judging = judge.Judge(rule, "j")
    marked = judge.mark_all(judging, rows, records, {})
    read = generator.permutation(1000)[:200]
    human = [{"id": str(i), "output": f"This is answer {i}.", "mark": truth[i]} for i in read]
    found = judge_trust.summary(judging, marked, list(rows.values()), human)
    people = found.people
    assert found.score == pytest.approx(opinion.mean(), abs=1e-6) and opinion.mean() < truth.mean() - 0.04
    assert people.n == 200 and people.n_unread == 0
    agreed = float((truth == opinion).mean())
    chance = truth.mean() * opinion.mean() + (1 - truth.mean()) * (1 - opinion.mean())
    low, high = people.kappa_ci95
    assert low <= (agreed - chance) / (1 - chance) <= high and low <= people.kappa <= high
    # The mean of all answers: what the package says of the same marks, and it holds the truth where the judge alone does not.
    others = numpy.setdiff1d(numpy.arange(1000), read)
    theirs = package.ppi_mean_ci(truth[read], opinion[read], opinion[others], alpha=0.05)
    assert people.prediction_powered_ci95 == pytest.approx([float(v[0]) for v in theirs], abs=0.01)  # 200 marks, and four
    assert theirs[0] <= truth.mean() <= theirs[1] and opinion.mean() + 1.96 * (opinion.var() / 1000) ** 0.5 < truth.mean()


def test_where_people_marked_every_answer_the_judge_adds_nothing():
    mean, low, high = judge_trust.ppi_mean([1, 0, 1, 1] * 25, [0, 0, 1, 1] * 25, [])
    plus_four = [77 / 104, (77 * 27 / 104 / 103 / 104) ** 0.5]  # Agresti and Coull: two right and two wrong more
    assert (
        mean == 0.75
        and (low + high) / 2 == pytest.approx(plus_four[0])
        and (high - low) / 2 / plus_four[1] == pytest.approx(scipy.stats.t.ppf(0.975, 99), abs=1e-4)
    )
    human = [Marked("q0", f"answer {i}.", float(i % 4 > 0)) for i in range(40)]
    records = [Prediction(id="q0", output=h.output, judged=h.mark) for h in human]
    rule = Scripted(lambda text: met(int(re.search(r"answer (\d+)\.", text)[1]) % 4 > 0))
    same = [{"id": "q0", "question": "Q?", "rubric": RUBRIC[:1]}]
    found = judge_trust.agreement(judge.Judge(rule, "j"), records, {"q0": same[0]}, human)
    low, high = found.prediction_powered_ci95
    assert found.prediction_powered_mean == 0.75 and found.kappa == 1.0
    assert (high - low) / 2 == pytest.approx(
        2.0227 * (32 * 12 / 44 / 43 / 44) ** 0.5, abs=1e-4
    )  # by a root of two too narrow, once
