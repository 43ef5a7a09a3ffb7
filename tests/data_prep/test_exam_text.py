"""Exams in running text: read where numbers, letters and key agree, else asked about. The rows are ours."""

import json

import pytest

from data_prep.common.errors import UserError
from data_prep.documents import texts
from data_prep.documents.exam.read import exam_in
from data_prep.documents.pdf_lines import whole_words, without_edges
from data_prep.prepare import Args, prepare
from data_prep.shapes.exams import looks_like_exam

KEY = "CADBBACDDA"


def question(number: int, letters: str = "ABCD", head: str = "{}. ", mark: str = "{}) ", right: str = "", sign: str = "") -> str:
    options = (
        f"{sign if letter.upper() == right else ''}{mark.format(letter)}conduta {letter.upper()}{number} do caso"
        for letter in letters
    )
    return f"{head.format(number)}Qual é a conduta no caso {number} do ambulatório?\n" + "\n".join(options)


def exam(count: int = 10, below: str = "", **more) -> str:
    return "\n\n".join(question(n, **more) + below.format(KEY[n - 1 : n], n) for n in range(1, count + 1))


def prepared(tmp_path, name: str, content: str | bytes, *beside: str) -> list[dict]:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    prepare(Args(inputs=[str(path), *beside], test_size=1, near_duplicates="off", output_dir=str(tmp_path / "out")))
    return [json.loads(line) for line in (tmp_path / "out/test.jsonl").read_text().splitlines()]


def agree(rows: list[dict], count: int = 10) -> None:
    assert len(rows) == count
    for row in rows:
        number = int(row["question"].split("caso ")[1].split()[0])
        assert row["question"] == f"Qual é a conduta no caso {number} do ambulatório?" and row["answer"] == KEY[number - 1]
        assert row["options"] == {letter: f"conduta {letter}{number} do caso" for letter in row["options"]}


@pytest.mark.parametrize(
    "text",
    [
        exam(below="\nGabarito: {}"),
        exam(below="\n*Answer: {} (vide texto)*\n", head="**{}.** ", mark="/{}) "),
        exam(below="\nOdpowiedź: {}", letters="abc"[:0] + "abcd"),
        exam() + "\n\nGABARITO\n" + "\n".join(f"{n}. {k}" for n, k in enumerate(KEY, 1)),
        exam(head="QUESTÃO {}\n", mark="({}) ")
        + "\n\nRespostas: "
        + " ".join(f"{n:02}-{k.lower()}" for n, k in enumerate(KEY, 1)),
        exam(head="{}\n", mark="{})\n\n") + "\n\n1 2 3 4 5\n" + " ".join(KEY[:5]) + "\n\n6 7 8 9 10\n" + " ".join(KEY[5:]),
        "1-C 2-A 3-D 4-B 5-B 6-A 7-C 8-D 9-D 10-A\n\n" + exam(),
    ],
)
def test_an_exam_with_its_key_is_read(tmp_path, text):
    agree(prepared(tmp_path, "prova.txt", text))


@pytest.mark.parametrize("sign", ["X", "x ", "*", "✓ "])
def test_right_options_that_bear_a_sign_before_their_letter(tmp_path, sign):
    text = "\n\n".join(question(n, letters="abcd", right=KEY[n - 1], sign=sign) for n in range(1, 11))
    agree(prepared(tmp_path, "prova.txt", text))


def test_right_options_that_bear_a_sign_at_their_end(tmp_path):
    lines = exam().splitlines()
    for n, key in enumerate(KEY, 1):
        lines = [f"{line} *" if line.endswith(f"conduta {key}{n} do caso") else line for line in lines]
    agree(prepared(tmp_path, "prova.txt", "\n".join(lines)))


def test_annulled_questions_and_those_of_two_letters_are_counted(tmp_path):
    key = ["C", "A", "*", "B, D", "B", "A", "C", "D", "D", "A"]
    rows = prepared(tmp_path, "prova.txt", exam() + "\n\nGabarito\n" + "\n".join(f"{n} {k}" for n, k in enumerate(key, 1)))
    rejects = [json.loads(line)["reason"] for line in (tmp_path / "out/rejects.jsonl").read_text().splitlines()]
    assert len(rows) == 8 and sorted(reason.split(":")[0].split(" by")[0] for reason in rejects) == [
        "annulled",
        "several right answers",
    ]


