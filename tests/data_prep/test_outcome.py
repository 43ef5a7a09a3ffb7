"""A last look at texts as they would be written, and what strangers' notes and pages leave in them.

The rows are ours; what was wrong of each is told in tests/benchmarks/RESULTS-prepare.md, list 29.
"""

import types

import pytest

from data_prep.cleaning.clean import clean_text
from data_prep.common.errors import UserError
from data_prep.documents.asked_text import faq_in
from data_prep.documents.notes import as_prose, without_front
from data_prep.documents.office import docx_file
from data_prep.documents.pages import html_file
from data_prep.documents.texts import text_file
from data_prep.pipeline.remarks import lines_of_no_text
from data_prep.shapes import outcome
from data_prep.shapes.contents import NO_PROSE
from data_prep.tables.records import Bad

WORDS = "febre dor tosse soro alta repouso exame sangue pele vaso rim pulmão fígado osso nervo músculo".split()
PAIRS = list(zip(WORDS, WORDS[::-1], strict=True))
PROSE = [f"A {one} do caso cede em {n} dias, se {other} e água bastam ao doente." for n, (one, other) in enumerate(PAIRS, 2)]
ROTATED = [("bcdfgl"[n % 6], "ghjmpr"[n % 6], "tlmnbc"[n % 6]) for n in range(16)]
TOLD = list(zip(WORDS, PROSE, strict=True))


def kinds(text):
    return [what for what, holds in NO_PROSE if holds(text)]


TEXTS = {
    "words that stand alone": "\n".join(f"{word}\ne\nqual\n{said}" for word, said in TOLD),
    "lines that end alike": "\n".join(
        f"{n} {w.title()} e Clínica {'Final' if n % 3 else 'Parcial'}" for n, w in enumerate(WORDS)
    ),
    "one line again and again": "\n".join(f"{n}. Dor no {word}\nNunca Sempre" for n, word in enumerate(WORDS)),
    "words that run into one another": "\n".join(f"O doente, {said[:-1]}{word.title()} e {word} de novo." for word, said in TOLD),
    "lines that end alike, as the rows": "\n".join(f"{n} {word.title()} Anual 96 64" for n, word in enumerate(WORDS)),
    "words that spaces cut": "\n".join(f"O s oro ba {a} s ta a {b} o do {c} ente com f ebre" for a, b, c in ROTATED),
    "letters that stand twice": "اﺍﺳﺖ ﮐﻛﻪ ﺑﺮرﺭﺳﯽﻲ وﻭ ﺷﻨﺎﺧﺖ دﺩﺳﺘﮕﺎهﻩ ﻫﺎيیﯼﻱ\n" * 6,
    "a form to fill in": "\n".join(f"{word} ........ no dia ……………" for word in WORDS[:12]),
    "names in braces": "Laudo\nNome: {nome}\nDono: {dono}\nData: {data}\nResultado: não reagente\n" + "\n".join(PROSE[:9]),
}


@pytest.mark.parametrize("what", TEXTS)
def test_what_no_text_comes_out_as_is_asked_about(what):
    assert any(found.startswith(what) for found in kinds(TEXTS[what]))


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(PROSE),
        "\n".join(f"{word.title()}\nSintomas:\n{said}\nTratamento:\n{said[2:]}" for word, said in TOLD),
        "\n".join(f"# {word}\n\n- {said[2:40]}\n- {word}{said[40:]}" for word, said in TOLD),
        "\n".join(f"PubMed YouTube PowerPoint OpenAI MedlinePlus GitHub LinkedIn PlayStation {said}" for said in PROSE),
        "\n".join(said + rf" \frac{{a}}{{b}} ${{x}}$ {{{{y}}}} de f(x_{n})" for n, said in enumerate(PROSE)),
        "\n".join(PROSE[:12]) + "\nQuadro\nDose\nSoro",
        "\n".join(f"El caso {n} y la fiebre y el suero y t y p de 3 g o d" for n in range(40)),
        "این متن درباره‌ی تب است و هیچ حرفی در آن دو بار نیست.\n" * 20,
    ],
)
def test_what_is_prose_is_not_asked_about(text):
    assert not [what for what, holds in outcome.NONE if holds(text)]


