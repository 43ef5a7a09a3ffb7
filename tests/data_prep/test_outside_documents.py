"""Documents as strangers have them: line ends and encodings of Windows, pages of PDFs, notes with marks, keys of other countries.

The rows are ours; what was wrong of each is told in tests/benchmarks/RESULTS-prepare.md, list 27.
"""

import pytest
from test_strangers import written

from data_prep.cleaning.clean import clean_text
from data_prep.common.errors import UserError
from data_prep.documents.labelled import labelled_records
from data_prep.documents.notes import as_prose, without_front
from data_prep.documents.pages import html_file, text_or_page
from data_prep.documents.pdf_lines import SIGNS, prose_lines, whole_words, without_edges
from data_prep.documents.texts import exam_rows, markdown_file
from data_prep.tables.records import Bad
from data_prep.tables.unpack import whole_text
from data_prep.values.html_text import html_to_text

PASSAGE = "Repouso, água e volta ao serviço em dois dias se a febre não cede ou se há dor no peito. " * 6


def exam(key="Resposta: {}", head="{}. ", option="{}) ", n=9):
    """An exam of three options each, the right one C, A, B in turn."""
    return "".join(
        f"{head.format(i)}Qual é a conduta no caso {i}, com febre e dor?\n"
        + "".join(f"{option.format(letter)}{word} {i}\n" for letter, word in zip("ABC", ("Repouso", "Soro", "Alta"), strict=True))
        + f"{key.format('ABC'[(i + 1) % 3])}\n\n"
        for i in range(1, n + 1)
    )


def keys(rows):
    return [row["answer"] for _, row, _ in rows if isinstance(row, dict)]


EXPECTED = ["C", "A", "B"] * 3


# ---------------------------------------------------------------------------------------------- files of Windows


@pytest.mark.parametrize(
    "said, encoding",
    [
        ("It’s the patient’s third day, and he didn’t sleep — not at all – since “surgery”.", "cp1252"),
        ("L’hôpital a d’abord reçu l’enfant, qu’on n’attendait pas.", "cp1252"),
        ("Os países e a saúde: há três países no país.", "mac_roman"),
        ("La evaluación del niño: país y países.", "mac_roman"),
        ("Ação e reação no país.", "cp1252"),
    ],
)
def test_an_apostrophe_of_windows_is_no_letter_of_a_mac(tmp_path, said, encoding):
    (tmp_path / "x.txt").write_bytes(said.encode(encoding))
    assert whole_text(tmp_path / "x.txt", "x.txt") == said


def test_a_dash_that_may_be_a_letter_is_asked_about(tmp_path):
    (tmp_path / "x.txt").write_bytes("The patient slept—woke—slept.".encode("cp1252"))
    with pytest.raises(UserError, match=r"is it ó or —.*cp1252"):
        whole_text(tmp_path / "x.txt", "x.txt")


@pytest.mark.parametrize("name", ["x.txt", "x.md"])
@pytest.mark.parametrize("ends", ["\r\n", "\r"])
def test_lines_end_as_they_do_elsewhere(tmp_path, name, ends):
    rows = written(tmp_path, name, exam().replace("\n", ends).encode())
    assert len(rows) == 9


# ---------------------------------------------------------------------------------------------- pages


def test_cells_on_lines_of_their_own_stay_in_their_row():
    names = "<tr>\n  <th>Sinal</th>\n  <th>Pontos</th>\n</tr>"
    row = "<tr>\n<td>Abre os olhos<br>ao chamado</td>\n<td><p>3</p></td>\n</tr>"
    said = html_to_text(f"<p>Escala</p><table>\n{names}\n{row}\n</table><p>Fim</p>")
    assert said.split() == "Escala Sinal | Pontos Abre os olhos ao chamado | 3 Fim".split()
    assert "\nSinal | Pontos\nAbre os olhos ao chamado | 3\n" in said


def test_a_cell_that_lays_out_a_page_keeps_its_lines():
    said = html_to_text("<table><tr><td>Menu</td>\n<td><h2>Febre</h2><ul><li>água</li><li>repouso</li></ul></td></tr></table>")
    assert "\n- água\n- repouso" in said
    many = "<table><tr><td>1</td><td>Qual?<br>a) água<br>b) soro<br>c) alta</td></tr></table>"
    assert html_to_text(many).count("\n") == 3


