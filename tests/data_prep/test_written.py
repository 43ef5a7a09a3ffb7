"""Exams and tables in a text, files in other encodings, readings that were silently wrong once. The rows are ours."""

import json

import pytest
from test_strangers import read, written

from data_prep.common.errors import UserError
from data_prep.documents.written import markdown_table, marked_exam
from data_prep.prepare import Args, prepare
from data_prep.shapes.convert import convert
from data_prep.shapes.detect import find_reading
from data_prep.shapes.nested import rows_of
from data_prep.shapes.reading import Wish
from data_prep.tables.unpack import find_encoding

STEMS = [f"Care afirmaţie {i} este corectă?" for i in range(30)]


def marked(number: int, right: str = "b", box: str = "[x ]") -> str:
    options = (f"{letter}) {box if letter in right else '[ ]'} opţiunea {letter}{number}" for letter in "abcd")
    return f"{number + 1}. CS {STEMS[number]}\n" + "\n".join(options)


def prepared(tmp_path, name: str, content: str | bytes) -> tuple[dict, list[dict]]:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    made = prepare(Args(inputs=[str(path)], test_size=1, near_duplicates="off", output_dir=str(tmp_path / "out")))
    return made, [json.loads(line) for line in (tmp_path / "out/test.jsonl").read_text().splitlines()]


def test_right_options_that_bear_a_mark_are_read(tmp_path):
    parts = [marked(i, "abcd"[i % 4], ("[x ]", "[X]", "[ x]", "[✓]")[i % 4]) for i in range(12)]
    parts[3] = parts[3].replace("opţiunea d3", "opţiunea d3\ncare continuă aici\n\nCapitol: Ficatul")
    parts[5] = parts[5].replace("6. CS ", "6CS. ", 1)
    made, rows = prepared(tmp_path, "exam.txt", "\n".join(parts))
    assert made["counts"]["test"] == 12
    found = {row["question"]: row for row in rows}
    assert all(found[STEMS[i]]["answer"] == "ABCD"[i % 4] for i in range(12))
    assert (
        found[STEMS[3]]["options"]["D"] == "opţiunea d3 care continuă aici" and found[STEMS[0]]["options"]["A"] == "opţiunea a0"
    )


def test_what_is_no_whole_question_among_marked_ones_is_listed():
    parts = [marked(i) for i in range(24)]
    parts[2] = parts[2].replace("c) [ ] ", "c) ")  # an option without a box: its neighbours are no question of their own
    parts[4] = parts[4].partition("\n")[2]  # no number, no stem
    parts[7] = parts[7].replace("d) [ ] ", "d) ")
    parts.insert(9, "77. O întrebare deschisă?")
    rows = marked_exam("\n".join(parts))
    bad = [row.reason.split(",")[0] for _, row in rows if not isinstance(row, dict)]
    assert sorted(bad) == [
        "a question without marked options",
        "marked options without a numbered question",
        "options without a mark",
        "options without a mark",
    ]
    assert len(rows) == 25 and rows[0][0] == 1 and rows[1][0] == 6
    assert not marked_exam("\n".join(parts[:5]).replace("[x ]", "[ ]"))


def test_a_table_in_markdown_is_a_table(tmp_path):
    head = "Segue o banco de questões.\n\n| nº | Enunciado | A | B | C | Gabarito |\n|---|:--|---|---|---|--:|\n"
    rows = [f"| {i} | Qual a dose {i}? | {i} mg | a\\|b {i} | nenhuma<br>delas | {'ABC'[i % 3]} |" for i in range(9)]
    rows.insert(4, "| 99 | cortada | A |")
    made, found = prepared(tmp_path, "banco.md", head + "\n".join(rows))
    assert made["counts"]["test"] == 9 and made["reasons"] == {
        "no row of the table": 1,
        "has another number of cells than the header": 1,
    }
    row = next(r for r in found if r["question"] == "Qual a dose 4?")
    assert row["options"] == {"A": "4 mg", "B": "a|b 4", "C": "nenhuma\ndelas"} and row["answer"] == "B"
    prose = "# Protocolo\n" + "Reavaliar a cada hora.\n" * 9 + "\n| sinal | valor |\n|---|---|\n| PA | 12x8 |\n"
    assert not markdown_table(prose, "x.md")
    with pytest.raises(UserError, match="different headers"):
        markdown_table(head + "\n".join(rows) + "\n\n| a | b |\n|---|---|\n| 1 | 2 |", "x.md")


@pytest.mark.parametrize(
    "form", ["{n}. {stem}\na) unu {n}\nb) doi\nc) trei\nd) patru", "{n}. {stem}\n**a) unu {n}\nb) doi**\nc) trei\nd) patru"]
)
def test_an_exam_without_a_key_is_no_plain_text_in_any_language(tmp_path, form):
    text = "\n".join(form.format(n=i + 1, stem=stem) for i, stem in enumerate(STEMS))
    with pytest.raises(UserError, match="questions with lettered options"):
        prepared(tmp_path, "x.txt", text)
    guideline = "\n\n".join(f"{i}. Conduta\nTexto corrido sobre o caso.\nMais texto.\na) hidratar\nb) medicar" for i in range(30))
    assert prepared(tmp_path, "y.txt", guideline)[0]["counts"]["rows read"] == 1


