"""Headers as teachers write them into a spreadsheet; and those that only resemble them. The rows are ours."""

import re

import pytest
from test_needless import ILLS, asked, told
from test_strangers import read

from data_prep.common.errors import UserError

LETTERED = [
    "Opção {}",
    "Opción {}",
    "Alternativa ({})",
    "{})",
    "Resposta {}",
    "Respuesta {}",
    "Item {}",
    "Texto da alternativa {}",
]


def why(i: int) -> str:
    return f"In {ILLS[i % 10]} drug {i} lowers the risk by {i} per cent."


def letter(i: int) -> str:
    return "ABCD"[i * 7 % 4]


def exam(question: str, key: str, options: str = "Opção {}", count: int = 24, **more) -> list[dict]:
    spread = {options.format(a): lambda i, a=a: f"Drug {a}{i}, by mouth" for a in "ABCD"}
    columns = {question: asked} | spread | {key: letter} | more
    return [{name: value(i) for name, value in columns.items()} for i in range(count)]


@pytest.mark.parametrize(
    "question, answer",
    [
        ("Pergunta", "Resposta esperada"),
        ("Pergunta do paciente", "Resposta do médico"),
        ("Dúvida", "Orientação"),
        ("Dúvida do paciente", "Resposta do profissional"),
        ("Pergunta frequente", "Resposta padrão"),
        ("Questão dissertativa", "Padrão de resposta"),
        ("Frente", "Verso"),
        ("Pregunta del paciente", "Respuesta del médico"),
        ("Question", "Expected answer"),
        ("Patient's question", "Doctor's answer"),
        ("Patient message", "Doctor response"),
        ("Patient query", "Physician response"),
        ("Consulta del paciente", "Respuesta del doctor"),
        ("Pergunta (paciente)", "Resposta (médico)"),
        ("User question", "Gold standard answer"),
        ("Pergunta", "Chave de resposta"),
        ("Pergunta", "Resposta comentada"),
    ],
)
def test_questions_and_answers_under_names_with_words_beside_them(question, answer):
    reading, made = read([{"Nº": i + 1, question: asked(i), answer: told(i), "Assunto": ILLS[i % 3]} for i in range(24)])
    assert (made[3]["question"], made[3]["answer"], made[3]["number"]) == (asked(3), told(3), "4")
    assert reading.fields["topic"] == "Assunto" and not reading.unused


@pytest.mark.parametrize(
    "question, key, explanation",
    [
        ("Texto da questão", "Gabarito oficial", "Justificativa"),
        ("Questão", "Alternativa correta", "Comentário do professor"),
        ("Questão", "Gabarito final", "Comentários"),
        ("Enunciado da questão", "Gab.", "Resolução"),
        ("Comando da questão", "Letra correta", "Explicação da resposta"),
        ("Enunciado", "Gabarito definitivo", "Questão comentada"),
        ("Pregunta", "Respuesta correcta", "Retroalimentación"),
        ("Enunciado de la pregunta", "Clave de respuesta", "Justificación"),
        ("Pergunta", "Resposta certa", "Fundamentação"),
    ],
)
def test_exams_with_their_key_and_explanation(question, key, explanation):
    more = {explanation: why, "Disciplina": lambda i: ILLS[i % 3], "Banca": lambda i: "XY"[i % 2], "Ano": lambda i: 2020 + i % 2}
    reading, made = read(exam(question, key, **more))
    assert [row["answer"] for row in made] == [letter(i) for i in range(24)] and made[5]["explanation"] == why(5)
    assert (made[5]["exam"], made[5]["year"], reading.fields["topic"]) == ("Y", "2021", "Disciplina") and not reading.unused


@pytest.mark.parametrize("options", LETTERED)
def test_a_column_for_each_option(options):
    _, made = read(exam("Pergunta", "Gabarito", options))
    assert made[2]["options"] == {a: f"Drug {a}2, by mouth" for a in "ABCD"} and made[2]["answer"] == letter(2)


@pytest.mark.parametrize("number", [lambda i: i + 1, lambda i: f"Q{i + 1}", lambda i: f"Questão {i + 1}"])
def test_a_question_s_number_is_not_the_question(number):
    reading, made = read([{"Questão": number(i)} | row for i, row in enumerate(exam("Enunciado", "Gabarito"))])
    assert made[1]["question"] == asked(1) and reading.fields["number"] == "Questão"


def test_the_final_key_goes_before_the_first_one():
    rows = exam("Enunciado", "Gabarito preliminar", **{"Gabarito definitivo": lambda i: letter(i) if i % 6 else letter(i + 1)})
    reading, found = read(rows)
    assert [row["answer"] for row in found] == [row["Gabarito definitivo"] for row in rows]
    assert not reading.checked and "Gabarito preliminar" in reading.unused


@pytest.mark.parametrize(
    "answer",
    [
        f"Resposta {whose}"
        for whose in ("do aluno", "(aluno)", "modelo", "da IA", "- IA", "do paciente", "2", "final", "completa")
    ],
)
def test_an_answer_of_somebody_else_is_asked_about(answer):
    with pytest.raises(UserError, match=re.escape(answer)):
        read([{"Pergunta": asked(i), answer: told(i)} for i in range(24)])
    with pytest.raises(UserError, match=re.escape(answer)):
        read([{"Pergunta": asked(i), "Resposta esperada": told(i), answer: told(i + 3)} for i in range(24)])


@pytest.mark.parametrize("question", ["Pergunta do médico", "Tipo de questão", "Questão anulada"])
def test_a_question_of_somebody_else_is_asked_about(question):
    with pytest.raises(UserError):
        read([{question: asked(i), "Resposta": told(i)} for i in range(24)])


@pytest.mark.parametrize("answer", ["Resposta marcada", "Alternativa assinalada", "Resposta do aluno", "selected_option"])
def test_what_somebody_marked_is_no_key(answer):
    with pytest.raises(UserError, match="no column holds the key"):
        read(exam("Enunciado", answer))


def test_letters_alone_are_answers_to_nothing():
    """The options stand in columns whose names say nothing: as question and answer, letters would be learnt."""
    with pytest.raises(UserError, match="letters alone"):
        read(exam("Pergunta", "Resposta", "Quadro {}"))


def test_no_line_to_paste_teaches_a_bare_letter_or_asks_of_a_month():
    """A key whose options no column holds is none of the answers; a month that a group goes with asks nothing."""
    lettered = [{"tema": f"Tema {i % 5}", "texto_original": asked(i), "answer": letter(i)} for i in range(24)]
    grouped = [{"year": 2000 + i, "month": "March October".split()[i % 2], "gruppe": "AB"[i % 2]} for i in range(24)]
    for rows, said in ((lettered, "answer holds letters or numbers, as a key does"), (grouped, "no two of them hold texts")):
        with pytest.raises(UserError, match=said) as error:
            read(rows)
        assert "shape: qa" not in str(error.value)
