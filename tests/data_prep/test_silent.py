"""Public files that ended well and were read wrong: texts that are no prose, classes in lists. The rows are ours."""

import pytest
from test_contradicting import run
from test_strangers import OPTIONS, read, written

from data_prep.cleaning.privacy import mask
from data_prep.common.errors import UserError
from data_prep.documents.office import docx_file
from data_prep.tables.json_records import records_of

PASSAGE = "Repouso, água e volta ao serviço em dois dias se a febre não cede ou se há dor no peito. " * 6
PLACES = "braço perna tórax pé mão olho".split()
TERMS = [f"{kind} {place}" for kind in ("dor", "lesão", "infecção", "fratura") for place in PLACES]


def blocks(first: str) -> str:
    return "\n\n".join(f"{first.format(i=i)}\nhttps://x.org/{i}\n[{PASSAGE}] {i}" for i in range(8))


@pytest.mark.parametrize(
    "text, says",
    [
        (blocks("Quanto dura a febre {i}?"), "begin with a question"),
        (blocks("发烧{i}天怎么办？"), "begin with a question"),
        ("\n".join(f"doença{i},tem,sintoma{i % 7}" for i in range(40)), "commas or semicolons"),
        ("\n".join(f"doença {i};sintoma {i % 7}" for i in range(40)), "commas or semicolons"),
        ("\n".join(f"{term} {side}" for term in TERMS for side in ("direita", "esquerda", "posterior")), "list of terms"),
        (",".join(f"{term} {side}" for term in TERMS for side in ("direita", "esquerda", "posterior")), "list of terms"),
        ("\n".join(f"Fonte {i}, https://x.org/{i}" for i in range(40)), "commas or semicolons"),
        ("\n\n".join(f"> [!question]- {i}. Febre\n> **{PASSAGE}**" for i in range(8)), "each under a mark"),
        (
            "\n".join(f"## Example {i}\n\nscore {i}\n\n**Question**\n\nFebre {i}?\n\n**Answer**\n\n{PASSAGE}" for i in range(5)),
            "each under a mark",
        ),
        ("\n".join(f"apa demam {i}\n{PASSAGE} {i}" for i in range(24)), "pairs of lines"),
        (" ".join(f"dor{i}/NN no/B-PP peito/NN ,/O-PU" for i in range(20)), "words with their marks"),
        ("\n".join(f"Doença {i}: febre, tosse (às vezes), dor" for i in range(24)), "each with a list"),
    ],
)
def test_texts_that_are_no_prose(tmp_path, text, says):
    with pytest.raises(UserError, match=says):
        written(tmp_path, "x.txt", text)


@pytest.mark.parametrize(
    "text",
    [
        blocks("**Quanto dura a febre {i}?**"),  # a leaflet's titles
        blocks("A febre {i} dura dois dias."),
        "\n".join(f"Afebril, eupneico no dia {i}, sem dor." for i in range(60)),
        "\n".join(f"Ritmo regular no dia {i}" + "." * (i % 3 == 0) for i in range(60)),
        "\n".join(f"Exame {i}\n{PASSAGE}\nOutro exame" for i in range(24)),
        "\n".join(f"Conduta {i}: repouso, água e volta em dois dias. Sem febre." for i in range(24)),
        "\n".join(f"paciente volta ao serviço no dia {i} com dor de cabeça e febre" for i in range(60)),
    ],
)
def test_prose_stays_text(tmp_path, text):
    assert [list(row)[1] for row in written(tmp_path, "x.txt", text)] == ["text"]


@pytest.mark.parametrize("names", ["Bệnh nhân|Bác sĩ", "환자|의사", "Hasta|Doktor", "Paciente|Médica", "रोगी|डॉक्टर", "مريض|طبيب"])
def test_talks_in_any_language_are_no_plain_text(names):
    turns = [f"{name}: {said}" for said in ("Febre.", "Desde ontem?") for name in names.split("|")]
    with pytest.raises(UserError, match="dialogues"):
        read([{"id": i, "text": "\n".join([*turns, f"{turns[0]} {i}"])} for i in range(9)])
    with pytest.raises(UserError, match="whole dialogues"):
        read([{"question": "\n".join([f"{turns[0]} {i}", *turns]), "answer": f"Repouso e água, {i} dias."} for i in range(9)])
    form = "Queixa: febre há {i} dias\nExame: sem alteração\nConduta: repouso"
    assert read([{"id": i, "text": form.format(i=i)} for i in range(9)])[0].shape == "text"


