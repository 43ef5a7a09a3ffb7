"""Moodle's question banks: XML, GIFT and Aiken, with all that is no multiple choice of one right option. The items are ours."""

import json

import pytest
from test_exam_text import prepared

from data_prep.common.errors import UserError
from data_prep.documents.moodle import aiken, gift
from data_prep.tables.records import Bad

XML = """<?xml version="1.0" encoding="UTF-8"?>
<quiz>
<question type="category"><category><text>$course$/Clínica/Tireoide</text></category></question>
{items}
</quiz>"""
ITEM = """<question type="{kind}"><name><text>n</text></name><questiontext format="html"><text><![CDATA[<p>{stem}</p>]]></text>
</questiontext><generalfeedback><text></text></generalfeedback><single>true</single>{answers}</question>"""
ANSWER = '<answer fraction="{share}"><text>{text}</text><feedback><text>{why}</text></feedback></answer>'


def item(stem: str, *answers: tuple, kind: str = "multichoice") -> str:
    told = "".join(ANSWER.format(share=share, text=text, why=why) for share, text, why in answers)
    return ITEM.format(kind=kind, stem=stem, answers=told)


def rejects(tmp_path) -> list[str]:
    return [json.loads(line)["reason"] for line in (tmp_path / "out/rejects.jsonl").read_text().splitlines()]


def test_moodle_xml(tmp_path):
    right = [
        item(
            f"Qual exame confirma o hipotireoidismo do caso {n}?",
            (0, f"Cortisol {n}", ""),
            (100, f"TSH {n}", f"O TSH sobe {n}"),
            (-33.3, f"PTH {n}", ""),
        )
        for n in range(4)
    ]
    others = [
        item("Quais sinais pertencem ao mixedema?", (50, "Bradicardia", ""), (50, "Edema", ""), (-100, "Tremor", "")),
        item("Qual conduta vale metade?", (100, "Levotiroxina", ""), (50, "Liotironina", ""), (0, "Iodo", "")),
        item("Qual hormônio falta?", (100, "T4", ""), kind="shortanswer"),
        item("O que mostra @@PLUGINFILE@@/us.png?", (100, "Nódulo", ""), (0, "Cisto", "")),
        item("A glândula fica no pescoço.", (100, "true", ""), (0, "false", ""), kind="truefalse"),
    ]
    rows = prepared(tmp_path, "banco.xml", XML.format(items="\n".join(right + others)))
    assert len(rows) == 5 and {row["topic"] for row in rows} == {"Tireoide"}
    for row in rows:
        assert row["options"][row["answer"]][:3] in ("TSH", "tru") and "<p>" not in row["question"]
    assert sorted(reason.split(",")[0] for reason in rejects(tmp_path)) == [
        "an item of Moodle's type 'shortanswer'",
        "needs an image",
        "several options are",
        "several options are",
    ]


def test_an_image_behind_a_long_case_is_seen_and_its_reject_is_cut(tmp_path):
    case = "Mulher com bócio e rouquidão há meses. " * 60
    asked = [(f"{case}Qual exame vem primeiro no caso {n}?", "") for n in range(3)] + [
        (f"{case}O que mostra", "@@PLUGINFILE@@/us.png")
    ]
    items = [item(f"{stem} {more}", (0, "Cintilografia", ""), (100, "Ultrassom", "")) for stem, more in asked]
    assert len(prepared(tmp_path, "banco.xml", XML.format(items="\n".join(items)))) == 3
    [reject] = map(json.loads, (tmp_path / "out/rejects.jsonl").read_text().splitlines())
    assert reject["reason"].startswith("needs an image") and len(reject["row"]["_line"]) == 2000