def told(*texts):
    import numpy as np

    store = types.SimpleNamespace(get=lambda i: ({"text": texts[i]}, None))
    kinds = np.array(["text"] * len(texts))
    return lines_of_no_text(types.SimpleNamespace(alive=kinds == "text", kinds=kinds, store=store))


def test_a_line_that_comes_again_and_letters_alone_are_told():
    assert told("\n".join(f"{line} {n}" for n, line in enumerate(PROSE * 8))) == ""
    headed = "\n".join(f"{line} {n}" + ("\nRevista de Clínica" if n % 12 == 0 else "") for n, line in enumerate(PROSE * 8))
    assert "'Revista de Clínica' 11 times" in told(headed)
    ticked = "\n".join(f"{line} {n}" + ("\nt" if n % 5 == 0 else "") for n, line in enumerate(PROSE * 8))
    assert "26 lines of a text are one and the same letter" in told(ticked)


@pytest.mark.parametrize(
    "piece, says",
    [
        ("o doente {n} de re-\npouso fica em casa {n}\n", "30 words of a text are cut in two"),
        ("Rev Clin 20{n}Y2{n} da febre {n}\n", "30 times Y stands between two numbers"),
        ("o doente de repouso fica - ou não - em casa 20{n}–2{n}, 30x40 e 2q23\n", ""),
    ],
)
def test_words_cut_at_lines_and_letters_for_dashes_are_told(piece, says):
    said = told("".join(piece.format(n=n) for n in range(10, 40)))
    assert says in said and bool(said) is bool(says)


# ---------------------------------------------------------------------------------------------- notes and cards


def test_ways_through_a_note_are_no_part_of_it():
    note = (
        "[1](#1)\n[2](#2)\n- [A febre](#febre)\n2. [A febre](#febre)\n\n"
        "## A febre\n\nVeja [o soro](#soro) e [a tabela](zotero://select/3), ou\n"
        "[o guia](https://example.org/guia). [Um título\nlongo](#b) também.\n\n[Ao topo](#)\n\n#febre #caso/um\n"
        "#Febre é o título\n"
    )
    said, _ = as_prose(note)
    left = "## A febre Veja o soro e a tabela, ou [o guia](https://example.org/guia). Um título longo também. #Febre é o título"
    assert said.split() == left.split()


def test_a_note_s_category_is_a_program_s_word_of_it():
    text, front = without_front('---\ntitle: "Febre"\ncategory: "Clínica"\nlink: "https://x.org"\n---\n\n# A febre\n\nCede.\n')
    assert front is not None and text.split() == "# Febre # A febre Cede.".split()
    assert without_front("---\nquestion: Qual?\nanswer: Esta.\n---\n\nCede.\n")[1] is None


def test_a_card_is_turned_by_no_part_of_its_answer():
    cards = "".join(f"### Qual é a causa {n} da febre?\n?\nÉ o vírus {n}, que cede.\n\n" for n in range(6))
    assert [row["answer"] for _, row in faq_in(cards)] == [f"É o vírus {n}, que cede." for n in range(6)]


@pytest.mark.parametrize("mark", ["问题{}：", "Pergunta {}: ", "Question {} - ", "{}. "])
def test_the_number_before_a_question_is_no_part_of_it(mark):
    said = "".join(f"## {mark.format(n)}Qual é a causa da febre {n}?\n\nÉ o vírus {n}, que cede.\n\n" for n in range(1, 6))
    assert [row["question"] for _, row in faq_in(said)] == [f"Qual é a causa da febre {n}?" for n in range(1, 6)]


def test_a_title_that_asks_is_no_question_of_the_list():
    said = "# Tem perguntas?\n\nLeia.\n\n" + "".join(f"### Qual é a causa {n}?\n\nÉ o vírus {n}, que cede.\n\n" for n in range(9))
    found = [row for _, row in faq_in(said)]
    assert sum(isinstance(row, dict) for row in found) == 9
    assert [row.text for row in found if isinstance(row, Bad)] == ["Leia."]


@pytest.mark.parametrize(
    "line", ["Saiba mais »", "En savoir plus...", "← Voltar", "← Zurück zur Übersicht", "Leer más", "ADVERTISEMENT"]
)
def test_a_page_s_buttons_are_no_text(line):
    assert clean_text(f"A febre cede.\n{line}\nO soro basta.", ["boilerplate"]).split() == "A febre cede. O soro basta.".split()
    assert clean_text("← queda do pH\nVoltar ao serviço", ["boilerplate"]) == "← queda do pH\nVoltar ao serviço"


