"""HTML files: exams in paragraphs and lists, tables of questions, texts; navigation and doubtful encodings. The rows are ours."""

import pytest
from test_exam_text import KEY, agree, prepared

from data_prep.common.errors import UserError
from data_prep.documents.pages import html_file

NAV = "<nav><ul>" + "".join(f"<li><a href='/{n}'>Menu {n}</a></li>" for n in range(30)) + "</ul></nav>"


def page(body: str, head: str = "<meta charset='utf-8'>") -> str:
    top = f"<!DOCTYPE html>\n<html><head>{head}<title>Prova</title></head>"
    return f"{top}<body>{NAV}<main>\n{body}</main><footer>Contato</footer></body></html>"


def exam(stem: str, option: str, below: str = "", right: str = "{}") -> str:
    parts = []
    for n, key in enumerate(KEY, 1):
        said = [option.format(a, f"conduta {a}{n}\ndo caso") for a in "ABCD"]
        said["ABCD".index(key)] = right.format(said["ABCD".index(key)])
        parts.append(stem.format(n, f"Qual é a conduta no caso {n}\ndo ambulatório?", "\n".join(said)) + below.format(key))
    return "\n".join(parts)


LISTED = "<li>{1}<ol type='A'>{2}</ol><p>Gabarito: "
TABLE = "<h2>Gabarito</h2><table>" + "".join(f"<tr><td>{n}</td><td>{k}</td></tr>" for n, k in enumerate(KEY, 1)) + "</table>"


@pytest.mark.parametrize(
    "body",
    [
        "<ol>" + exam(LISTED, "<li>{1}</li>", "{}</p></li>") + "</ol>",
        "<ol>" + exam(LISTED.replace("type='A'", "style='list-style: lower-alpha'"), "<li>{1}</li>", "{}</p></li>") + "</ol>",
        exam("<p>{0}. {1}</p>{2}", "<p>({0}) {1}</p>") + TABLE,
        exam("<p><b>{0})</b> {1}<br>{2}", "{0}) {1}<br>", "<i>R: {}</i></p>"),
        exam("<p>{0}. {1}</p>{2}", "<p>{0}) {1}</p>", right="<strong>{}</strong>"),
        exam("<p>{0}. {1}</p>{2}", "<p>{0}) {1}</p>", "<details><summary>Ver resposta</summary>R: {}</details>"),
    ],
)
def test_an_exam_in_a_page_is_read(tmp_path, body):
    agree(prepared(tmp_path, "prova.html", page(body)))


def test_a_class_marks_the_right_option(tmp_path):
    body = exam("<p>{0}. {1}</p><ul>{2}</ul>", "<li class='option'>{0}) {1}</li>", right="{}").replace("\n", " ")
    for n, key in enumerate(KEY, 1):
        body = body.replace(
            f"<li class='option'>{key}) conduta {key}{n} ", f"<li class='option correct'>{key}) conduta {key}{n} "
        )
    agree(prepared(tmp_path, "prova.htm", page(body)))


@pytest.mark.parametrize("cell", ["th", "td"])
def test_a_table_of_questions_is_a_table(tmp_path, cell):
    names = ("pergunta", "A", "B", "C", "D", "gabarito")
    head = "<tr>" + "".join(f"<{cell}>{name}</{cell}>" for name in names) + "</tr>"
    rows = exam("<tr><td>{1}</td>{2}", "<td>{1}</td>", "<td>{}</td></tr>")
    agree(prepared(tmp_path, "prova.html", page(f"<table>{head}\n{rows}</table>")))
    with pytest.raises(UserError, match="2 different headers"):
        prepared(tmp_path, "x.html", page(f"<table>{head}{rows}</table><table>{head.replace('pergunta', 'caso')}{rows}</table>"))


def test_a_page_is_read_in_the_encoding_that_it_declares(tmp_path):
    body = "".join(f"<p>A ação do fármaco nº {n} é rápida.</p>" for n in range(9))
    declared = "<meta http-equiv='Content-Type' content='text/html; charset=iso-8859-1'>"
    for head, encoding in ((declared, "cp1252"), ("", "utf-8"), ("<meta charset=utf-8>", "utf-8")):
        [row] = prepared(tmp_path, "x.html", page(body, head).encode(encoding))
        assert row["text"].count("A ação do fármaco") == 9 and "Menu" not in row["text"]
    with pytest.raises(UserError, match=r"x\.html:3: declares the encoding utf-8, which does not fit"):
        prepared(tmp_path, "x.html", page(body).encode("cp1252"))


def test_a_page_of_links_is_asked_about(tmp_path):
    links = "".join(f"<div><a href='/{n}'>Página de número {n}</a></div>" for n in range(40))
    with pytest.raises(UserError, match="is mostly navigation"):
        prepared(tmp_path, "x.html", f"<html><body>{links}<p>Bem-vindo ao site.</p></body></html>")


def test_options_that_no_letter_names_are_asked_about(tmp_path):
    body = "<ol>" + exam(LISTED.replace(" type='A'", ""), "<li>{1}</li>", "{}</p></li>") + "</ol>"
    with pytest.raises(UserError, match="which plain text would mix up"):
        prepared(tmp_path, "prova.html", page(body))


def ticked(groups: int, options: int) -> str:
    ask = "<div>Qual é a conduta no caso {0} do ambulatório?</div>{1}"
    tick = "<input type='radio' name='q{0}' value='{1}'/> conduta {1} do caso {0}<br/>"
    return page("".join(ask.format(n, "".join(tick.format(n, o) for o in range(options))) for n in range(groups)))


def test_a_form_of_questions_without_a_key_is_no_plain_text(tmp_path):
    (tmp_path / "prova.html").write_text(ticked(3, 4), encoding="utf-8")
    with pytest.raises(UserError, match=r"prova\.html: holds 3 groups of options to tick"):
        list(html_file(tmp_path / "prova.html", "prova.html"))


@pytest.mark.parametrize("groups, options", [(1, 4), (3, 2)])
def test_a_page_with_a_poll_or_switches_is_text(tmp_path, groups, options):
    (tmp_path / "guia.html").write_text(ticked(groups, options), encoding="utf-8")
    assert [list(row) for _, row, _ in html_file(tmp_path / "guia.html", "guia.html")] == [["text"]]
