"""scripts/compare.py: the statistics against known results, the refusals, the words, the report's escaping."""

import json
import math
import shutil

import pytest
from conftest import run_script
from reporting.language import Language
from scoring import baselines, measures, pairing, statistics
from scoring.evaluations import name_of_seeds, read_evaluations
from scoring.predictions import BaselinePrediction, Prediction


def evaluation(folder, right: list[bool], **changes):
    """An output folder as evaluate.py writes it: `right` tells which rows are answered correctly."""
    rows = [
        {
            "id": f"r{i}",
            "prediction": "A" if r else "B",
            "gold": "A",
            "correct": r,
            "options": ["A", "B", "C", "D"],
            "topic": f"<t{i % 2}>",
            "source": "s",
            "scores": {"A": -1.0, "B": -2.0},
            "prompt": f"Q{i} <script>alert(1)</script> & $x$",
        }
        for i, r in enumerate(right)
    ]
    seen = [Prediction(**row) for row in rows]
    metrics = {
        **measures.share(seen).as_json(),
        "task": "mcq",
        "protocol": "letter",
        "precision": "float32",
        "model": folder.name,
        "predicted": measures.distribution(seen, "prediction"),
        "gold": measures.distribution(seen, "gold"),
        "by_topic": {name: one.as_json() for name, one in measures.grouped(seen, "topic").items()},
        "by_source": {name: one.as_json() for name, one in measures.grouped(seen, "source").items()},
        "calibration": measures.calibration(seen).as_json(),
        "data_sha256": "d" * 64,
        "rows_sha256": "r" * 64,
        "prompts_sha256": "p" * 64,
        "template_sha256": "t" * 64,
        **changes,
    }
    folder.mkdir()
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "predictions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    return folder


@pytest.mark.parametrize(
    ("won", "lost", "p"), [(0, 0, 1.0), (5, 5, 1.0), (8, 1, 20 / 512), (1, 8, 20 / 512), (10, 0, 2 / 1024), (81, 9, 9.28e-16)]
)
def test_mcnemar_is_the_exact_binomial(won, lost, p):
    assert statistics.mcnemar(won, lost) == pytest.approx(p, rel=0.01)


def test_holm_by_hand():
    # Smallest p times 3, next times 2, next times 1, never smaller than the one before.
    assert statistics.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert statistics.holm([0.6, 0.9]) == [1.0, 1.0]


def test_wilson_known_values():
    # Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662; 0 of 20 gives 0 to 0.1611; 15 of 148: 0.0624 to 0.1605.
    assert statistics.wilson(81, 263) == pytest.approx([0.2553, 0.3662], abs=5e-5)
    assert statistics.wilson(15, 148) == pytest.approx([0.0624, 0.1605], abs=5e-5)
    assert statistics.wilson(0, 20) == pytest.approx([0, 0.1611], abs=5e-5)


def test_tango_agrees_with_the_likelihood_s_own_maximum():
    assert statistics.tango(0, 0, 20, 0.05) == pytest.approx((-0.1611, 0.1611), abs=5e-5)
    assert statistics.tango(12, 5, 100, 0.05) == pytest.approx(by_likelihood(12, 5, 100), abs=1e-3)
    assert statistics.tango(3, 0, 40, 0.05) == pytest.approx(by_likelihood(3, 0, 40), abs=1e-3)


def by_likelihood(won, lost, n):
    """The same interval by another way: maximum likelihood under each difference, found on a grid."""
    import numpy

    grid = numpy.linspace(1e-7, 1 - 1e-7, 20001)

    def score(d):
        q = grid[(grid + max(d, 0) < 1) & (grid + d > 0)]  # share of rows lost; won is q + d
        rest = 1 - 2 * q - d
        q, rest = q[rest > 0], rest[rest > 0]
        likelihood = won * numpy.log(q + d) + lost * numpy.log(q) + (n - won - lost) * numpy.log(rest)
        best = q[likelihood.argmax()]
        return (won - lost - n * d) / (n * (2 * best + d - d * d)) ** 0.5

    inside = [d for d in numpy.linspace(-0.5, 0.5, 4001) if abs(score(d)) < 1.959964]
    return inside[0], inside[-1]


def shares(*rows):
    """Values of a share as (seeds, rows, 2)."""
    import numpy

    return numpy.array([[(float(r), 1) for r in seed] for seed in rows])


def test_bootstrap_agrees_with_the_normal_interval_on_many_rows():
    import numpy

    one, two = shares([0] * 300 + [1] * 200 + [0] * 1500), shares([1] * 300 + [0] * 200 + [0] * 1500)
    draws = statistics.bootstrap_differences(one, two, numpy.arange(2000), 10000, 1)
    mean, n = 0.05, 2000
    spread = 1.96 * math.sqrt((500 / n - mean**2) / n)
    assert statistics.percentile_interval(draws, 0.05) == pytest.approx((mean - spread, mean + spread), abs=0.002)


def test_rows_of_one_case_are_drawn_together():
    """400 rows that are 40 cases of ten equal rows each know what 40 rows know."""
    import numpy

    generator = numpy.random.default_rng(0)
    cases = generator.choice([-1, 0, 1], 40, p=[0.2, 0.5, 0.3])
    one, two = shares(numpy.repeat(cases < 0, 10)), shares(numpy.repeat(cases > 0, 10))
    alone = statistics.bootstrap_differences(one, two, numpy.arange(400), 4000, 1).std()
    together = statistics.bootstrap_differences(one, two, numpy.repeat(numpy.arange(40), 10), 4000, 1).std()
    assert together == pytest.approx(alone * 10**0.5, rel=0.1)
    assert together == pytest.approx(cases.std() / 40**0.5, rel=0.1)


