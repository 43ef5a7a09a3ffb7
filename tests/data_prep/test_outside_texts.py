"""Documents of strangers once more: signs within options, lines in pieces, folded answers, tables of Word, texts without prose.

The rows are ours; what was wrong of each is told in tests/benchmarks/RESULTS-prepare.md, list 28.
"""

import pytest
from test_outside_documents import EXPECTED, PASSAGE, exam, keys

from data_prep.common.errors import UserError
from data_prep.documents.exam.questions import AFTER
from data_prep.documents.notes import as_prose
from data_prep.documents.office import docx_file
from data_prep.documents.pages import html_file
from data_prep.documents.pdf_lines import prose_lines
from data_prep.documents.pdf_pieces import page_text, with_accents
from data_prep.documents.texts import exam_rows
from data_prep.pipeline.read import input_files
from data_prep.shapes.contents import NO_PROSE
from data_prep.tables.records import Bad
from data_prep.values.html_text import html_to_text


@pytest.mark.parametrize(
    "sign",
    ["(Resposta Correta)", "(Correta)", "(CORRECTA)", "(respuesta correcta)", "(Correct answer)", "(risposta corretta)", "(x)"],
)
def test_words_that_say_which_option_is_right_are_no_part_of_it(sign):
    said = exam(key="").replace("\n\n", "\n")
    for i in range(1, 10):
        word = ("Repouso", "Soro", "Alta")["ABC".index(EXPECTED[i - 1])]
        said = said.replace(f"{word} {i}\n", f"{word} {i} {sign}\n")
    rows = exam_rows(said)
    assert keys(rows) == EXPECTED
    assert all(sign not in str(row["options"]) for _, row, _ in rows)


def test_an_exam_whose_right_options_bear_an_unknown_sign_is_no_exam():
    said = exam()
    for i in range(1, 10):
        word = ("Repouso", "Soro", "Alta")["ABC".index(EXPECTED[i - 1])]
        said = said.replace(f"{word} {i}\n", f"{word} {i} (esta mesmo)\n")
    assert exam_rows(said) == []
    both = said.replace("Soro 3", "Soro 3 (esta mesmo)").replace("Alta 2", "Alta 2 (esta mesmo)")
    assert keys(exam_rows(both)) == EXPECTED  # what wrong options bear as well tells nothing


def test_boxes_before_bold_letters_are_options():
    said = exam(
        head="Questão {}\n",
        option="- [ ] **{})** ",
        key="<details>\n<summary>Ver</summary>\n\n- **Resposta correta:** {}\n\n</details>",
    )
    said = said.replace("Qual é", "**Tema:** Clínica\n\nQual é")
    rows = exam_rows(said)
    assert keys(rows) == EXPECTED
    assert all(row["question"].startswith("**Tema:** Clínica\nQual") for _, row, _ in rows)


def test_contents_with_lines_before_their_pages_are_left_out():
    contents = "".join(f"{i}. Parte {i} {'_' * 20} {i + 3}\n" for i in range(1, 8))
    assert "Parte 3" not in prose_lines(f"Índice\n{contents}\n{PASSAGE}") and PASSAGE.strip() in prose_lines(contents + PASSAGE)


def test_contents_that_titles_part_are_left_out():
    contents = "".join(f"{i}. Parte {i} . . . . . . . . {i + 3}\n" + "Um título\n" * (i % 3 == 0) for i in range(1, 13))
    assert "Parte" not in prose_lines(contents)
    assert prose_lines("Soro ........ 2\nÁgua ........ 4\n") == "Soro ........ 2\nÁgua ........ 4\n"


def test_a_sign_of_a_font_before_a_line_is_a_bullet():
    assert prose_lines("\uf02d Repouso por dois dias\nfebre \uf061 alta") == "• Repouso por dois dias\nfebre \uf061 alta"


def test_an_o_before_capitals_alone_is_a_bullet():
    items = "Exames:\no Hemograma\no Ureia\no Glicemia\n"
    assert prose_lines(items) == "Exames:\n• Hemograma\n• Ureia\n• Glicemia\n"
    words = items + "Avalie\no paciente com dor.\n"
    assert prose_lines(words) == words
    assert prose_lines("Em todo\no Brasil\n") == "Em todo\no Brasil\n"