def test_an_exam_that_was_cut_into_its_lines_is_asked_about():
    pieces = [
        piece for i in range(20) for piece in (f"Mulher de {i + 20} anos tem febre.", *(f"{x}) conduta {i}{x}" for x in "ABCD"))
    ]
    with pytest.raises(UserError, match="single options of an exam"):
        read([{"text": piece, "page": 1} for piece in pieces])
    notes = [{"text": f"{'A' if i % 6 == 0 else 'Nota'}) febre há {i} dias."} for i in range(60)]
    assert read(notes)[0].shape == "text"


def test_classes_that_stand_in_lists_are_asked_about():
    rows = [
        {"text": f"Dói o peito há {i} dias.", "intents": ["queixa", "conduta"][: 1 + i % 3 // 2] if i % 2 else ["exame"]}
        for i in range(40)
    ]
    with pytest.raises(UserError, match="intents holds several labels"):
        read(rows)
    own = [{"text": row["text"], "intents": [f"palavra {i}", f"outra {i}"]} for i, row in enumerate(rows)]
    assert read(own)[0].shape == "text"  # words of the text, which come no second time
    assert read([{"text": row["text"], "topics": row["intents"]} for row in rows])[0].shape == "text"


def test_classes_in_a_column_each_are_asked_about():
    rows = [{"text": f"Dói o peito há {i} dias.", "febre": i % 2, "tosse": i // 2 % 2} for i in range(40)]
    with pytest.raises(UserError, match=r"febre .*; tosse "):
        read(rows)
    assert read([{"text": row["text"], "page": 1 + i, "dias": i % 3} for i, row in enumerate(rows)])[0].shape == "text"


@pytest.mark.parametrize("held", [True, False])
def test_options_that_the_question_holds_as_well_are_told(tmp_path, capsys, held):
    texts = [{x: f"{said} {i}" for x, said in OPTIONS.items()} for i in range(30)]
    lines = [[f"{x}. {said}" for x, said in options.items()] for options in texts]
    listed = ["\n".join(["", "Alternativas:", *options, "Resposta:"]) for options in lines]
    rows = [
        {"query": f"O que fazer no caso {i}?{listed[i] * held}", "choices": list(options.values()), "gold": i % len(options)}
        for i, options in enumerate(texts)
    ]
    run(tmp_path, rows, test_size=0)
    assert ("30 of 30 questions that were looked at hold their options" in capsys.readouterr().out) is held


@pytest.mark.parametrize("text", ["Enf. Pulmonar crónica do prematuro", "Enf. Celíaca", "Enf. Autoinmune", "Enf. Renal"])
def test_an_illness_is_no_nurse(text):
    assert mask(text, {}, ["NAME"]) == text
    for name in ("Juliana", "Kauany", "Amaral", "Angélica"):
        assert mask(f"Enf. {name} avaliou", {}, ["NAME"]) == "Enf. [NAME] avaliou"


def test_a_text_beside_a_files_one_list_is_not_lost(tmp_path):
    """A case that a file's questions are about stands before each, a summary stays, and what a file says of itself is not."""
    rows = [{"question": f"Qual a conduta {i}?", "answer": f"Repouso e água, {i} dias."} for i in range(25)]
    (whole,) = records_of({"case": PASSAGE, "questions": rows})
    assert whole == {"case": PASSAGE, "questions": rows}
    made = written(tmp_path, "x.json", {"case": PASSAGE, "questions": rows})
    asked = {row["question"] if "question" in row else row["conversations"][0]["value"] for row in made}
    assert asked == {f"{PASSAGE.strip()}\n\n{row['question']}" for row in rows}
    parts = [{"heading": f"Parte {i}", "text": PASSAGE} for i in range(5)]
    assert records_of({"summary": PASSAGE, "parts": parts}) == [{"summary": PASSAGE, "parts": parts}]
    assert records_of({"caso": "Mulher de 30 anos com febre.", "questions": rows}) != rows
    assert records_of({"gabarito": {"1": "A"}, "questions": rows}) != rows
    for about in ({"description": PASSAGE}, {"title": "Prova de 2020"}, {"dataset_notes": PASSAGE}):
        assert records_of({**about, "questions": rows}) == rows


def test_a_document_that_is_a_table_is_no_text(tmp_path):
    docx = pytest.importorskip("docx")
    document = docx.Document()
    table = document.add_table(rows=20, cols=2)
    for i, row in enumerate(table.rows):
        row.cells[0].text, row.cells[1].text = f"Doença {i}", "Hemograma\nRepouso"
    document.save(tmp_path / "x.docx")
    with pytest.raises(UserError, match="a table of 20 rows"):
        list(docx_file(tmp_path / "x.docx", "x.docx"))
    document.add_paragraph(PASSAGE * 3)
    document.save(tmp_path / "y.docx")
    ((_, row, _),) = docx_file(tmp_path / "y.docx", "y.docx")
    assert row["text"].endswith(PASSAGE.strip())