def test_seeds_widen_the_interval():
    """Three seeds that differ as a whole: the spread of their mean is the seeds', not the rows'."""
    import numpy

    generator = numpy.random.default_rng(0)
    one = shares(generator.random(5000) < 0.5)
    two = shares(*(generator.random(5000) < p for p in (0.5, 0.6, 0.7)))
    draws = statistics.bootstrap_differences(one, two, numpy.arange(5000), 4000, 1)
    assert draws.std() == pytest.approx((0.1**2 / 3) ** 0.5, rel=0.15)


def test_minimal_detectable_difference_is_found_four_times_in_five():
    import numpy

    n, discordant = 400, 0.3
    least = statistics.minimal_detectable(n, discordant, 0.05)
    generator = numpy.random.default_rng(0)
    draws = generator.multinomial(n, [(discordant + least) / 2, (discordant - least) / 2, 1 - discordant], size=1500)
    shown = sum(statistics.mcnemar(int(w), int(x)) < 0.05 for w, x, _ in draws) / 1500
    assert shown == pytest.approx(0.8, abs=0.06)
    assert statistics.minimal_detectable(10, 0.1, 0.05) is None
    needed = statistics.rows_to_show(least, 0.05, discordant)
    assert abs(needed - n) <= 1, "one is the other, solved for the rows"
    assert statistics.minimal_detectable(statistics.rows_to_show(0.2, 0.05) - 1, 0.5, 0.05) > 0.2


@pytest.mark.parametrize(
    ("discordant", "alpha", "margin"), [(0.1, 0.05, 0.02), (0.3, 0.01, 0.05), (0.03, 0.05 / 3, 0.02), (0.01, 0.05, 0.02)]
)
def test_the_rows_named_rule_the_margin_out_four_times_in_five(discordant, alpha, margin):
    """At 0.05 whatever alpha was, and without the variance at the margin, they did so in 0 to 79 % of the cases."""
    import numpy

    spread = statistics.Spread(100, discordant, 1.0, 0.0)
    n = statistics.rows_to_rule_out(spread, margin, alpha, share=True)
    draws = numpy.random.default_rng(0).multinomial(n, [discordant / 2, discordant / 2, 1 - discordant], size=2000)
    shown = sum(statistics.tango_p(w, x, n, -margin) < alpha for w, x, _ in draws) / 2000
    assert 0.775 <= shown <= 0.85


def test_rows_needed_know_of_cases_and_seeds():
    import numpy

    generator = numpy.random.default_rng(0)
    of_case = generator.choice([-1.0, 0.0, 1.0], 50, p=[0.1, 0.8, 0.1])
    alone = statistics.spread_of(numpy.repeat(of_case, 4), numpy.arange(200))
    together = statistics.spread_of(numpy.repeat(of_case, 4), numpy.repeat(numpy.arange(50), 4))
    assert (alone.design, together.design, together.worth) == (1.0, 4.0, 50.0)
    rows = [statistics.rows_to_rule_out(one, 0.02, 0.05, True) for one in (alone, together)]
    assert rows[1] == pytest.approx(4 * rows[0], abs=4)
    # Seeds: what they add does not shrink with the rows, and beyond a point no number of rows is enough.
    some, many = (statistics.rows_to_rule_out(alone._replace(of_seeds=x), 0.02, 0.05, True) for x in (1e-5, 1e-4))
    assert some > 1.1 * rows[0] and many is None


def test_tango_s_p_value_is_the_level_of_its_interval():
    p = statistics.tango_p(40, 45, 1000, -0.03)
    assert statistics.tango(40, 45, 1000, p).low == pytest.approx(-0.03, abs=1e-6)


def compared(tmp_path, *arguments) -> dict:
    """comparison.json of scripts/compare.py run on these folders and flags."""
    run_script("scripts/compare.py", *arguments, "--output_dir", tmp_path / "c")
    return json.loads((tmp_path / "c" / "comparison.json").read_text())


def sentences_of(result: dict) -> list[str]:
    return [c["sentence"] for c in result["comparisons"]]


def test_a_real_difference_is_told_and_reports_are_written(tmp_path):
    base = evaluation(tmp_path / "base", [i % 4 == 0 for i in range(120)])
    tuned = evaluation(tmp_path / "tuned", [i % 4 == 0 or i % 3 == 0 for i in range(120)])
    result = compared(tmp_path, base, tuned)
    (one,) = result["comparisons"]
    assert (one["won"], one["lost"], one["difference"]) == (30, 0, 0.25)
    assert one["significant"] and one["verdict"] == "better"
    assert one["sentence"].startswith("tuned is better than base: 50.0 % against 25.0 %, +25.0 points")
    assert one["p_value"] == pytest.approx(2 / 2**30) and "exact McNemar test" in one["sentence"]
    assert "tuned is better than base" in (tmp_path / "c" / "comparison.md").read_text()
    page = (tmp_path / "c" / "comparison.html").read_text()
    assert "<script" not in page and "&lt;script&gt;alert(1)" in page and "&lt;t1&gt;" in page
    assert "http" not in page  # nothing is fetched
    assert page.count('class="chart"') == 2