def test_accents_that_stand_before_their_letters_are_on_them():
    assert with_accents(["La introducci´on al m´etodo, p´agina", "´ındice, ni˜no, ac¸˜ao e CORAC¸ ˜AO"]) == [
        "La introducción al método, página",
        "índice, niño, ação e CORAÇ ÃO",
    ]
    assert with_accents(["L´amour et l´hôpital d´une ville"]) == ["L´amour et l´hôpital d´une ville"]


class Page:
    """A page of a PDF that gives pieces with their places, and its lines as they stand."""

    def __init__(self, pieces, whole, ends=True):
        self.pieces, self.whole, self.ends = pieces, whole, ends

    def extract_text(self, visitor_text=None, extraction_mode="plain", **_):
        if extraction_mode == "layout":
            return self.whole
        for said, x, y in self.pieces:
            visitor_text(said, None, (1, 0, 0, 1, x, y), None, 12)
            visitor_text("\n" * self.ends, None, (1, 0, 0, 1, 0, 0), None, 12)
        return "\n".join(said for said, *_ in self.pieces)


def cut_lines(n=10):
    return [piece for i in range(n) for piece in (("O pacien", 10, 700 - 20 * i), ("te tem febre", 60, 700 - 20 * i))]


def test_words_that_a_program_cut_within_a_line_are_whole():
    assert page_text(Page(cut_lines(), "   O paciente  tem febre\n" * 10)) == "\n".join(["O paciente tem febre"] * 10)


@pytest.mark.parametrize(
    "pieces, whole",
    [
        (cut_lines(3), "O paciente tem febre\n" * 3),  # a few can be cells
        (cut_lines(), ("O pacien" + " " * 12 + "te tem febre\n") * 10),  # columns
        (cut_lines(), "O paciente tem tosse\n" * 10),  # another text
        ([("O pacien", 10, 700 - 20 * i) for i in range(20)], "O pacien\n" * 20),  # each on its own line
    ],
)
def test_other_pages_stay_as_they_are_read(pieces, whole):
    assert page_text(Page(pieces, whole)) == "\n".join(said for said, *_ in pieces)


def test_pieces_that_are_read_as_one_line_stay():
    page = Page(cut_lines(), "O paciente tem febre\n" * 10, ends=False)
    assert page_text(page) == "\n".join(said for said, *_ in cut_lines())


def test_a_number_stands_at_its_item_whose_text_is_a_paragraph(tmp_path):
    items = "".join(f"<li><p>Passo {i} do preparo.</p></li>" for i in (1, 2))
    assert html_to_text(f"<ol>{items}</ol><ul>\n<li>\n<p>Jejum.</p>\n<p>Água.</p></li></ul>").split("\n")[:2] == [
        "1. Passo 1 do preparo.",
        "2. Passo 2 do preparo.",
    ]
    assert "- Jejum." in html_to_text("<ul>\n<li>\n<p>Jejum.</p>\n<p>Água.</p></li></ul>")
    assert html_to_text("<ul><li><ul><li>a</li></ul></li></ul>").split() == ["-", "-", "a"]


def test_what_a_page_unfolds_is_a_question_with_its_answer(tmp_path):
    asked = "".join(f"<details><summary>Posso tomar {i}?</summary><p>Sim, {i} vezes ao dia.</p></details>" for i in range(1, 6))
    path = tmp_path / "faq.html"
    path.write_text(f"<html><body><h1>Dúvidas</h1>{asked}<div>Fale conosco</div></body></html>", encoding="utf-8")
    rows = [row for _, row, _ in html_file(path, "faq.html")]
    assert rows[:5] == [{"question": f"Posso tomar {i}?", "answer": f"Sim, {i} vezes ao dia."} for i in range(1, 6)]
    assert isinstance(rows[5], Bad) and rows[5].text.split() == ["Dúvidas", "Fale", "conosco"]
    path.write_text(f"<html><body>{asked.replace('?', '').replace('Posso', 'Como')}{PASSAGE}</body></html>", encoding="utf-8")
    assert all("question" not in row for _, row, _ in html_file(path, "faq.html") if isinstance(row, dict))


