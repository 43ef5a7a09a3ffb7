"""Pages that a stranger would be fooled by: few cases and seeds, keys of one answer, answers cut short, losses that are shown."""

import json
import shutil

import numpy
import pytest
import score_table
from conftest import run_script
from reporting import cautions, comparison_blocks
from reporting.language import Language
from reporting.score_table import Row
from scoring import comparing, measures, pairing, scores, statistics, summary
from scoring.evaluations import Evaluation
from scoring.predictions import Prediction, read_predictions
from scoring.scores import Metrics
from test_compare import compared, evaluation


def share_of(name: str, seeds, cases=None) -> Evaluation:
    """A model's right answers, one list a seed, with their cases."""
    rows = [
        {i: Prediction(id=i, correct=bool(r), case=None if cases is None else cases[i]) for i, r in enumerate(right)}
        for right in seeds
    ]
    return Evaluation(name, [name], [Metrics(task="mcq", n=len(rows[0]), accuracy=0.5)] * len(rows), rows)


@pytest.mark.parametrize("cases", [1, 2, 3, 5])
def test_few_cases_rule_nothing_out_however_many_rows_they_have(cases):
    """One case ended in a traceback; two with 200 rows, of which one differs, ruled out a loss of more than 2 points."""
    of = numpy.arange(200) % cases
    right = numpy.arange(200) % 2 == 0
    better = right | (numpy.arange(200) == 3)
    pair = pairing.Paired(share_of("a", [right], of), share_of("b", [better], of), pairing.Settings(resamples=500))
    (found,) = comparing.family([pair])
    assert found.verdict == "not_shown" and found.p_value == 1.0 and found.largest_loss >= 0.02
    assert found.rows_needed >= 6 * 200 / cases, "more rows of the same cases settle nothing"


def test_one_row_of_free_text_is_compared_and_settles_nothing():
    one, two = (
        Evaluation(n, [n], [Metrics(task="open", n=1)], [{0: Prediction(id=0, rouge_l=v)}]) for n, v in (("a", 0.2), ("b", 0.9))
    )
    (found,) = comparing.family([pairing.Paired(one, two, pairing.Settings(resamples=500))])
    assert found.verdict == "not_shown" and tuple(found.difference_ci) == (-1, 1)


def test_two_seeds_claim_no_more_than_two_seeds_know():
    """Seeds 10 points apart on very many rows: their mean is known by two numbers, and t with one degree of freedom is 12.7."""
    generator = numpy.random.default_rng(3)
    base = generator.random(20_000) < 0.5
    seeds = [generator.random(20_000) < p for p in (0.52, 0.58)]
    pair = pairing.Paired(share_of("a", [base]), share_of("b", seeds), pairing.Settings(resamples=1000))
    low, high = pair.interval(0.05)
    assert [part.degrees for part in pair.error.parts] == [19_999, 1] and pair.p_value > 0.05 and low < 0 < high
    alike = pairing.Paired(
        share_of("a", [base]), share_of("b", [seeds[1], generator.random(20_000) < 0.58]), pairing.Settings(resamples=1000)
    )
    assert alike.p_value < 0.05, "seeds that agree show what one shows"


@pytest.mark.parametrize(("seeds", "most"), [(2, 0.065), (3, 0.055), (5, 0.055)])
@pytest.mark.parametrize("ratio", [0.5, 4, 16, 64])
def test_few_seeds_call_equal_models_different_no_more_often_than_said(seeds, most, ratio):
    """`ratio`: the variance of seeds by that of rows. By Satterthwaite's degrees of freedom up to 0.12, of three seeds 0.07."""
    generator = numpy.random.default_rng(seeds)
    of_seeds = ratio / seeds * generator.chisquare(seeds - 1, 5000) / (seeds - 1)
    seen = generator.standard_normal(5000) * (1 + ratio / seeds) ** 0.5
    parts = [statistics.Error((statistics.Part(1.0, 499), statistics.Part(float(v), seeds - 1))) for v in of_seeds]
    shown = [abs(d) > error.reach(0.05) for d, error in zip(seen, parts, strict=True)]
    assert numpy.mean(shown) <= most
    for d, error, said in zip(seen[:50], parts, shown, strict=False):
        assert (error.p(abs(d)) < 0.05) is bool(said)


@pytest.mark.slow  # half a minute: 300 pairs of equal models, one of them of two seeds
def test_two_seeds_of_equal_models_are_seldom_better():
    """A seed's gain is drawn around none with a spread of 8 points: by Satterthwaite's degrees of freedom 10 of 100 differed."""
    differ = 0
    for seed in range(300):
        generator = numpy.random.default_rng(seed)
        latent = generator.random(1000)
        seeds = [
            numpy.where(generator.random(1000) < 0.6, latent, generator.random(1000)) < 0.5 + 0.08 * generator.standard_normal()
            for _ in range(2)
        ]
        pair = pairing.Paired(share_of("a", [latent < 0.5]), share_of("b", seeds), pairing.Settings(resamples=300))
        differ += pair.p_value < 0.05
    assert differ / 300 <= 0.07