WHOLE = "<!DOCTYPE html><html><head><script>var a = 1;</script></head><body>"


@pytest.mark.parametrize("above", [WHOLE, "<!-- 6ª semana -->\n<div>"])
def test_a_text_that_is_a_page_s_source_is_read_as_the_page(tmp_path, above):
    (tmp_path / "x.txt").write_text(f"{above}\n<h1>Febre</h1>\n<p>{PASSAGE}</p>\n<button onclick='a()'>Ver</button>\n</div>")
    assert [row["text"].strip() for _, row, _ in text_or_page(tmp_path / "x.txt", "x.txt")] == [f"Febre\n{PASSAGE}".strip()]
    (tmp_path / "y.txt").write_text(f"<p> é um sinal de parágrafo.\n{PASSAGE}\n{PASSAGE}")
    assert [row["text"][:3] for _, row, _ in text_or_page(tmp_path / "y.txt", "y.txt")] == ["<p>"]


# ---------------------------------------------------------------------------------------------- pages of a PDF


def test_what_closes_a_sentence_stays_with_the_word_that_a_line_cut():
    assert whole_words("foi docu-\nmentada. Depois, tra-\ntada; e") == "foi documentada.\n Depois, tratada;\n e"


def test_two_words_that_the_text_has_keep_their_hyphen():
    said = "Each sentence is read at its level: a sentence-\nlevel model, with infor-\nmation."
    assert whole_words(said).replace("\n", "") == "Each sentence is read at its level: a sentence-level model, with information."
    assert "contratar" in whole_words("com o médico contra tarifas, tarifar e con-\ntratar")


def test_a_letter_that_a_paragraph_sets_apart_is_its_word_s():
    said = prose_lines("M\nake sure of it.\nNat\nional rules.\nA national plan, National rules.\nA\nfter\nI\nknow")
    assert said.startswith("Make sure of it.\nNational rules.\nA national plan")
    assert said.endswith("A\nfter\nI\nknow")  # these may be words


def test_bullets_of_a_font_of_symbols_are_bullets():
    assert clean_text("Sinais:\n\uf0b7 febre\n\uf0a7 dor", ["whitespace"]) == "Sinais:\n- febre\n- dor"
    assert "• dor" in "\uf06e dor".translate(SIGNS)


def test_items_with_a_plus_keep_how_deep_they_stand():
    said = "1. Dor\n    - no peito\n        + ao andar\n            * de manhã"
    assert clean_text(said, ["whitespace"]) == "1. Dor\n  - no peito\n    + ao andar\n      - de manhã"


def test_marks_and_lines_of_contents_that_stand_alone_are_no_text():
    assert prose_lines("fim\n1.\n2.\n\n3.\n•\nNovo") == "fim\n\nNovo"
    assert prose_lines("fim\n1.\n2.\nNovo") == "fim\n1.\n2.\nNovo"
    contents = "\n".join(f"{n} Da febre ........ {n * 2}" for n in range(1, 7))
    assert prose_lines(f"Sumário\n{contents}\nA febre") == "Sumário\n\nA febre"
    measured = "\n".join(f"Exame {n} ........ {value}" for n, value in enumerate([90, 12, 45, 7, 30, 8]))
    assert prose_lines(measured) == measured


def feet(pages):
    return "\n".join(without_edges(pages, said_once=True))


def body(n):
    return f"abre {'assim ' * n}\nsegue {'mais ' * n}\nvai {'longe ' * n}\npara {'logo ' * n}\ne fecha {'bem ' * n}"


@pytest.mark.parametrize(
    "left, right",
    [
        ("{n} D. Souza et al. / Revista de Febres 42 (2009) 1–9", "D. Souza et al. / Revista de Febres 42 (2009) 1–9 {n}"),
        ("{n} E.SOUZA", "{n} E.SOUZA"),
        ("Febre: o que fazer?\n{n:02}", "Febre: o que fazer?{n:02}"),
    ],
)
def test_the_feet_of_left_and_right_pages_are_one(left, right):
    text = feet([f"{body(n)}\n{(left if n % 2 else right).format(n=n)}" for n in range(1, 8)])
    assert text.count("SOUZA") + text.count("Souza") + text.count("Febre:") == 1
    assert text.count("abre") == 7


