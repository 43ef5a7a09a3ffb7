"""Keys of exams in running text: where they stand, how they are written, and what makes one doubtful. The rows are ours."""

import json
from pathlib import Path

import pytest
from test_exam_text import KEY, agree, exam, prepared, question

from data_prep.common.errors import UserError
from data_prep.documents.exam.files import keys_by_name
from data_prep.documents.exam.read import exam_in, read_exam
from data_prep.prepare import Args, prepare

NUMBERED = list(enumerate(KEY, 1))
PARTED = [" ".join(f"{n}-{k}" for n, k in part) for part in (NUMBERED[:5], NUMBERED[5:])]
TABLE = "\n\nGABARITO\n" + "\n".join(f"{n} - {k}" for n, k in NUMBERED)


@pytest.mark.parametrize(
    "below",
    [
        "\nR: {}",
        "\nResp.: {}",
        "\nGABARITO {}",
        "\nAns. ({})",
        "\nAnswer - {}",
        "\nGabarito:\n{}",
        "\n\nResposta correta\n\n{}",
        "\nResposta: alternativa {}",
        "\n\n### Antwort\n\n{}",
        "\n\n**Gabarito:**\n**{}**",
        "\n\n<details>\n<summary>Gabarito</summary>\n\n{}\n\n</details>",
        "\n\n<details><summary>Answer</summary>\n\nAnswer: {}\n</details>",
        "\nGabarito: {0}) conduta {0}{1} do caso",
    ],
)
def test_a_line_of_its_own_key_below_each_question(tmp_path, below):
    agree(prepared(tmp_path, "prova.md", exam(below=below)))


@pytest.mark.parametrize(
    "below",
    [
        "\nResposta: A conduta é seguir a diretriz do caso {1}.",  # an article
        "\nGabarito: {0} (alterado para E)",
        "\nGabarito: {0} e E",  # names what no question has
        "\nGabarito: 2",
    ],
)
def test_a_line_that_names_no_option_for_sure_is_no_key(tmp_path, below):
    with pytest.raises(UserError, match="questions with lettered options"):
        prepared(tmp_path, "prova.txt", exam(below=below))


@pytest.mark.parametrize("head", ["Q{}. ", "({}) ", "QUESTÃO Nº {}\n", "[{}] ", "### {}. ", "## Frage {}\n\n"])
def test_numbers_of_questions_in_other_forms(tmp_path, head):
    agree(prepared(tmp_path, "prova.md", exam(head=head, below="\nGabarito: {}")))


@pytest.mark.parametrize("sep", [" ", "\t", "   "])
@pytest.mark.parametrize("mark", ["{}) ", "({}) ", "{}. "])
def test_options_on_one_line(tmp_path, sep, mark):
    lines = exam(mark=mark, below="\nGabarito: {}").replace("\n" + mark.format("B"), sep + mark.format("B"))
    for letter in "CD":
        lines = lines.replace("\n" + mark.format(letter), sep + mark.format(letter))
    agree(prepared(tmp_path, "prova.txt", lines))
    places = [at for at, _ in exam_in(lines)]
    assert all(lines[at:].startswith(f"{n}. Qual") for n, at in enumerate(places, 1))  # those of the file


@pytest.mark.parametrize(
    "key",
    [
        TABLE,
        "\n\nGabarito oficial\n" + " | ".join(f"{n}. {k}" for n, k in NUMBERED),
        "\n\nGABARITO\n" + "\n".join(f"Questão {n}: {k}" for n, k in NUMBERED),
        "\n\nGABARITO\n" + "\n".join(f"{n} {k}    {n + 5} {KEY[n + 4]}" for n, k in NUMBERED[:5]),  # two columns
        "\n\nGABARITO\nQuestão Resposta Questão Resposta\n"
        + "\n".join(f"{n}\t{k}\t{n + 5}\t{KEY[n + 4]}" for n, k in NUMBERED[:5]),
        "\n\nGABARITO\n\nCLÍNICA MÉDICA\n" + "\n\nCIRURGIA\n".join(PARTED),
        "\n\nRESPOSTAS\n" + "\n".join(f"{n}. {k}. A diretriz {n} o diz." for n, k in NUMBERED),
        "\n\nRESPOSTAS\n" + "\n".join(f"{n}) Letra {k} - conduta {k}{n} do caso" for n, k in NUMBERED),
        "\n\nGABARITO\nCADBB ACDDA",
        "\n\nGabarito: CADBBACDDA\n",
        "\n\n## Gabarito oficial\n\nC A D B B\nA C D D A",
    ],
)
def test_a_table_of_keys(tmp_path, key):
    agree(prepared(tmp_path, "prova.txt", exam() + key))