@pytest.mark.slow  # a minute: 300 pairs of models on five cases each
def test_intervals_over_few_cases_hold_the_truth():
    """By draws alone 90 %."""
    covered = 0
    for seed in range(300):
        generator = numpy.random.default_rng(seed)
        before = numpy.clip(0.5 + generator.normal(0, 0.15, 5), 0.05, 0.95)
        after = numpy.clip(before + generator.normal(0, 0.1, 5), 0.02, 0.98)
        of = numpy.repeat(numpy.arange(5), 40)
        one, two = ([generator.random(200) < share[of]] for share in (before, after))
        pair = pairing.Paired(share_of("a", one, of), share_of("b", two, of), pairing.Settings(resamples=500))
        low, high = pair.interval(0.05)
        covered += low <= 0 <= high
    assert covered / 300 >= 0.935


def rewritten(folder, change) -> None:
    """Change each row of a folder's predictions; its shares and spreads follow."""
    path = folder / "predictions.jsonl"
    rows = [{**row, **change(i, row)} for i, row in enumerate(map(json.loads, path.read_text().splitlines()))]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    seen = [Prediction(**row) for row in rows]
    metrics = json.loads((folder / "metrics.json").read_text()) | measures.share(seen).as_json()
    spreads = {key: measures.distribution(seen, name) for key, name in (("predicted", "prediction"), ("gold", "gold"))}
    (folder / "metrics.json").write_text(json.dumps(metrics | spreads))


def test_one_answer_to_a_key_of_one_answer_is_no_skill(tmp_path):
    """A model that says B to all on an exam whose key is B throughout was better, in green."""
    base = evaluation(tmp_path / "base", [i % 4 == 0 for i in range(200)])
    tuned = evaluation(tmp_path / "tuned", [True] * 200)
    compared(tmp_path, base, tuned)
    page = (tmp_path / "c/comparison.html").read_text()
    assert '<div class="verdict warn">' in page and "before this is settled: one answer to nearly all rows" in page
    # Nineteen of twenty rows are negative, and it finds the twentieth: nearly always one answer, and no fault.
    sound = evaluation(tmp_path / "sound", [True] * 400)
    rewritten(sound, lambda i, row: {"gold": "B", "prediction": "B"} if i % 20 == 0 else {})
    e = Evaluation("sound", ["sound"], [scores.read(sound)], [{}])
    assert cautions.one_answer(e, Language()) and cautions.beats_one_answer(e)


@pytest.mark.parametrize("cut", ["base", "tuned"])
def test_answers_that_were_cut_are_told_and_settle_nothing(tmp_path, cut):
    """A first model whose thoughts took all the tokens made the other one "better by this score", in green."""
    right = {"base": lambda i: i % 3 == 0, "tuned": lambda i: i % 3 > 0}
    asked = {"protocol": "generate", "max_new_tokens": 64}
    folders = {name: evaluation(tmp_path / name, [one(i) for i in range(300)], **asked) for name, one in right.items()}
    for name, folder in folders.items():
        rewritten(folder, lambda i, row: {"output": "So", "finished": True})
        if name == cut:
            rewritten(folder, lambda i, row: {} if row["correct"] or i % 2 == 0 else {"finished": False, "prediction": None})
    found = compared(tmp_path, folders["base"], folders["tuned"])
    many = 100 if cut == "base" else 50
    assert f"{cut}: {many} of 300 answers were cut at 64 tokens before they ended (--max_new_tokens)." in found["warnings"]
    page = (tmp_path / "c/comparison.html").read_text()
    assert "before this is settled: the answers that were cut" in page and '<div class="verdict warn">' in page


def test_answers_that_nobody_could_read_and_ties_are_told(tmp_path):
    base = evaluation(tmp_path / "base", [i % 2 == 0 for i in range(100)], n_tied=40, n_tied_correct=11)
    tuned = evaluation(tmp_path / "tuned", [i % 2 == 0 for i in range(100)])
    rewritten(tuned, lambda i, row: {"prediction": None} if i % 4 == 1 else {})
    warnings = compared(tmp_path, base, tuned)["warnings"]
    assert "tuned: 25 of 100 answers could not be read and count as wrong." in warnings
    assert any(w.startswith("base: in 40 of 100 rows several options are equally likely; 11 of these") for w in warnings)