@pytest.mark.parametrize(
    "text, what",
    [
        (
            "\n".join(
                f"## Caso {i}\nQual a causa?\n\n1. apendicite\n2. gastrite\n3. colite\n\nAnswer: B) dói {i}.\n" for i in range(3)
            ),
            "numbered options",
        ),
        (
            "ESAME * " + " ".join(f"Quale è vera {i}? A la prima * B la seconda C la terza D la quarta *" for i in range(12)),
            "on one line",
        ),
    ],
)
def test_exams_without_letters_or_lines_are_no_plain_text(tmp_path, text, what):
    with pytest.raises(UserError, match=what):
        prepared(tmp_path, "x.md", text)
    steps = "\n".join(f"## Passo {i}\n1. lavar\n2. secar\n3. medir a hepatite A, B e C\n" for i in range(30))
    assert prepared(tmp_path, "y.md", steps)[0]["counts"]["rows read"] == 1


TEXTS = {
    "gb18030": "患者，男性，45岁。头晕2周，血压波动于150/90。既往糖尿病病史2年，无吸烟史。首选的治疗药物是什么？怎么办？",
    "cp932": "48歳の男性。胸痛を主訴に来院した。心電図でST上昇を認める。最も適切な治療はどれか。一つ選べ。アスピリンを投与する。",
    "cp949": "48세 남자가 가슴 통증으로 내원하였다. 심전도에서 이상이 보인다. 가장 적절한 치료는 무엇인가? 다음 중 옳은 것은?",
    "cp1251": "Мужчина 48 лет поступил с болью в груди. На ленте подъем сегмента. Какое лечение наиболее правильно?",
    "cp1256": "رجل عمره 48 سنة يشكو من ألم في الصدر. ما هو العلاج الأنسب لهذه الحالة؟",
    "cp1252": "Homem de 48 anos com dor torácica há três horas. Qual a conduta mais adequada? Não há história prévia.",
}


@pytest.mark.parametrize("encoding", TEXTS)
def test_letters_of_other_encodings_are_never_read_as_western_ones(tmp_path, encoding):
    path = tmp_path / "q.csv"
    path.write_bytes(f"q;a\n{TEXTS[encoding]};x\n".encode(encoding))
    assert TEXTS[encoding] in path.read_bytes().decode(find_encoding(path, "q.csv"))


@pytest.mark.parametrize(
    "encoding, text",
    [
        ("cp1254", "48 yaşında erkek hasta göğüs ağrısı ile başvurdu. Şikâyeti çok şiddetli, ağrısı geçmiyor."),
        ("iso8859_2", "Mężczyzna lat 48 zgłosił się z bólem w klatce piersiowej. Źródło bólu, żołądek, ćwiczenie."),
        ("koi8_r", TEXTS["cp1251"]),
    ],
)
def test_an_encoding_that_cannot_be_told_is_asked_about(tmp_path, encoding, text):
    path = tmp_path / "q.csv"
    path.write_bytes(f"q;a\n{text};x\n".encode(encoding))
    with pytest.raises(UserError, match="save the file as UTF-8"):
        find_encoding(path, "q.csv")


def test_options_by_long_names_are_options_and_never_left_out():
    rows = [
        {
            "pregunta": f"¿Dosis {i}?",
            "opciones": {f"opcion {letter}": f"{n * i} mg" for n, letter in enumerate("abc", 1)},
            "respuesta_correcta": f"opcion {'abc'[i % 3]}",
        }
        for i in range(1, 25)
    ]
    reading, made = read(rows)
    assert reading.shape == "mcq" and [row["answer"] for row in made[:3]] == ["B", "C", "A"]
    for row in rows:
        row["opciones"] = {f"la {n} que sigue": v for n, v in row["opciones"].items()}
    with pytest.raises(UserError, match="opciones"):
        read(rows)


def test_options_that_begin_with_the_question_are_shifted(tmp_path):
    rows = [
        {"enunciado": f"Qual a conduta {i}?", "alternativas": [{"texto": t, "correta": n == i % 4} for n, t in enumerate(texts)]}
        for i in range(12)
        for texts in [[f"Qual a conduta {i}?" if i % 2 else "Repouso", "Alta", "Cirurgia", "Dieta"]]
    ]
    assert len(written(tmp_path, "q.json", rows)) == 6
    rejects = [json.loads(line) for line in (tmp_path / "out/rejects.jsonl").read_text().splitlines()]
    assert {reject["reason"] for reject in rejects} == {"an option is the question: the options are shifted"}


def test_the_case_around_its_questions_is_asked_about():
    rows = [
        {
            "group": [i, i + 1],
            "group_text": f"Mulher de {i} anos, com dor abdominal há três dias, febre e icterícia, é internada.",
            "ques": [
                {"questionText": f"Qual o sinal {n}?", "answerOptions": [{"answerText": t, "isCorrect": t == "b"} for t in "abc"]}
                for n in range(2)
            ],
        }
        for i in range(20, 32)
    ]
    with pytest.raises(UserError, match="context: group_text"):
        read(rows)
    fields = {"question": "questionText", "options": "answerOptions", "context": "group_text"}
    reading = find_reading(rows, Wish(shape="mcq", fields=fields), "x.json")
    row = convert(rows_of(rows[0], reading)[1], reading, Args())
    assert (
        row["question"].startswith("Mulher de 20 anos") and row["question"].endswith("Qual o sinal 1?") and row["answer"] == "B"
    )
