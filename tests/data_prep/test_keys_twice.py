"""What a file says twice and otherwise the second time: neither is taken in silence."""

import json
import warnings
import zipfile

import pytest

from data_prep.common.errors import UserError
from data_prep.documents.exam.read import read_exam
from data_prep.pipeline.options import Args
from data_prep.pipeline.read import hub_records
from data_prep.prepare import prepare
from data_prep.tables.json_records import records_of
from data_prep.values.choices import options_of
from data_prep.values.strict import Unreadable
from data_prep.values.turns import messages_of

KEY = "CADBBACDDACB"


def exam(numbers=range(1, 9)) -> str:
    options = "".join(f"- {letter}) conduta {letter}\n" for letter in "ABCD")
    return "\n".join(f"## Questão {n}\n\nQual é a conduta no caso {i} de {n}?\n\n{options}" for i, n in enumerate(numbers))


def table(letters: str = KEY[:8], first: int = 1) -> str:
    return "| Questão | Resposta |\n|---|---|\n" + "".join(f"| {n} | {a} |\n" for n, a in enumerate(letters, first))


def prepared(tmp_path, **files: str) -> tuple[list[dict], list[dict]]:
    """(test rows, rejects) of files, by their names with an underscore for the dot."""
    for name, text in files.items():
        (tmp_path / name.replace("_", ".")).write_text(text)
    inputs = [str(tmp_path / name.replace("_", ".")) for name in files]
    out = tmp_path / "out"
    prepare(Args(inputs=inputs, test_size=1, near_duplicates="off", output_dir=str(out)))
    found = [out / f"{name}.jsonl" for name in ("test", "rejects")]
    return tuple([json.loads(line) for line in path.read_text().splitlines()] if path.exists() else [] for path in found)


def number_of(row: dict) -> int:
    return int(row["question"].split("de ")[-1].rstrip("?"))


@pytest.mark.parametrize(
    "more, lost",
    [
        ("| 3 | A |\n", {3: "D, A"}),
        ("3 - A\n", {3: "D, A"}),  # of the other form
        ("| 3 | D | Anulada |\n", {3: "D, D (Anulada)"}),
        ("| 3 | D |\n| 4 | |\n| 5 | b | Válida |\n", {}),
    ],
)
def test_a_question_whose_key_names_several_answers_is_a_reject(tmp_path, more, lost):
    rows, rejects = prepared(tmp_path, prova_md=exam(), gabarito_md=f"Chave de prova.md\n\n{table()}{more}")
    assert {number_of(row): row["answer"] for row in rows} == {n: a for n, a in enumerate(KEY[:8], 1) if n not in lost}
    why = "no right answer: the key gives this question several: '{}: {}'"
    assert [reject["reason"] for reject in rejects] == [why.format(n, answers) for n, answers in lost.items()]


def test_lines_of_a_key_that_give_a_number_twice(tmp_path):
    key = "\n".join(f"{n} - {a}" for n, a in enumerate(KEY[:8], 1))
    rows, rejects = prepared(tmp_path, prova_md=exam(), gabarito_md=f"Chave de prova.md\n\n{key}\n2 - A\n3 - B\n")
    assert {number_of(row) for row in rows} == {1, 2, 4, 5, 6, 7, 8} and "'3: D, B'" in rejects[0]["reason"]


def test_a_key_of_two_booklets_is_asked_about(tmp_path):
    key = f"Chave de prova.md\n\nCaderno azul\n\n{table()}\nCaderno amarelo\n\n{table('CADBACAB')}"
    with pytest.raises(UserError, match=r"prova\.md: its key \(gabarito\.md\) gives 4 of 8 numbers several answers"):
        prepared(tmp_path, prova_md=exam(), gabarito_md=key)


@pytest.mark.parametrize("key", [table("CADB"), table("CADB") + "\nParte II\n\n" + table("CADC")], ids=["once", "twice"])
def test_an_exam_whose_numbers_begin_again_is_not_given_the_key_of_one_part(tmp_path, key):
    text = f"# Parte I\n\n{exam(range(1, 5))}\n# Parte II\n\n{exam(range(1, 5))}"
    with pytest.raises(UserError, match=r"prova\.md: has the numbers 1, 2, 3, 4 of its key \(gabarito\.md\) more than once"):
        prepared(tmp_path, prova_md=text, gabarito_md=f"Chave de prova.md\n\n{key}")


