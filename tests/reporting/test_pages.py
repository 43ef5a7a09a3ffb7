"""The pages: one look, the reader's language, the first sentence about what ships, the statistician's rates."""

import json
import re
import shutil
import string

import compare
import numpy
import pytest
import report
from common.hashes import by_hash
from conftest import run_script
from reporting import asked_blocks, comparison_blocks, flip_blocks, language, pages, run_blocks, sentences
from reporting.blocks import Details, Page, Part
from reporting.language import Language
from reporting.portuguese import PORTUGUESE
from scoring import baselines, comparing, pairing, statistics, summary
from scoring.evaluations import EQUAL, Evaluation, read_evaluations
from scoring.predictions import Prediction
from scoring.scores import Metrics, Signs
from test_compare import beside, evaluation, values


def test_every_sentence_keeps_its_places_in_portuguese():
    for english, portuguese in PORTUGUESE.items():
        named = [{name for _, name, *_ in string.Formatter().parse(text) if name} for text in (english, portuguese)]
        assert named[0] == named[1], english
    tables = [*sentences.VERDICTS.values(), sentences.LEADS, sentences.HELD, sentences.TESTS, comparison_blocks.INTERVALS]
    tables += [report.SIDES, comparison_blocks.GROUPS, {k: v for k, (v, _) in comparison_blocks.VERDICT_WORDS.items()}]
    tables += [{k: v for k, (_, v) in EQUAL.items()}]
    said = [text for table in tables for text in table.values()]
    said += [
        sentences.BY_SCORE,
        sentences.MAY,
        sentences.OPEN,
        sentences.LOSES,
        sentences.NO_BETTER,
        *report.DECIDING.values(),
        *report.UNMEASURED.values(),
        baselines.TFIDF,
        baselines.LONGEST,
        baselines.COMMONEST,
        baselines.OPTIONS_ONLY,
    ]
    assert not [text for text in said if text not in PORTUGUESE]


def test_one_of_a_thing_is_told_in_the_singular():
    """Pages had "1 cases" and "1 rows"; where no number stands in a sentence, or stands before no noun, that is told here."""
    for say in (Language(), Language("pt-BR")):
        one, five = (
            [
                say("{n:case|cases}, drawn whole", n=n),
                say(" (a first look: {n:row|rows})", n=n),
                say("{n:point|points}", n=str(n)),
                say("{model}: {k} of {n:answer|answers} could not be read and {k:?counts|count} as wrong.", model="m", k=n, n=n),
            ]
            for n in (1, 5)
        )
        many = re.compile(r"\b(?:cases|rows|points|answers|count|casos|linhas|pontos|respostas|contam)\b")
        assert not any(map(many.search, one)) and all(map(many.search, five))
    assert Language()("{n:row|rows}", n=0) == "0 rows" and Language()("{n:row|rows}", n="1,000") == "1,000 rows"


def test_no_count_stands_before_a_plural_alone():
    """A number in front of a noun brings the noun's two forms."""
    nouns = r"rows|cases|answers|points|questions|others|tokens|linhas|casos|respostas|pontos|questões|outros"
    bare = re.compile(rf"\{{(?:n|k|of|cut|rows|lost|margin|words)\}} (?:\w+ )?(?:{nouns})\b")
    assert not [text for pair in PORTUGUESE.items() for text in pair if bare.search(text)]


@pytest.fixture
def missing(monkeypatch):
    """Sentences that were asked for and have no translation."""
    found, known = [], {"ROUGE-L", "ROUGE-1", "ROUGE-2", "BLEU", "chrF", "MB"}
    say = Language.__call__

    def watched(self, sentence, **places):
        if self.code == "pt-BR" and sentence not in PORTUGUESE and sentence not in known:
            found.append(sentence)
        return say(self, sentence, **places)

    monkeypatch.setattr(Language, "__call__", watched)
    return found


