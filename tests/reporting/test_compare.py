"""scripts/compare.py: the statistics against known results, the refusals, the words, the report's escaping."""

import json
import math
import shutil

import compare
import pytest
from conftest import run_script
from scoring import measures


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
    metrics = {
        **measures.share(rows),
        "task": "mcq",
        "protocol": "letter",
        "precision": "float32",
        "model": "m",
        "by_topic": measures.grouped(rows, "topic"),
        "by_source": measures.grouped(rows, "source"),
        "calibration": measures.calibration(rows),
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
    assert compare.mcnemar(won, lost) == pytest.approx(p, rel=0.01)


def test_holm_by_hand():
    # Smallest p times 3, next times 2, next times 1, never smaller than the one before.
    assert compare.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert compare.holm([0.6, 0.9]) == [1.0, 1.0]


def test_wilson_known_values():
    # Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662; 0 of 20 gives 0 to 0.1611; 15 of 148: 0.0624 to 0.1605.
    assert measures.wilson(81, 263) == pytest.approx([0.2553, 0.3662], abs=5e-5)
    assert measures.wilson(15, 148) == pytest.approx([0.0624, 0.1605], abs=5e-5)
    assert measures.wilson(0, 20) == pytest.approx([0, 0.1611], abs=5e-5)


def test_bootstrap_agrees_with_the_normal_interval_on_many_rows():
    differences = [1] * 300 + [-1] * 200 + [0] * 1500
    low, high = compare.bootstrap(differences, 20000, 1, 0.05)
    mean, n = 0.05, 2000
    spread = 1.96 * math.sqrt((500 / n - mean**2) / n)
    assert (low, high) == pytest.approx((mean - spread, mean + spread), abs=0.002)


def test_no_row_that_differs_is_no_certainty():
    low, high = compare.bootstrap([0] * 20, 1000, 1, 0.05)
    assert (low, high) == pytest.approx((-0.1611, 0.1611), abs=5e-5)


def test_minimal_detectable_difference_is_found_four_times_in_five():
    import numpy

    n, discordant = 400, 0.3
    least = compare.minimal_detectable(n, discordant, 0.05)
    generator = numpy.random.default_rng(0)
    draws = generator.multinomial(n, [(discordant + least) / 2, (discordant - least) / 2, 1 - discordant], size=1500)
    shown = sum(compare.mcnemar(int(w), int(x)) < 0.05 for w, x, _ in draws) / 1500
    assert shown == pytest.approx(0.8, abs=0.06)
    assert compare.minimal_detectable(10, 0.1, 0.05) is None


def test_a_real_difference_is_told_and_reports_are_written(tmp_path):
    base = evaluation(tmp_path / "base", [i % 4 == 0 for i in range(120)])
    tuned = evaluation(tmp_path / "tuned", [i % 4 == 0 or i % 3 == 0 for i in range(120)])
    out = run_script("scripts/compare.py", base, tuned, "--output_dir", tmp_path / "c")
    result = json.loads((tmp_path / "c" / "comparison.json").read_text())
    (one,) = result["comparisons"]
    assert (one["won"], one["lost"], one["difference"]) == (30, 0, 0.25)
    assert one["significant"] and result["verdict"].startswith("tuned is better than base: +25.0 points")
    assert one["p_value"] == pytest.approx(2 / 2**30)
    assert "tuned is better than base" in out.stdout
    assert "tuned is better than base" in (tmp_path / "c" / "comparison.md").read_text()
    page = (tmp_path / "c" / "comparison.html").read_text()
    assert "<script" not in page and "&lt;script&gt;alert(1)" in page and "&lt;t1&gt;" in page
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )  # namespaces of SVG are names, nothing is fetched
    assert page.count("<svg") == 4


def test_no_difference_is_not_called_one(tmp_path):
    one = evaluation(tmp_path / "a", [i % 2 == 0 for i in range(60)])
    two = evaluation(tmp_path / "b", [i % 2 == 0 for i in range(58)] + [False, True])
    run_script("scripts/compare.py", one, two, one, "--output_dir", tmp_path / "c", "--names", '["a","b","again"]')
    result = json.loads((tmp_path / "c" / "comparison.json").read_text())
    assert [c["significant"] for c in result["comparisons"]] == [False] * 3
    assert all(c["words"].startswith("No difference shown between") for c in result["comparisons"])
    assert [(c["from"], c["to"]) for c in result["comparisons"]] == [("a", "b"), ("a", "again"), ("b", "again")]
    assert "better" not in result["verdict"] and "Holm-corrected for 3 tests" in result["verdict"]
    assert result["comparisons"][1]["p_value"] == 1.0


def test_forgetting_is_told_in_words(tmp_path):
    before = evaluation(tmp_path / "before", [i % 2 == 0 for i in range(120)], data="general")
    same = evaluation(tmp_path / "same", [i % 2 == 0 or i == 1 for i in range(118)] + [False] * 2, data="general")
    less = evaluation(tmp_path / "less", [i % 8 == 0 for i in range(120)], data="general")
    run_script("scripts/compare.py", before, same, less, "--output_dir", tmp_path / "c")
    none, shown, _ = (c["words"] for c in json.loads((tmp_path / "c" / "comparison.json").read_text())["comparisons"])
    assert none.startswith(
        "No forgetting shown: no difference shown between before and same on questions outside medicine: 50.0 %"
    )
    assert "a loss of up to 2." in none and none.endswith("points is not ruled out.")
    assert shown.startswith("Forgetting shown: less is worse than before on questions outside medicine: 50.0 % and 12.5 %")