def test_two_members_of_an_archive_with_one_name(tmp_path):
    with warnings.catch_warnings(), zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        warnings.simplefilter("ignore")  # zipfile's own, of the second
        for answer in ("one", "other"):
            archive.writestr("data.jsonl", json.dumps({"question": "What is it?", "answer": answer}))
    with pytest.raises(UserError, match=r"a\.zip: holds several files called data\.jsonl"):
        prepare(Args(inputs=[str(tmp_path / "a.zip")], output_dir=str(tmp_path / "out")))


def asked(number: int) -> str:
    return f"{number}. Qual é a conduta no caso {number}?\n" + "".join(f"{a}) conduta {a}{number}\n" for a in "ABCD")


TEXT = "\n".join(map(asked, range(1, 13)))
LINES = "\n".join(f"{n} {a}" for n, a in enumerate(KEY, 1))
BELOW = "\n".join(f"{asked(n)}Gabarito: {a}\n" for n, a in enumerate(KEY, 1))


@pytest.mark.parametrize(
    "text, lost",
    [
        (f"{TEXT}\nGABARITO\n{LINES}\n\nGABARITO RETIFICADO\n3 A\n5 A\n", {3, 5}),
        (f"{TEXT}\nGABARITO\n{LINES}\n\nGabarito oficial\n3 A\n", {3}),  # no other word stands between them
        (f"{TEXT}\nGABARITO\n{LINES}\n\nRetificação\n3 A\n", {3}),
        (f"{TEXT}\nGABARITO\n{LINES}\n\nRetificação\n3 A e D\n", {3}),
        (f"{TEXT}\nGABARITO\n{LINES}\n\nRetificação\n3 5\nA B\n", {3}),
        (f"{TEXT}\nGABARITO\n{LINES}\n\nRetificação\n3 D 4 B 9 A\n", {9}),
        (f"{TEXT}\nGABARITO\n{KEY}\n\nRetificação\n3 - A\n", {3}),
        (f"{BELOW}\nRetificação\n3 - A\n", {3}),
        (f"{TEXT}\nGABARITO\n{LINES}\n\nQUESTÕES 1 A 12\n\nQuestões 1 e 2\n\n3\n\nExemplo\n1 A B C D\n", set()),
        (f"Prova\n\nQuestões 1 a 10\n\n{TEXT}\nGABARITO\n{LINES}\n\nRetificação\n3 D\n", set()),
    ],
)
def test_a_key_that_is_mended_further_down_makes_its_questions_rejects(text, lost):
    rows = read_exam(text).rows
    assert {row["number"]: row["answer"] for _, row in rows if isinstance(row, dict)} == {
        n: a for n, a in enumerate(KEY, 1) if n not in lost
    }


def test_a_page_number_above_a_line_with_a_key_is_no_key():
    paged = BELOW.rpartition("Gabarito")
    assert all(isinstance(row, dict) for _, row in read_exam(f"{paged[0]}\n4\n\n{paged[1]}{paged[2]}").rows)


def test_a_key_that_a_file_of_its_own_mends(tmp_path):
    rows, rejects = prepared(tmp_path, prova_txt=TEXT, gabarito_csv=f"questao,gabarito\n{LINES.replace(' ', ',')}\n3,A\n")
    assert len(rows) == 11 and "do not agree" in rejects[0]["reason"]


@pytest.mark.parametrize("own, under", [("train", "test"), ("dev", "train"), ("fold 1", "train")])
def test_a_row_in_another_split_than_its_own(tmp_path, own, under):
    rows = [{"question": f"What is illness {i}?", "answer": f"It is number {i}.", "split": own} for i in range(4)]
    (tmp_path / "a.json").write_text(json.dumps({"validation": [rows[0] | {"split": None}], under: rows}))
    why = rf"a\.json:2: stands in the split '{under}', and its own 'split' is '{own}'"
    with pytest.raises(UserError, match=why):
        prepare(Args(inputs=[str(tmp_path / "a.json")], output_dir=str(tmp_path / "out")))