def test_what_is_not_plain_is_no_question():
    parts = [question(n) + f"\nGabarito: {KEY[(n - 1) % 10]}" for n in range(1, 31)]
    parts[3] = parts[3].replace("C) conduta", "B) conduta")  # a letter twice
    parts[8] = parts[8].replace("9. ", "", 1)  # no number
    parts[20] = parts[20].replace("D) conduta D21 do caso", "D) conduta A21 do caso")  # two options alike
    rows = exam_in("\n\n".join(parts))
    read = [row["number"] for _, row in rows if isinstance(row, dict)]
    assert len(rows) == 31 and set(read) == set(range(1, 31)) - {4, 8, 9, 21}  # where 8 ends is not known


def test_what_follows_the_last_option_is_not_its_text():
    text = exam(below="\nGabarito: {}\nID: {}77\nComentário: pela diretriz.")
    first = exam_in(text)[0][1]
    assert first["options"]["D"] == "conduta D1 do caso" and first["explanation"] == "pela diretriz." and first["id"] == "177"
    wrapped = exam(below="\n\nem três dias\nGabarito: {}")  # over a page's end it goes on
    assert exam_in(wrapped)[0][1]["options"]["D"] == "conduta D1 do caso em três dias"


@pytest.mark.parametrize(
    "text",
    [
        exam(),  # no key
        exam(letters="ABC"),
        "\n".join(question(n, letters="ABC") + f"\nID: {1000 + n}" for n in range(1, 80)),
        exam() + "\n\nGABARITO\n" + "\n".join(f"{n}. A B C D" for n in range(1, 11)),  # a sheet to fill in
        exam()
        + "\n\nProva A\n"
        + " ".join(f"{n} A" for n in range(1, 11))
        + "\n\nProva B\n"
        + " ".join(f"{n} B" for n in range(1, 11)),
        exam() + "\n\n1 2 3 4 5 6 7 8 9 10\n" + "\n".join(" ".join(letter * 10) for letter in "ABCD"),  # the right ones are bold
        " ".join(exam(count=12).split()),  # on one line
        "Gabarito definitivo\n" + " ".join(map(str, range(1, 21))) + "\n" + " ".join("DBACABBCBCCDCDACCDBD"),
        "Gruppe A\n" + "\n".join(f"{n} {KEY[n - 1]} {n + 10} {KEY[-n]}E" for n in range(1, 11)),  # in two columns
        "Folha de respostas\n" + "\n".join(f"{n}) {k}" for n, k in enumerate(KEY * 2, 1)),
    ],
)
def test_an_exam_that_cannot_be_read_is_asked_about(tmp_path, text):
    assert exam_in(text) == []
    with pytest.raises(UserError, match=r"(lettered options|exam's key|one line), which plain text would (.|\n)*shape: text"):
        prepared(tmp_path, "prova.txt", text)


def test_prose_with_a_few_lists_is_no_exam():
    prose = "A asma é uma doença inflamatória das vias aéreas, e o tratamento depende do controle dos sintomas.\n" * 12
    lists = "São sinais de gravidade:\na) cianose;\nb) confusão;\nc) exaustão.\n"
    assert not looks_like_exam((prose + lists) * 9)
    assert not looks_like_exam("1. Introdução\n2. Métodos\n3. A dose de vitamina A. B. cereus e C. albicans\n" * 5)


def test_word_counts_lists_and_sets_the_right_option_apart(tmp_path):
    import docx

    document = docx.Document()
    for n in range(1, 11):
        lines = question(n, letters="abcd").splitlines()
        document.add_paragraph(lines[0])
        for line, letter in zip(lines[1:], "ABCD", strict=True):
            document.add_paragraph().add_run(line).bold = letter == KEY[n - 1] or None
    document.save(tmp_path / "made.docx")
    agree(prepared(tmp_path, "bold.docx", (tmp_path / "made.docx").read_bytes()))


