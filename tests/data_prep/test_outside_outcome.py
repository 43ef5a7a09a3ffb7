"""Documents of strangers a third time: what stands at the edges of pages wherever it stands, words that a space parts from their
hyphen, gaps that begin a question, and texts that no reader can tell by their form but that are none.

The rows are ours; what was wrong of each is told in tests/benchmarks/RESULTS-prepare.md, list 29.
"""

import pytest

from data_prep.cleaning.clean import clean_text
from data_prep.documents.pdf_heads import without_heads
from data_prep.documents.pdf_lines import prose_lines, whole_words
from data_prep.documents.texts import exam_rows

BODY = "A febre do caso {0} sobe ao fim do dia, e\no doente {0} tem frio\nsem manchas na pele {0}, até que\no soro {0} baste."


def paged(n, head="", foot=""):
    """`n` pages of a text of their own, with the head and foot that `head` and `foot` make of a page's number."""
    said = [BODY.format("abcdefghijklmnopqrst"[i] * 3) for i in range(n)]
    return ["\n".join(filter(None, (head and head(i + 1), page, foot and foot(i + 1)))) for i, page in enumerate(said)]


# ---------------------------------------------------------------------------------------------- edges of pages


@pytest.mark.parametrize(
    "head, foot, times",
    [
        (lambda i: f"Vol 17 March 2021 Sociedade de Clínica\n{i}", "", {"Sociedade de Clínica": 1}),
        ("", lambda i: f"Editora\n© 2005 Editora, Inc.\nLivros\nPágina {i} de 12\nSaúde do jovem: uma\nvista", {"© 2005": 1}),
        (lambda i: "Dengue em 2020 RELATÓRIO" if i % 2 else "RELATÓRIO Dengue em 2020", "", {"RELATÓRIO": 1}),
        (lambda i: f"• Julho de 2025 • Revista de Clínica e Saúde {i}" if i in (3, 5, 7) else "", "", {"Julho": 1}),
        (lambda i: f"{i + 8} Tornozelo e pé" if i % 2 else f"Joelho {i + 8}", "", {"Tornozelo e pé": 1, "Joelho": 1}),
        (lambda i: f"{i + 8}Tornozelo e pé", "", {"Tornozelo": 1}),
        (lambda i: f"{i}" if i % 3 == 0 else "Anexo", "", {"Anexo": 1, "\n9\n": 0}),
    ],
)
def test_what_stands_at_the_edges_of_pages_is_said_once(head, foot, times):
    said = "\n" + "\n\n".join(without_heads(paged(12, head, foot))) + "\n"
    assert all(said.count(words) == n for words, n in times.items()), said
    assert said.count("baste.") == said.count("A febre do caso") == said.count("sem manchas") == 12


@pytest.mark.parametrize(
    "head",
    [
        lambda i: f"B) a dose {i} de soro",
        lambda i: f"Questão {i * 7 % 5}",
        lambda i: "Sinais:" if i in (2, 6, 9) else f"Doença {'abcdefghijkl'[i - 1]}",
        lambda i: f"{(40, 12, 33, 8, 51, 7, 90, 3, 66, 21, 15, 70)[i - 1]} pacientes",
        lambda i: f"Resposta: {'ABC'[i % 3]}",
        lambda i: f"Out[{i * 7}]: ({i * 31}, {i * i})",
    ],
)
def test_what_a_page_begins_with_by_chance_stays(head):
    pages = paged(12, head)
    assert without_heads(pages) == pages


# ---------------------------------------------------------------------------------------------- words and signs


def test_a_space_before_the_hyphen_of_a_line_s_end_is_the_program_s():
    said = whole_words(
        "O Dia -\nbetes Re -\nsearch Center fez o exame -\ncada exame que cada um pediu a Anvi -\nhttps://x.org/a."
    )
    assert "Anvi -\nhttps" in said and "O Diabetes\n" in said and "Research\n" in said and "exame -\ncada exame" in said


def test_a_letter_of_a_font_of_bullets_begins_lines_of_many_words():
    words = "febre dor tosse soro alta repouso exame sangue pele".split()
    said = prose_lines("\n".join(f"t {word} do caso" for word in words) + "\nt\nFim")
    assert said.count("• ") >= 9 and "\nt\n" not in said and not said.startswith("t")
    for other in ("\n".join(f"n engl j med {i}" for i in range(12)), "t febre\nt dor\nt tosse"):
        assert prose_lines(other) == other


@pytest.mark.parametrize(
    "text, kept",
    [("درد می\u200cشود", True), ("क\u200cष", True), ("fe\u200cbre", False), ("آب \u200c", False), ("fe\u200bbre", False)],
)
def test_what_parts_the_letters_of_persian_stays_and_what_parts_others_goes(text, kept):
    assert (clean_text(text, ["whitespace"]) == text) is kept


def test_a_gap_that_begins_a_question_is_its_own():
    said = "".join(
        f"{i}) ________ é a causa {i} da febre, e ________ a cura.\nA) Vírus\nB) Sol\nC) Frio\nAnswer: {'ABC'[i % 3]}\n\n"
        for i in range(1, 8)
    )
    rows = [row for _, row, _ in exam_rows(said)]
    assert [row["question"] for row in rows] == [f"________ é a causa {i} da febre, e ________ a cura." for i in range(1, 8)]
    bare = "".join(f"QUESTÃO {i} ______\nQual é a causa {i}?\nA) Vírus\nB) Sol\nC) Frio\nGabarito: A\n\n" for i in range(1, 8))
    assert not any("_" in row["question"] for _, row, _ in exam_rows(bare))
