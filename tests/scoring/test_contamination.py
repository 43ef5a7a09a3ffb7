"""Signs that a model met the questions: what a model that knows them by heart shows, and one that does not."""

import json
import sys

import pytest
from common.errors import UserError
from conftest import ROOT
from scoring import contamination, engines
from scoring.engines_url import Url
from scoring.scores import Order, Signs

sys.path.insert(0, str(ROOT / "tests" / "benchmarks"))
from bench_scoring import medmcqa_rows, write_rows
from test_beside_the_score import run

STEM = "A patient of {n} years has had fever, cough and pain in the left side for {n} days and now coughs blood, what comes next"


def rows(count: int) -> list[dict]:
    return [
        {"id": f"q{n}", "question": STEM.format(n=n), "options": {"A": "rest", "B": "X-ray", "C": "aspirin", "D": "surgery"}}
        for n in range(count)
    ]


class ByHeart:
    """An engine whose tokens are characters, and that has read some rows with their options in order."""

    window, first_token, longest = 4096, 0, 4096

    def __init__(self, read: list[dict]):
        self.read = {row["question"]: row for row in read}

    def option(self, text: str) -> list[int]:
        return [ord(c) for c in text]

    def said(self, ids: list[int]) -> str:
        return "".join(map(chr, ids[1:]))

    def reserve(self, tokens: int) -> None:
        pass

    share_prefix = reserve

    def log_likelihoods(self, requests):
        found = []
        for prompt, options in requests:
            row = self.read.get(self.said(prompt))
            own = contamination.rotations(row["options"])[0] if row else None
            other = sum(prompt) % len(options)  # what it has not read it prefers by chance
            found.append(
                [0.0 if "".join(map(chr, o)) == own or (not own and i == other) else -9.0 for i, o in enumerate(options)]
            )
        return found

    def generate(self, prompts, longest: int):
        known = [next((q for q in self.read if q.startswith(self.said(p))), "") for p in prompts]
        return [
            (q[len(self.said(p)) :] or "I do not know that one at all, sorry.", True) for q, p in zip(known, prompts, strict=True)
        ]


def test_what_is_known_by_heart_is_seen_and_what_is_not_is_not():
    asked = rows(40)
    met = contamination.look(ByHeart(asked), asked, 40, 100)
    assert met.order == Order(n=40, own_first=40, share=1.0, ci95=met.order.ci95, chance=0.25, p_value=0.25**40)
    assert (met.continuation.exact, met.continuation.n, met.continuation.words) == (40, 40, 8)
    assert Signs.model_validate_json(json.dumps(met.as_json())) == met
    new = contamination.look(ByHeart([]), asked, 40, 100)
    assert new.order.p_value > 0.05 and new.order.n == 40 and new.continuation.exact == 0
    few = contamination.look(ByHeart(asked), asked, 7, 100)
    assert few.order.n == few.continuation.n == 7


@pytest.mark.parametrize(
    ("texts", "free"),
    [
        (["rest", "X-ray", "aspirin", "surgery"], True),
        (["10 mg", "20 mg", "40 mg", "none"], False),  # numbers stand in order of themselves
        (["rest", "aspirin", "surgery", "all of the above"], False),
        (["repouso", "cirurgia", "aspirina", "nenhuma das anteriores"], False),
        (["rest", "aspirin", "A and B", "surgery"], False),
        (["aspirin", "rest", "surgery", "X-ray".lower()], False),  # by the alphabet
    ],
)
def test_options_in_an_order_that_can_be_told_are_left_out(texts, free):
    assert contamination.is_free(dict(zip("ABCD", texts, strict=True))) is free


def test_short_questions_and_rows_without_options_leave_nothing_to_look_at():
    asked = [{"id": "1", "question": "Which drug?", "answer": "aspirin"}]
    nothing = Signs(order=None, continuation=None)
    assert contamination.look(ByHeart([]), asked, 9, 100) == nothing
    assert contamination.look(ByHeart([]), asked, 0, 100) is None


def test_a_url_is_not_looked_at_and_says_so(capsys):
    url = Url("http://127.0.0.1:9/v1", "m", quiet=True)
    assert contamination.look(url, rows(3), 3, 100) is None and "not looked for" in capsys.readouterr().out


def test_a_random_model_shows_no_sign_and_its_scores_stay(tiny_model, monkeypatch, tmp_path, capsys):
    engine = engines.HuggingFace(tiny_model, "auto", False, "float32", False, 2048)
    data = write_rows(tmp_path / "t.jsonl", medmcqa_rows(24))
    arguments = ("--model", "models/tiny-qwen3", "--data", data, "--question_hidden", "false", "--output_dir")
    plain = run(monkeypatch, engine, *arguments, tmp_path / "a")
    looked = run(monkeypatch, engine, *arguments, tmp_path / "b", "--contamination_rows", "24")
    assert plain["contamination"] is None and plain["n_correct"] == looked["n_correct"]
    seen = looked["contamination"]
    assert seen["order"]["n"] > 8 and seen["order"]["p_value"] > 0.001 and seen["continuation"]["exact"] == 0
    assert "likeliest in the file's own order" in capsys.readouterr().out
    # The same by the plain way, one sequence an order.
    row = next(r for r in medmcqa_rows(24) if contamination.is_free(r["options"]))
    lists = [engine.option(text) for text in contamination.rotations(row["options"])]
    prompt = contamination.plain(engine, row["question"])
    engine.share_prefix([prompt])
    scores = engine._one_by_one([(prompt, lists)])[0]
    assert contamination.order(engine, [row], 2048).own_first == (scores[0] > max(scores[1:]))
    with pytest.raises(UserError, match="contamination_rows"):
        run(monkeypatch, engine, *arguments, tmp_path / "c", "--contamination_rows", "-1")
