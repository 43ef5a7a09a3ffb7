"""Questions and answers of a running text under bare marks (`P1:`, `R:`), and what is asked about instead. The rows are ours."""

import json

import docx
import pytest
from test_strangers import read, written

from data_prep.common.errors import UserError
from data_prep.documents.marked_text import asks_often, holds_marked, marked_pairs
from data_prep.tables.records import Bad

ASKED = [
    "Como agendo?",
    "Qual é o horário de visita?",
    "Preciso de jejum?",
    "Onde retiro o laudo?",
    "Atendem convênio?",
    "Há vagas?",
]
TOLD = ["Ligue para a central.", "Das 14h às 16h.", "Sim, oito horas.", "Na recepção.", "Atendemos os principais.", "No subsolo."]
PAIRS = list(zip(ASKED, TOLD, strict=True))


def faq(form: str, between="\n\n", above="", before=None) -> str:
    """The pairs in one form; `before`: number -> what stands above that pair."""
    parts = [(before or {}).get(i, "") + form.format(i=i, q=q, a=a) for i, (q, a) in enumerate(PAIRS, 1)]
    return above + between.join(parts) + "\n"


def pairs(text: str) -> list[tuple[str, str]]:
    return [(row["question"], row["answer"]) for _, row in marked_pairs(text) if not isinstance(row, Bad)]


FORMS = [
    "P{i}: {q}\nR: {a}",
    "P{i}: {q}\nR{i}: {a}",
    "P{i}: {q}\n\nR: {a}",
    "P{i}) {q}\nR: {a}",
    "[P{i}] {q}\n[R{i}] {a}",
    "- P{i}: {q}\n- R: {a}",
    "Q{i}. {q}\nA{i}. {a}",
    "Q.{i} {q}\nAns. {a}",
    "**Q{i}.** {q}\n\n**A.** {a}",
    "Q{i} : {q}\nR{i} : {a}",
    "Question {i} : {q}\nRéponse : {a}",
    "Pregunta {i}: {q}\nRespuesta: {a}",
    "PERGUNTA {i} - {q}\nRESPOSTA - {a}",
    "Pergunta - {q}\nResposta - {a}",
    "{i}. {q}\nR: {a}",
    "{i}) {q}\nResposta: {a}",
    "{i}.- {q}\nR.- {a}",
    "P: {q}\nR: {a}",
    "Q{i}. {q}\n{a}",
    "**Pregunta {i}:** {q}\n\n{a}",
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "above, title",
    [("", ""), ("=== DÚVIDAS ===\n\n--- VISITAS ---\n\n", "--- EXAMES ---\n\n"), ("# Dúvidas\n\n", "## Exames\n\n")],
)
def test_marked_questions_are_rows_and_titles_between_them_belong_to_no_answer(form, above, title):
    assert pairs(faq(form, above=above, before={4: title})) == PAIRS


@pytest.mark.parametrize("name", ["faq.md", "faq.txt"])
def test_such_a_file_is_read_whatever_its_suffix(tmp_path, name):
    assert answers(written(tmp_path, name, faq(FORMS[0]))) == dict(PAIRS)


def test_titles_in_capitals_are_told_by_the_one_above_the_first_pair():
    above, before = "VISITAS\n\n", {4: "EXAMES E LAUDOS\n\n"}
    assert pairs(faq(FORMS[0], above=above, before=before)) == PAIRS
    assert pairs(faq(FORMS[0], before=before)) == []  # what an answer ends with, or a title
    assert pairs(faq(FORMS[0], above=above, before={4: "Exames\n\n"})) == []


def test_what_stands_above_and_below_the_pairs_is_a_reject():
    text = faq(FORMS[0], above="Esta página reúne as dúvidas mais comuns.\n\n") + "\nAtualizada em março de 2024.\n"
    assert [row.text for _, row in marked_pairs(text) if isinstance(row, Bad)] == [
        "Esta página reúne as dúvidas mais comuns.",
        "Atualizada em março de 2024.",
    ]
    assert pairs(text) == PAIRS
    longer = [(q, f"{a}\n\nMais um parágrafo.") for q, a in PAIRS]
    assert pairs(faq("P{i}: {q}\nR: {a}\n\nMais um parágrafo.")) == longer  # answers of two blocks keep both


def test_lists_within_answers_are_no_questions():
    steps = "\n1. Primeiro isto.\n2. Depois aquilo."
    for form in ("P{i}: {q}\nR: {a}", "{i}. {q}\nR: {a}"):
        assert pairs(faq(form + steps)) == [(q, a + steps) for q, a in PAIRS]