def test_letters_that_word_counts_are_written_out(tmp_path):
    import docx
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls

    document = docx.Document()
    numbering = document.part.numbering_part.element
    levels = '<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl>' + (
        '<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%2)"/></w:lvl>'
    )
    numbering.insert(0, parse_xml(f'<w:abstractNum {nsdecls("w")} w:abstractNumId="90">{levels}</w:abstractNum>'))
    numbering.append(parse_xml(f'<w:num {nsdecls("w")} w:numId="90"><w:abstractNumId w:val="90"/></w:num>'))

    def listed(text: str, level: int) -> None:
        place = f'<w:numPr {nsdecls("w")}><w:ilvl w:val="{level}"/><w:numId w:val="90"/></w:numPr>'
        document.add_paragraph(text)._p.get_or_add_pPr().append(parse_xml(place))

    for n in range(1, 11):
        listed(f"Qual é a conduta no caso {n} do ambulatório?", 0)
        for letter in "ABCD":
            listed(f"conduta {letter}{n} do caso", 1)
        document.add_paragraph(f"Gabarito: {KEY[n - 1]}")
    document.save(tmp_path / "made.docx")
    agree(prepared(tmp_path, "lists.docx", (tmp_path / "made.docx").read_bytes()))


def test_the_same_lines_at_the_edges_of_pages_are_no_part_of_an_exam():
    parts = exam(below="\nGabarito: {}").split("\n\n")
    pages = [f"Concurso de 2024, página {n}\n" + "\n\n".join(parts[2 * n - 2 : 2 * n]) + f"\n{n}" for n in range(1, 6)]
    bare = "\n\n".join(without_edges(pages))
    assert bare == "\n\n".join(parts)
    two = [page.replace("\n", "\nHospital de ensino\n", 1) + "\nTipo 1" for page in pages]
    assert "\n\n".join(without_edges(two)) == bare  # two lines at each edge, and no line of the text with them
    last = ["\n".join(["Prova", question(n), "x", "D) todas as anteriores"]) for n in range(1, 9)]
    assert "\n\n".join(without_edges(last)).count("todas as anteriores") == 8  # an option that ends each page is none


def test_words_that_the_ends_of_lines_cut_are_whole_again():
    said = whole_words("trombó-\nlise, recém-\nnascido, queixando-\nse, anti-inflamatório, anti-\ninflamatório, PA-\nMm, HIV-\n2")
    assert said.replace("\n", "") == "trombólise, recém-nascido, queixando-se, anti-inflamatório, anti-inflamatório, PA-Mm, HIV-2"


def test_words_of_a_stem_and_of_an_option_stay_where_they_look_like_a_key_or_a_case():
    parts = exam(below="\nGabarito: {}").split("\n\n")
    parts[2] = parts[2].replace("ambulatório?", "ambulatório, e assinale a\nalternativa correta. I. Segundo a diretriz?")
    parts[4] = parts[4].replace("conduta D5 do caso", "conduta D5 do\ncaso.")
    rows = [row for _, row in exam_in("\n\n".join(parts))]
    assert rows[2]["question"].endswith("e assinale a alternativa correta. I. Segundo a diretriz?")
    assert rows[4]["options"]["D"] == "conduta D5 do caso."
    capitals = exam(below="\nGabarito: {}").replace("D5 do caso", "D5 da doença de\nSHEEHAN")
    assert [n for n, (_, row) in enumerate(exam_in(capitals), 1) if not isinstance(row, dict)] == [5]


def test_a_text_is_looked_through_for_an_exam_once(tmp_path, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(texts, "exam_in", lambda text, key: asked.append(text) or [])
    path = tmp_path / "a.txt"
    path.write_text("A asma é uma doença crônica das vias aéreas.\nTrata-se com corticoide inalatório.\n" * 3)
    [(_, row, _)] = texts.text_file(path, "a.txt")
    assert row["text"].startswith("A asma") and len(asked) == 1
