"""What the votes say, and the rows that come out: figures checked by hand, libraries, and planted truths."""

import contextlib
import json
import random
import re
import sqlite3

import numpy as np
import pytest
from annotation import agreement, by_rules, generate, modes, results, rows, sources, web
from annotation.sources import Answer, Material, Question
from annotation.store import Store, Vote
from common.errors import UserError
from common.files import hold
from conftest import ROOT, run_script
from scoring import asking
from scripted_server import ScriptedServer, reply
from training.rules import load_rules
from vote_pages import QUESTIONS, write_answers, write_rows

SHARE = {"task": "open", "protocol": "generate", "n": 2, "n_correct": 1, "accuracy": 0.5, "accuracy_ci95": [0.1, 0.9]}


def make_store(folder, systems: dict[str, list[str]], mode="pairs", raters=2, overlap=1.0) -> Store:
    """A folder of votes on answers by system, one text a question."""
    size = len(next(iter(systems.values())))
    questions = [Question(f"q{i}", [{"role": "user", "content": f"Question {i}?"}], "", "en") for i in range(size)]
    answers = [Answer(f"q{i}", system, text) for system, texts in systems.items() for i, text in enumerate(texts)]
    store = Store(folder)
    store.create(Material(questions, answers, tested=False), mode, {"seed": 1}, overlap, 1)
    tokens = store.add_raters([f"r{i}" for i in range(raters)], {}, "en", 1)
    store.tokens = list(tokens.values())
    return store


def vote_all(store: Store, choose) -> None:
    """Every rater votes on everything: choose(rater number, task, texts shown) -> value."""
    for number, token in enumerate(store.tokens):
        rater = store.rater(token)
        while (task := store.task(rater)) is not None:
            store.record(rater, task, choose(number, task, [text for _, text in task.answers]))


def texts(size: int, word: str) -> list[str]:
    return [f"{word} {i}" for i in range(size)]


# ------------------------------------------------------------------------------------------ dealing


@pytest.mark.parametrize("overlap, shared", [(0.0, 0), (0.25, 10), (1.0, 40)])
def test_a_share_is_given_to_all_and_the_rest_dealt_out_evenly(tmp_path, overlap, shared):
    store = make_store(tmp_path, {"a": texts(40, "x"), "b": texts(40, "y")}, raters=3, overlap=overlap)
    given = [total for _, _, total in store.counts()]
    assert sum(given) == 3 * shared + 40 - shared and max(given) - min(given) <= 1
    orders = []
    for token in store.tokens:
        rater = store.rater(token)
        orders.append([store.task(rater, place).question for place in range(1, 11)])
    assert len({tuple(order) for order in orders}) == 3


def test_a_rater_who_joins_late_takes_from_the_others_and_no_vote_moves(tmp_path):
    store = make_store(tmp_path, {"a": texts(30, "x"), "b": texts(30, "y")}, raters=2, overlap=0.2)
    rater = store.rater(store.tokens[0])
    for _ in range(8):
        task = store.task(rater)
        store.record(rater, task, {"preferred": task.answers[0][0]})
    before = store.votes()
    tokens = store.add_raters(["r0", "r1", "late"], {f"r{i}": t for i, t in enumerate(store.tokens)}, "en", 1)
    assert list(tokens.values())[:2] == store.tokens, "links hold"
    assert store.votes() == before and store.progress(rater)[0] == 8
    given = [total for _, _, total in store.counts()]
    assert max(given) - min(given) <= 1 and sum(given) == 6 * 3 + 24


def test_a_page_that_was_open_while_raters_were_added_votes_on_nothing_else(tmp_path):
    """Another task stands at its place then: the vote is refused, and the page that comes with the refusal takes one."""
    store = make_store(tmp_path, {"a": texts(30, "x"), "b": texts(30, "y")}, raters=1, overlap=0.2)
    settings = web.Settings("pairs", None, False, sources.names_pattern([]), [], [])
    pages, [token] = web.Pages(store, settings), store.tokens
    rater = store.rater(token)
    before = store.task(rater, 1)
    store.add_raters(["late"], {"r0": token}, "en", 1)
    task = store.task(rater, 1)
    assert task.item != before.item
    form = {"place": "1", "choice": "1", "seen": before.seen}
    refused = pages.take(token, "vote", form)
    assert refused.status_code == 400 and store.votes() == []
    [seen] = re.findall(r'name="seen" value="(\w+)"', refused.body.decode())
    assert pages.take(token, "vote", form | {"seen": seen}).status_code == 303
    assert [vote.item for vote in store.votes()] == [task.item]


def test_a_vote_on_what_was_dealt_to_another_is_not_kept(tmp_path):
    """It would be in the file, and in no result."""
    store = make_store(tmp_path, {"a": texts(8, "x"), "b": texts(8, "y")}, raters=1, overlap=0.0)
    rater = store.rater(store.tokens[0])
    tasks = [store.task(rater, place) for place in range(1, 9)]
    store.add_raters(["late"], {"r0": store.tokens[0]}, "en", 1)
    kept = [store.record(rater, task, {"tie": "good"}) for task in tasks]
    assert sum(kept) == 4 == len(store.votes())
    with store.connect() as connection:
        assert connection.execute("SELECT count(*) FROM vote").fetchone() == (4,)