@pytest.mark.parametrize(
    "text, why",
    [
        (exam() + TABLE + "\n11 - A\n12 - B", "its key has the numbers 1 to 12"),  # of another exam
        (exam(count=12) + TABLE, "its key has the numbers 1 to 10"),
        (exam(count=9) + TABLE, "1 to 9"),
        ("\n\n".join(exam().split("\n\n")[1:]) + TABLE, "2 to 10"),
        (exam() + TABLE.replace("4 - B", "4 - E").replace("5 - B", "5 - E"), "options that 2 of 10"),
        (
            exam() + "\n\nTipo 1" + TABLE + "\n\nTipo 2\n" + "\n".join(f"{n} {'ABCD'[n % 4]}" for n in range(1, 11)),
            "several keys",
        ),
        (exam() + "\n\n" + exam() + TABLE, "begin again"),
        (exam() + "\n\n" + "\n".join(f"{n} - A" for n in range(1, 11)), "same letter"),
        ("\n\n".join(f"Gabarito: {k}\n{question(n)}" for n, k in NUMBERED) + "\nGabarito: A", "above and below"),
        (exam(below="\nGabarito: {}").replace("Gabarito: D", ""), "7 of its 10 questions have a line"),
        (exam() + "\n\nGABARITO\nCADBBACDD", "no key"),  # of nine letters
        (exam() + "\n\nGABARITO\nCADBBACDDAB", "no key"),
        (exam() + "\n\nGABARITO A\nCADBBACDDA\n\nGABARITO B\nADBCCBADDA", "1 of its 10 questions have a line"),
        (exam() + "\n\nGABARITO\nCADBBACDDA\n\nGABARITO\nADBCCBADDA", "no key"),
        ("\n\n".join(question(n) for n in range(11, 21)) + "\n\nGABARITO\nCADBBACDDA", "no key"),
        (exam(count=5) + "\n\nGABARITO\nA B C D E", "no key"),  # the head of a sheet to fill in
    ],
)
def test_a_key_that_can_be_another_exams_is_asked_about(tmp_path, text, why):
    assert why in read_exam(text).why
    with pytest.raises(UserError, match=why):
        prepared(tmp_path, "prova.txt", text)


def test_a_key_file_of_letters_alone(tmp_path):
    (tmp_path / "gabarito.txt").write_text("CADBB\nACDDA\n")
    agree(prepared(tmp_path, "prova.txt", exam(), str(tmp_path / "gabarito.txt")))
    (tmp_path / "gabarito.txt").write_text("CADBB\nACDD\n")
    with pytest.raises(UserError, match="no key of theirs"):
        prepared(tmp_path, "prova.txt", exam(), str(tmp_path / "gabarito.txt"))


def test_keys_that_are_given_twice_must_agree():
    marked = [question(n, right=k, sign="*") + f"\nGabarito: {'A' if n == 3 else k}" for n, k in NUMBERED]
    rows = exam_in("\n\n".join(marked) + TABLE.replace("5 - B", "5 - C"))
    assert {n for n, (_, row) in enumerate(rows, 1) if not isinstance(row, dict)} == {3, 5}
    told = exam(below="\nGabarito: {}").replace("Gabarito: A", "Gabarito: A - conduta B2 do caso", 1)
    assert [n for n, (_, row) in enumerate(exam_in(told), 1) if not isinstance(row, dict)] == [2]