def whole_run(tmp_path):
    """A recipe's folder with comparisons of scores, forgetting and safety, and a file that lost what was gained."""
    made = {
        "eval_base": evaluation(tmp_path / "eval_base", [i % 4 == 0 for i in range(400)], model="base-1B"),
        "eval_sft": evaluation(tmp_path / "eval_sft", [i % 4 < 3 for i in range(400)], model="sft", model_name="base-1B + sft"),
        "eval_file": evaluation(
            tmp_path / "eval_file", [i % 4 < 2 for i in range(400)], model="x/sft-q4_k_m.gguf", precision="gguf sft-q4_k_m"
        ),
    }
    for name, more in (("general", {"data": "general"}), ("safety", {"task": "safety"})):
        for which in ("base", "sft"):
            folder = tmp_path / f"{name}_{which}"
            made[folder.name] = evaluation(folder, [i % 2 == 0 for i in range(40)], model=which, **more)
    compared = {"comparison": ("eval_base", "eval_sft", "eval_file"), "compare_general": ("general_base", "general_sft")}
    compared["compare_safety"] = ("safety_base", "safety_sft")
    for which, right in (("base", 3), ("sft", 1)):
        written = [i % 4 < right for i in range(200)]
        made[f"written_{which}"] = evaluation(tmp_path / f"written_{which}", written, model=which, protocol="generate")
    compared["compare_written"] = ("written_base", "written_sft")
    for folder, names in compared.items():
        run_script("scripts/compare.py", *(made[n] for n in names), "--output_dir", tmp_path / folder)
    (tried,) = json.loads((tmp_path / "compare_written/comparison.json").read_text())["comparisons"]
    proof = {"files": [{"file": "sft-q8_0.gguf", "bytes": 9, "failed": {}}]}
    metrics = {"rows": 40, "tokens": 900, "truncated_rows": 0, "trainable_parameters": 9, "steps": 1, "train_seconds": 1.0}
    training = {"script": "sft.py", "config": {"model": "base-1B", "adapter": "lora", "learning_rate": 1e-4, "seed": 1}}
    training |= {"peak_memory_gb": {"ram": 1.0}, "metrics": metrics | {"synthetic_rows": {"<i>writer": 10}}}
    losses = {"step": 1, "loss": 0.5}
    choice = {"file": "sft-q8_0.gguf", "settled": False, "margin": 2.0, "alpha": 0.05, "n": 200, "tried": [tried]}
    for path, content in (
        ("gguf/verification.json", proof),
        ("ships/choice.json", choice),
        ("sft/run.json", training),
        ("sft/metrics.jsonl", losses),
    ):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(json.dumps(content))
    return tmp_path


def test_a_side_of_another_state_of_the_model_is_refused(tmp_path):
    """A folder that an earlier training left: what it had forgotten says nothing of this one."""
    run = whole_run(tmp_path)
    for folder, state in (("eval_sft", "new"), ("general_sft", "old"), ("safety_sft", "new")):
        metrics = json.loads((run / folder / "metrics.json").read_text())
        name = {"model_name": "base-1B + sft"} if folder != "eval_sft" else {}
        (run / folder / "metrics.json").write_text(json.dumps(metrics | name | {"model_sha256": state}))
    for side, before, after in (("comparison", "eval_base", "eval_sft"), ("compare_general", "general_base", "general_sft")):
        run_script("scripts/compare.py", run / before, run / after, "--output_dir", run / side)
    run_script("scripts/compare.py", run / "safety_base", run / "safety_sft", "--output_dir", run / "compare_safety")
    err = run_script("scripts/report.py", "--run", run, code=2).stderr
    assert "compare_general: base-1B + sft was another model" in err and "compare_safety" not in err