def test_a_vote_is_whole_or_not_there(tmp_path):
    """A transaction that breaks in the middle leaves nothing."""
    store = make_store(tmp_path, {"a": texts(2, "x"), "b": texts(2, "y")}, raters=1)
    rater = store.rater(store.tokens[0])
    task = store.task(rater)
    with pytest.raises(RuntimeError), store.connect(write=True) as connection:
        connection.execute("INSERT INTO vote (rater, item, value) VALUES (?, ?, '{}')", (rater.id, task.item))
        raise RuntimeError("killed")
    assert store.votes() == []
    with pytest.raises(sqlite3.IntegrityError), store.connect(write=True) as connection:
        connection.execute("INSERT INTO vote (rater, item, value) VALUES (999, 1, '{}')")


# ------------------------------------------------------------------------------------------ statistics


def test_clustered_variance_is_statsmodels():
    """Variances that statsmodels 0.14 gives for these votes: OLS on a constant, cov_type="cluster" with one and two groups."""
    draw = np.random.default_rng(0)
    questions, raters = np.repeat(np.arange(30), 3), np.tile(np.arange(3), 30)
    scores = (draw.random(90) + 0.2 * draw.standard_normal(30)[questions] > 0.5).astype(float)
    by_question, by_rater, own = (agreement.clustered_variance(scores, g) for g in (questions, raters, np.arange(90)))
    assert by_question == pytest.approx(0.003767560664112391) and by_rater == pytest.approx(0.0003703703703703704)
    assert by_question + by_rater - own == pytest.approx(0.001328942270437815)
    assert own == pytest.approx(scores.var(ddof=1) / 90), "each vote its own cluster: the ordinary standard error"


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Votes drawn with an effect of each question and each rater: 95 % intervals for raters like these cover the mean."""
    draw, hits, naive = np.random.default_rng(1), 0, 0
    for _ in range(300):
        q, r = 0.25 * draw.standard_normal(40)[:, None], 0.15 * draw.standard_normal(6)[None, :]
        scores = (draw.random((40, 6)) < np.clip(0.6 + q + r, 0, 1)).astype(float).ravel()
        questions, raters = np.repeat(np.arange(40), 6), np.tile(np.arange(6), 40)
        rate = agreement.win_rate(list(scores), list(map(str, questions)), list(map(int, raters)))
        truth = 0.6  # clipping moves it by less than 0.01
        hits += rate.raters_like_these.low <= truth <= rate.raters_like_these.high
        half = 1.96 * (scores.var(ddof=1) / 240) ** 0.5
        naive += abs(scores.mean() - truth) <= half
    assert hits / 300 >= 0.92 > naive / 300


def test_one_rater_alone_has_no_interval_for_others_and_unanimity_is_not_certainty():
    one = agreement.win_rate([1.0, 0.0, 1.0, 0.5], ["a", "b", "c", "d"], [1] * 4)
    assert one.raters_like_these is None and one.these_raters.low < 0.625 < one.these_raters.high
    all_won = agreement.win_rate([1.0] * 10, list("abcdefghij"), [1, 2] * 5)
    assert all_won.these_raters.low == pytest.approx(0.722, abs=0.001) and all_won.these_raters.high == 1.0
    assert all_won.raters_like_these.low < 0.4, "two raters tell little of others"


def test_bradley_terry_finds_planted_strengths():
    found = agreement.bradley_terry(["a", "b"], {("a", "b"): 75, ("b", "a"): 25}, prior=0)
    assert found["a"] - found["b"] == pytest.approx(np.log(3)) and sum(found.values()) == pytest.approx(0)
    truth, draw, wins = {"a": 1.0, "b": 0.2, "c": -1.2}, np.random.default_rng(0), {}
    for one, two in (("a", "b"), ("b", "c"), ("a", "c")):
        won = draw.binomial(4000, 1 / (1 + np.exp(truth[two] - truth[one])))
        wins[one, two], wins[two, one] = won, 4000 - won
    found = agreement.bradley_terry(list(truth), wins)
    assert all(abs(found[name] - value) < 0.08 for name, value in truth.items())
    never_lost = agreement.bradley_terry(["a", "b"], {("a", "b"): 5})
    assert 2 < never_lost["a"] - never_lost["b"] < 6


def test_alpha_is_krippendorffs_own_example():
    """Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", data of section C: 0.743, 0.815, 0.849."""
    table = ["1 2 3 3 2 1 4 1 2 * * *", "1 2 3 3 2 2 4 1 2 5 * 3", "* 3 3 3 2 3 4 2 2 5 1 *", "1 2 3 3 2 4 4 1 2 5 1 *"]
    votes = [(r, f"u{u}", float(v)) for r, row in enumerate(table) for u, v in enumerate(row.split()) if v != "*"]
    assert agreement.alpha(votes, "nominal") == pytest.approx(0.743, abs=0.001)
    assert agreement.alpha(votes, "ordinal") == pytest.approx(0.815, abs=0.001)
    assert agreement.alpha(votes, "interval") == pytest.approx(0.849, abs=0.001)
    assert agreement.alpha([(1, "a", 1.0), (2, "b", 0.0)], "nominal") is None