def test_no_difference_is_not_called_one(tmp_path):
    one = evaluation(tmp_path / "a", [i % 2 == 0 for i in range(60)])
    two = evaluation(tmp_path / "b", [i % 2 == 0 for i in range(58)] + [False, True])
    result = compared(tmp_path, one, two, shutil.copytree(one, tmp_path / "again"), "--names", '["a","b","again"]')
    assert [c["verdict"] for c in result["comparisons"]] == ["not_shown"] * 3
    assert all(text.startswith("No difference shown between") for text in sentences_of(result))
    told = "is not ruled out (corrected for 3 tests); were the two equal, about"
    assert all(told in text for text in sentences_of(result))
    assert [(c["baseline"], c["candidate"]) for c in result["comparisons"]] == [("a", "b"), ("a", "again"), ("b", "again")]
    assert "better" not in result["verdict"] and "Holm-corrected for 3 tests" in result["verdict"]
    assert result["comparisons"][1]["p_value"] == 1.0


@pytest.mark.parametrize(
    ("won", "lost", "margin", "verdict", "passes"),
    [
        (150, 60, 2, "better", True),
        (40, 40, 2, "not_worse", True),
        (10, 45, 6, "worse_within_margin", True),
        (10, 45, 2, "worse", False),
        (100, 100, 1, "not_shown", False),
        (0, 0, 2, "not_worse", True),  # a thousand rows alike rule a loss of two points out
    ],
)
def test_the_margin_decides(tmp_path, won, lost, margin, verdict, passes):
    both = [True] * won + [False] * lost
    one = evaluation(tmp_path / "one", [not r for r in both] + [True] * (1000 - won - lost))
    two = evaluation(tmp_path / "two", both + [True] * (1000 - won - lost))
    flags = ("--margin", margin, "--gate", "--output_dir", tmp_path / "c")
    run_script("scripts/compare.py", one, two, *flags, code=0 if passes else 1)
    found = json.loads((tmp_path / "c" / "comparison.json").read_text())["comparisons"][0]
    assert found["verdict"] == verdict


def test_the_losses_ruled_out_are_corrected_for_all_of_them(tmp_path):
    """Either of two losses would be ruled out by itself, at 0.03; together they are not, and the page says so."""
    one = evaluation(tmp_path / "one", [i >= 40 for i in range(1000)])
    others = [evaluation(tmp_path / name, [i < 40 or i >= 80 for i in range(1000)]) for name in ("two", "three")]
    alone = compared(tmp_path, one, others[0])["comparisons"][0]
    assert alone["verdict"] == "not_worse" and 0.02 < alone["p_margin"] < 0.05
    both = compared(tmp_path, one, *others)["comparisons"]
    assert [c["verdict"] for c in both] == ["not_shown", "not_shown", "not_worse"]  # two and three answer alike
    assert both[0]["p_margin"] == alone["p_margin"] and both[0]["p_margin_holm"] == pytest.approx(2 * alone["p_margin"])
    assert both[0]["largest_loss"] > 0.02 and "(corrected for 3 tests)" in both[0]["sentence"]
    assert "losses ruled out are Holm-corrected for 3 tests" in (tmp_path / "c/comparison.html").read_text()
    assert "perdas descartadas são corrigidas por Holm para 3 testes" in page_in(tmp_path, "pt-BR", one, *others)


@pytest.mark.parametrize(
    ("won", "lost", "first"),
    [
        (150, 60, "two is better than one by this score; no exported file was scored."),
        (40, 40, "two is not shown to be better than one, but is at most 2 points worse by this score; no exported"),
        (0, 2, "two is not shown to be better than one, but is at most 2 points worse"),
        (60, 60, "two is not shown to be better than one, and may be worse: do not use it on the strength of these rows"),
        (10, 45, "two is worse than one: do not use it"),
    ],
)
def test_the_first_sentence_says_whether_it_may_be_used(tmp_path, won, lost, first):
    both = [True] * won + [False] * lost
    spread = {"predicted": {"A": 500, "B": 500}}  # by the rows nearly all answers would be the one that is right
    one = evaluation(tmp_path / "one", [not r for r in both] + [True] * (1000 - won - lost), **spread)
    two = evaluation(tmp_path / "two", both + [True] * (1000 - won - lost), template_sha256="t" * 64, **spread)
    done = run_script("scripts/compare.py", one, two, "--output_dir", tmp_path / "c")
    assert done.stdout.startswith(first) and first.partition(";")[0] in (tmp_path / "c/comparison.md").read_text()
    assert "take its place" not in done.stdout, "neither forgetting nor safety was looked at"
    if won == 150:
        other = evaluation(tmp_path / "other", both + [True] * (1000 - won - lost), protocol="text", **spread)
        flags = ("--output_dir", tmp_path / "d", "--allow", "[protocol]", "--names", '["one","two"]')
        said = run_script("scripts/compare.py", one, other, *flags).stdout.splitlines()[0]
        assert "before this is settled: the difference in protocol" in said