def test_annulled_questions_are_counted_however_they_are_marked(tmp_path):
    for n, word in enumerate(("X", "Anulada", "ANULADA", "*")):
        rows = prepared(tmp_path, "prova.txt", exam() + TABLE.replace("3 - D", f"3 - {word}"))
        assert len(rows) == 9, n
        rows = prepared(tmp_path, "prova.txt", exam(below="\nGabarito: {}").replace("Gabarito: D", f"Gabarito: {word}", 1))
        assert len(rows) == 9, n
    reasons = [json.loads(line)["reason"] for line in (tmp_path / "out/rejects.jsonl").read_text().splitlines()]
    assert reasons == ["annulled by its examiners"]


@pytest.mark.parametrize(
    "names, told",
    [
        (("prova.txt", "gabarito.txt"), {}),
        (("prova_2023.txt", "gabarito-2023.md"), {}),
        (("enare 2022.txt", "enare_2022_gabarito_definitivo.csv"), {}),
        (("teste_a.txt", "xyz.txt"), {"teste_a.txt": "xyz.txt"}),
    ],
)
def test_a_key_in_a_file_of_its_own(tmp_path, names, told):
    for name, text in zip(names, (exam(), TABLE), strict=True):
        (tmp_path / name).write_text(text)
    args = Args(inputs=[str(tmp_path / n) for n in names], keys=told, test_size=1, output_dir=str(tmp_path / "out"))
    prepare(args)
    agree([json.loads(line) for line in (tmp_path / "out/test.jsonl").read_text().splitlines()])


@pytest.mark.parametrize("line", ["{}. {} – A diretriz o recomenda.", "{}) Letra {}. A diretriz\no recomenda."])
def test_a_key_with_comments_in_a_file_of_its_own_is_no_text(tmp_path, line):
    said = "\n\n".join(line.format(n, letter) for n, letter in enumerate(KEY, 1))
    (tmp_path / "gabarito_2023.txt").write_text(f"Gabarito comentado\n\n{said}\n")
    agree(prepared(tmp_path, "prova_2023.txt", exam(), str(tmp_path / "gabarito_2023.txt")))


@pytest.mark.parametrize(
    "names, key",
    [
        (("prova_2023.txt", "gabarito_2024.txt"), TABLE),
        (("prova.txt", "gabarito.txt"), TABLE + "\n11 - A"),
        (("prova.txt", "gabarito.txt", "gabarito_oficial.txt"), TABLE),
        (("prova.txt", "gabarito.txt"), exam()),
    ],
)
def test_a_key_is_paired_with_no_exam_by_luck(tmp_path, names, key):
    for n, name in enumerate(names):
        (tmp_path / name).write_text(key if n else exam())
    with pytest.raises(UserError, match="lettered options"):
        prepare(Args(inputs=[str(tmp_path / n) for n in names], output_dir=str(tmp_path / "out")))


def test_what_the_flag_for_keys_names_must_be_there(tmp_path):
    (tmp_path / "prova.txt").write_text(exam())
    with pytest.raises(UserError, match=r"keys: k\.txt is not among the inputs"):
        prepare(Args(inputs=[str(tmp_path / "prova.txt")], keys={"prova.txt": "k.txt"}, output_dir=str(tmp_path / "out")))
    paths = [Path(name) for name in ("a/prova.pdf", "a/gabarito.pdf", "b/gabarito.pdf", "b/notas.txt")]
    assert keys_by_name(paths, {}) == {paths[0]: paths[1]}


def test_texts_for_several_questions_stand_before_each_of_them(tmp_path):
    parts = exam(below="\nGabarito: {}").split("\n\n")
    text = "\n\n".join([*parts[:5], "Leia o caso a seguir para responder às questões 6 a 8.\n\nHomem de 60 anos.", *parts[5:]])
    rows = {row["number"]: row for _, row in exam_in(text)}
    assert [n for n, row in rows.items() if "context" in row] == [6, 7, 8] and rows[6]["context"].endswith("Homem de 60 anos.")
    assert sum(row["question"].startswith("Leia o caso") for row in prepared(tmp_path, "prova.txt", text)) == 3
    assert "is not there" in read_exam(text.replace("Homem de 60 anos.", "")).why
    assert "stands before" in read_exam(text.replace("6 a 8", "7 a 8")).why
    with pytest.raises(UserError, match="below question 5 stands a text of which nothing says whose it is"):
        prepared(tmp_path, "p.txt", "\n\n".join([*parts[:5], "Homem de 60 anos, diabético, com úlcera plantar.", *parts[5:]]))