# ------------------------------------------------------------------------------------------ the result


def test_the_better_system_is_found_and_position_and_length_are_told(tmp_path):
    """The first rater likes `good`, the second whatever stands first: win rate, agreement and position say so."""
    store = make_store(tmp_path, {"bad": texts(60, "weak"), "good": texts(60, "strong and long")})

    def choose(rater, task, shown):
        better = 0 if rater == 1 else next(i for i, text in enumerate(shown) if text.startswith("strong"))
        return {"preferred": task.answers[better][0]}

    vote_all(store, choose)
    found = results.result(results.read(store)).as_json()
    [row] = found["comparisons"]
    assert (row["from"], row["to"], row["n_votes"], row["n_questions"]) == ("bad", "good", 120, 60)
    assert row["won"] >= 60 and row["significant"] and 0.6 < row["win_rate"] < 0.9
    assert row["win_rate_ci95_raters"][0] <= row["win_rate_ci95"][0] < row["win_rate"] < row["win_rate_ci95"][1]
    by_name = {s["name"]: s["strength"] for s in found["systems"]}
    assert by_name["good"] > 0 > by_name["bad"]
    assert found["raters"][1]["first_shown_preferred"] == 1.0 and 0.2 < found["raters"][0]["first_shown_preferred"] < 0.8
    assert found["length"]["longer_preferred"]["share"] == pytest.approx(row["win_rate"], abs=1e-4)
    assert found["agreement"]["alpha"] < 0.667 and "too little" in found["agreement"]["reading"]
    assert not found["one_rater"] and "r0" not in json.dumps(found)


def test_several_comparisons_are_corrected_for_all_of_them(tmp_path):
    """Four systems, six comparisons: 14 wins of 18 were "preferred", by a 95 % interval of its own for each of the six."""
    store = make_store(tmp_path, {name: texts(18, name) for name in "abcd"}, raters=1)

    def choose(rater, task, shown):
        one, two = sorted(shown)
        number = int(one.split()[1])
        better = two if (one[0], two[0]) == ("a", "b") and number < 10 else (one, two)[number % 2]
        return {"preferred": task.answers[shown.index(better)][0]}

    vote_all(store, choose)
    found = results.result(results.read(store)).as_json()
    row = next(c for c in found["comparisons"] if (c["from"], c["to"]) == ("a", "b"))
    assert len(found["comparisons"]) == 6 and row["won"] == 14
    low, high = row["win_rate_ci95"]
    assert not low <= 0.5 <= high and row["p_value"] < 0.05, "alone it would be shown"
    others = [c["p_holm"] for c in found["comparisons"] if c is not row]
    assert row["p_holm"] == pytest.approx(min(1, 6 * row["p_value"])) and max(others) == 1.0
    assert not row["significant"] and row["words"].endswith("; no difference is shown, Holm-corrected for 6 comparisons.")


def test_pairs_of_one_ranking_are_no_comparisons_of_their_own():
    """Two rankings of six, each in the order shown: 30 pairs, "more than chance" at p = 2e-9, of two people's two clicks."""
    ranks = {"ranks": {str(i): i for i in range(6)}}
    votes = [Vote(r, item, f"q{item}", True, list(range(6)), ranks, 0) for r, item in ((1, 1), (2, 1))]
    found = results.first_shown(votes).as_json()
    assert found["share"] == 1.0 and found["n"] == 30 and found["p_value"] == 0.5 and found["ci95"][0] < 0.5


def test_raters_of_one_question_are_no_questions_of_their_own(tmp_path):
    """Three questions that ten raters answer alike tell of three questions, not of thirty."""
    store = make_store(tmp_path, {"a": texts(3, "x"), "b": texts(3, "longer")}, raters=10)
    vote_all(store, lambda r, task, shown: {"preferred": task.answers[max((0, 1), key=lambda i: len(shown[i]))][0]})
    found = results.result(results.read(store)).as_json()
    long = found["length"]["longer_preferred"]
    assert long["n"] == 30 and long["share"] == 1.0 and long["p_value"] == 0.25
    assert "The longer was preferred in 100.0% of 30 decided comparisons: no more than chance gives." in found["words"]
    assert not found["comparisons"][0]["significant"] and "no difference is shown" in found["comparisons"][0]["words"]