def test_the_first_sentence_is_about_what_ships(tmp_path, missing):
    run = whole_run(tmp_path)
    out = run_script("scripts/report.py", "--run", run, "--gate", code=1)
    summary = json.loads((run / "summary.json").read_text())
    lost = "sft-q4_k_m.gguf is better than base-1B by this score, but worse than base-1B + sft, from which it was made"
    assert summary["first"] == (f"{lost}: take a larger quantisation; do not use it before this is settled: forgetting, safety.")
    assert (
        not summary["gate"]["passed"] and len(summary["gate"]["failed"]) == 3
    )  # the file, forgetting, safety; not what was written
    assert "sft-q4_k_m.gguf is worse than base-1B + sft" in out.stderr
    page = (run / "report.html").read_text()
    assert '<div class="verdict bad"><p class="first">sft-q4_k_m.gguf is better than base-1B by this score, but worse' in page
    assert "a first look" in page and "eval_sft" not in page and "No simple baseline was scored" in page
    assert "Written freely, sft is worse than base: 25.0 % against 75.0 %" in summary["verdict"] and "Written freely" in page
    assert "sft-q8_0.gguf, the largest, ships: on 200 rows that no score here uses, a loss of more than 2 points" in page
    assert "sft learnt from synthetic rows, 10 of 40 (25.0 %), written by &lt;i&gt;writer (10)" in page
    assert summary["synthetic_rows"] == {"sft": {"<i>writer": 10}}
    # The same in Portuguese, every sentence of it.
    say, parts = Language("pt-BR"), run_blocks.read_run(run)
    result = report.read_result(run / "comparison")
    sides = [report.Side(n, report.read_result(run / f"compare_{n}")) for n in report.SIDES if n != "over_refusal"]
    page = pages.render(report.page_of(parts, result, sides, 2, say), say, "html")
    assert "Não é para uso clínico" in page and 'lang="pt-BR"' in page and "50,0 %" in page and "50.0 %" not in page
    assert "sft aprendeu com linhas sintéticas, 10 de 40 (25,0 %), escritas por &lt;i&gt;writer (10)" in page
    few = {"file": "sft-q8_0.gguf", "settled": False, "margin": 2.0, "alpha": 0.05, "n": 0, "rows_needed": 247, "tried": []}
    (told,) = run_blocks.choice_blocks(few, say)
    assert told.tone == "warn" and "sem teste" in told.text and "2 pontos; 247 bastariam" in told.text
    assert not missing
    text = pages.render(report.page_of(parts, result, sides, 2, say), say, "md")
    assert "é melhor que base-1B por esta nota, mas pior que" in text and not re.search(r"(?<!\\)<script", text)


def test_base_and_file_alone_make_a_page(tmp_path):
    """No tuned model was scored: the page once ended in a traceback."""
    one = evaluation(tmp_path / "eval_base", [i % 4 == 0 for i in range(400)], model="base")
    two = evaluation(tmp_path / "eval_file", [i % 4 < 2 for i in range(400)], model="x/f.gguf", precision="gguf f")
    run_script("scripts/compare.py", one, two, "--output_dir", tmp_path / "comparison")
    run_script("scripts/report.py", "--run", tmp_path, "--gate")
    assert json.loads((tmp_path / "summary.json").read_text())["first"] == "f.gguf is better than base by this score."


def test_a_model_may_take_another_s_place_only_where_forgetting_and_safety_were_measured(tmp_path):
    """Nothing was measured beside the score, nothing was open, and the page said that it may."""
    one = evaluation(tmp_path / "eval_base", [i % 4 == 0 for i in range(400)], model="base")
    two = evaluation(tmp_path / "eval_file", [i % 4 < 2 for i in range(400)], model="x/f.gguf", precision="gguf f")
    run_script("scripts/compare.py", one, two, "--output_dir", tmp_path / "comparison")
    said = {}
    for name, more in (("general", {"data": "general"}), ("safety", {"task": "safety"})):
        pair = [evaluation(tmp_path / f"{name}_{which}", [True] * 400, model=which, **more) for which in ("base", "f")]
        run_script("scripts/compare.py", *pair, "--output_dir", tmp_path / f"compare_{name}")
        for code in ("en", "pt-BR"):
            run_script("scripts/report.py", "--run", tmp_path, "--language", code, "--gate")
            said[name, code] = json.loads((tmp_path / "summary.json").read_text())["first"]
    assert said == {
        ("general", "en"): "f.gguf is better than base by this score.",
        ("general", "pt-BR"): "f.gguf é melhor que base por esta nota.",
        ("safety", "en"): "f.gguf is better than base and may take its place.",
        ("safety", "pt-BR"): "f.gguf é melhor que base e pode ficar no lugar dele.",
    }


