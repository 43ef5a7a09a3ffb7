"""Tables as people keep them: merged cells, headers of two lines, totals, formulas, keys in odd forms. The rows are ours."""

import openpyxl
import pytest
from test_headers import exam, letter
from test_needless import asked, told
from test_strangers import read

from data_prep.common.errors import UserError
from data_prep.pipeline.options import Args
from data_prep.pipeline.sources import all_records, find_sources
from data_prep.shapes.convert import convert

HEAD = ["Enunciado", "A", "B", "C", "D", "Gabarito"]
ROWS = [list(row.values()) for row in exam("Enunciado", "Gabarito", "{}")]


def made(tmp_path, rows: list[list], merged=()) -> list:
    """Rows of a workbook: as they are, or why they are none."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for cells in merged:
        book.active.merge_cells(cells)
    book.save(tmp_path / "x.xlsx")
    sources = find_sources(Args(inputs=[str(tmp_path / "x.xlsx")]))
    return [record.bad or convert(record.raw, reading, Args()) for record, reading in all_records(sources)]


def letters(rows: list) -> list[str]:
    return [row["answer"] for row in rows if isinstance(row, dict)]


def right(count: int = len(ROWS)) -> list[str]:
    return [letter(i) for i in range(count)]


def test_a_cell_merged_downwards_stands_in_each_of_its_rows(tmp_path):
    cases = [
        [f"Uma paciente de {40 + i} anos com febre há três dias." if i % 3 == 0 else None, *row] for i, row in enumerate(ROWS)
    ]
    rows = made(tmp_path, [["Caso clínico", *HEAD], *cases], [f"A{i + 2}:A{i + 4}" for i in range(0, 24, 3)])
    assert [row["context"][16:18] for row in rows] == [str(40 + i // 3 * 3) for i in range(24)] and letters(rows) == right()
    with pytest.raises(UserError, match="as merged cells come out"):
        made(tmp_path, [["Caso clínico", *HEAD], *cases])


def test_a_case_that_some_questions_have_is_no_merged_cell(tmp_path):
    cases = [[f"Uma paciente de {40 + i} anos com febre há três dias." if i % 3 else None, *row] for i, row in enumerate(ROWS)]
    assert letters(made(tmp_path, [["Caso clínico", *HEAD], *cases])) == right()


def test_a_header_of_two_merged_lines(tmp_path):
    above = ["Enunciado", "Alternativas", None, None, None, "Gabarito"]
    below = [None, "A", "B", "C", "D", None]
    rows = made(tmp_path, [["Prova"], above, below, *ROWS], ["A1:F1", "A2:A3", "F2:F3", "B2:E2"])
    assert letters(rows) == right() and rows[0]["question"] == asked(0)


@pytest.mark.parametrize(
    "header, second",
    [(["Paciente", "Médico"], ["Pergunta", "Resposta"]), (["Paciente", "Data", "Médico"], ["Pergunta", "dia", "Resposta"])],
)
def test_a_second_line_of_names_is_no_row(tmp_path, header, second):
    pairs = [[asked(i), *([f"{i}/1"] if len(header) > 2 else []), told(i)] for i in range(24)]
    rows = made(tmp_path, [header, second, *pairs[:12], header, *pairs[12:]])
    assert [i for i, row in enumerate(rows) if isinstance(row, str)] == [0, 13] and "second line of names" in rows[0]
    assert "repeats the names" in rows[13] and rows[1]["question"] == asked(0)


@pytest.mark.parametrize(
    "row", [["Total de questões", 24, None, None, None, None], ["Distribuição", 8, 7, 8, 7, "A"], ["CARDIOLOGIA"], HEAD]
)
def test_lines_that_are_no_questions_are_rejects(tmp_path, row):
    rows = made(tmp_path, [HEAD, *ROWS[:12], row, *ROWS[12:]])
    assert letters(rows) == right() and isinstance(rows[12], str)


def test_formulas_without_their_values_are_told(tmp_path):
    with pytest.raises(UserError, match=r"F2, F3.* formulas"):
        made(tmp_path, [HEAD, *([*row[:-1], f'=UPPER("{row[-1]}")'] for row in ROWS)])


def test_cells_beyond_the_header_are_not_lost(tmp_path):
    made(tmp_path, [HEAD, *ROWS[:20], *([*row, "nota"] for row in ROWS[20:])])
    [source] = find_sources(Args(inputs=[str(tmp_path / "x.xlsx")]))
    assert source.reading.unused == {"_column7": "text, 17% filled"}


KEYS = {
    "an X for each option": (
        ["Marca A", "Marca B", "Marca C", "Marca D"],  # whose?
        lambda k: ["X" if a == k else None for a in "ABCD"],
    ),
    "true or false for each": (["VA", "VB", "VC", "VD"], lambda k: ["V" if a == k else "F" for a in "ABCD"]),
    "a date": (["Gabarito"], lambda k: [f"2020-01-0{'ABCD'.index(k) + 1}"]),
    "a Roman number": (["Gabarito"], lambda k: [["I", "II", "III", "IV"]["ABCD".index(k)]]),
    "none": ([], lambda k: []),
}


@pytest.mark.parametrize("names, key", KEYS.values(), ids=KEYS.keys())
def test_a_key_in_a_form_that_is_not_known_is_asked_about(tmp_path, names, key):
    with pytest.raises(UserError):
        made(tmp_path, [[*HEAD[:-1], *names], *([*row[:-1], *key(row[-1])] for row in ROWS)])


@pytest.mark.parametrize("mark", ["X", "Sim"])
def test_an_option_a_row_is_asked_about(tmp_path, mark):
    rows = [[asked(i), a, f"Drug {a}{i}", mark if a == letter(i) else None] for i in range(24) for a in "ABCD"]
    with pytest.raises(UserError):
        made(tmp_path, [["Enunciado", "Alternativa", "Texto", "Correta"], *rows])


def test_a_word_on_how_good_an_answer_is_does_not_go_unused():
    for name in ("Avaliação", "Qualidade da resposta"):
        with pytest.raises(UserError, match=name.split()[0]):
            read([{"Pergunta": asked(i), "Resposta": told(i), name: ["boa", "ruim"][i % 2]} for i in range(24)])


def test_numbers_before_names_as_forms_write_them():
    rows = [{f"{n}. {name}": value for n, (name, value) in enumerate(row.items(), 1)} for row in exam("Pergunta", "Gabarito")]
    assert letters(read(rows)[1]) == right()


def test_templates_of_quizzes():
    names = [
        "Question - max 120 characters",
        *(f"Answer {n} - max 75 characters" for n in range(1, 5)),
        "Correct answer(s) - choose",
    ]
    rows = [dict(zip(names, [*row[:-1], "ABCD".index(row[-1]) + 1], strict=True)) for row in ROWS]
    assert letters(read(rows)[1]) == right()
    names = [
        "Question Text",
        *(f"Option {n}" for n in range(1, 6)),
        "Correct Answer",
    ]  # five options, the last of them never used
    rows = [dict(zip(names, [*row[:-1], None, "ABCD".index(row[-1]) + 1], strict=True)) for row in ROWS]
    assert letters(read(rows)[1]) == right()


def test_a_table_in_a_text_is_no_plain_text(tmp_path):
    lines = "".join(f"{asked(i)}\t{told(i)}\tcards\n" for i in range(24))
    (tmp_path / "cards.txt").write_text(f"# my cards\n# of 2024\n{lines}")
    with pytest.raises(UserError, match="lines of a table"):
        find_sources(Args(inputs=[str(tmp_path / "cards.txt")]))


def test_a_sheet_of_keys_beside_the_questions_is_asked_about(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "Questões"
    keys = book.create_sheet("Gabarito")
    for sheet, rows in (
        (book.active, [HEAD[:-1], *(row[:-1] for row in ROWS)]),
        (keys, [["Nº", "Gabarito"], *enumerate(right(), 1)]),
    ):
        for row in rows:
            sheet.append(row)
    book.save(tmp_path / "x.xlsx")
    with pytest.raises(UserError, match="no column holds the key"):
        find_sources(Args(inputs=[str(tmp_path / "x.xlsx")]))


def test_one_column_of_words_and_numbers_is_asked_about():
    """Looked at for marked words, a number ended the reading in a traceback."""
    with pytest.raises(UserError, match="no shape fits its one field"):
        read([{"contexto": "B"}, {"contexto": 0}])