def test_numbers_begin_anew_in_a_section_and_never_skip_one():
    halves = ["\n\n".join(f"P{i}: {q}\nR: {a}" for i, (q, a) in enumerate(half, 1)) for half in (PAIRS[:3], PAIRS[3:])]
    assert pairs("## A\n\n" + "\n\n## B\n\n".join(halves)) == PAIRS
    assert pairs(faq(FORMS[0]).replace("P3:", "P4:")) == []


KEYS = "{i}. {q}\nR: Letra C"
TRUE = "{i}. A dengue número {i} é causada por vírus.\nR: Verdadeiro"
BELOW = "\n".join(f"P{i}: {q}" for i, q in enumerate(ASKED, 1)) + "\n\n" + "\n".join(f"R{i}: {a}" for i, a in enumerate(TOLD, 1))


@pytest.mark.parametrize(
    "text", [faq(KEYS), faq(TRUE), BELOW, faq(FORMS[0]).replace("R: Sim, oito horas.\n", ""), faq(FORMS[0]).replace("P3:", "P5:")]
)
def test_marked_questions_that_are_no_plain_pairs_are_asked_about(tmp_path, text):
    assert marked_pairs(text) == [] and holds_marked(text)
    for name in ("x.md", "x.txt"):
        with pytest.raises(UserError, match="questions with their answers, each under a mark"):
            written(tmp_path, name, text)


def test_an_exam_and_a_conversation_stay_what_they_are(tmp_path):
    options = "a) um\nb) dois\nc) três\nd) quatro"
    assert pairs(faq(f"{{i}}. {{q}}\n{options}\nR: B")) == [] == pairs(faq(f"{{i}}. {{q}}\n{options}"))
    talk = "P: Bom dia, doutor.{0}R: Bom dia, o que houve?{0}P: Dor de cabeça.{0}R: Desde quando?{0}P: Ontem.{0}R: Descanse.\n"
    for between in ("\n", "\n\n"):
        assert marked_pairs(talk.format(between)) == []
    [row] = written(tmp_path, "x.txt", talk.format("\n"))
    assert len(row.get("conversations", [])) == 6 or "Dor de cabeça" in json.dumps(row, ensure_ascii=False)


@pytest.mark.parametrize(
    "text",
    [
        faq(FORMS[0], above="Esta página fala de outra coisa, e muito. " * 20 + "\n\n"),  # a text with a few pairs
        faq("{i}. {q}\na) um\nb) dois\nc) três\nR: Porque assim diz o texto."),  # options, whatever is said of them
        faq("P{i}: {q}\nR{i}: {a}").replace("R3:", "R4:"),  # an answer to another question
        faq(FORMS[0]).replace("P4:", "P:"),  # a question whose number is lost, within the answer above
        faq(FORMS[0]).replace(TOLD[2], TOLD[2] + "\nPergunta: e se eu comer antes?"),
        faq("Q{i}. {q}\n{a}").replace(ASKED[2], "Preciso de\njejum?"),  # a question that goes on in the next line
        faq("Q{i}. {q}\n{a}").replace(TOLD[2], ""),
        faq("Q{i}. {q}\n{a}").replace(TOLD[2], f"Resposta - {TOLD[2]}"),  # one answer is marked: are the others answers?
        faq("P: {q}\nR: {a}", between="\n"),  # turns of one conversation
        faq("P: {q}\n\nR: {a}"),
    ],
)
def test_what_is_not_plain_is_no_list_of_pairs(text):
    assert marked_pairs(text) == []


LEAFLET = "\n\n".join(
    f"{i}. PARA QUE SERVE A PARTE {'ABCDEF'[i]}?\n" + "Este remédio é indicado como se diz aqui. " * 14 for i in range(6)
)


@pytest.mark.parametrize(
    "form",
    [
        "{i}. {q}\n{a}",
        "{q}\n{a}",
        "**{q}**\n{a}",
        "- {q} {a}",
        "{q} => {a}",
        "❓ {q}\n✅ {a}",
        "{i}. {q}\n( ) Sim ( ) Não",
        "P- {q}\nR- {a}",
    ],
)
def test_questions_with_little_beside_each_are_no_plain_text(form):
    text = faq(form)
    assert asks_often(text)
    with pytest.raises(UserError, match="which plain text would mix up"):
        read([{"text": text}])