def test_numbers_of_pages_go_and_numbers_of_items_stay():
    pages = [f"Norma {n * 7}\nPágina {n} de 6\n{n * n} A dor\n{body(n)}" for n in range(1, 7)]
    text = feet([page.replace("Norma", "Norma" + "x" * (n % 4)) for n, page in enumerate(pages)])
    assert ("Página" in text, text.count("A dor")) == (False, 6)


def test_a_slide_of_few_lines_has_a_head_too():
    pages = [f"Curso de febres\nAula 3\n{body(n)}" for n in range(1, 6)] + ["Curso de febres\nAula 3\nSó isto"] * 2
    assert feet(pages).count("Curso de febres") == 1 and "Só isto" in feet(pages)


# ---------------------------------------------------------------------------------------------- notes


def note(tmp_path, text):
    (tmp_path / "x.md").write_text(text)
    return [row for _, row, _ in markdown_file(tmp_path / "x.md", "x.md", [tmp_path / "x.md"])]


def test_what_a_program_says_above_a_note_is_not_its_text(tmp_path):
    text, front = note(tmp_path, f"---\ntitle: Febre\ntags:\n  - sinais\n---\nUm sinal.\n\n{PASSAGE}")
    assert text["text"].startswith("# Febre") and "tags" not in text["text"] and text["text"].count("\n") >= 6
    assert isinstance(front, Bad) and "sinais" in front.text
    assert note(tmp_path, f"---\ntitle: Febre\n---\n# Febre\n{PASSAGE}")[0]["text"].count("Febre") == 1


OF_A_CARD = "---\nquestion: O que é febre?\nanswer: Um sinal\n---\n"


@pytest.mark.parametrize("text", [OF_A_CARD, "---\nUm dia, depois.\n---\nTexto", "a: b\n"])
def test_rows_and_rules_are_nothing_of_a_program(text):
    assert without_front(text) == (text, None)


def test_links_marks_and_pictures_of_a_note_are_their_words():
    said, drawn = as_prose(
        "Na [[Febre#Adultos]], a [[Dipirona|droga]] é ==a primeira==.\n- ![](https://x.org/a(1).png)\n![corte do rim](b.png)\n"
        "```mermaid\nflowchart LR\nA --> B\n```\n%% rever %%Se a == b e c == d, fim."
    )
    assert said == "Na Febre, a droga é a primeira.\ncorte do rim\n\nSe a == b e c == d, fim."
    assert [bad.text.split("\n")[1] for bad in drawn] == ["flowchart LR"]


# ---------------------------------------------------------------------------------------------- no prose


DRAWN = "# Casos\n" + "Nom. |  mein  |  dein  | sein\n|___|___|___|\nDiz de quem é a coisa que vem a seguir.\n" * 12
TABLE = "┌──┬──┐\n" + "├──┼──┤\n│ 1│ 4│\n" * 12
BOXES = "".join(f"Tem a sala {n}?\n(. )SIM.\n( ) NÃO\nComo é usada a sala {n}\n" for n in range(10))
IDENTIFIED = "".join(f"Saída 0ca40e73-ba31-4b62-9716-f3124a6f6{n}:\na febre do caso {n} não cede. \n" for n in range(100, 130))
NAMED = "resposta,enunciado\n" + "".join(f"{n % 2},A febre do caso {n} é alta。\n\n" for n in range(30))
TALK = "**Interviewer (I):** How do you sleep?\n\n**Respondent (R):** Badly.\n\nI wake at four.\n\n" + "".join(
    f"**I:** And on day {n}?\n\n**R{n % 3}:** No better, as I said on day {n}.\n\nThe heat is worse.\n\nSo is the noise.\n\n"
    for n in range(1, 9)
)