@pytest.mark.parametrize(
    ("precision", "about"), [("float32", "m5 (the last model given)"), ("gguf", "m4 (the last GGUF file given)")]
)
def test_of_many_models_the_first_sentence_says_which_it_is_about(tmp_path, precision, about):
    """Of six it was the last one, as if it were the one to take; of five the title and a sentence each name them."""
    made = [
        evaluation(tmp_path / f"m{i}", [j % 6 <= i for j in range(300)], precision=precision if i == 4 else "float32")
        for i in range(6)
    ]
    flags = ("--output_dir", tmp_path / "c", "--names", json.dumps([f"m{i}" for i in range(6)]))
    assert run_script("scripts/compare.py", *made, *flags).stdout.startswith(f"{about} is better than m0 by this score")
    last = about.partition(" ")[0]
    five = ("--output_dir", tmp_path / "d", "--names", json.dumps([f"m{i}" for i in range(1, 6)]))
    assert run_script("scripts/compare.py", *made[1:], *five).stdout.startswith(f"{last} is better than m1 by this score")


def test_models_without_a_row_in_common_are_refused_and_few_are_told(tmp_path):
    """With --allow it was a traceback, and the page called each model's own rows the same ones."""
    one = evaluation(tmp_path / "one", [True] * 20)
    for name, renamed in (("none", 20), ("some", 5)):
        two = evaluation(tmp_path / name, [True] * 20, rows_sha256="s")
        lines = (two / "predictions.jsonl").read_text().splitlines(keepends=True)
        moved = [line.replace('"id": "r', '"id": "x') if i < renamed else line for i, line in enumerate(lines)]
        (two / "predictions.jsonl").write_text("".join(moved))
    flags = ("--output_dir", tmp_path / "c", "--allow", "[rows]")
    out = run_script("scripts/compare.py", one, tmp_path / "none", *flags, code=2)
    assert "not one row stands in both" in out.stderr and "Traceback" not in out.stderr
    run_script("scripts/compare.py", one, tmp_path / "some", *flags)
    assert "each on its own rows; compared on the 15 that they share" in (tmp_path / "c/comparison.html").read_text()


def test_few_rows_rule_nothing_out(tmp_path):
    """One row won and none lost of fifty: resampling rows would call a loss impossible."""
    one = evaluation(tmp_path / "one", [False] + [True] * 49)
    two = evaluation(tmp_path / "two", [True] * 50)
    (found,) = compared(tmp_path, one, two)["comparisons"]
    assert found["verdict"] == "not_shown" and found["difference_ci"][0] < -0.02


def test_alpha_names_the_interval(tmp_path):
    one = evaluation(tmp_path / "one", [i % 4 == 0 for i in range(120)])
    two = evaluation(tmp_path / "two", [i % 4 == 0 or i % 3 == 0 for i in range(120)])
    result = compared(tmp_path, one, two, "--alpha", "0.001")
    assert "99.9 % interval" in result["verdict"] and "95 % interval +" not in result["verdict"]
    assert result["confidence_level"] == 0.999
    assert "99.9 % interval" in (tmp_path / "c" / "comparison.html").read_text()


def test_forgetting_is_told_in_words(tmp_path):
    before = evaluation(tmp_path / "before", [i % 2 == 0 for i in range(120)], data="general")
    same = evaluation(tmp_path / "same", [i % 2 == 0 or i == 1 for i in range(118)] + [False] * 2, data="general")
    less = evaluation(tmp_path / "less", [i % 8 == 0 for i in range(120)], data="general")
    none, shown, _ = sentences_of(compared(tmp_path, before, same, less))
    assert none.startswith("Forgetting not shown and not ruled out: same against before on questions outside medicine: 50.0 %")
    # All three losses stay open: the bound is Tango's at 0.05 / 3, where 0.05 would say 3.8 points.
    assert "A loss of up to 5.3 points is not ruled out (corrected for 3 tests)" in none
    assert shown.startswith("Forgetting shown: less is worse than before on questions outside medicine: 12.5 % against 50.0 %")


def test_nothing_to_forget_is_said(tmp_path):
    one = evaluation(tmp_path / "a", [i % 4 == 0 for i in range(120)], data="general")
    result = compared(tmp_path, one, shutil.copytree(one, tmp_path / "b"))
    assert any("cannot be forgotten" in warning for warning in result["warnings"])


def test_safety_is_told_as_requests_declined(tmp_path):
    one = evaluation(tmp_path / "a", [i % 2 == 0 for i in range(60)], task="safety")
    two = evaluation(tmp_path / "b", [i % 8 == 0 for i in range(60)], task="safety")
    (said,) = sentences_of(compared(tmp_path, one, two))
    assert said.startswith(
        "b declines fewer of the harmful requests than a (a first look: 60 rows): 13.3 % against 50.0 %, -36.7"
    )


def test_one_answer_for_all_is_warned_of(tmp_path):
    one = evaluation(tmp_path / "a", [i % 2 == 0 for i in range(60)])
    two = evaluation(tmp_path / "b", [i < 57 for i in range(60)])
    warnings = compared(tmp_path, one, two)["warnings"]
    assert any(w.startswith("b gives one answer nearly always: “A” in 95.0 % of 60 rows") for w in warnings)
    assert not any(w.startswith("a gives one answer") for w in warnings)
    assert "Answers given" in (tmp_path / "c" / "comparison.html").read_text()