def test_a_leaflet_whose_titles_ask_and_prose_stay_text():
    prose = "Febre alta e dor. " * 30 + "E se piorar? Volte ao serviço. " + "O repouso ajuda. " * 30
    lines = "Beba água.\nDescanse.\nVolte ao serviço se piorar.\n" * 12 + "E a dor?\n" * 6
    for text in (
        LEAFLET,
        prose,
        lines,
        "Onde dói?\nDesde quando?\nComo dorme?\n",
        "https://x.org/a?b=1\n" * 8,
        "Os quartis foram:\nQ1: 23,4\nQ2: 31,0\nQ3: 45,9\nA média foi 33.",
    ):
        assert not asks_often(text) and not holds_marked(text)
        assert read([{"text": text}])[0].shape == "text"


def test_titles_with_signs_belong_to_no_answer_of_labelled_records_either(tmp_path):
    form = "Pergunta: {q}\nResposta: {a}"
    rows = written(tmp_path, "faq.md", faq(form, before={4: "--- EXAMES ---\n\n"}))
    assert not any("EXAMES" in json.dumps(row) for row in rows) and len(rows) == len(PAIRS)


def page(form: str, before=None) -> str:
    return f"<html><body><h1>Dúvidas</h1>{faq(form, between='', before=before)}</body></html>"


SET_APART = [
    ("md", "**{q}**\n{a}\n\n", "**EXAMES**\n\n"),
    ("txt", "**{i}. {q}**\n\n{a}\n\n", "**Exames**\n\n"),
    ("html", "<h3>{q}</h3><p>{a}</p>", "<h2>Exames</h2>"),
    ("html", "<dt><strong>{q}</strong></dt><dd>{a}</dd>", ""),
    ("html", "<details><summary>{q}</summary><p>{a}</p></details>", "<h2>Exames</h2>"),
    ("html", "<details><summary><h4>{q}</h4></summary>{a}</details>", "<h2>Exames</h2>"),
]


@pytest.mark.parametrize("suffix, form, title", SET_APART)
def test_short_questions_that_are_set_apart_by_their_type_are_rows(tmp_path, suffix, form, title):
    text = page(form, {4: title}) if suffix == "html" else faq(form, between="", before={4: title})
    assert answers(written(tmp_path, f"faq.{suffix}", text)) == dict(PAIRS)


def answers(rows: list[dict]) -> dict[str, str]:
    said = [[t["value"] for t in r["conversations"]] if "conversations" in r else [r["question"], r["answer"]] for r in rows]
    return dict(said)


def test_a_document_s_bold_questions_are_rows_and_its_bold_sentences_stay_in_the_answers(tmp_path):
    document = docx.Document()
    for i, (q, a) in enumerate(PAIRS):
        for said, bold in ((q, True), (a, False), *([("Atenção: leve um documento.", True)] if i == 1 else [])):
            document.add_paragraph().add_run(said).bold = bold
    document.save(tmp_path / "faq.docx")
    rows = written(tmp_path, "faq.docx", (tmp_path / "faq.docx").read_bytes())
    assert answers(rows) == dict(PAIRS) | {PAIRS[1][0]: f"{PAIRS[1][1]}\n\nAtenção: leve um documento."}


def test_heads_within_answers_lose_their_signs_and_a_page_s_foot_is_a_reject(tmp_path):
    sub = {3: "<h4>Documentos</h4><ul><li>RG</li></ul>"}
    text = page("<h3>{q}</h3><p>{a}</p>", sub).replace("</body>", "<div><p>Atualizada em março.</p></div></body>")
    assert answers(written(tmp_path, "faq.html", text))[PAIRS[1][0]] == f"{PAIRS[1][1]}\nDocumentos\n- RG"
    [reject] = map(json.loads, (tmp_path / "out/rejects.jsonl").read_text().splitlines())
    assert reject["reason"] == "no question with its answer" and "março" in json.dumps(reject, ensure_ascii=False)


@pytest.mark.parametrize(
    "form",
    ["<h3>{q}</h3>", "<h3>{q}</h3><ul><li>um</li><li>dois</li></ul>", "<h3>{q}</h3><p>a) um</p><p>b) dois</p><p>c) três</p>"],
)
def test_a_page_of_questions_without_plain_answers_is_asked_about(tmp_path, form):
    with pytest.raises(UserError):
        written(tmp_path, "x.html", page(form))


def test_a_title_of_another_type_belongs_to_no_answer(tmp_path):
    with pytest.raises(UserError, match="questions, with little beside each"):
        written(tmp_path, "x.md", faq("**{q}**\n{a}\n\n", between="", before={4: "Exames\n\n"}))
    long = page("<h3>{q}</h3><p>" + "{a} " * 40 + "</p>")
    assert "text" in written(tmp_path, "x.html", long)[0]  # parts of a leaflet, whose titles ask
    assert "text" in written(tmp_path, "x.md", faq("**{q}**\n" + "{a} " * 40))[0]
