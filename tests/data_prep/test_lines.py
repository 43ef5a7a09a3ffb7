"""Documents whose lines are no prose, words that a reader lost or said twice, and prose that is neither. The rows are ours."""

import pytest
from test_contradicting import run
from test_strangers import written

from data_prep.common.errors import UserError
from data_prep.documents.office import docx_file
from data_prep.documents.pages import html_file
from data_prep.documents.pdf_lines import without_edges
from data_prep.documents.texts import markdown_file
from data_prep.shapes.exams import holds_key

PASSAGE = "Repouso, água e volta ao serviço em dois dias se a febre não cede ou se há dor no peito. " * 6
PYTHON = "\n".join(
    f"def dose_{i}(peso):\n    limite = {i} * peso\n    if limite > 100:\n        return 100\n    return limite" for i in range(6)
)
CARD = '<Card className="dose">\n  {dose > 3 && (\n    <Aviso texto="alta" />\n  )}\n</Card>\n'
PAGE = "return\n" + CARD * 6
FORM = "Nome ____________________\nFebre □ sim □ não\nO que mais há de ser dito aqui do caso\n" * 12
TREE = "\n".join(f"No. {i} Tórax\n  ├─ [J{i}] Asma\n  ├─ [J{i}.1] Asma leve\n  └─ [J{i}.2] Asma grave" for i in range(8))
LOG = "2026-03-25T04:17 INFO aberta a ficha do paciente\n" * 30
TALK = "\n\n".join(f"{i}\n00:00:{i:02},000 --> 00:00:{i + 1:02},000\nagora vemos o braço direito" for i in range(20))
STATES = "\n\n".join(f"{i}: A criança engasga.\n# Correct answer:\nTosse\n# Wrong answers:\nÁgua\nSono" for i in range(4))


@pytest.mark.parametrize(
    "text, says",
    [
        (PYTHON, "lines of a program"),
        (PAGE, "lines of a program"),
        ("\n".join(f"{i * 7}:   value={{ficha.campo_{i}}}" for i in range(24)), "lines of a program"),
        (FORM, "form to fill in"),
        ("Sinais da consulta e do exame físico\nTosse ( não / seca / com catarro )\n" * 12, "form to fill in"),
        (TREE, "a tree or an index"),
        (LOG, "lines with times"),
        (TALK, "lines with times"),
        ("\n\n".join(f"Exame:\nde\nrim{i}\n●" for i in range(20)), "a word or two on each line"),
        (STATES, "wrong ones among them"),
        ("\n\n".join(f"ΕΡΩΤΗΣΗ {i}\nΤι είναι ο πυρετός;\n{PASSAGE}" for i in range(1, 13)), "numbered questions"),
    ],
)
def test_lines_that_are_no_prose_are_asked_about(tmp_path, text, says):
    with pytest.raises(UserError, match=says):
        written(tmp_path, "x.txt", text)


def test_titles_with_the_numbers_of_questions_are_asked_about(tmp_path):
    parts = "\n\n".join(f"## Q{i}. Descreva a doença {i}\n\n{PASSAGE}" for i in range(11, 19))
    with pytest.raises(UserError, match="numbered questions"):
        written(tmp_path, "x.md", f"# Estudo\n\n{parts}")


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"- febre há {i} dias;" for i in range(30)),
        "\n".join(f"O IMC {i} = peso dividido pela altura ao quadrado, em adultos." for i in range(30)),
        "\n\n".join(f"Passo {i}: {PASSAGE}" for i in range(1, 12)),
        "\n\n".join(f"Às 08:30 de 2026-03-2{i} o paciente teve febre. {PASSAGE}" for i in range(9)) + "\n" * 30,
        "\n".join(f"<p>{PASSAGE}</p>\n<p>{i}</p>" for i in range(30)),
        "\n\n".join(f"=== SLIDE {i} === O pescoço. {PASSAGE}" for i in range(30)),
        "\n".join(PASSAGE for _ in range(30)) + "\n- [ ] medir\n- [ ] pesar\n├─ asma",
        "\n".join("患者于三日前开始发热，伴咳嗽。" for _ in range(60)),
    ],
)
def test_prose_with_some_such_signs_stays_text(tmp_path, text):
    assert [list(row)[1] for row in written(tmp_path, "x.txt", text)] == ["text"]


def test_comments_are_no_lines_of_a_text(tmp_path):
    text = "\n\n".join(f"<!-- PAGE=? -->\nA febre {i} dura dois dias e não volta." for i in range(30))
    (row,) = written(tmp_path, "x.md", text)
    assert row["text"].count("dura dois dias") == 30 and "PAGE" not in row["text"]


def test_a_table_of_numbers_that_names_a_file_is_a_key_of_an_exam_alone(tmp_path):
    text = f"# Notas\n\n{PASSAGE}\n\n| PMID | Título |\n|---|---|\n| 29292837 | Febre. |\n\nVer `provas.md`.\n"
    note, exam = tmp_path / "notas.md", tmp_path / "provas.md"
    note.write_text(text)
    exam.write_text("Texto corrido.")
    assert [row for _, row, _ in markdown_file(note, "notas.md", [note, exam])] == [{"text": text}]
    exam.write_text("## Questão 1\n\nQual?\n\na) Asma\n\nb) Tosse\n")
    assert list(markdown_file(note, "notas.md", [note, exam])) == []