@pytest.mark.parametrize(
    ("names", "called"),
    [
        (["base + sft"] * 3, "base + sft"),
        (["base + sft_seed3407", "base + sft_seed3408"], "base + sft"),
        (["sft-s1", "sft-s2"], "sft"),
        (["sft", "sft-2"], "sft"),
        (["qwen3", "qwen3-b"], "qwen3"),
        (["qwen3-11", "qwen3-12"], "qwen3"),
        (["sft (seed 1)", "sft (seed 2)"], "sft"),
        (["modelos/alpha", "modelos/beta"], "modelos"),
        (["alpha", "beta"], "alpha · beta"),
        (["tuned-alpha", "tuned-amber"], "tuned"),
        (["1", "2"], "1 · 2"),
        (["classes-1", "classes-2"], "classes"),
    ],
)
def test_several_seeds_carry_a_name_of_all_of_them(names, called):
    """They carried the first one's."""
    assert name_of_seeds(names) == called


def test_seeds_of_other_names_are_called_by_what_they_share(tmp_path):
    base = evaluation(tmp_path / "base", [i % 2 == 0 for i in range(300)])
    for seed in (1, 2):
        evaluation(tmp_path / f"s{seed}", [i % 3 == 0 for i in range(300)], model_sha256=str(seed), model=f"runs/tuned-{seed}")
    result = compared(tmp_path, base, f"{tmp_path}/s*")
    assert result["models"][1]["name"] == "tuned" and "tuned-1" not in result["comparisons"][0]["sentence"]


def test_several_seeds_are_one_model(tmp_path):
    base = evaluation(tmp_path / "base", [i % 2 == 0 for i in range(300)])
    for seed, share in enumerate((3, 4, 6)):
        rights = [i % 2 == 0 or i % share == 0 for i in range(300)]
        evaluation(tmp_path / f"seed_{seed}", rights, model_sha256=str(seed), model="tuned")
    result = compared(tmp_path, base, f"{tmp_path}/seed_*")
    (one,) = result["comparisons"]
    assert one["seeds"] == 3 and one["test"] == "hierarchical_bootstrap" and "mean of 3 seeds" in one["sentence"]
    assert result["models"][1]["accuracy_by_seed"] == [0.666667, 0.5, 0.5]
    assert one["difference"] == pytest.approx((0.666667 + 0.5 + 0.5) / 3 - 0.5, abs=1e-5)
    assert one["difference_ci"][0] < 0 < one["difference_ci"][1] and not one["significant"]  # one seed of three gained
    page = (tmp_path / "c/comparison.html").read_text()
    # The model's own interval holds rows and seeds; the page gave it none, and a chart of its lowest and highest seed.
    kept = read_evaluations([str(tmp_path / "base"), f"{tmp_path}/seed_*"], [], [])
    alone, several = (pairing.share_interval(e, pairing.Settings()) for e in kept)
    assert tuple(alone) == statistics.wilson(150, 300)
    assert several.low < statistics.wilson(167, 300)[0] < statistics.wilson(167, 300)[1] < several.high
    assert Language().interval(several) in page and "(Wilson; seeds and cases are drawn as well)" in page
    assert "r3: B → A · B · B, key A" in page and "Of several seeds this shows the first." in page
    assert "66,7 % · 50,0 % · 50,0 %" in page_in(tmp_path, "pt-BR", base, f"{tmp_path}/seed_*")
    evaluation(tmp_path / "seed_3", [True] * 300, model_sha256="0", model="tuned")
    out = run_script("scripts/compare.py", base, f"{tmp_path}/seed_*", "--output_dir", tmp_path / "d", code=2)
    assert "two of these are the same model" in out.stderr


def test_a_folder_whose_name_has_a_comma_or_a_bracket_is_one_folder(tmp_path):
    base = evaluation(tmp_path / "prova, 2024 [nova]", [True, False, True])
    evaluation(tmp_path / "depois", [True, True, True])
    result = compared(tmp_path, base, tmp_path / "depois")
    assert [len(model["folders"]) for model in result["models"]] == [1, 1]


def test_predictions_that_are_not_those_of_the_metrics_beside_them_are_told(tmp_path):
    """The page's table said 99 %, the comparison below it 52.5 %, and nothing said that they are of two runs."""
    base, other = (evaluation(tmp_path / name, [True, False, True]) for name in ("base", "other"))
    better = evaluation(tmp_path / "better", [True, True, True])
    shutil.copy(better / "predictions.jsonl", other / "predictions.jsonl")
    out = run_script("scripts/compare.py", base, other, "--output_dir", tmp_path / "c", code=2)
    assert "other/predictions.jsonl" in out.stderr and "3 of 3 rows are right, by metrics.json beside it 2 of 3" in out.stderr


def page_in(tmp_path, language, *folders) -> str:
    run_script("scripts/compare.py", *folders, "--output_dir", tmp_path / language, "--language", language)
    return (tmp_path / language / "comparison.html").read_text()