@pytest.mark.parametrize(
    ("rights", "simple", "first", "tone"),
    [
        ({"base": 1, "f.gguf": 3}, 2, "f.gguf is better than base and may take its place.", "good"),
        (  # a bag of words does better: the page was green and said that the model may be used
            {"base": 1, "f.gguf": 2},
            3,
            "f.gguf is better than base; the simple baseline “TF-IDF and logistic regression” does better.",
            "bad",
        ),
        (
            {"base": 1, "f.gguf": 3},
            3,
            "f.gguf is better than base; it is not shown to be better than the simple baseline “TF-IDF and logistic regression”.",
            "warn",
        ),
        (  # the file lost what training gained, and its gate is red
            {"base": 1, "sft": 3, "f.gguf": 2},
            0,
            "f.gguf is better than base, but worse than sft, from which it was made: take a larger quantisation.",
            "bad",
        ),
    ],
)
def test_what_a_simple_baseline_or_a_larger_file_does_better_does_not_take_a_place(tmp_path, rights, simple, first, tone):
    made = []
    for name, right in rights.items():
        more = {"model": f"x/{name}", "precision": "gguf f" if name.endswith("gguf") else "float32"}
        made.append(evaluation(tmp_path / f"eval_{name}", [i % 4 < right for i in range(400)], **more))
        beside(made[-1], baselines.TFIDF, ["A" if (i + 1) % 4 < simple else "B" for i in range(400)])
    run_script("scripts/compare.py", *made, "--output_dir", tmp_path / "comparison")
    for name, more in (("general", {"data": "general"}), ("safety", {"task": "safety"})):
        pair = [evaluation(tmp_path / f"{name}_{which}", [True] * 400, model=which, **more) for which in ("base", "f.gguf")]
        run_script("scripts/compare.py", *pair, "--output_dir", tmp_path / f"compare_{name}")
    run_script("scripts/report.py", "--run", tmp_path)
    assert json.loads((tmp_path / "summary.json").read_text())["first"] == first
    page, alone = (tmp_path / "report.html").read_text(), (tmp_path / "comparison/comparison.html").read_text()
    assert f'<div class="verdict {tone}">' in page and f'<div class="verdict {tone}">' in alone
    # The words of the report's own files, linked from it.
    links = re.findall(r'<a href="([^"]+)"', page)
    assert links == ["comparison/comparison.html", "compare_general/comparison.html", "compare_safety/comparison.html"]
    assert all((tmp_path / link).is_file() for link in links)


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("general", [True] * 90),  # a first look
        ("general", [i % 4 == 0 for i in range(400)]),  # guesses: what was not there cannot be forgotten
        ("safety", [False] * 400),  # the first model declined nothing, so nothing could be lost
    ],
)
def test_what_could_show_no_loss_counts_as_not_measured(tmp_path, name, right):
    """The page said that the model may take the other's place."""
    one = evaluation(tmp_path / "eval_base", [i % 4 == 0 for i in range(400)], model="base")
    two = evaluation(tmp_path / "eval_file", [i % 4 < 2 for i in range(400)], model="x/f.gguf", precision="gguf f")
    run_script("scripts/compare.py", one, two, "--output_dir", tmp_path / "comparison")
    for side, more in (("general", {"data": "general"}), ("safety", {"task": "safety", "chance": None})):
        answers = right if side == name else [True] * 400
        pair = [evaluation(tmp_path / f"{side}_{which}", answers, model=which, **more) for which in ("base", "f")]
        run_script("scripts/compare.py", *pair, "--margin", "5", "--output_dir", tmp_path / f"compare_{side}")
    run_script("scripts/report.py", "--run", tmp_path, "--gate")
    assert json.loads((tmp_path / "summary.json").read_text())["first"] == "f.gguf is better than base by this score."