@pytest.mark.parametrize(
    "name, text, says",
    [
        ("x.txt", "EVOLUÇÃO DO DIA\n|CHIEF COMPLAINT|, de |PATIENT AGE| anos\n" * 12, "form to fill in"),
        ("x.txt", BOXES, "form to fill in"),
        ("x.txt", TABLE, "a table that is drawn"),
        ("x.txt", "".join(f"Artigo {n} da febre\nhttps://x.org/{n}\n" for n in range(15)), "links"),
        ("x.txt", IDENTIFIED, "identifiers"),
        ("x.txt", "".join(f"A {{{{c1::febre {n}}}}} dá {{{{c2::dor {n}}}}}.\n" for n in range(5)), "gaps"),
        ("x.txt", f"NUMBER QUESTION OPTION1 OPTION2 ANSWER\n1 A febre sim não 2\n{PASSAGE}", "calls options"),
        ("x.txt", NAMED, "line of names"),
        ("x.txt", "".join(f"关于发热{n}的说法正确的是\n多喝水\nB 少喝水\n正确答案 B\n" for n in range(12)), "answers"),
        ("x.md", DRAWN, "bars part"),
        ("x.md", TALK, "dialogue"),
    ],
)
def test_what_is_no_prose_is_asked_about(tmp_path, name, text, says):
    with pytest.raises(UserError, match=says):
        written(tmp_path, name, text)


@pytest.mark.parametrize(
    "text", [f"{PASSAGE}\nhttps://x.org/1\n{PASSAGE}\nhttps://x.org/2\n" * 4, f"Febre, dor\n{PASSAGE}\n" * 12]
)
def test_prose_beside_links_labels_and_commas_stays_a_text(tmp_path, text):
    assert [list(row) for row in written(tmp_path, "x.md", text)] == [["id", "text", "source", "topic"]]


# ---------------------------------------------------------------------------------------------- keys


@pytest.mark.parametrize(
    "form",
    [
        {"key": "**Doğru Şık: {})**"},
        {"key": "参考答案：{}"},
        {"key": "正确答案：{}", "head": "{}、", "option": "{}、"},
        {"head": "QUESTÃO {} ____________  \n"},
        {"key": "Doğru seçenek: {}"},
    ],
)
def test_keys_and_heads_of_other_countries(form):
    assert keys(exam_rows(exam(**form))) == EXPECTED


def test_a_star_behind_the_letter_marks_the_right_option():
    text = exam(key="").replace("\n\n", "\n")
    for n, letter in enumerate(EXPECTED, 1):
        word = {"A": "Repouso", "B": "Soro", "C": "Alta"}[letter]
        text = text.replace(f"{letter}) {word} {n}\n", f"{letter}) * {word} {n}\n")
    assert keys(exam_rows(text)) == EXPECTED
    assert not any("*" in str(row) for _, row, _ in exam_rows(text))


def record(n, more=""):
    options = f"Option A: Rest\nOption B: Surgery\n{more}"
    return f"Question {n}\nQuestion: What of case {n}?\n{options}Correct Answer: {'AB'[n % 2]}\nMotivation: The rule.\n"


def test_records_below_their_numbers_need_no_empty_line():
    rows = [row for _, row in labelled_records("".join(record(n, "Option C: Salt\n" * (n > 6)) for n in range(1, 9)))]
    assert [row["Correct Answer"] for row in rows] == ["B", "A"] * 4
    assert [row.get("Option C") for row in rows] == [None] * 6 + ["Salt"] * 2
    assert rows[7]["Option B"] == "Surgery"
    assert not labelled_records("".join(record(n) for n in (1, 5, 2, 7, 3, 4)))  # no numbers of theirs


def test_questions_that_unfold_their_answers_in_markdown(tmp_path):
    one = "<details><summary><b>O que é a dor {0}?</b></summary>\n\nUm sinal do grau {0}.</details>\n\n"
    rows = note(tmp_path, "# Perguntas\n\n" + "".join(map(one.format, range(6))))
    assert [row["question"] for row in rows] == [f"O que é a dor {n}?" for n in range(6)]
    assert rows[5]["answer"] == "Um sinal do grau 5."


def test_a_page_with_stars_behind_letters(tmp_path):
    one = "<p>{0}. O que há no caso {0}?</p>\n\n<p>A. Febre {0}</p>\n<p>{1} Dor {0}</p>\n<p>{2} Tosse {0}</p>"
    page = "\n".join(one.format(n, *(("B. *", "C.") if n % 2 else ("B.", "C. *"))) for n in range(1, 9))
    (tmp_path / "x.html").write_text(f"<html><body>{page}</body></html>")
    assert keys(html_file(tmp_path / "x.html", "x.html")) == ["B", "C"] * 4