def test_rows_of_one_case_count_as_one(tmp_path):
    """The same 30 gains as thirty cases are shown, as three cases of ten rows they are not."""
    one = evaluation(tmp_path / "one", [i % 4 == 0 for i in range(120)])
    two = evaluation(tmp_path / "two", [i % 4 == 0 or 30 <= i < 60 for i in range(120)])
    assert compared(tmp_path, one, two)["comparisons"][0]["significant"]
    for folder in (one, two):
        rows = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
        lines = (json.dumps({**row, "case": f"c{i // 15}"}) + "\n" for i, row in enumerate(rows))
        (folder / "predictions.jsonl").write_text("".join(lines))
    (found,) = compared(tmp_path, one, two)["comparisons"]
    assert (found["clusters"], found["test"], found["interval"]) == (8, "sign_flip", "cluster_bootstrap")
    assert not found["significant"] and "8 cases, drawn whole" in found["sentence"]
    low, high = pairing.share_interval(read_evaluations([str(two)], [], [])[0], pairing.Settings())
    assert low < statistics.wilson(53, 120)[0] and high > statistics.wilson(53, 120)[1], "rows of a case tell less"
    # A rule's answers, as evaluate.py writes them, tell no case: the model's rows do.
    beside(one, "rule", ["A" if i % 4 == 0 else "B" for i in range(120)])
    (found,) = compared(tmp_path, one, two)["against_baselines"]
    assert (found["clusters"], found["test"], found["significant"]) == (8, "sign_flip", False)


def beside(folder, name: str, predictions: list[str]):
    """Add a simple baseline's answers to an evaluation (the key is A), as evaluate.py writes them."""
    rows = [
        {"baseline": name, "id": f"r{i}", "prediction": p, "gold": "A", "correct": p == "A"} for i, p in enumerate(predictions)
    ]
    with (folder / "baselines.jsonl").open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    metrics = json.loads((folder / "metrics.json").read_text())
    share = measures.share([BaselinePrediction(**row) for row in rows]).as_json()
    metrics.setdefault("baselines", []).append({"name": name, **share})
    (folder / "metrics.json").write_text(json.dumps(metrics))


def test_a_model_is_held_against_its_own_choice_with_the_question_hidden(tmp_path):
    base = evaluation(tmp_path / "base", [i % 3 == 0 for i in range(60)])
    tuned = evaluation(tmp_path / "tuned", [i % 4 > 0 for i in range(60)])
    third = evaluation(tmp_path / "third", [i % 4 > 0 for i in range(60)])
    for folder in (base, tuned, third):
        beside(folder, baselines.LONGEST, ["A" if i % 4 == 0 else "B" for i in range(60)])
    beside(base, baselines.OPTIONS_ONLY, ["A" if i < 18 else "B" for i in range(60)])
    beside(tuned, baselines.OPTIONS_ONLY, ["A" if i < 44 else "B" for i in range(60)])
    result = compared(tmp_path, base, tuned, third)
    own, alike = baselines.OPTIONS_ONLY, baselines.LONGEST
    assert [(b["name"], b["of"], b["n_correct"]) for b in result["baselines"]] == [
        (alike, "", 15),
        (own, "base", 18),
        (own, "tuned", 44),
    ]
    against = [(c["baseline"], c["candidate"], round(60 * c["baseline_value"])) for c in result["against_baselines"]]
    assert against == [(own, "tuned", 44), (alike, "third", 15)]  # no choice of its own was scored beside the third
    assert "não se mostrou" in page_in(tmp_path, "pt-BR", base, tuned, third).casefold()
    page = (tmp_path / "pt-BR/comparison.html").read_text()
    assert "(base)" in page and f"{Language('pt-BR')(own)} (tuned)" in page and f"{Language('pt-BR')(alike)} (" not in page


def test_a_baseline_fitted_to_other_rows_stands_beside_its_model_alone(tmp_path):
    folders = [evaluation(tmp_path / name, [i % 4 > 0 for i in range(60)]) for name in ("one", "two")]
    for folder, right in zip(folders, (20, 40), strict=True):
        beside(folder, baselines.TFIDF, ["A" if i < right else "B" for i in range(60)])
    result = compared(tmp_path, *reversed(folders))
    assert [(b["of"], b["n_correct"]) for b in result["baselines"]] == [("two", 40), ("one", 20)]
    (found,) = result["against_baselines"]
    assert (found["candidate"], round(60 * found["baseline_value"])) == ("one", 20)


def test_a_model_of_several_seeds_is_held_against_the_choices_of_all_of_them(tmp_path):
    """The choice of its first seed stood for all: here 10 of 60, while the mean of the three is 30."""
    base = evaluation(tmp_path / "base", [i % 3 == 0 for i in range(60)])
    for seed, right in enumerate((10, 30, 50)):
        tuned = evaluation(tmp_path / f"seed_{seed}", [i % 4 > 0 for i in range(60)], model="tuned", model_sha256=str(seed))
        beside(tuned, baselines.OPTIONS_ONLY, ["A" if i < right else "B" for i in range(60)])
        beside(tuned, baselines.LONGEST, ["A" if i < 24 else "B" for i in range(60)])
    result = compared(tmp_path, base, f"{tmp_path}/seed_*")
    (found,) = result["against_baselines"]
    assert (found["baseline"], found["baseline_value"]) == (baselines.OPTIONS_ONLY, 0.5)
    assert [len(b["folders"]) for b in result["baselines"] if b["name"] == baselines.LONGEST] == [1], "alike in all seeds"
    assert "16.7 % · 50.0 % · 83.3 %" in page_in(tmp_path, "en", base, f"{tmp_path}/seed_*")


def values(folder, task, rows, **metrics):
    """An output folder of open answers or of perplexity."""
    folder.mkdir()
    shared = {"task": task, "protocol": "p", "n": len(rows), "precision": "float32", "data_sha256": "d", "n_invalid": 0}
    (folder / "metrics.json").write_text(json.dumps({**shared, **metrics}))
    (folder / "predictions.jsonl").write_text("".join(json.dumps({"id": str(i), **r}) + "\n" for i, r in enumerate(rows)))
    return folder