@pytest.mark.parametrize(
    ("base", "file", "doubt"),
    [
        (0, 27, "whether it does better than chance"),  # of answers that could not be read to answers that are guesses
        (30, 95, "one answer to nearly all rows"),
    ],
)
def test_a_score_that_says_nothing_of_the_model_settles_nothing(tmp_path, base, file, doubt):
    """Both were "better by this score", in green."""
    gold = {"A": 250, "B": 150}
    one = evaluation(tmp_path / "eval_base", [i % 100 < base for i in range(400)], model="base", gold=gold)
    two = evaluation(tmp_path / "f", [i % 100 < file for i in range(400)], model="x/f.gguf", precision="gguf f", gold=gold)
    run_script("scripts/compare.py", one, two, "--output_dir", tmp_path / "comparison")
    page = (tmp_path / "comparison/comparison.html").read_text()
    said = f"f.gguf is better than base by this score; do not use it before this is settled: {doubt}."
    assert f'<div class="verdict warn"><p class="first">{said}' in page


def test_each_comparison_is_told_by_its_own_test_and_its_own_reach(tmp_path):
    """The page named the first pair's test for all, and its smallest difference as what so many rows show."""
    base = evaluation(tmp_path / "base", [i % 2 == 0 for i in range(200)])
    file = evaluation(tmp_path / "f", [i % 2 == 0 or i < 30 for i in range(200)], model="f.gguf", precision="gguf f")
    for seed in range(3):
        right = [i % 2 == 0 or i < 90 + 3 * seed for i in range(200)]
        evaluation(tmp_path / f"seed_{seed}", right, model="sft", model_sha256=str(seed))
    run_script("scripts/compare.py", base, f"{tmp_path}/seed_*", file, "--output_dir", tmp_path / "c")
    page = (tmp_path / "c/comparison.md").read_text()
    assert "Tests: bootstrap over rows and seeds, exact McNemar test; intervals:" in page
    reach = re.findall(r"smallest difference between (\S+) and (\S+) that 200 rows show four times in five: (\S+) points", page)
    assert [pair[:2] for pair in reach] == [("base", "f.gguf"), ("sft", "f.gguf")] and reach[0][2] != reach[1][2]


def test_a_page_in_markdown_ends_its_lists_and_shows_the_prompt(tmp_path):
    """What followed a list without an empty line was read as part of its last item; the prompt was a title alone."""
    one = evaluation(tmp_path / "a", [i % 2 == 0 for i in range(60)])
    two = evaluation(tmp_path / "b", [True] * 50 + [False] * 10)
    run_script("scripts/compare.py", one, two, "--output_dir", tmp_path / "c")
    lines = (tmp_path / "c/comparison.md").read_text().splitlines()
    after = [lines[i + 1] for i, line in enumerate(lines[:-1]) if line.startswith("- ") and not lines[i + 1].startswith("- ")]
    assert after and not any(after)
    several = Page("t", "f", [], "", [Details("prompt", [Part("m", "one\ntwo\n\nthree")], whole=True)], "")
    assert "  > one\\\n  > two\n  > \n  > three\n" in pages.render(several, Language(), "md")
    assert "  > Q0 \\<script\\>alert(1)\\</script\\> & $x$" in lines


def test_options_that_the_prompt_does_not_list_stand_beside_a_question():
    row = Prediction(id="1", options=["Anatomy", "Dental"], prompt="Which? Anatomy or Dental")
    assert not flip_blocks._options(row, Language())
    (part,) = flip_blocks._options(row.model_copy(update={"prompt": "Subject:"}), Language())
    assert part == ("options", "Anatomy · Dental")


def test_what_was_measured_on_another_model_than_ships_is_said(tmp_path):
    run = whole_run(tmp_path)
    run_script("scripts/report.py", "--run", run)
    page = (run / "report.html").read_text()
    assert "Safety: harmful requests declined: measured on sft, not on sft-q4_k_m.gguf, the file that ships." in page