GIFT = r"""// made for the tests
$CATEGORY: $course$/Pediatria

::Q1:: Qual vacina se dá ao nascer? {
  =BCG#certo
  ~Febre amarela
  ~Varicela
}

[html]Um sódio de 128 mEq\/L com osm\=290 é {~%0%normal ~%100%baixo ~%0%alto####Abaixo de 135}

A {=bilirrubina ~ureia ~creatinina} sobe na icterícia.

O recém\-nascido a termo tem 37 semanas ou mais.{T}

Quantos meses dura o aleitamento exclusivo? {#6}

Que vitamina se dá ao nascer? {=K =vitamina K}

Ligue. {=BCG -> nascer =VOP -> 2 meses}

Escreva sobre o teste do pezinho. {}

Quais são do calendário? {~%50%BCG ~%50%VOP ~%-100%Raiva}
"""


def test_gift():
    rows = [row for _, row in gift(GIFT)]
    good = [row for row in rows if isinstance(row, dict)]
    assert [row["options"][row["answer"]] for row in good] == ["BCG", "baixo", "bilirrubina", "True"]
    assert good[0] == {
        "question": "Qual vacina se dá ao nascer?",
        "options": {"A": "BCG", "B": "Febre amarela", "C": "Varicela"},
        "answer": "A",
        "explanation": "certo",
        "topic": "Pediatria",
    }
    assert good[1]["question"].endswith("osm=290 é") and good[1]["explanation"] == "Abaixo de 135"
    assert good[2]["question"] == "A _____ sobe na icterícia."
    assert len(rows) == 9 and sum(isinstance(row, Bad) for row in rows) == 5


@pytest.mark.parametrize(
    "text",
    [
        "A {~a =b ~c} d\n\nQual? {~um =dois\n\nE este? {~tres =quatro}\n",  # a brace that is not closed
        "Um parágrafo antes.\n\nQual? {~um =dois}\n\nOutro antes.\n\nE este? {~tres =quatro}\n",
    ],
)
def test_gift_whose_questions_are_not_clear_gives_no_such_row(text):
    rows = [row for _, row in gift(text)]
    assert rows and sum(isinstance(row, Bad) for row in rows) >= 1
    assert all(row["question"] != "Qual? {~um =dois" for row in rows if isinstance(row, dict))


def test_braces_of_other_texts_are_no_gift():
    assert gift("f(x) { return x; } g(x) { return =x; } h {~a}") == [] and gift(r"\frac{~1}{2} e \sqrt{3} e \vec{v}") == []


AIKEN = "Qual nervo é o sétimo?\nA. Facial\nB. Vago\nC. Óptico\nANSWER: A\n\nQual é o décimo?\nA) Facial\nB) Vago\nANSWER: B\n"


def test_aiken(tmp_path):
    assert [row["options"][row["answer"]] for _, row in aiken(AIKEN)] == ["Facial", "Vago"]
    assert aiken(AIKEN + "\nUma linha a mais.\n") == []
    beyond = [row for _, row in aiken(AIKEN.replace("ANSWER: B", "ANSWER: D"))]
    assert isinstance(beyond[1], Bad) and "no option is" in beyond[1].reason
    assert len(prepared(tmp_path, "aiken.txt", AIKEN)) == 2


def test_a_file_of_gift_is_read_whole_and_nothing_of_it_is_lost(tmp_path):
    assert len(prepared(tmp_path, "banco.gift", GIFT)) == 4 and len(rejects(tmp_path)) == 5


def test_an_official_key_with_annulled_numbers_struck_out_is_asked_about(tmp_path):
    """INEP prints numbers in a row, letters in the next, and a stroke where a question was annulled."""
    lines = [
        f"Questão {' '.join(map(str, range(n, n + 10)))}\nGabarito {letters}"
        for n, letters in ((1, "A B C D A \u0336 B C D A"), (11, "D D \u0336 A B C D A B C"))
    ]
    with pytest.raises(UserError, match="letters of an exam's key"):
        prepared(tmp_path, "gabarito.txt", "GABARITO DEFINITIVO\n" + "\n".join(lines))