def test_perplexity_is_compared_in_bits_per_byte(tmp_path):
    import numpy

    noise = numpy.random.default_rng(0).normal(0, 1, 80)
    rows = [{"nats": 100 + 5 * float(x), "bytes": 200, "tokens": 50} for x in noise]
    lower = [{**r, "nats": r["nats"] - 4 + float(x)} for r, x in zip(rows, noise[::-1], strict=True)]
    known = {"bits_per_byte": 0.7, "perplexity": 9.0, "tokens": 90}
    one, two = (values(tmp_path / n, "perplexity", r, **known) for n, r in (("a", rows), ("b", lower)))
    same = values(tmp_path / "same", "perplexity", [{**r, "nats": r["nats"] + (-1) ** i} for i, r in enumerate(rows)], **known)
    run_script("scripts/compare.py", one, two, same, "--output_dir", tmp_path / "c")
    found = json.loads((tmp_path / "c" / "comparison.json").read_text())
    better, none, _ = found["comparisons"]
    wanted = sum(r["nats"] for r in lower) / 80 / 200 / math.log(2) - sum(r["nats"] for r in rows) / 80 / 200 / math.log(2)
    assert found["measure"] == "bits_per_byte" and better["difference"] == pytest.approx(wanted, abs=1e-6)
    low, high = better["difference_ci"]
    spread = 1.96 * float(numpy.std(noise)) / 80**0.5 / 200 / math.log(2)
    assert (low, high) == pytest.approx((wanted - spread, wanted + spread), abs=4e-4)
    assert better["won"] == sum(b["nats"] < a["nats"] for a, b in zip(rows, lower, strict=True))
    assert better["significant"] and better["sentence"].startswith("b is better than a (a first look: 80 rows): bits per byte")
    assert not none["significant"] and none["sentence"].startswith(
        "same is not worse than a by more than 0.0145 bits per byte (a first"
    )
    assert "sign-flip permutation test" in better["sentence"] and "McNemar" not in found["verdict"]
    page = (tmp_path / "c" / "comparison.html").read_text()
    assert "bits per byte (less is better)" in page and page.count('class="chart"') == 1


def test_open_answers_are_compared_by_rouge(tmp_path):
    def rows(scores):
        return [
            {"prediction": "x", "output": "<b>x</b>", "gold": "y", "correct": False, "rouge_l": s, "prompt": "Q"} for s in scores
        ]

    known = {
        "texts": dict.fromkeys(("bleu", "chrf", "rouge1", "rouge2", "rougeL"), 20.0),
        "n_correct": 0,
        "accuracy": 0.0,
        "accuracy_ci95": [0, 0.1],
    }
    one = values(tmp_path / "a", "open", rows([0.1 + i % 5 / 10 for i in range(40)]), **known)
    two = values(tmp_path / "b", "open", rows([0.2 + i % 3 / 10 + i % 5 / 10 for i in range(40)]), **known)
    out = run_script("scripts/compare.py", one, two, "--output_dir", tmp_path / "c")
    assert (
        "b is better than a (a first look: 40 rows): ROUGE-L 49.8 against 30.0, +19.8 points" in out.stdout
        and "sign-flip permutation test p = 0.0002" in out.stdout
    )
    assert "40 of 40 rows won and 0 lost" in out.stdout
    page = (tmp_path / "c" / "comparison.html").read_text()
    assert "&lt;b&gt;x" in page and "<b>x" not in page
    (two / "predictions.jsonl").write_text((one / "predictions.jsonl").read_text().replace("rouge_l", "other"))
    assert "score it again" in run_script("scripts/compare.py", one, two, "--output_dir", tmp_path / "d", code=2).stderr


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_in_a_browser(tmp_path, width):
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright (drives the browser)")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not chromium:
        pytest.skip("there is no Chromium on this machine; apt install chromium")
    base = evaluation(tmp_path / "a-model-with-a-rather-long-name", [i % 4 == 0 for i in range(120)])
    tuned = evaluation(tmp_path / "tuned", [i % 4 == 0 or i % 3 == 0 for i in range(120)])
    run_script("scripts/compare.py", base, tuned, "--output_dir", tmp_path / "c")
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.set_default_timeout(300_000)  # a busy machine takes its time
        asked, alerts = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
        page.goto((tmp_path / "c" / "comparison.html").as_uri())
        assert len(asked) == 1 and not alerts
        assert page.evaluate("document.documentElement.scrollWidth") <= width  # wide tables scroll by themselves
        assert page.locator("figure.chart .dot").count() == 3
        # Nothing that decides lies off the screen, and nothing is too small to read.
        for words in ("p <", "better", "+25.0", "tuned"):
            box = page.get_by_text(words).last.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= width, words
        sizes = "[...document.querySelectorAll('body *')].map(e => parseFloat(getComputedStyle(e).fontSize))"
        assert page.evaluate(f"Math.min(...{sizes})") >= 12
        first = page.locator("details").first
        assert not first.locator("pre").first.is_visible()
        first.locator("summary").click()
        assert "<script>alert(1)</script>" in first.locator("pre").first.inner_text()
        # One axis for all: a longer label narrowed its own line, and chance stood elsewhere there.
        sure, none = (evaluation(tmp_path / str(right), [right] * 4000) for right in (True, False))
        run_script("scripts/compare.py", none, sure, "--output_dir", tmp_path / "d")
        page.goto((tmp_path / "d" / "comparison.html").as_uri())
        assert "100.0 % (99.9 to 100.0 %)" in page.locator("figure .label").all_inner_texts()
        widths = "[...document.querySelectorAll('figure .track')].map(e => Math.round(e.getBoundingClientRect().width))"
        assert len(set(page.evaluate(widths))) == 1 and page.evaluate("document.documentElement.scrollWidth") <= width
        browser.close()


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("num_samples", 5, "different number of answers to a question (1 and 5)"),
        ("temperature", 0.7, "different temperature (0.0 and 0.7)"),
        ("protocol", "text", "different protocol (letter and text)"),
        ("max_new_tokens", 8, "different longest free answer (None and 8)"),
        ("data_sha256", "e" * 64, "different test set"),
        ("template_sha256", "e" * 64, "different chat template"),
        ("prompts_sha256", "e" * 64, "different prompts"),
        ("rows_sha256", "e" * 64, "different scored rows"),
    ],
)
def test_what_differs_is_refused_by_name(tmp_path, key, value, named):
    one, two = evaluation(tmp_path / "a", [True, False]), evaluation(tmp_path / "b", [True, True], **{key: value})
    out = run_script("scripts/compare.py", one, two, "--output_dir", tmp_path / "c", code=2)
    assert named in out.stderr and "Traceback" not in out.stderr and not (tmp_path / "c").exists()


