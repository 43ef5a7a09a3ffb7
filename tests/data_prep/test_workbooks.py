"""A workbook with a sheet that is not understood: what the error says is pasted as it stands, and runs. The rows are ours."""

import re
import shlex
import zipfile

import openpyxl
import pytest
from test_headers import exam
from test_needless import asked, told

from data_prep.common.arguments import parse_args
from data_prep.common.errors import UserError
from data_prep.pipeline.options import Args
from data_prep.pipeline.sources import all_records, find_sources, tell_readings
from data_prep.shapes.aside import ASIDE
from data_prep.shapes.reading import PASTED

PAIRS = [{"Indagação": asked(i), "Devolutiva": told(i)} for i in range(24)]
NAMES = [{"Área": name, "Código": 7} for name in ("Cirurgia", "Pediatria")]
COUNTS = [{"Área": name, "Quantidade": 7} for name in ("Cirurgia", "Pediatria")]
KEYS = [{**row, "Gabarito": i % 3 + 1} for i, row in enumerate(exam("Enunciado", "Gabarito"))]
EXAM = exam("Enunciado", "Gabarito")


def workbook(path, **sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        sheet.append(list(rows[0]))
        for row in rows:
            sheet.append(list(row.values()))
    book.save(path)
    return str(path)


def asked_of(*arguments: str) -> str:
    with pytest.raises(UserError) as error:
        find_sources(parse_args(Args, "", list(arguments)))
    return str(error.value)


def first_lines(message: str) -> str:
    """The lines to paste: of each file the first way that is offered."""
    found, taken = [], True
    for line in message.splitlines():
        taken = taken if line.startswith(PASTED) else line.strip() != "or"
        found += [line[len(PASTED) :]] if taken and line.startswith(PASTED) else []
    return "\n".join(found) + "\n"


@pytest.mark.parametrize("title", ["Aba 1", "it's [1]", "a #b: c"])
def test_lines_for_one_sheet_of_several_go_into_a_file_of_readings(tmp_path, title):
    book = workbook(tmp_path / "x.xlsx", **{title.replace("[", "(").replace("]", ")").replace(":", ";"): PAIRS, "Prova": EXAM})
    message = asked_of(book)
    assert "--reading" in message
    (tmp_path / "r.yaml").write_text(first_lines(message))
    sources = find_sources(parse_args(Args, "", [book, "--reading", str(tmp_path / "r.yaml")]))
    assert [s.reading.shape for s in sources] == ["qa", "mcq"] and len(list(all_records(sources))) == 48


def test_a_key_that_counts_from_0_or_1_is_answered_for_its_sheet_alone(tmp_path):
    book = workbook(tmp_path / "x.xlsx", A=KEYS, B=EXAM)
    (tmp_path / "r.yaml").write_text(first_lines(asked_of(book)))
    a, b = find_sources(parse_args(Args, "", [book, "--reading", str(tmp_path / "r.yaml")]))
    assert (a.reading.base, b.reading.base) == ("0", "letter")


@pytest.mark.parametrize("title", ["Resumo", "Resumo geral", "it's (2)"])
def test_a_sheet_that_holds_no_texts_is_passed_over_as_the_error_says(tmp_path, title):
    book = workbook(tmp_path / "x[1].xlsx", **{"Prova": EXAM, title: NAMES})
    message = asked_of(book)
    assert PASTED not in message and "YOUR_FIELD" not in message
    said = shlex.split(re.search(r"--exclude .*", message)[0])
    [source] = find_sources(parse_args(Args, "", [book, *said]))
    assert source.shown.endswith("#Prova")


@pytest.mark.parametrize(
    "rows",
    [
        COUNTS,
        [{"total_esperado": 24, "total_gerado": 24, "pendencias": 0}],
        [{"ID": 900 + i, "Acertos (n)": 10 * i} for i in range(24)],
        [{"Métrica": f"Média da prova {i}", "Total": 24.5 + i} for i in range(3)],
    ],
)
def test_a_sheet_of_numbers_beside_questions_is_no_reason_to_ask(tmp_path, rows, capsys):
    sources = find_sources(parse_args(Args, "", [workbook(tmp_path / "x.xlsx", Prova=EXAM, Resumo=rows)]))
    tell_readings(sources)
    assert "so that their rows are rejects: " in capsys.readouterr().out
    left = [record for record, _ in all_records(sources) if record.bad]
    assert [(r.bad, r.raw) for r in left] == [(ASIDE, row) for row in rows]


NUMBERS = {  # what only resembles it: keys by number, names of columns that are lacking, texts
    "Respostas": [{"Item": i + 1, "Valor": i % 3 + 1} for i in range(24)],
    "Aba 2": [{"Item": i + 1, "Opção": i % 3 + 1} for i in range(24)],
    "Aba 3": [{"Item": 101 + i, "Valor": i % 3} for i in range(24)],
    "Aba 4": [{str(i + 1): i, str(i + 31): 50 + i} for i in range(3)],
    "Aba 5": [{"Termo": f"HAS {i}", "Código": 10 + i} for i in range(3)],
    "Aba 6": [{"Pergunta": f"Quantos casos há no ano {i}?", "Total": 10 + i} for i in range(3)],
    "Aba 7": [{"Questão": f"Questão {i}", "Média": i % 3} for i in range(24)],
    "Aba 8": [{"Área": "Cirurgia", "Nível": "alto", "Total": 7}],
}


@pytest.mark.parametrize("title", NUMBERS)
def test_a_sheet_that_only_resembles_one_of_numbers_is_asked_about(tmp_path, title):
    assert f"#{title}" in asked_of(workbook(tmp_path / "x.xlsx", **{"Prova": EXAM, title: NUMBERS[title]}))
    assert "#Prova" not in asked_of(workbook(tmp_path / "y.xlsx", **{title: NUMBERS[title], "Outra": NAMES}))


BARE = [{"Nº": i + 1, **{k: v for k, v in row.items() if k != "Gabarito"}} for i, row in enumerate(EXAM)]
LETTERS = [{"Questão": i + 1, "Gabarito": row["Gabarito"]} for i, row in enumerate(EXAM)]


@pytest.mark.parametrize(
    "exam, title, keys",
    [
        ("Questões", "Gabarito", LETTERS),
        ("Prova 2023", "Gabarito 2023", LETTERS[::-1]),  # in another order
        ("Planilha1", "Planilha2", [{"Item": f"Questão {k['Questão']}", "Gabarito oficial": k["Gabarito"]} for k in LETTERS]),
        ("Prova", "Chave", [{"Nº": k["Questão"], "Resposta": k["Gabarito"] if n else "ANULADA"} for n, k in enumerate(LETTERS)]),
    ],
)
def test_a_key_on_a_sheet_of_its_own_is_joined_by_number(tmp_path, exam, title, keys, capsys):
    sources = find_sources(parse_args(Args, "", [workbook(tmp_path / "x.xlsx", **{title: keys, exam: BARE})]))
    assert f"the sheet {title} of x.xlsx is the key of {exam}" in capsys.readouterr().out
    assert [s.reading and s.reading.shape for s in sources] == [None, "mcq"]
    rows = [(record.raw["Enunciado"], record.raw[reading.fields["answer"]]) for record, reading in all_records(sources)]
    assert rows[1:] == [(row["Enunciado"], row["Gabarito"]) for row in EXAM][1:] and len(rows) == 24


OF_OTHERS = {  # keys that only may be those of the questions beside them
    "of fewer": {"Gabarito": LETTERS[:-1]},
    "of others": {"Gabarito": [{**k, "Questão": k["Questão"] + 1} for k in LETTERS]},
    "two of them": {"Gabarito": LETTERS, "Gabarito definitivo": LETTERS[::-1]},
    "of a student": {"Respostas do João": LETTERS},
    "of a student by its column": {"Planilha2": [{"Nº": k["Questão"], "Resposta do aluno": k["Gabarito"]} for k in LETTERS]},
    "of another year": {"Gabarito 2024": LETTERS},
    "of two versions": {"Gabarito": [{**k, "Gabarito B": "A"} for k in LETTERS]},
    "a number twice": {"Gabarito": [*LETTERS, LETTERS[0]]},
}


@pytest.mark.parametrize("name", OF_OTHERS)
def test_a_key_that_may_be_another_s_is_asked_about(tmp_path, name):
    assert "#Prova 2023: " in asked_of(workbook(tmp_path / "x.xlsx", **{"Prova 2023": BARE}, **OF_OTHERS[name]))


def test_an_exam_with_its_own_key_takes_no_other(tmp_path):
    rows = [{**row, "Gabarito": k["Gabarito"]} for row, k in zip(BARE, LETTERS, strict=True)]
    assert "#Gabarito: " in asked_of(workbook(tmp_path / "x.xlsx", Prova=rows, Gabarito=LETTERS[::-1]))
    assert "#A: " in asked_of(workbook(tmp_path / "y.xlsx", A=BARE, B=BARE, Gabarito=LETTERS))


def test_names_of_columns_stand_in_the_lines(tmp_path):
    rows = [{"Anotação": f"nota {i}", "Indagação": asked(i), "Devolutiva": told(i), "Obs": "ok"} for i in range(24)]
    message = asked_of(workbook(tmp_path / "x.xlsx", A=rows))
    assert first_lines(message) == "shape: qa\nfields: {question: Indagação, answer: Devolutiva}\n"


def test_a_workbook_in_the_strict_format_is_not_taken_for_an_empty_one(tmp_path):
    usual = workbook(tmp_path / "usual.xlsx", Sheet1=PAIRS)
    with zipfile.ZipFile(usual) as before, zipfile.ZipFile(tmp_path / "x.xlsx", "w") as strict:
        for name in before.namelist():
            main = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
            strict.writestr(name, before.read(name).replace(main, b"http://purl.oclc.org/ooxml/spreadsheetml/main"))
    assert "Strict Open XML: save it as a usual .xlsx" in asked_of(str(tmp_path / "x.xlsx"))