def test_a_page_of_titles_alone_is_no_text(tmp_path):
    path = tmp_path / "x.html"
    path.write_text("<html><body><h1>Testes</h1><h2>Tela de 13 polegadas</h2></body></html>", encoding="utf-8")
    with pytest.raises(UserError, match="no sentence"):
        list(html_file(path, "x.html"))
    path.write_text("<html><body></body></html>", encoding="utf-8")
    assert [row for _, row, _ in html_file(path, "x.html")] == [{"text": ""}]
    path.write_text("<html><body><h1>Testes</h1><p>O paciente deve repousar por dois dias.</p></body></html>", encoding="utf-8")
    assert [row for _, row, _ in html_file(path, "x.html")] == [{"text": "Testes\nO paciente deve repousar por dois dias."}]


def test_containers_and_addresses_of_markdown_are_set_aside():
    said = (
        "[TOC]\n[![Licença][sign]][terms]\n\n"
        "Veja o [guia][terms] e o [outro][x].\n\n:::spoiler Ossos\n- rádio [color=#fff]\n:::\n"
        ':::info\nNota.\n:::\n\n[terms]: https://example.org/a "Termos"\n'
        "[sign]: https://example.org/b.png\n[^1]: Nota de rodapé."
    )
    text, _ = as_prose(said)
    assert text.split() == "Licença Veja o guia e o [outro][x]. Ossos - rádio Nota. [^1]: Nota de rodapé.".split()


def test_cells_of_a_word_table_within_a_text_stay_apart(tmp_path):
    import docx

    document = docx.Document()
    document.add_paragraph(PASSAGE)
    table = document.add_table(3, 2)
    for row, cells in zip(table.rows, (("Fase", "Meios"), ("Início", "Soro\nRepouso"), ("Fim", "")), strict=True):
        for cell, said in zip(row.cells, cells, strict=True):
            cell.text, *more = said.split("\n")
            for line in more:
                cell.add_paragraph(line)
    document.save(tmp_path / "x.docx")
    [(_, row, _)] = docx_file(tmp_path / "x.docx", "x.docx")
    assert row["text"].split("\n")[-3:] == ["Fase | Meios", "Início | Soro; Repouso", "Fim"]
    document = docx.Document()
    document.add_paragraph(PASSAGE)
    document.add_table(1, 2).rows[0].cells[0].text = "Dose\túnica"  # alone in its row
    document.save(tmp_path / "x.docx")
    assert [row["text"].split("\n")[-1].split() for _, row, _ in docx_file(tmp_path / "x.docx", "x.docx")] == [["Dose", "única"]]


@pytest.mark.parametrize(
    "said, what",
    [
        ("".join(f"@ana Como vai a dor {i}?\n@rui Melhor, passou a {i}.\n" for i in range(6)), "turns of a conversation"),
        ("".join(f"[{i}.00 - {i + 4}.50] A dor começou ontem.\n" for i in range(6)), "lines with times"),
        ("".join(f"Item {i}:\nSELECT\n    a.nome\nFROM paciente a\nWHERE a.id = {i}\n" for i in range(4)), "queries"),
        ("== Dados\n|------\n|Coluna|Tipo|Nulo\n|------\n" + "".join(f"|{i}|{i}|a) texto {i}|0\n" for i in range(20)), "bars"),
        ("".join(f"{i}) O que é isto?\nUm.\nDois.\nCORRECTA: Dois.\n" for i in range(4)), "answers to an exam"),
        ("".join(f"{i}. - B\n{i + 1}. (C) Soro e repouso\n{i + 2}. Resposta: D\nSoro.\n" for i in range(1, 12, 3)), "letters of"),
        ("".join(f"{i}.- ¿Qué dosis tiene el grupo B{i}?\n{i} mg\n" for i in range(1, 7)), "questions, with little"),
    ],
)
def test_further_texts_that_are_no_prose(said, what):
    found = [name for name, holds in NO_PROSE if holds(said)]
    assert any(what in name for name in found)
    told = "A dor cedeu; e-mail ao time: @ana revisa. FROM e WHERE são palavras de SQL. Postura correta: ereta.\n"
    told += "".join(f"{i}. A dor cedeu no dia {i}.\n" for i in range(12))
    assert not any(holds(PASSAGE + told) for _, holds in NO_PROSE)


def test_a_notebook_is_told_how_to_be_read(tmp_path):
    (tmp_path / "x.ipynb").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match="nbconvert"):
        input_files(str(tmp_path / "x.ipynb"))


@pytest.mark.parametrize("said", ["Soro (certamente)", "Dose correta", "Exame (direito)", "Alta (correção)", "Sim (answer)"])
def test_other_words_at_an_options_end_are_its_own(said):
    assert not AFTER.search(said)
