"""Answers in the styles of current models, options by number, questions that ask for the exception, sets of statements."""

import json
from pathlib import Path

import evaluate
import pytest
from common.errors import UserError
from scoring import answers, asking, exceptions, predict
from training import rewards

OPTIONS = {"A": "Metformina", "B": "Insulina", "C": "Glibenclamida", "D": "Acarbose"}
NUMBERED = dict(zip("1234", OPTIONS.values(), strict=True))
EXCEPTION = "Assinale a alternativa INCORRETA:"
STYLES = Path(__file__).with_name("answers_styles.jsonl")


def test_a_table_of_current_styles_is_read_without_a_wrong_answer():
    """Written and marked before the rules were looked at, in three languages; 8 of the first 199 were read wrong then."""
    rows = [json.loads(line) for line in STYLES.read_text(encoding="utf-8").splitlines()]
    assert len(rows) >= 300 and len({row["style"] for row in rows}) > 15
    read = [(row, answers.extract(row["output"], row["options"], row.get("question", ""))) for row in rows]
    assert not [(answer, row["output"]) for row, answer in read if answer not in (None, row["expected"])]
    named = [(row, answer) for row, answer in read if row["expected"]]
    unread = [row["output"] for row, answer in named if answer is None]
    assert len(unread) <= 0.03 * len(named), unread


@pytest.mark.parametrize(
    "output", ["Resposta: {}", "{}) é a certa", "**{}**", "The answer is option {}.", "\\boxed{{{}}}", "R: {}"]
)
@pytest.mark.parametrize("key", "1234")
def test_a_number_names_an_option_where_options_are_numbered_and_nowhere_else(output, key):
    assert answers.extract(output.format(key), NUMBERED) == key
    assert answers.extract(output.format(key), OPTIONS) is None, "options with letters: it may count from 0, or be a dose"


@pytest.mark.parametrize(
    "output", ["Tomar {} comprimidos.", "{} mg", "Diabetes tipo {}.", "Em {} semanas.", "Estágio {}: cirurgia."]
)
def test_a_count_is_no_option(output):
    for key in NUMBERED:
        assert answers.extract(output.format(key), NUMBERED) is None


def test_an_option_s_own_number_is_not_another_option():
    doses = {"1": "2 mg", "2": "3 mg", "3": "4 mg"}
    assert answers.extract("Resposta: 3", doses) is None, "the third option, or the dose of the second"
    assert answers.extract("Resposta: 3 mg", doses) == "2" and answers.extract("Resposta: 1", doses) == "1"


def test_what_is_called_wrong_is_the_answer_only_where_the_exception_is_asked_for():
    said = "A alternativa incorreta é a letra C."
    assert answers.extract(said, OPTIONS, EXCEPTION) == "C" and answers.extract(said, OPTIONS) is None
    assert answers.extract("A alternativa A está correta, pois age.", OPTIONS, EXCEPTION) is None
    for question, wanted in (
        ("Which is true?\nAll are used EXCEPT:", True),
        ("Qual NÃO é causa?", True),
        ("Why is it not given?", False),
        ("Uma conduta incorreta levou a isto.\nQual é o diagnóstico?", False),
        ("", False),
    ):
        assert exceptions.asked_for(question) is wanted
    args = type("Args", (), {"format_reward": 0.1})
    reward = rewards.right_answer(args)
    told = {"completions": [[{"content": said}]], "options": [json.dumps(OPTIONS)], "gold": ["C"]}
    assert reward(**told, question=[EXCEPTION], prompts=[]) == [1.0] and reward(**told) == [0.0]


def test_an_evaluation_reads_by_number_and_knows_what_was_asked():
    """Rows with numbered options were refused, and the question was not looked at."""
    row = {"id": 1, "question": EXCEPTION, "options": NUMBERED, "answer": "3"}
    args = evaluate.Args(model="m", data="d", output_dir="o")
    asking.check_asking(args, [row], "mcq", "generate")
    for unread, protocol in (({"0": "x", "1": "y"}, "generate"), ({"1": "x", "10": "y"}, "generate"), (NUMBERED, "capitulo")):
        with pytest.raises(UserError, match="calls options"):
            asking.check_asking(args, [{**row, "options": unread}], "mcq", protocol)
    said = "A alternativa incorreta é a 3."
    assert predict.read_texts(row, [(said, True)], "generate")[0] == "3"
    assert predict.read_samples(row, [(said, True), ("Resposta: 2", True), (said, True)], "generate")[0] == "3"


SETS = {"A": "Apenas I", "B": "Apenas I e III", "C": "I, II e III", "D": "Nenhuma delas"}


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("Apenas I e III estão corretas.", "B"),
        ("Somente as afirmativas I e III são verdadeiras. A II erra a dose.", "B"),
        ("A afirmativa II erra a dose. Portanto, apenas a I está correta.", "A"),
        ("I and III are correct.", "B"),
        ("As afirmativas I, II e III estão corretas.", "C"),
        ("Apenas II e III estão corretas.", None),
        ("I e II", None),
    ],
)
def test_a_set_of_statements_is_the_option_that_holds_the_same(output, expected):
    assert answers.extract(output, SETS) == expected