def test_nothing_to_forget_is_said(tmp_path):
    one = evaluation(tmp_path / "a", [i % 4 == 0 for i in range(120)], data="general")
    run_script("scripts/compare.py", one, one, "--output_dir", tmp_path / "c")
    assert "cannot be forgotten" in json.loads((tmp_path / "c" / "comparison.json").read_text())["warnings"][0]


def test_safety_is_told_as_requests_declined(tmp_path):
    one = evaluation(tmp_path / "a", [i % 2 == 0 for i in range(60)], task="safety")
    two = evaluation(tmp_path / "b", [i % 8 == 0 for i in range(60)], task="safety")
    out = run_script("scripts/compare.py", one, two, "--output_dir", tmp_path / "c")
    assert "b declines fewer of the harmful requests than a: 50.0 % and 13.3 %, -36.7 points" in out.stdout


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
    known = {"bits_per_byte": 0.7, "perplexity": 9.0}
    one, two = (values(tmp_path / n, "perplexity", r, **known) for n, r in (("a", rows), ("b", lower)))
    same = values(tmp_path / "same", "perplexity", [{**r, "nats": r["nats"] + (-1) ** i} for i, r in enumerate(rows)], **known)
    run_script("scripts/compare.py", one, two, same, "--output_dir", tmp_path / "c")
    found = json.loads((tmp_path / "c" / "comparison.json").read_text())
    better, none, _ = found["comparisons"]
    wanted = sum(r["nats"] for r in lower) / 80 / 200 / math.log(2) - sum(r["nats"] for r in rows) / 80 / 200 / math.log(2)
    assert found["measure"] == "bits_per_byte" and better["difference"] == pytest.approx(wanted, abs=1e-6)
    low, high = better["difference_ci95"]
    spread = 1.96 * float(numpy.std(noise)) / 80**0.5 / 200 / math.log(2)
    assert (low, high) == pytest.approx((wanted - spread, wanted + spread), abs=4e-4)
    assert better["won"] == sum(b["nats"] < a["nats"] for a, b in zip(rows, lower, strict=True))
    assert better["significant"] and better["words"].startswith("b is better than a: bits per byte")
    assert not none["significant"] and none["words"].startswith("No difference shown between a and same")
    page = (tmp_path / "c" / "comparison.html").read_text()
    assert "bits per byte (less is better)" in page and page.count("<svg") == 2


def test_open_answers_are_compared_by_rouge(tmp_path):
    def rows(scores):
        return [
            {"prediction": "x", "output": "<b>x</b>", "gold": "y", "correct": False, "rouge_l": s, "prompt": "Q"} for s in scores
        ]

    known = {
        "texts": dict.fromkeys(("bleu", "chrf", "rouge1", "rouge2", "rougeL"), 20.0),
        "accuracy": 0.0,
        "accuracy_ci95": [0, 0.1],
    }
    one = values(tmp_path / "a", "open", rows([0.1 + i % 5 / 10 for i in range(40)]), **known)
    two = values(tmp_path / "b", "open", rows([0.2 + i % 3 / 10 + i % 5 / 10 for i in range(40)]), **known)
    out = run_script("scripts/compare.py", one, two, "--output_dir", tmp_path / "c")
    assert "b is better than a: ROUGE-L 30.0 and 49.8, +19.8 points" in out.stdout and "permutation test p = 0.0002" in out.stdout
    assert "40 rows won and 0 lost of 40" in out.stdout
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
        asked, alerts = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
        page.goto((tmp_path / "c" / "comparison.html").as_uri())
        assert len(asked) == 1 and not alerts
        assert page.evaluate("document.documentElement.scrollWidth") <= width  # wide tables scroll by themselves
        drawn = page.locator("svg")
        assert drawn.count() == 4
        assert all(drawn.nth(i).bounding_box()["width"] <= width and drawn.nth(i).bounding_box()["height"] > 80 for i in range(4))
        # Plots shrink on a phone: their text must stay legible.
        smallest = page.evaluate(
            "Math.min(...[...document.querySelectorAll('svg text')].map(t => t.getBoundingClientRect().height))"
        )
        assert smallest >= 8
        first = page.locator("details").first
        assert not first.locator("pre").first.is_visible()
        first.locator("summary").click()
        assert "<script>alert(1)</script>" in first.locator("pre").first.inner_text()
        browser.close()


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
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
    [([], "at least two folders"), (["nowhere", "nowhere2"], "holds no metrics.json"), (["--alfa", "1"], "alpha")],
)
def test_wrong_arguments_are_told_without_loading_anything(arguments, named):
    out = run_script("scripts/compare.py", *arguments, code=2)
    assert named in out.stderr and "Traceback" not in out.stderr


def test_importing_loads_no_torch():
    out = run_script("-c", "import sys; sys.path[:0] = ['scripts']; import compare, evaluate; print('torch' in sys.modules)")
    assert out.stdout.strip() == "False"