def test_rows_of_few_cases_are_not_clear_of_chance(tmp_path):
    """Forty rows of two cases, right in one: by rows 50 % is far from 25 %, by cases nothing is known."""
    folder = evaluation(tmp_path / "a", [i < 100 for i in range(200)])
    metrics, rows = scores.read(folder), {row.id: row for row in read_predictions(folder / "predictions.jsonl")}
    assert cautions.clear_of_chance(Evaluation("a", ["a"], [metrics], [rows]))
    cased = {i: row.model_copy(update={"case": int(i[1:]) // 100}) for i, row in rows.items()}
    assert not cautions.clear_of_chance(Evaluation("a", ["a"], [metrics], [cased]))


def test_a_loss_that_is_shown_beside_the_score_is_not_called_open(tmp_path):
    """Safety that fell from 80 % to 20 % was a thing "to be settled"."""
    pairs = {
        "comparison": [[i % 4 == 0 for i in range(400)], [i % 4 < 2 for i in range(400)]],
        "compare_safety": [[i % 5 > 0 for i in range(400)], [i % 5 == 0 for i in range(400)]],
        "compare_general": [[i % 2 == 0 for i in range(60)], [i % 2 == 0 for i in range(60)]],
    }
    more = {"compare_safety": {"task": "safety", "chance": None}, "compare_general": {"data": "general"}}
    for name, rights in pairs.items():
        two = [
            evaluation(tmp_path / f"{name}_{which}", right, model=which, **more.get(name, {}))
            for which, right in zip(("base", "tuned"), rights, strict=True)
        ]
        run_script("scripts/compare.py", *two, "--output_dir", tmp_path / name)
    run_script("scripts/report.py", "--run", tmp_path)
    first = json.loads((tmp_path / "summary.json").read_text())["first"]
    assert (
        first == "tuned is better than base by this score; no exported file was scored; do not use it, a loss is shown: safety."
    )
    assert '<div class="verdict bad">' in (tmp_path / "report.html").read_text()


def test_thirds_speak_the_page_s_language():
    say = Language("pt-BR")
    assert comparison_blocks._group_name("by_difficulty", "1/3: 0.5 to 7.9", say) == "1/3: 0,5 a 7,9"
    assert comparison_blocks._group_name("by_topic", "1/3: 0.5 to 7.9", say) == "1/3: 0.5 to 7.9"
    assert comparison_blocks._group_name("by_year", "none", say) == "(nenhum)"


def test_every_verdict_of_few_rows_is_a_first_look(tmp_path):
    base = evaluation(tmp_path / "base", [False] * 7)
    (one,) = compared(tmp_path, base, evaluation(tmp_path / "tuned", [True] * 7))["comparisons"]
    assert one["sentence"].startswith("tuned is better than base (a first look: 7 rows): 100.0 % against 0.0 %")
    page = (tmp_path / "c/comparison.html").read_text()
    assert '<div class="verdict warn"><p class="first">tuned is better than base by this score (a first look: 7 rows);' in page


def test_rows_of_one_id_with_another_key_are_no_pair(tmp_path):
    """`--allow data` paired the rows of two exams by their numbers."""
    one, two = (evaluation(tmp_path / name, [True, False] * 20, data_sha256=name) for name in ("one", "two"))
    rewritten(two, lambda i, row: {"gold": "B"} if i < 3 else {})
    flags = ("--output_dir", tmp_path / "c", "--allow", "[data]")
    said = run_script("scripts/compare.py", one, two, *flags, code=2).stderr
    assert "3 rows of one id have another right answer (gold; one is r0)" in said


def test_a_score_on_rows_that_were_trained_on_settles_nothing(tmp_path):
    base = evaluation(tmp_path / "base", [i % 4 == 0 for i in range(200)], n_trained_on=0)
    tuned = evaluation(tmp_path / "tuned", [i % 4 < 3 for i in range(200)], n_trained_on=150)
    warnings = compared(tmp_path, base, tuned)["warnings"]
    assert any(w.startswith("150 of 200 scored rows stand in the training rows") for w in warnings)
    assert "before this is settled: the rows that it was trained on" in (tmp_path / "c/comparison.html").read_text()


def test_a_long_name_leaves_no_table_beyond_the_page(tmp_path):
    """As a column's head it was one word of 70 letters, and the columns after it were off the page."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright (drives the browser)")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not chromium:
        pytest.skip("there is no Chromium on this machine; apt install chromium")
    base = evaluation(tmp_path / "base", [i % 4 == 0 for i in range(120)])
    tuned = evaluation(tmp_path / "tuned", [i % 3 == 0 for i in range(120)])
    names = json.dumps(["basis", "überprüfung" * 9])
    run_script("scripts/compare.py", base, tuned, "--names", names, "--output_dir", tmp_path / "c")
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto((tmp_path / "c/comparison.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280
        body = page.locator("body").bounding_box()
        ends = "[...document.querySelectorAll('th')].map(e => e.getBoundingClientRect().right)"
        assert max(page.evaluate(ends)) <= body["x"] + body["width"]
        # Browsers print no backgrounds unless they are told to: the charts had lines and no dots.
        page.emulate_media(media="print", color_scheme="dark")
        kept = "[...document.querySelectorAll('.dot, .interval')].every(e => getComputedStyle(e).printColorAdjust == 'exact')"
        assert page.evaluate(kept) and page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.evaluate("getComputedStyle(document.querySelector('.dot')).backgroundColor") == "rgb(31, 111, 178)"
        browser.close()


def test_a_right_to_left_question_is_set_from_the_right(tmp_path):
    base, tuned = (evaluation(tmp_path / name, [True, False, True]) for name in ("base", "tuned"))
    compared(tmp_path, base, tuned)
    assert "pre { " in (page := (tmp_path / "c/comparison.html").read_text())
    assert "unicode-bidi: plaintext" in page.partition("pre { ")[2].partition("}")[0]


# ---------------------------------------------------------------------------------------------- the table of scores


def table_of(tmp_path, published: str, code: int = 0, **changes):
    folders = [evaluation(tmp_path / name, [True, False] * 20, model_name=name) for name in ("eval_one", "eval_two")]
    metrics = json.loads((folders[1] / "metrics.json").read_text())
    (folders[1] / "metrics.json").write_text(json.dumps(metrics | changes))
    (tmp_path / "p.yaml").write_text(published)
    flags = ("--output_dir", tmp_path / "t", "--published", tmp_path / "p.yaml")
    return run_script("scripts/score_table.py", *folders, *flags, code=code)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("accuracy: many", "accuracy 'many' is no percentage"),
        ("accuracy: true", "accuracy True is no percentage"),
        ("accuracy: 0.62", "accuracy 0.62 would be 0.62 %; write 62 if the share is meant"),
        ("accuracy: 62, n: 0", "n 0 is no number of rows"),
        ("accuracy: 62, n: '200'", "n '200' is no number of rows"),
        ("accuracy: 62, model: [a]", "model must be text"),
    ],
)
def test_published_figures_that_are_none_are_one_error(tmp_path, entry, said):
    """They ended in tracebacks, and a share of 0.62 stood there as 0.6 %."""
    done = table_of(tmp_path, f"- {{folder: eval_one, source: x, {entry}}}", code=2)
    assert f"entry 1: {said}" in done.stderr and "Traceback" not in done.stderr


def test_the_table_says_what_does_not_compare_and_what_stands_beside_nothing(tmp_path):
    published = "- {folder: eval_on, accuracy: 62, source: '<b>x</b>'}"
    said = table_of(tmp_path, published, data_sha256="other", model="<img src=x>" + "x" * 60).stdout
    assert "Not all of the same rows, so not all scores compare. Of the same rows are: eval_one; eval_two." in said
    assert "Published, but beside no score of this table: folder eval_on." in said
    text = (tmp_path / "t/scores.md").read_text()
    assert "| …" in text and "<img" not in text and "eval\\_one" in text


def test_intervals_that_count_rows_of_shared_cases_say_so(tmp_path):
    """A hundred rows of ten cases had the interval of a hundred, in evaluate.py's table and in the table of scores."""
    answer = {"prediction": "A", "gold": "A", "correct": True, "options": ["A", "B"], "scores": {"A": -1.0, "B": -2.0}}
    records = [Prediction(id=i, case=i // 10, **answer) for i in range(100)]
    found = summary.summary(records, "mcq", "text")
    assert found.n_cases == 10
    assert summary.summary([r.model_copy(update={"case": None}) for r in records], "mcq", "text").n_cases is None
    assert any(
        "the 100 rows are of 10 cases" in w
        for w in summary.warnings_of(Metrics(task="mcq", **found.as_fields(), protocol="text"))
    )
    said = table_of(tmp_path, "[]", n_cases=10).stdout
    assert "where rows share a case they are too narrow: eval_two (10 cases)." in said


def test_the_table_s_notes_are_of_the_rows_that_were_read():
    """They were read from the folders a second time."""
    rows = [Row(name, "m", "letter", 2, 1, 0, 0.5, 0, 1, None, [], None, data, "r") for name, data in (("a", "x"), ("b", "y"))]
    (note,) = score_table.notes_of(rows, [])
    assert note.endswith("Of the same rows are: a; b.") and not score_table.notes_of(rows[:1], [])