def test_an_allowed_difference_is_said(tmp_path):
    one = evaluation(tmp_path / "a", [True, False])
    two = evaluation(tmp_path / "b", [True, True], template_sha256="e" * 64, precision="nf4")
    run_script("scripts/compare.py", one, two, "--output_dir", tmp_path / "c", "--allow", "[template]")
    warnings = json.loads((tmp_path / "c" / "comparison.json").read_text())["warnings"]
    assert "chat template, which was allowed" in warnings[0] and "scored in float32" in warnings[1]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "at least two folders"),
        (["nowhere", "nowhere2"], "holds no metrics.json"),
        (["nowhere", "scripts/../nowhere/"], "is named twice"),
        (["--alfa", "1"], "alpha"),
    ],
)
def test_wrong_arguments_are_told_without_loading_anything(arguments, named):
    out = run_script("scripts/compare.py", *arguments, code=2)
    assert named in out.stderr and "Traceback" not in out.stderr


def test_importing_loads_no_torch():
    out = run_script("-c", "import sys; sys.path[:0] = ['scripts']; import compare, evaluate; print('torch' in sys.modules)")
    assert out.stdout.strip() == "False"


def test_a_judge_s_marks_say_what_is_known_of_the_judge(tmp_path):
    """The page read as if physicians had marked, and marks of two judges were compared."""

    def judged(name, people, judge="j" * 64):
        rows = [{"prediction": "x", "output": "x", "gold": None, "correct": True, "judged": 0.2 + i % 4 / 5} for i in range(120)]
        told = {"model": "m", "score": 0.5, "n_unread": 0, **people}
        share = {"n_correct": 120, "accuracy": 1.0, "accuracy_ci95": [0.9, 1.0]}
        return values(tmp_path / name, "open", rows, judge=told, judge_sha256=judge, **share)

    known = {"people": {"n": 80, "n_unread": 0, "kappa": 0.61, "kappa_ci95": [0.43, 0.77]}}
    folders = [judged("a", {}), judged("b", {}), judged("c", known), judged("d", known), judged("e", {}, "k" * 64)]
    for folder in folders:
        metrics = json.loads((folder / "metrics.json").read_text())
        (folder / "metrics.json").write_text(json.dumps({**metrics, "protocol": "judge"}))
    a, b, c, d, e = folders
    out = run_script("scripts/compare.py", a, b, "--output_dir", tmp_path / "one").stdout
    assert (
        "agrees with physicians was not measured" in out
        and "before this is settled: the judge's agreement with physicians" in out
    )
    out = run_script("scripts/compare.py", c, d, "--output_dir", tmp_path / "two").stdout
    assert "80 answers by a kappa of 0.61 (95 % interval 0.43 to 0.77)" in out and "before this is settled" not in out
    own = {"n": 40, "difference": 0.31, "ci95": [0.12, 0.5]}
    doubtful = {
        "people": {"n": 8, "n_unread": 0, "kappa": 0.2, "kappa_ci95": [-0.4, 0.7], "own_style": own}
    }  # agreement by chance
    f, g = judged("f", doubtful), judged("g", doubtful)
    for folder in (f, g):
        metrics = json.loads((folder / "metrics.json").read_text())
        (folder / "metrics.json").write_text(json.dumps({**metrics, "protocol": "judge"}))
    out = run_script("scripts/compare.py", f, g, "--output_dir", tmp_path / "three").stdout
    assert "by a kappa of 0.20" in out and "before this is settled: the judge's agreement with physicians" in out
    assert "Its own answers it marks +31.0 points beside those of others, as people mark them (+12.0 to +50.0)." in out
    assert "different judge" in run_script("scripts/compare.py", a, e, "--output_dir", tmp_path / "no", code=2).stderr