def test_letters_before_a_title_are_a_word():
    assert not holds_key(f"IDEIA-CHAVE\n\n{PASSAGE}")
    assert holds_key(f"Gabarito ADCBE\n\n{PASSAGE}")


def test_signs_that_a_font_names_are_told(tmp_path, capsys):
    limits = [f"A saturação /H1102{n % 3}{90 + n}% manda ao hospital a criança com febre." for n in range(4)]
    run(tmp_path, [{"text": " ".join(limits)}], test_size=0)
    assert "4 signs in 1 texts that were looked at are names that a document's font has" in capsys.readouterr().out


def test_names_of_papers_are_no_signs(tmp_path, capsys):
    run(tmp_path, [{"text": "Ver doi:10.1016/S0140673609 e a dose de 1/H2. " * 4}], test_size=0)
    assert "a document's font" not in capsys.readouterr().out


# ---------------------------------------------------------------------------------------------- Word


def word(tmp_path, fill):
    docx = pytest.importorskip("docx")
    document = docx.Document()
    fill(document)
    document.save(tmp_path / "x.docx")
    return docx_file(tmp_path / "x.docx", "x.docx")


def inside(paragraph, xml):
    """Puts WordprocessingML into a paragraph."""
    from docx.oxml import parse_xml

    names = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    paragraph._p.append(parse_xml(xml.replace(">", f" {names}>", 1)))


def test_a_cell_over_several_places_is_said_once(tmp_path):
    def fill(document):
        document.add_paragraph(PASSAGE)
        table = document.add_table(rows=2, cols=3)
        table.cell(0, 0).merge(table.cell(0, 2)).text = "Avaliação"
        for n, said in enumerate(("dor", "febre", "tosse")):
            table.cell(1, n).text = said
        table.cell(1, 0).add_table(rows=1, cols=1).cell(0, 0).text = "intensa"

    ((_, row, _),) = word(tmp_path, fill)
    assert row["text"].endswith("Avaliação\ndor; intensa | febre | tosse")


def test_words_in_controls_insertions_and_boxes_are_read(tmp_path):
    def fill(document):
        part = document.add_paragraph("A febre ")
        inside(part, "<w:ins><w:r><w:t>cede</w:t></w:r></w:ins>")
        inside(part, "<w:del><w:r><w:delText>dura</w:delText><w:t>mais</w:t></w:r></w:del>")
        inside(part, "<w:sdt><w:sdtContent><w:r><w:t> hoje</w:t></w:r></w:sdtContent></w:sdt>")
        inside(part, "<w:r><w:pict><w:txbxContent><w:p><w:r><w:t>Beba água.</w:t></w:r></w:p></w:txbxContent></w:pict></w:r>")
        document.add_paragraph(PASSAGE)

    ((_, row, _),) = word(tmp_path, fill)
    assert row["text"] == f"A febre cede hoje\n\nBeba água.\n\n{PASSAGE.strip()}"


def test_a_document_of_small_tables_is_no_text(tmp_path):
    def fill(document):
        document.add_paragraph("Plano")
        for n in range(6):
            table = document.add_table(rows=2, cols=2)
            for cell in (cell for row in table.rows for cell in row.cells):
                cell.text = f"Tema {n} e o que se lê antes da aula"

    with pytest.raises(UserError, match="a table of 12 rows"):
        list(word(tmp_path, fill))


# ---------------------------------------------------------------------------------------------- pages


def test_the_heads_of_pages_are_said_once():
    pages = [
        f"Procedimento padrão\nPágina {n} de 5\n{n * n} A dor que\nvolta {'à noite ' * n}\nvai ao médico\ne {n}"
        for n in range(1, 6)
    ]
    text = "\n".join(without_edges(pages, said_once=True))
    assert text.startswith("Procedimento padrão\n1 A dor que\n")
    assert (text.count("Procedimento"), text.count("Página"), text.count("A dor que")) == (1, 0, 5)
    assert "Procedimento" not in "\n".join(without_edges(pages))


def test_a_page_of_fields_is_no_text(tmp_path):
    fields = "<form>Peso <input> Altura <input></form><p>Dose: -- mg</p>"
    (tmp_path / "x.html").write_text(f"<html><body><h1>Calculadora</h1>{fields}</body></html>")
    with pytest.raises(UserError, match="beside fields to fill in"):
        list(html_file(tmp_path / "x.html", "x.html"))
    (tmp_path / "y.html").write_text(f"<html><body><h1>Febre</h1><p>{PASSAGE}</p><form><input></form></body></html>")
    assert [list(row) for _, row, _ in html_file(tmp_path / "y.html", "y.html")] == [["text"]]


def test_the_name_of_a_picture_that_comes_again_and_again_is_no_text(tmp_path):
    part = "<section><img alt='Clínica do Sol'><p>{0}{1}</p><img alt='Raio X {0}'></section>"
    (tmp_path / "x.html").write_text("".join(part.format(n, PASSAGE) for n in range(6)))
    ((_, row, _),) = html_file(tmp_path / "x.html", "x.html")
    assert "Clínica" not in row["text"] and "Raio X 5" in row["text"] and row["text"].count("Repouso") == 36