def test_the_page_names_the_signs_of_contamination_and_what_they_do_not_say(tmp_path):
    order = {"n": 40, "own_first": 40, "share": 1.0, "ci95": [0.9, 1.0], "chance": 0.25, "p_value": 1e-9}
    met = {"order": order, "continuation": {"n": 40, "exact": 3, "share": 0.075, "ci95": [0.0, 0.2], "words": 8}}
    new = {"order": {**order, "own_first": 11, "share": 0.275, "p_value": 0.4}, "continuation": None}
    for name, seen in (("a", met), ("b", new)):
        evaluation(tmp_path / name, [i % 2 == 0 for i in range(40)], contamination=seen)
    result = comparing.compare(read_evaluations([str(tmp_path / "a"), str(tmp_path / "b")], [], []), comparing.Settings())
    blocks = asked_blocks.signs_of_contamination(result, Language())
    assert [b.tone for b in blocks] == ["warn", "warn", "soft", "soft"]
    assert "40 of 40 questions (100.0 %; 25.0 % by chance, exact binomial test p < 0.0001). It met them, or" in blocks[0].text
    assert blocks[1].text == "a, given the first half of a question, writes the next 8 words exactly in 3 of 40."
    assert "11 of 40" in blocks[2].text and "It met" not in blocks[2].text and "may have met the rows too" in blocks[3].text
    assert "Ou já as viu" in asked_blocks.signs_of_contamination(result, Language("pt-BR"))[0].text
    assert "40 of 40" in "".join(summary.signs_of_contamination(Signs(**met)))
    assert len(summary.signs_of_contamination(Signs(**new))) == 1


def test_a_difference_that_compare_let_pass_is_told_by_the_report_too(tmp_path):
    """The report knew nothing of --allow: its page was that of two models asked alike."""
    one = evaluation(tmp_path / "eval_base", [i % 4 == 0 for i in range(400)], model="base", template_sha256="1")
    two = evaluation(tmp_path / "eval_file", [i % 4 < 2 for i in range(400)], model="x/f.gguf", precision="gguf f")
    run_script("scripts/compare.py", one, two, "--output_dir", tmp_path / "comparison", "--allow", "[template]")
    run_script("scripts/report.py", "--run", tmp_path)
    first = json.loads((tmp_path / "summary.json").read_text())["first"]
    assert (
        first
        == "f.gguf is better than base by this score; do not use it before this is settled: the difference in chat template."
    )
    assert "base and f.gguf differ in their chat template, which was allowed" in (tmp_path / "report.html").read_text()


def test_of_two_files_the_last_is_held_against_the_model_that_it_was_made_from(tmp_path):
    """Its neighbour is the other file: the loss went untested, and the page said that no file was scored."""
    rights = {"base": 1, "sft": 3, "q8": 3, "q4": 2}
    made = [
        evaluation(
            tmp_path / f"eval_{name}",
            [i % 4 < right for i in range(400)],
            model=f"x/{name}",
            precision=f"gguf {name}" if name.startswith("q") else "float32",
        )
        for name, right in rights.items()
    ]
    run_script("scripts/compare.py", *made, "--output_dir", tmp_path / "comparison")
    pairs = [
        (c["baseline"], c["candidate"]) for c in json.loads((tmp_path / "comparison/comparison.json").read_text())["comparisons"]
    ]
    assert pairs == [("base", "sft"), ("base", "q8"), ("base", "q4"), ("sft", "q8"), ("q8", "q4"), ("sft", "q4")]
    assert "q4 is worse than sft" in run_script("scripts/report.py", "--run", tmp_path, "--gate", code=1).stderr
    assert "but worse than sft, from which it was made" in json.loads((tmp_path / "summary.json").read_text())["first"]


def test_a_report_over_scores_that_changed_is_refused(tmp_path):
    run = whole_run(tmp_path)
    shutil.rmtree(run / "eval_sft")
    evaluation(run / "eval_sft", [True] * 400, model="sft")
    assert "was scored again since" in run_script("scripts/report.py", "--run", run, code=2).stderr