def test_a_rule_of_signs_is_no_item():
    assert clean_text("Um\n* * *\n* dois\n- - -", ["whitespace"]) == "Um\n* * *\n- dois\n- - -"


# ---------------------------------------------------------------------------------------------- pages, Word, labels


def page(tmp_path, body):
    (tmp_path / "x.html").write_text(f"<html><body>{body}</body></html>", encoding="utf-8")
    return [row for _, row, _ in html_file(tmp_path / "x.html", "x.html")]


def test_names_of_pictures_are_no_lines_of_a_page(tmp_path):
    body = "".join(f"<p>{said}</p>" for said in PROSE)
    shown = page(
        tmp_path,
        f"<img alt='mision1'><h1><img alt='A febre'></h1><div><img alt='Imagem febre'></div>{body}"
        "<img alt='O gráfico mostra a febre de três doentes'>"
        "<p>Tome <img alt='dois'> comprimidos.</p>",
    )[0]["text"]
    assert "mision1" not in shown and "Imagem" not in shown
    assert shown.startswith("A febre\n") and "O gráfico mostra" in shown and "Tome dois comprimidos" in shown


def test_items_with_nothing_in_them_are_no_lines_of_a_page(tmp_path):
    body = "<ul><li></li><li> </li></ul>" + "".join(f"<p>{said}</p>" for said in PROSE) + "<ol><li>soro</li><li></li></ol>"
    shown = page(tmp_path, body)[0]["text"]
    assert shown.startswith("A febre") and shown.endswith("1. soro")


@pytest.mark.parametrize("word", ["Carregando...", "Loading…", "🔄 Cargando preguntas…", "加载中"])
def test_a_page_that_is_loading_is_refused(tmp_path, word):
    with pytest.raises(UserError, match="says that it is loading"):
        page(tmp_path, f"<p>{word}</p><p>Você revisou todos os cartões deste tópico.</p>")
    assert page(tmp_path, f"<p>{word}</p>" + "".join(f"<p>{said}</p>" for said in PROSE * 2))


def test_arrows_of_buttons_do_not_hide_that_they_ask(tmp_path):
    body = "".join(
        f"<div><button class='accordion'>Qual é a causa {n} da febre? <span>&#9654;</span></button>"
        f"<div><p>É o vírus {n}.</p></div></div>"
        for n in range(8)
    )
    assert [row["question"] for row in page(tmp_path, body)] == [f"Qual é a causa {n} da febre?" for n in range(8)]


def test_notes_at_the_feet_of_a_document_s_pages_are_counted(tmp_path):
    import docx
    from docx.opc.constants import RELATIONSHIP_TYPE
    from docx.opc.packuri import PackURI
    from docx.opc.part import Part

    document = docx.Document()
    for said in PROSE:
        document.add_paragraph(said)
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    note = '<w:footnote w:id="1"><w:p><w:r><w:t>Veja o caso 3.</w:t></w:r></w:p></w:footnote>'
    notes = f'<w:footnotes xmlns:w="{space}">{note}</w:footnotes>'
    part = Part(PackURI("/word/footnotes.xml"), "application/xml", notes.encode(), document.part.package)
    document.part.relate_to(part, RELATIONSHIP_TYPE.FOOTNOTES)
    document.save(tmp_path / "x.docx")
    rows = [row for _, row, _ in docx_file(tmp_path / "x.docx", "x.docx")]
    assert [row.text for row in rows if isinstance(row, Bad)] == ["Veja o caso 3."]
    assert len(rows) == 2


def test_titles_with_colons_of_which_none_comes_again_are_no_people(tmp_path):
    said = "Tema: Febre\n\nResumo:\nA febre cede.\n\nCasos:\n- Dor: soro\n\nLimites:\nNão basta.\n\nAviso:\nVá ao médico."
    (tmp_path / "x.txt").write_text(said, encoding="utf-8")
    assert [list(row) for _, row, _ in text_file(tmp_path / "x.txt", "x.txt")] == [["text"]]
    (tmp_path / "x.txt").write_text("Ana: Olá!\nRui: Oi.\nAna: Tudo bem?\nRui: Sim.\n", encoding="utf-8")
    assert [list(row) for _, row, _ in text_file(tmp_path / "x.txt", "x.txt")] != [["text"]]
