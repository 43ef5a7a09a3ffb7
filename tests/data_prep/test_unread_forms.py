"""Words on a page's buttons, and texts whose lines, blocks or words are something else than prose. The rows are ours."""

import json

import pytest

from data_prep.common.errors import UserError
from data_prep.prepare import Args, prepare

ASKED = [f"Como se trata a doença número {n} em adultos?" for n in range(8)]
TOLD = [
    f"Com repouso, líquidos e retorno ao posto em {n} dias, se os sintomas não cederem ao tratamento inicial." for n in range(8)
]
PROSE = "\n\n".join(f"{told}\n{told}" for told in TOLD)


def read(tmp_path, name: str, content: str) -> list[dict]:
    (tmp_path / name).write_text(content)
    prepare(Args(inputs=[str(tmp_path / name)], test_size=1, near_duplicates="off", output_dir=str(tmp_path / "out")))
    return [json.loads(line) for line in (tmp_path / "out/test.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    "item",
    [
        '<div><h2><button aria-expanded="false">{}</button></h2><div><div>{}</div></div></div>',
        '<button class="accordion">{}</button><div class="panel"><p>{}</p></div>',
        '<div class="q"><button onclick="open(this)"><span>{}</span></button><div>{}</div></div>',
    ],
)
def test_what_unfolds_keeps_its_heading(tmp_path, item):
    items = "".join(item.format(asked, told) for asked, told in zip(ASKED, TOLD, strict=True))
    rows = read(tmp_path, "faq.html", f"<html><body><h1>Dúvidas</h1><section>{items}</section></body></html>")
    assert {(row["question"], row["answer"]) for row in rows} == set(zip(ASKED, TOLD, strict=True))


def test_a_button_in_a_sentence_is_a_word_of_it_and_others_are_none(tmp_path):
    words = "<p>Há <button>otite externa</button>, trauma e <button>neoplasia</button>, nesta ordem.</p>"
    page = (
        f"<html><body>{words}<p>{TOLD[0]}</p><p><button>Copiar</button></p><p>{TOLD[1]}</p><button>Enviar</button></body></html>"
    )
    text = read(tmp_path, "x.html", page)[0]["text"]
    assert "Há otite externa, trauma e neoplasia, nesta ordem." in text and "Copiar" not in text and "Enviar" not in text


@pytest.mark.parametrize(
    ("what", "text"),
    [
        (
            "blocks that each begin with a question",
            "\n\n".join(f"{a}\nwww.exemplo.org\n[{t}] {t}" for a, t in zip(ASKED, TOLD, strict=True)),
        ),
        ("commas or semicolons part", "\n".join(f"{n % 4},doença_{n}" for n in range(40))),
        ("commas or semicolons part", "\n".join(f"asma;leve;{n}" for n in range(40))),
        ("commas or semicolons part", "\n".join(f"{n},A febre passou." if n % 12 else "Fim, e nada mais" for n in range(36))),
        ("words with their marks", " ".join(f"{word}/B-NN" for word in PROSE.split())),
        ("words with their marks", " ".join(f"palavra{n}/NOUN" for n in range(36))),
        ("steps of a chatbot's stories", "\n\n".join(f"## caminho {n}\n- saudar\n  - utter_saudar" for n in range(9))),
    ],
)
def test_lines_blocks_and_words_that_are_no_prose_are_asked_about(tmp_path, what, text):
    with pytest.raises(UserError, match=what):
        read(tmp_path, "x.txt", text)


@pytest.mark.parametrize(
    "text",
    [
        PROSE,
        f"{ASKED[0]}\n{TOLD[0]}\n\n{PROSE}",
        "\n".join(f"Febre, tosse e dor por {n} dias." for n in range(40)),
        "O exame foi normal em 24/7 e a razão I/E era 1/2. " * 30,
    ],
)
def test_prose_stays_prose(tmp_path, text):
    assert len(read(tmp_path, "x.txt", text)) == 1


def test_a_text_of_one_line_of_turns_is_asked_about(tmp_path):
    said = "doctor: como está a dor no joelho {0} ? patient: melhorou depois de {0} dias de repouso ."
    with pytest.raises(UserError, match="holds dialogues"):
        read(tmp_path, "x.json", json.dumps([{"text": said.format(n), "intents": ["queixa"]} for n in range(9)]))
    assert len(read(tmp_path, "y.txt", "Orientação ao paciente: repouso. O médico: ver a escala. " * 3)) == 1


STEM = "Qual é a conduta no caso {0} do ambulatório?\nA. alta {0}\nB. exame {0}\nC. cirurgia {0}\nD. retorno {0}{1}"


@pytest.mark.parametrize("below", ["", "\nAnswer:", "\n\nResposta: "])
def test_options_written_into_a_question_end_with_the_last_one(tmp_path, below):
    rows = [{"question": STEM.format(n, below), "answer": "ABCD"[n % 4]} for n in range(12)]
    found = read(tmp_path, "x.json", json.dumps(rows))
    assert sorted(row["options"]["D"] for row in found) == sorted(f"retorno {n}" for n in range(12))


def test_orders_below_the_last_option_are_none_of_it(tmp_path):
    rows = [{"question": STEM.format(n, ""), "answer": "ABCD"[n % 4]} for n in range(20)]
    rows[3]["question"] += "\n\nThink step by step:\n1. Find the key."
    rows[4]["question"] += "\ncom nova consulta"
    rows[5]["question"] += "\n5 mg ao dia, em\n10% dos casos"
    found = {row["question"].split("caso ")[1].split()[0]: row["options"] for row in read(tmp_path, "x.json", json.dumps(rows))}
    assert "3" not in found and len(found) == 19 and found["4"]["D"] == "retorno 4\ncom nova consulta"
    assert found["5"]["D"].endswith("ao dia, em\n10% dos casos")
    assert "below its last option" in (tmp_path / "out/rejects.jsonl").read_text()


@pytest.mark.parametrize("quote", ["'", '"', "`"])
def test_a_page_whose_script_holds_more_text_than_it_shows_is_refused(tmp_path, quote):
    items = ",".join(f"{{title: 'Parte {n}', more: {quote}{told}{quote}}}" for n, told in enumerate(TOLD))
    page = f"<html><body><h1>Mapa do capítulo</h1><p>{TOLD[0]}</p><div id='map'></div><script>{{0}}</script></body></html>"
    with pytest.raises(UserError, match="its script holds"):
        read(tmp_path, "x.html", page.replace("{0}", f"const map = [{items}, show(1)];"))
    code = "".join(f"box{n}.className = 'flex items-center justify-between p-4 mt-2 text-white rounded-lg';" for n in range(9))
    shown = f"const first = {quote}{TOLD[0]}{quote};"
    assert len(read(tmp_path, "y.html", page.replace("{0}", code + shown))) == 1