def test_a_report_over_texts_or_seeds_that_changed_is_refused(tmp_path):
    """Perplexity has no accuracy, and a second seed is not the first folder: neither was looked at."""
    texts = [{"nats": 100.0 + i % 7, "bytes": 200} for i in range(80)]
    known = {"precision": "float32", "perplexity": 9.0}
    one, two = (values(tmp_path / name, "perplexity", texts, bits_per_byte=0.7, tokens=90, **known) for name in "ab")
    run_script("scripts/compare.py", one, two, "--output_dir", tmp_path / "texts/comparison")
    metrics = json.loads((two / "metrics.json").read_text())
    (two / "metrics.json").write_text(json.dumps({**metrics, "bits_per_byte": 0.6}))
    assert "b was scored again since" in run_script("scripts/report.py", "--run", tmp_path / "texts", code=2).stderr
    base = evaluation(tmp_path / "base", [i % 2 == 0 for i in range(40)])
    seeds = [evaluation(tmp_path / f"s{i}", [True] * 30 + [False] * 10, model="sft", model_sha256=str(i)) for i in range(2)]
    run_script("scripts/compare.py", base, ",".join(map(str, seeds)), "--output_dir", tmp_path / "seeds/comparison")
    shutil.rmtree(seeds[1])
    evaluation(seeds[1], [True] * 40, model="sft", model_sha256="1")
    assert "sft was scored again since" in run_script("scripts/report.py", "--run", tmp_path / "seeds", code=2).stderr


def test_questions_are_drawn_by_hash_and_shown_whole(tmp_path):
    one = evaluation(tmp_path / "a", [i % 2 == 0 for i in range(60)])
    two = evaluation(tmp_path / "b", [True] * 60)
    result = comparing.compare(read_evaluations([str(one), str(two)], [], []), comparing.Settings())
    say = Language()
    page = pages.render(compare.page_of(result, 3, say), say, "html")
    won = [f"r{i}" for i in range(1, 60, 2)]
    shown = re.findall(r"<summary class=\"good\">(r\d+):", page)
    assert shown == by_hash(won)[:3] and shown != sorted(won)[:3]
    assert page.count("question, as it was asked") == 3


def test_numbers_speak_the_language():
    say = language.Language("pt-BR")
    assert say.percent(0.561) == "56,1 %" and say.number(1234567, ",") == "1 234 567" and say.p(0.00001) == "p < 0,0001"


# ---------------------------------------------------------------------------------------------- the statistician


def simulated(generator, n: int, before: float, difference: float, shared: float = 0.5):
    """Two models' right answers on the same rows, with these accuracies; `shared` of the rows are answered alike."""
    after = before + difference
    both = shared * min(before, after)
    one = generator.random(n)
    won, lost = after - both, before - both
    a = (one < both) | ((one >= both) & (one < both + lost))
    b = (one < both) | ((one >= both + lost) & (one < both + lost + won))
    return a, b


def verdict(a, b, margin: float) -> str:
    rows = [{str(i): Prediction(id=i, correct=bool(r)) for i, r in enumerate(right)} for right in (a, b)]
    metrics = Metrics(task="mcq", n=len(a), accuracy=0.5)
    one, two = (Evaluation(name, [name], [metrics], [r]) for name, r in zip("ab", rows, strict=True))
    return comparing.family([pairing.Paired(one, two, pairing.Settings(margin=margin))])[0].verdict


@pytest.mark.slow  # two minutes: four times a thousand pairs of models
def test_verdicts_are_right_at_their_stated_rates():
    generator, n = numpy.random.default_rng(5), 500

    def rates(difference, margin):
        found = [verdict(*simulated(generator, n, 0.5, difference), margin) for _ in range(1000)]
        return {name: found.count(name) / 1000 for name in ("better", "not_worse", "worse_within_margin", "worse", "not_shown")}

    equal = rates(0.0, 0.1)  # no difference: better and worse at most 2.5 % each, by the test's level
    assert equal["better"] <= 0.04 and equal["worse"] + equal["worse_within_margin"] <= 0.04
    on_margin = rates(-0.1, 0.1)  # a loss just as large as the margin must not pass, but for 2.5 %
    assert on_margin["better"] + on_margin["not_worse"] + on_margin["worse_within_margin"] <= 0.04
    better = rates(0.12, 0.02)
    assert 0.86 <= better["better"] <= 0.96 and better["worse"] == 0  # 0.93 by Connor; the exact test takes a little less
    worse = rates(-0.15, 0.02)
    assert worse["worse"] >= 0.95 and worse["better"] == worse["not_worse"] == 0