def test_the_p_value_of_a_win_rate_goes_with_its_interval():
    generator = np.random.default_rng(4)
    for share in (0.5, 0.6, 0.7):
        scores = (generator.random(80) < share).astype(float).tolist()
        rate = agreement.win_rate(scores, [str(i // 2) for i in range(80)], [0] * 80)
        low, high = rate.these_raters
        assert (rate.p_value < 0.05) != (low <= 0.5 <= high)


def test_one_rater_alone_is_said_to_be_that(tmp_path):
    store = make_store(tmp_path, {"a": texts(5, "x"), "b": texts(5, "y")}, raters=1)
    vote_all(store, lambda r, task, shown: {"tie": "bad"})
    found = results.result(results.read(store)).as_json()
    assert found["one_rater"] and found["words"][0].startswith("One rater alone") and found["agreement"]["alpha"] is None
    [row] = found["comparisons"]
    assert row["ties"] == row["both_bad"] == 5 and row["win_rate"] == 0.5 and not row["significant"]


def test_a_rater_has_one_number_in_all_files(tmp_path):
    """The first rater has not voted yet: the second is number 2 in result.json and in verdicts.jsonl."""
    store = make_store(tmp_path, {"a": texts(3, "x"), "b": texts(3, "y")})
    rater = store.rater(store.tokens[1])
    store.record(rater, store.task(rater), {"tie": "good"})
    material = results.read(store)
    assert [r["votes"] for r in results.result(material).as_json()["raters"]] == [0, 1]
    assert [r["rater"] for r in rows.vote_rows(material)] == [2]


def test_the_same_text_is_not_asked_about_and_counted(tmp_path):
    store = make_store(tmp_path, {"a": ["same", "x", "u"], "b": ["same", "y", "v"]}, raters=1)
    vote_all(store, lambda r, task, shown: {"preferred": task.answers[0][0]})
    [row] = results.result(results.read(store)).as_json()["comparisons"]
    assert row["n_votes"] == 2 and row["same_text"] == 1


def test_skipped_votes_count_as_none(tmp_path):
    store = make_store(tmp_path, {"a": texts(3, "x"), "b": texts(3, "y")}, raters=1)
    vote_all(store, lambda r, task, shown: {"skipped": True})
    found = results.result(results.read(store)).as_json()
    assert found["n_skipped"] == 3 and found["n_votes"] == 0 and found["words"] == ["Nobody has voted yet."]


def test_a_rubric_gives_means_and_agreement_by_criterion(tmp_path):
    store = make_store(tmp_path, {"a": texts(20, "x"), "b": texts(20, "y")}, mode="rubric")
    draw = random.Random(0)

    def choose(rater, task, shown):
        quality = 4 if shown[0].startswith("y") else 2
        return {"scores": {"helpful": quality, "honest": draw.randint(1, 5)}, "remark": ""}

    vote_all(store, choose)
    found = results.result(results.read(store)).as_json()
    marks = {s["name"]: s["marks"]["helpful"]["mean"] for s in found["systems"]}
    assert marks == {"a": 2, "b": 4}
    by_criterion = found["agreement"]["by_criterion"]
    assert by_criterion["helpful"] == 1 and abs(by_criterion["honest"]) < 0.35
    assert found["comparisons"][0]["win_rate"] > 0.8


@pytest.mark.parametrize(
    "edit, said",
    [
        ("UPDATE vote SET value = '{\"preferred\": 999}' WHERE id = 1", "1 of 3 votes are none of mode pairs"),
        ("UPDATE vote SET value = '{\"prefered\": 1}'", "3 of 3 votes are none of mode pairs"),
        ("UPDATE vote SET value = '[1]'", "3 of 3 votes are none"),
        ("UPDATE meta SET value = '\"thumbs\"' WHERE key = 'mode'", "none of mode thumbs"),
        ("UPDATE vote SET item = 77 WHERE id = 2", "1 of 3 votes are on what this file does not hold"),
        ("DELETE FROM assignment", "3 of 3 votes are on what this file does not hold"),
    ],
)
def test_votes_edited_by_hand_are_no_result(tmp_path, edit, said):
    """An answer that was not shown counted as a vote for the other one, and votes on nothing as if nobody had voted."""
    store = make_store(tmp_path, {"a": texts(3, "x"), "b": texts(3, "y")}, raters=1)
    vote_all(store, lambda r, task, shown: {"preferred": task.answers[0][0]})
    with contextlib.closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute(edit)
    with pytest.raises(UserError, match=said):
        results.read(store)


@pytest.mark.parametrize(
    "mode, good, bad",
    [
        ("rank", {"ranks": {"1": 1, "2": 2}}, [{"ranks": {"1": 1}}, {"ranks": {"1": 0, "2": 1}}, {"ranks": {"1": True, "2": 1}}]),
        ("thumbs", {"good": False}, [{"good": 1}, {"good": None}]),
        ("rubric", {"scores": {"safe": 3}, "remark": ""}, [{"scores": {"safe": "3"}}, {"scores": {}}, {"good": True}]),
    ],
)
def test_what_a_vote_may_say(mode, good, bad):
    assert modes.is_value(good, mode, [1, 2]) and modes.is_value({"skipped": True}, mode, [1, 2])
    assert not [value for value in bad if modes.is_value(value, mode, [1, 2])]


# ------------------------------------------------------------------------------------------ rows


def test_all_pairs_of_a_ranking_weigh_one_question_together(tmp_path):
    """InstructGPT: the pairs of K answers weigh 1 / (K choose 2) each; a tie gives no pair."""
    store = make_store(tmp_path, {s: texts(2, s) for s in "abcd"}, mode="rank", raters=1)
    order = {"a": 2, "b": 1, "c": 3, "d": 4}
    vote_all(
        store,
        lambda r, task, shown: {
            "ranks": {str(i): min(order[text[0]], 2 if task.question == "q1" else 9) for i, text in task.answers}
        },
    )
    made = rows.preference_rows(results.read(store), store.questions())
    first = [r for r in made.rows if r["prompt"] == "Question 0?"]
    assert len(first) == 6 and sum(r["weight"] for r in first) == pytest.approx(1, abs=1e-5)
    assert all(order[r["chosen"][0]] < order[r["rejected"][0]] for r in made.rows)
    second = [r for r in made.rows if r["prompt"] == "Question 1?"]
    assert {r["chosen"][0] for r in second} == {"b"} and len(second) == 3 and made.left_out == {"tie": 3}
    feedback = rows.feedback_rows(results.read(store), store.questions(), 4, 2)
    labels = {r["completion"]: r["label"] for r in feedback.rows if r["prompt"] == "Question 0?"}
    assert labels == {"b 0": True, "d 0": False} and feedback.left_out == {"neither good nor bad": 2}


def test_the_majority_decides_and_disagreement_is_left_out_and_counted(tmp_path):
    store = make_store(tmp_path, {"a": texts(2, "x"), "b": texts(2, "y")}, raters=2)

    def choose(rater, task, shown):
        wanted = "y" if task.question == "q0" or rater == 0 else "x"
        return {"preferred": next(i for i, text in task.answers if text.startswith(wanted))}

    vote_all(store, choose)
    made = rows.preference_rows(results.read(store), store.questions())
    assert [(r["chosen"], r["rejected"], r["votes"]) for r in made.rows] == [("y 0", "x 0", 2)]
    assert made.left_out == {"raters disagree": 1}


def test_both_good_and_both_bad_are_feedback_but_no_preference(tmp_path):
    store = make_store(tmp_path, {"a": texts(2, "x"), "b": texts(2, "y")}, raters=1)
    vote_all(store, lambda r, task, shown: {"tie": "good" if task.question == "q0" else "bad"})
    material = results.read(store)
    assert rows.preference_rows(material, store.questions()) == rows.Rows([], {"tie": 2})
    labels = {r["completion"]: r["label"] for r in rows.feedback_rows(material, store.questions(), 4, 2).rows}
    assert labels == {"x 0": True, "y 0": True, "x 1": False, "y 1": False}


# ------------------------------------------------------------------------------------------ what is refused


def evaluation(folder, data, outputs) -> None:
    """A folder as evaluate.py leaves it."""
    import hashlib

    folder.mkdir()
    digest = hashlib.sha256(data.read_bytes()).hexdigest()
    (folder / "metrics.json").write_text(json.dumps({**SHARE, "data": str(data), "data_sha256": digest}))
    write_rows(
        folder / "predictions.jsonl", [{"id": f"q{i}", "output": o, "prompt": "<|im_start|>..."} for i, o in enumerate(outputs)]
    )


def test_evaluations_are_read_with_their_questions_and_references(tmp_path):
    data = write_rows(
        tmp_path / "test.jsonl",
        [
            {"id": "q0", "task": "open", "question": "What is asthma?", "answer": "A disease."},
            {"id": "q1", "task": "mcq", "question": "Which?", "options": {"A": "x", "B": "y"}, "answer": "B"},
        ],
    )
    evaluation(tmp_path / "base", data, ["<think>hm</think>An illness.", "A"])
    evaluation(tmp_path / "sft", data, ["<think>never ends", "B"])
    material = sources.read_material([str(tmp_path / "base"), str(tmp_path / "sft")], None)
    assert material.tested and [q.reference for q in material.questions] == ["A disease.", "B. y"]
    assert material.questions[0].messages == [{"role": "user", "content": "What is asthma?"}]
    assert sorted(a.text for a in material.answers) == ["", "A", "An illness.", "B"]
    data.write_text(data.read_text() + "\n")
    with pytest.raises(sources.UserError, match="has changed since"):
        sources.read_material([str(tmp_path / "base"), str(tmp_path / "sft")], None)


def test_evaluations_of_requests_in_csv_files_and_of_the_general_set_are_read_with_their_questions(tmp_path):
    requests = tmp_path / "requests"
    requests.mkdir()
    (requests / "a.csv").write_text("harmful_medical_request\nHow is a prescription forged?\nHow is a patient lied to?\n")
    for data, first in ((str(requests), "How is a prescription forged?"), ("general", "revolving door")):
        rows, digest = asking.rows_of(data)
        folder = tmp_path / f"of_{data.rpartition('/')[2]}"
        folder.mkdir()
        (folder / "metrics.json").write_text(json.dumps({**SHARE, "data": data, "data_sha256": digest}))
        write_rows(folder / "predictions.jsonl", [{"id": row["id"], "output": "No."} for row in rows])
        material = sources.read_material([str(folder)], None)
        assert first in material.questions[0].messages[0]["content"] and len(material.questions) == len(rows)
    (requests / "a.csv").write_text("harmful_medical_request\nHow is a prescription forged?\n")
    with pytest.raises(sources.UserError, match="has changed since"):
        sources.read_material([str(tmp_path / "of_requests")], None)


def test_votes_whose_tables_have_lost_a_name_are_one_error_that_names_the_file(tmp_path):
    """One bit of a column's name: SQLite finds such a file whole."""
    store = Store(tmp_path)
    store.create(Material([Question("q", [{"role": "user", "content": "?"}], "", "pt")], [], False), "score", {}, 1.0, 1)
    connection = sqlite3.connect(tmp_path / "votes.sqlite")
    connection.execute("ALTER TABLE question RENAME COLUMN id TO ie")
    connection.close()
    with pytest.raises(sources.UserError, match=r"votes\.sqlite: no such column: id"):
        store.questions()


def test_test_rows_are_not_exported_for_training_unless_asked(tmp_path):
    questions = [{"id": f"q{i}", "task": "open", "question": q, "answer": "-"} for i, q in enumerate(QUESTIONS)]
    data = write_rows(tmp_path / "test.jsonl", questions)
    evaluation(tmp_path / "base", data, texts(6, "x"))
    evaluation(tmp_path / "sft", data, texts(6, "y"))
    material = sources.read_material([str(tmp_path / "base"), str(tmp_path / "sft")], None)
    store = Store(tmp_path / "votes")
    store.create(material, "pairs", {"seed": 1}, 1.0, 1)
    rater = store.rater(store.add_raters(["r"], {}, "en", 1)["r"])
    task = store.task(rater)
    store.record(rater, task, {"preferred": task.answers[0][0]})
    flags = ["scripts/annotate.py", "--export", tmp_path / "votes", "--task", "preference", "--output", tmp_path / "rows.jsonl"]
    assert "test rows" in run_script(*flags, code=2).stderr and not (tmp_path / "rows.jsonl").exists()
    run_script(*flags, "--allow_test_rows")
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 1
    done = run_script("scripts/annotate.py", "--export", tmp_path / "votes")
    found = json.loads((tmp_path / "votes" / "result.json").read_text())
    assert "One rater alone" in done.stdout and found["kind"] == "human_votes" and found["schema"] == 1


@pytest.mark.parametrize(
    "flags, says",
    [
        ([], "give --answers"),
        (["--answers", "A"], "pairs compare two systems"),
        (["--answers", "A", "B", "--host", "0.0.0.0"], "give --url"),
        (["--answers", "A", "B", "--raters", "x", "x"], "names must differ"),
        (["--answers", "A", "B", "--raters", "x", "x "], "names must differ"),  # one person with two votes
        (["--answers", "A", "B", "--raters", "x", "y\nz"], "be of one line"),
        (["--answers", "A", "nowhere.jsonl"], "neither folder nor file"),
        (["--answers", "A", "FEWER"], "2 questions that others answered"),
        (["--answers", "A", "OTHER"], "asks something else"),
        (["--answers", "A", "SAME"], "one text only"),
        (["--answers", "A", "B", "--rubric", "BAD", "--mode", "rubric"], "criterion 1: needs a `name`"),
        (["--export", "nowhere"], "holds no votes.sqlite"),
        (["--model", "models/none", "--data", "A"], "there is no folder"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_served(tmp_path, flags, says):
    a, b = write_answers(tmp_path)
    own = [json.loads(line) for line in a.read_text().splitlines()]
    names = {
        "A": a,
        "B": b,
        "FEWER": write_rows(tmp_path / "fewer.jsonl", own[:4]),
        "OTHER": write_rows(tmp_path / "other.jsonl", [{**row, "prompt": "Else?"} for row in own]),
        "SAME": write_rows(tmp_path / "same.jsonl", own),
    }
    names["BAD"] = tmp_path / "bad.yaml"
    names["BAD"].write_text("criteria:\n  - en: no name\n")
    done = run_script("scripts/annotate.py", *[names.get(f, f) for f in flags], "--output_dir", tmp_path / "v", code=2)
    assert says in done.stderr and not (tmp_path / "v" / "links.txt").exists()


def test_other_answers_in_the_same_folder_are_refused(tmp_path):
    import annotate

    a, b = map(str, write_answers(tmp_path))
    args = annotate.Args(answers=[a, b], output_dir=str(tmp_path / "v"))
    annotate.open_store(args, annotate.gather(args))
    annotate.open_store(args, annotate.gather(args))  # the same again goes on
    with pytest.raises(annotate.UserError, match="votes with other mode"):  # two that began at once: the second one's
        Store(tmp_path / "v").create(annotate.gather(args), "rank", {}, 0.2, 3407)
    changed = annotate.Args(answers=[a, b], output_dir=str(tmp_path / "v"), mode="rank")
    with pytest.raises(annotate.UserError, match="votes with other mode"):
        annotate.open_store(changed, annotate.gather(changed))


def answers_file(path, question: str, *texts: str, **more) -> str:
    """A file of answers to one question, whose id is 1."""
    return str(write_rows(path, [{"id": 1, "prompt": question, "answer": text, **more} for text in texts]))


def test_one_id_that_asks_two_things_in_one_file_is_refused(tmp_path):
    malaria = {"id": 1, "prompt": "What treats malaria?", "answer": "Artemether."}
    path = write_rows(tmp_path / "a.jsonl", [malaria, {**malaria, "answer": "Quinine."}])
    assert [len(found) for found in sources.read_material([str(path)], None)[:2]] == [1, 2], "two answers to one question"
    write_rows(path, [malaria, {"id": 1, "prompt": "What treats gout?", "answer": "Colchicine."}])
    with pytest.raises(
        sources.UserError, match=r"a\.jsonl: row 1 asks something else \('What treats gout\?', not 'What treats mal"
    ):
        sources.read_material([str(path)], None)


def test_a_prompt_beside_an_answer_must_be_the_datas(tmp_path):
    data = str(write_rows(tmp_path / "data.jsonl", [{"id": 1, "prompt": "What treats gout?"}]))
    files = [answers_file(tmp_path / f"{name}.jsonl", "What treats malaria?", name) for name in "ab"]
    with pytest.raises(sources.UserError, match=r"a\.jsonl: row 1 asks something else .*data\.jsonl") as refused:
        sources.read_material(files, data)
    assert len(refused.value.problems) == 2
    files = [answers_file(tmp_path / "a.jsonl", "What treats gout?", "a"), answers_file(tmp_path / "b.jsonl", "", "b")]
    assert len(sources.read_material(files, data).answers) == 2, "a row without a prompt is joined by its id"


def test_references_of_one_id_must_not_differ_and_the_only_one_is_kept(tmp_path):
    files = [
        answers_file(tmp_path / "a.jsonl", "What?", "x"),
        answers_file(tmp_path / "b.jsonl", "What?", "y", reference="Colchicine."),
    ]
    assert sources.read_material(files, None).questions[0].reference == "Colchicine."
    files.append(answers_file(tmp_path / "c.jsonl", "What?", "z", reference="Quinine."))
    with pytest.raises(sources.UserError, match=r"c\.jsonl: row 1 has another reference \('Quinine\.', not 'Colchicine\.'"):
        sources.read_material(files, None)


def test_a_row_with_two_answers_says_not_which_is_judged(tmp_path):
    path = answers_file(tmp_path / "a.jsonl", "What?", "The right answer.", output="The model's.")
    with pytest.raises(sources.UserError, match=r"a\.jsonl:1: holds two of answer, completion and output"):
        sources.read_material([path], None)


def test_an_evaluation_is_joined_to_the_file_it_was_scored_on_alone(tmp_path):
    rows = [{"id": "q0", "task": "open", "question": "What is asthma?", "answer": "A disease."}]
    data = write_rows(tmp_path / "test.jsonl", rows)
    evaluation(tmp_path / "base", data, ["An illness."])
    moved = write_rows(tmp_path / "moved.jsonl", rows)
    data.unlink()
    assert sources.read_material([str(tmp_path / "base")], str(moved)).answers
    write_rows(moved, [rows[0] | {"question": "What is gout?"}])
    with pytest.raises(sources.UserError, match=r"moved\.jsonl is not that file"):
        sources.read_material([str(tmp_path / "base")], str(moved))
    evaluation(tmp_path / "twice", moved, ["An illness."])
    predicted = tmp_path / "twice" / "predictions.jsonl"
    predicted.write_text(predicted.read_text() * 2)
    with pytest.raises(sources.UserError, match="1 ids stand more than once, first q0"):
        sources.read_material([str(tmp_path / "twice")], str(moved))


def test_two_at_once_do_not_write_the_answers_of_one_folder(tmp_path):
    sampling = generate.Sampling(1, 1.0, 8, 64, "auto", False, "", 1)
    with hold(tmp_path, "annotate.py", ".annotate.lock"), pytest.raises(sources.UserError, match=r"another annotate\.py"):
        generate.write_answers(["models/a"], [], sampling, "1f", tmp_path)


def test_one_file_or_model_named_twice_is_refused(tmp_path):
    import annotate

    a, b = map(str, write_answers(tmp_path))
    assert annotate.Args(answers=[a, b]).problems() == []
    [problem] = annotate.Args(answers=[a, b, f"{tmp_path}/../{tmp_path.name}/plain-smollm2.jsonl"]).problems()
    assert problem.startswith("answers: ") and "is named twice" in problem


def test_answers_of_a_model_are_not_gone_on_with_by_the_model_trained_again(tmp_path, monkeypatch):
    model, sampling = tmp_path / "sft", generate.Sampling(1, 1.0, 8, 64, "auto", False, "", 1)
    model.mkdir()
    questions = [Question(f"q{i}", [{"role": "user", "content": "?"}], "", "en") for i in range(2)]
    monkeypatch.setattr(generate, "sampled", lambda model, questions, *_: ([generate.Drawn("an answer")] for _ in questions))
    ways = ([str(model)], questions, sampling, "1f", tmp_path / "votes")
    (model / "model.safetensors").write_bytes(b"weights")
    assert len(generate.write_answers(*ways)) == len(generate.write_answers(*ways)) == 2
    (model / "model.safetensors").write_bytes(b"others!")
    with pytest.raises(sources.UserError, match=r"answers of other settings \(model_sha256"):
        generate.write_answers(*ways)


def test_answers_that_were_cut_are_counted_also_by_the_next_start(tmp_path, capsys):
    """They went to the raters, and became training rows, as if they were whole."""
    questions = [Question(f"q{i}", [{"role": "user", "content": "?"}], "", "en") for i in range(3)]
    sampling = generate.Sampling(2, 1.0, 8, 64, "auto", False, "m", 1)
    ends = iter(["stop", "length", "length", "stop", "stop", "stop"])
    with ScriptedServer(lambda body: reply("an answer", finish_reason=next(ends))) as server:
        for _ in range(2):
            generate.write_answers([server.url], questions, sampling, "1f", tmp_path)
            assert "warning: 2 of 6 answers did not end within --max_new_tokens 8" in capsys.readouterr().out
    assert len(server.asked) == 6


@pytest.mark.parametrize("choice", [None, {"index": 0, "message": None}])
def test_a_choice_without_a_message_is_told(tmp_path, choice):
    sampling = generate.Sampling(1, 1.0, 8, 64, "auto", False, "m", 1)
    with ScriptedServer(lambda body: (200, {"choices": [choice]})) as server, pytest.raises(UserError, match="without a message"):
        question = Question("q", [{"role": "user", "content": "?"}], "", "en")
        generate.write_answers([server.url], [question], sampling, "1f", tmp_path)


def test_names_of_models_are_hidden_and_those_of_people_are_not():
    pattern = sources.names_pattern(["Dr. Casa"])
    shown = sources.shown("Qwen3-1.7B, ChatGPT, GPT-4o, Dr. Casa; síndrome de Claude Bernard-Horner", pattern, "[m]")[0]
    assert shown == "[m]-1.7B, [m], [m], [m]; síndrome de Claude Bernard-Horner"


def test_the_default_rubric_is_helpful_honest_harmless():
    rubric = modes.read_rubric(ROOT / "scripts/annotation/rubric.yaml")
    assert [c.name for c in rubric.criteria] == ["helpful", "honest", "harmless"] and rubric.scale == 5


def test_rules_stand_in_the_place_of_raters(tmp_path):
    """Answers scored by a file: pairs from what differs, feedback from good and bad, and passages looked into."""
    passage = "Give 0.5 mg of adrenaline into the thigh and call for help."
    files = []
    for name, text in (("a", "Give 0.5 mg of adrenaline into the thigh now."), ("b", "Give 5 mg."), ("c", "Give 5 mg!")):
        files.append(write_rows(tmp_path / f"{name}.jsonl", [{"id": "q", "prompt": "What?", "answer": text, "passage": passage}]))
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules:\n  - {name: cites, type: citation}\n  - {name: figures, type: numbers}\n")
    flags = ["scripts/annotate.py", "--answers", *files, "--rules", rules, "--output", tmp_path / "rows.jsonl", "--task"]
    said = run_script(*flags, "preference").stdout
    assert "left out: 1 (equal scores)" in said
    assert "mean score of 3 answers 0.333 (rule_cites 0.333, rule_figures 0.333)" in said
    made = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [(r["chosen"][:8], r["rejected"][:9], r["weight"]) for r in made] == [("Give 0.5", "Give 5 mg", 0.5)] * 2
    run_script(*flags, "feedback")
    labels = [json.loads(line)["label"] for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert labels == [True, False, False]
    for path in files:
        write_rows(path, [{"id": "q", "prompt": "What?", "answer": path.stem}])
    assert "row q: lacks passage" in run_script(*flags, "feedback", code=2).stderr
    rules.write_text("rules:\n  - {name: x, type: regexp}\n")
    assert "rules.yaml:2: type 'regexp'" in run_script(*flags, "feedback", code=2).stderr


def test_what_rules_look_into_may_not_differ_between_files(tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text("rules:\n  - {name: known, type: citation, field: answer}\n")
    known = write_rows(tmp_path / "known.jsonl", [{"id": 1, "prompt": "What?", "answer": "Right."}])
    judged = answers_file(tmp_path / "a.jsonl", "What?", "Wrong.")
    assert by_rules.columns_of(load_rules(path), str(known), [judged]) == {"1": {"answer": "Right."}}
    path.write_text("rules:\n  - {name: figures, type: numbers}\n")
    rules = load_rules(path)
    data = write_rows(
        tmp_path / "data.jsonl", [{"id": 1, "prompt": "What?", "passage": "Give 500 mg."}, {"id": 2, "prompt": "?"}]
    )
    same = answers_file(tmp_path / "a.jsonl", "What?", "Give 500 mg.", passage="Give 500 mg.")
    absent = answers_file(tmp_path / "b.jsonl", "What?", "Give 900 mg.")
    assert by_rules.columns_of(rules, str(data), [absent, same]) == {"1": {"passage": "Give 500 mg."}}
    other = answers_file(tmp_path / "c.jsonl", "What?", "Give 900 mg.", passage="Give 900 mg.")
    for before, files in (("data", [str(data), [other]]), ("a", [None, [absent, same, other]])):
        with pytest.raises(sources.UserError, match=rf"c\.jsonl: row 1: passage, .* differs from that in .*{before}\.jsonl"):
            by_rules.columns_of(rules, *files)