def test_cases_whose_questions_begin_again():
    of = lambda case: "\n\n".join(question(n, head="Pregunta {}. ", right=KEY[n - 1], sign="*") for n in range(1, 4))  # noqa: E731
    text = "\n\n".join(f"## Caso {case}\n\nMujer de {case}0 años.\n\n{of(case)}" for case in range(1, 4))
    rows = [row for _, row in exam_in(text)]
    assert [row["answer"] for row in rows] == list(KEY[:3]) * 3
    assert [row["context"] for row in rows] == [f"Caso {case}\nMujer de {case}0 años." for case in range(1, 4) for _ in range(3)]


def test_a_case_ends_where_another_part_begins():
    parts = exam(below="\nGabarito: {}").split("\n\n")
    text = "\n\n".join(["Caso 1\nMulher de 20 anos.", *parts[:3], "QUESTÕES GERAIS", *parts[3:]])
    assert [row["number"] for _, row in exam_in(text) if "context" in row] == [1, 2, 3]


def test_what_stands_outside_the_questions_is_counted():
    text = (
        "Leia com atenção:\n1. Este caderno contém 10 questões.\n2. A prova dura 4 horas.\n\nCLÍNICA MÉDICA\n\n" + exam() + TABLE
    )
    rows = exam_in(text + "\n\nBoa sorte a todos os candidatos, e até a próxima etapa do processo seletivo.")
    assert [isinstance(row, dict) for _, row in rows] == [False, *[True] * 10, False]
    assert exam_in(("A asma é uma doença inflamatória. " * 20 + "\n\n") * 20 + exam() + TABLE) == []  # a chapter with a quiz


def test_options_and_stems_keep_their_words():
    parts = [question(n).replace(f"conduta D{n} do caso", "Apenas a I está correta") for n in range(1, 11)]
    parts[0] = parts[0].replace("ambulatorio?\n", "").replace("?\n", "?\n1. febre\n2. tosse\n3. dor\n", 1)
    rows = [row for _, row in exam_in("\n\n".join(parts) + TABLE)]
    assert all(row["options"]["D"] == "Apenas a I está correta" for row in rows)
    assert rows[0]["question"].endswith("?\n1. febre\n2. tosse\n3. dor")


@pytest.mark.parametrize(
    ("old", "new"), [("\nB) ", "\nB "), ("\nC) conduta C4 do caso", ""), ("\nD) ", "\nD. "), ("\nD) ", "\nD ")]
)
def test_a_question_with_an_option_out_of_order_is_a_reject(old, new):
    parts = [question(n) for n in range(1, 31)]
    parts[3] = parts[3].replace(old, new)
    rows = exam_in("\n\n".join(parts) + "\n\nGABARITO\n" + "\n".join(f"{n} {'ABC'[n % 3]}" for n in range(1, 31)))
    read = {row["number"]: row for _, row in rows if isinstance(row, dict)}
    assert 4 not in read and len(read) >= 28 and all(set(row["options"]) == set("ABCD") for row in read.values())


@pytest.mark.parametrize(
    "text",
    [
        "\n\n".join(f"{n}. A dose {n} é segura?\n( ) V\n( ) F\nGabarito: V" for n in range(1, 9)),
        "\n\n".join(f"{n}. Qual?\nI) a\nII) b\nIII) c\nGabarito: II" for n in range(1, 9)),
        "\n\n".join(f"## {n}. Qual a dose?\n\n- [ ] uma\n- [x] duas\n- [ ] três" for n in range(1, 9)),
    ],
)
def test_exams_of_other_forms_are_no_plain_text(tmp_path, text):
    with pytest.raises(UserError, match="which plain text would"):
        prepared(tmp_path, "prova.md", text)