def test_a_row_in_its_own_split_or_without_one(tmp_path):
    row = {"question": "What is it?", "answer": "An illness."}
    value = {"train": [row | {"split": "Training"}, row | {"split": None}], "dev": [row | {"split": "valid"}, row]}
    assert [found["split"] for found in records_of(value)] == ["Training", "train", "valid", "dev"]


def test_a_row_of_the_hub_in_another_split_than_its_own(monkeypatch):
    import datasets

    parts = {"train": [{"question": "a", "split": "train"}], "test": [{"question": "b", "split": "train"}]}
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: parts)
    with pytest.raises(UserError, match=r"^hf:me/exam:test:1: stands in the split 'test', and its own 'split' is 'train'"):
        list(hub_records("hf:me/exam"))


def test_an_option_that_is_marked_as_right_and_as_wrong():
    option = {"text": "aspirin", "is_correct": True}
    assert [o.marked for o in options_of([option | {"correct": "yes"}, option | {"correct": None}])] == [True, True]
    with pytest.raises(Unreadable, match="marked as right and as wrong: 'is_correct: True, correct: 0'"):
        options_of([option | {"correct": 0}, option])


def test_a_turn_with_two_texts_that_differ():
    turn = {"role": "user", "content": "My head aches."}
    assert [t.text for t in messages_of([turn | {"text": "My head  aches. "}, turn | {"content": "", "text": "Where?"}])] == [
        "My head aches.",
        "Where?",
    ]
    with pytest.raises(Unreadable, match="several texts that differ: 'content, text'"):
        messages_of([turn | {"text": "My foot aches."}])


@pytest.mark.parametrize(
    "line, lost",
    [
        ("Anuladas: 3, 5", {3, 5}),
        ("Questões anuladas: 3 e 5.", {3, 5}),
        ("* Foram anuladas as questões 5, 3 e 8", {3, 5, 8}),
        ("Pregunta anulada: 4", {4}),
        ("Nenhuma questão foi anulada.", set()),
        ("Anuladas 3 questões em 2020", set()),
    ],
)
def test_a_line_that_calls_numbers_annulled_counts_whatever_letter_they_have(line, lost):
    found = read_exam(f"{TEXT}\nGABARITO\n{LINES}\n\n{line}\n")
    annulled = {row["number"] for _, row in found.rows if isinstance(row, dict) and row.get("status")}
    assert not found.why and annulled == lost


SAYS = [
    ("Errata: questão 3, onde se lê {was}, leia-se A.", {3}),
    ("Questões 3 e 5: gabarito alterado após recursos.", {3, 5}),
    ("A questão de número 4 teve, após análise dos recursos, seu gabarito\nalterado de {was} para E.", {4}),
    ("Question 4: key changed from {was} to {same}.", set()),  # as the table has it
    ("Questão 3: recurso indeferido, gabarito mantido.", set()),
    ("Não rasure: questões 1 a 8 com gabarito rasurado são anuladas.", set()),
    ("Os exames da questão 3 vieram alterados, de A para frente.", set()),
]


@pytest.mark.parametrize("says, lost", SAYS)
def test_a_question_whose_key_a_sentence_changes_is_a_reject(says, lost):
    number = min(lost or {4})
    was = KEY[number - 1]
    found = read_exam(f"{TEXT}\nGABARITO\n{LINES}\n\n{says.format(was=was, same=was)}\n")
    assert not found.why
    learnt = {row["number"] for _, row in found.rows if isinstance(row, dict) and row["answer"]}
    assert learnt == set(range(1, 13)) - lost


@pytest.mark.parametrize("says, lost", [*SAYS, ("Questões anuladas: 3 e 5.", {3, 5})])
@pytest.mark.parametrize("where", ["key", "exam"])
def test_a_sentence_on_the_key_of_an_exam_in_markdown(tmp_path, says, lost, where):
    said = says.format(was=KEY[min(lost or {4}) - 1], same=KEY[3])
    above = f"{said}\n\n"
    rows, rejects = prepared(
        tmp_path,
        prova_md=(above if where == "exam" else "") + exam(),
        gabarito_md=f"Chave de prova.md\n\n{table()}\n" + (said if where == "key" else ""),
    )
    assert {number_of(row) for row in rows} == set(range(1, 9)) - lost
    assert len(rejects) == len(lost)
    assert all("annulled" in r["reason"] or "by a sentence beside it" in r["reason"] for r in rejects)