@pytest.mark.slow  # half a minute: a thousand pairs
def test_the_interval_holds_the_truth_as_often_as_it_says():
    generator, covered = numpy.random.default_rng(6), 0
    for _ in range(1000):
        a, b = simulated(generator, 120, 0.6, 0.1, shared=0.9)
        low, high = statistics.tango(int((b & ~a).sum()), int((a & ~b).sum()), 120, 0.05)
        covered += low <= 0.1 <= high
    assert 0.93 <= covered / 1000 <= 0.985


@pytest.mark.slow  # a minute: 300 experiments of five seeds
def test_the_interval_over_rows_and_seeds_holds_the_truth():
    """Each seed's gain is drawn around 10 points with a spread of 3: another set of seeds is what the interval speaks of."""
    generator, covered = numpy.random.default_rng(7), 0
    for _ in range(300):
        base = generator.random(400) < 0.5
        seeds = [generator.random(400) < 0.6 + 0.03 * generator.standard_normal() for _ in range(5)]
        values = [numpy.array([[(float(r), 1) for r in right] for right in group]) for group in ([base], seeds)]
        low, high = statistics.percentile_interval(statistics.bootstrap_differences(*values, numpy.arange(400), 500, 1), 0.05)
        covered += low <= 0.1 <= high
    assert covered / 300 >= 0.9


@pytest.mark.slow  # a minute: 300 models on cases of six rows each, with a bootstrap for every one
def test_the_rows_named_for_cases_rule_the_margin_out_four_times_in_five():
    """What a first look names, tried on so many rows of the same kind, by the whole of compare.py's arithmetic."""
    settings, generator = pairing.Settings(0.05, 0.05, 1000), numpy.random.default_rng(8)

    def look(rows: int) -> pairing.Paired:
        """Equal models; in three of ten cases they differ, there in a row with nine chances in ten and then alike."""
        case = generator.choice([-1, 0, 1], rows // 6, p=[0.15, 0.7, 0.15]).repeat(6)
        differ = case * (generator.random(len(case)) < 0.9)
        found = [
            {str(i): Prediction(id=i, correct=bool(r), case=i // 6) for i, r in enumerate(right)}
            for right in (differ < 0, differ > 0)
        ]
        one, two = (
            Evaluation(n, [n], [Metrics(task="mcq", n=len(r), accuracy=0.5)], [r]) for n, r in zip("ab", found, strict=True)
        )
        return pairing.Paired(one, two, settings)

    needed = look(60_000).rows_needed(0.05)
    shown = sum(comparing.family([look(needed)])[0].ruled_out for _ in range(300)) / 300
    assert 0.73 <= shown <= 0.87


@pytest.mark.slow  # a minute: 400 times eleven models
def test_of_eleven_models_that_lost_the_margin_one_passes_as_seldom_as_of_one():
    generator, passed = numpy.random.default_rng(9), 0
    for _ in range(400):
        lost = [simulated(generator, 400, 0.6, -0.1) for _ in range(11)]
        paired = []
        for a, b in lost:
            rows = [{str(i): Prediction(id=i, correct=bool(r)) for i, r in enumerate(right)} for right in (a, b)]
            one, two = (Evaluation(n, [n], [Metrics(task="mcq", n=len(r))], [r]) for n, r in zip("ab", rows, strict=True))
            paired.append(pairing.Paired(one, two, pairing.Settings(margin=0.1)))
        passed += any(c.passes for c in comparing.family(paired))
    assert passed / 400 <= 0.045  # 2.5 % and noise; uncorrected 1 - 0.975 ** 11, 24 %
