"""How foreign files are read, without a question where they are clear: options, keys, conversations, file forms. And what is asked."""

import gzip
import json
import re
import zipfile

import pytest

from data_prep.common.errors import UserError
from data_prep.pipeline.options import Args
from data_prep.pipeline.read import input_files
from data_prep.pipeline.sources import all_records, find_sources
from data_prep.shapes.convert import convert

Q = "Qual o tratamento da gota aguda no adulto?"


def lines(*rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def read(tmp_path, name, content, **options):
    """(the sources, converted rows or reasons) of a file that is written first."""
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    args = Args(inputs=[str(path)], **options)
    sources = find_sources(args)
    return sources, [record.bad or convert(record.raw, reading, args) for record, reading in all_records(sources)]


def asked(*letters):
    """Multiple-choice rows with three options each and these keys."""
    return lines(*({"question": f"{Q} {i}", "options": ["x", "y", "z"], "answer": key} for i, key in enumerate(letters)))


MCQ = [  # name, content, (options, answer) of each row, or what its reason says
    (
        "blank.csv",  # a blank middle option keeps its position, a letter or a number
        "question,opa,opb,opc,opd,answer\na?,x,,z,w,C\nb?,x,y,z,,D\n",
        [({"A": "x", "C": "z", "D": "w"}, "C"), "points at an empty option"],
    ),
    ("blank2.csv", "question,op1,op2,op3,op4,cop\na?,x,,z,w,3\nb?,x,y,z,w,4\n", [({"A": "x", "C": "z", "D": "w"}, "C"), ({"A": "x", "B": "y", "C": "z", "D": "w"}, "D")]),
    ("null.jsonl", lines({"question": Q, "options": {"C": "z", "A": "x", "B": None, "D": 0}, "answer": "D"}), [({"A": "x", "C": "z", "D": "0"}, "D")]),
    (
        "blood.jsonl",  # letters before texts where the key is a letter
        lines({"question": "Type?", "options": ["A", "B", "AB", "O"], "answer": "C"}, {"question": Q, "options": ["x", "y", "z"], "answer": "B"}),
        [({"A": "A", "B": "B", "C": "AB", "D": "O"}, "C"), ({"A": "x", "B": "y", "C": "z"}, "B")],
    ),
    ("letra.jsonl", lines({"pergunta": Q, "alternativas": ["(A)x", "(B)y"], "gabarito": "Letra B"}), [({"A": "x", "B": "y"}, "B")]),
    ("one_line.jsonl", lines({"question": "Which? (A) x (B) y (C) z", "answer": "B"}), [({"A": "x", "B": "y", "C": "z"}, "B")]),
    ("order.jsonl", lines({"question": Q, "options": [{"id": "B", "text": "y"}, {"id": "A", "text": "x"}], "answer": "A"}), [({"A": "x", "B": "y"}, "A")]),
    ("order2.jsonl", lines({"question": Q, "options": ["C) z", "A) x", "B) y"], "answer": 0}, {"question": "b?", "options": ["x", "y", "z"], "answer": 2}), [({"A": "x", "B": "y", "C": "z"}, "C"), ({"A": "x", "B": "y", "C": "z"}, "C")]),
    ("marks.jsonl", lines({"enunciado": Q, "alternativas": [{"texto": "x", "correta": False}, {"texto": "y", "correta": True}]}), [({"A": "x", "B": "y"}, "B")]),
    ("two_marks.jsonl", lines({"q": 1, "question": Q, "options": [{"text": "x", "is_correct": 1}, {"text": "y", "is_correct": 1}]}, {"q": 2, "question": Q, "options": [{"text": "x", "is_correct": 0}, {"text": "y", "is_correct": 1}]}), ["several right answers", ({"A": "x", "B": "y"}, "B")]),
    ("e.jsonl", asked("A e C", "A and C", "A, C", "C"), ["several right answers: 'A, C'"] * 3 + [({"A": "x", "B": "y", "C": "z"}, "C")]),
    ("float.jsonl", asked(0.0, 1.0, 2.0), [({"A": "x", "B": "y", "C": "z"}, letter) for letter in "ABC"]),
    ("gap.jsonl", asked("", 1, 3), ["the key is empty", ({"A": "x", "B": "y", "C": "z"}, "A"), ({"A": "x", "B": "y", "C": "z"}, "C")]),
    ("twice.jsonl", lines({"question": Q, "options": {"A": "A) x", "B": "B) y"}, "answer": "B"}), [({"A": "x", "B": "y"}, "B")]),
    ("text.jsonl", lines({"text": Q, "options": ["x", "y"], "answer": "B"}), [({"A": "x", "B": "y"}, "B")]),
    ("exam.md", "## Questão 1\n\nQual?\n\n- A) x\n- B) y\n\n**Gabarito:** B\n\n## Questão 2\n\nE?\n\nA) x\nB) y\n\nResposta: A\n", [({"A": "x", "B": "y"}, "B"), ({"A": "x", "B": "y"}, "A")]),
]  # fmt: skip


@pytest.mark.parametrize(
    "name, content, expected",
    [case for case in MCQ if case[0] != "twice.jsonl"],
    ids=lambda v: v if isinstance(v, str) and "." in v[-6:] else "",
)
def test_options_and_keys(tmp_path, name, content, expected):
    _, rows = read(tmp_path, name, content)
    assert len(rows) == len(expected)
    for row, want in zip(rows, expected, strict=True):
        assert want in row if isinstance(want, str) else (row["options"], row["answer"]) == want, (row, want)


def test_a_key_that_is_given_twice_must_agree(tmp_path):
    more = [{"question": f"{Q} {i}", "options": ["x", "y", "z"], "answer_idx": "B", "answer": "y"} for i in range(98)]
    _, rows = read(
        tmp_path, "a.jsonl", lines(*more, {"question": Q, "options": ["x", "y", "z"], "answer_idx": "B", "answer": "z"})
    )
    assert rows[0]["answer"] == "B" and rows[-1] == "no right answer: answer names another option"


TALK = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
TALKS = [  # name, content, turns of the first row as (side, text)
    ("parts.jsonl", lines({"messages": [{"role": "user", "content": [{"type": "text", "text": "q"}]}, {"role": "assistant", "content": "a"}]}), "hq ga"),
    ("pd.txt", "P: q\nD: a\nP: r\nD: b\n", "hq ga hr gb"),
    ("brackets.jsonl", lines({"dialogue": "[patient] q\n[doctor] a"}), "hq ga"),
    ("dra.jsonl", lines({"dialogo": "Paciente: q\nDra. Ana: a"}), "hq ga"),
    ("names.jsonl", lines({"conversations": [{"from": "usuário", "value": "q"}, {"from": "chatgpt", "value": "a"}]}), "hq ga"),
    ("modelo.jsonl", lines({"messages": [{"role": "paciente", "content": "q"}, {"role": "assistente", "content": "a"}]}), "hq ga"),
    ("blocks.txt", "Patient:\nq\n\nDoctor:\na\n\nPatient:\nr\n\nDoctor:\nb\n", "hq ga hr gb"),
    ("belle.jsonl", lines({"conversation": [{"human": "q", "assistant": "a"}]}), "hq ga"),
    ("columns.jsonl", lines({"conversations": {"role": ["user", "assistant"], "content": ["q", "a"]}}), "hq ga"),
    ("any.jsonl", lines({"data": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}), "hq ga"),
    ("answer.jsonl", lines({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}, {"role": "model", "content": "a"}]}), "ss hq ga"),
]  # fmt: skip


@pytest.mark.parametrize("name, content, expected", TALKS, ids=[case[0] for case in TALKS])
def test_conversations(tmp_path, name, content, expected):
    _, rows = read(tmp_path, name, content)
    assert " ".join(t["from"][0] + t["value"] for t in rows[0]["conversations"]) == expected


def test_tools_images_and_unknown_roles_are_never_the_user(tmp_path):
    tools = [
        {"from": "human", "value": "q"},
        {"from": "function_call", "value": "{}"},
        {"from": "observation", "value": "1"},
        TALK[1],
    ]
    called = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
    image = [{"role": "user", "content": [{"type": "image_url"}]}, {"role": "assistant", "content": "a"}]
    _, rows = read(tmp_path, "a.jsonl", lines({"conversations": TALK}, {"conversations": tools}))
    assert rows[0]["task"] == "dialogue" and rows[1].startswith("function calls")
    _, rows = read(tmp_path, "b.jsonl", lines({"messages": [{"role": "user", "content": "q"}, called]}, {"messages": image}))
    assert rows[0].startswith("function calls") and "no text: 'image_url'" in rows[1]
    odd = lines({"conversations": [{"from": "juiz", "value": "q"}, TALK[1]]})
    with pytest.raises(UserError, match=r"whose turns are those of 'juiz'(?s:.*)roles: \{juiz: human\}"):
        read(tmp_path, "c.jsonl", odd)
    sources, rows = read(tmp_path, "c.jsonl", odd, roles={"juiz": "human"})
    assert rows[0]["conversations"] == TALK and sources[0].reading.roles == {"juiz": "human", "gpt": "gpt"}
    late = lines(*[{"conversations": TALK}] * 600, {"conversations": [{"from": "juiz", "value": "q"}, TALK[1]]})
    assert "unknown role" in read(tmp_path, "d.jsonl", late)[1][-1]  # beyond the first rows it is a reject


def test_prompts_of_messages_keep_system_and_history(tmp_path):
    history = [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    prompt = [*history, {"role": "user", "content": "r"}]
    sides = {"chosen": [{"role": "assistant", "content": "good"}], "rejected": [{"role": "assistant", "content": "bad"}]}
    _, rows = read(tmp_path, "a.jsonl", lines({"prompt": prompt, **sides}))
    assert rows[0]["prompt"] == prompt and (rows[0]["chosen"], rows[0]["rejected"]) == ("good", "bad")
    whole = {name: [*prompt, *said] for name, said in sides.items()}
    assert read(tmp_path, "b.jsonl", lines(whole))[1][0]["prompt"] == prompt
    _, rows = read(tmp_path, "c.jsonl", lines({"prompt": prompt, "completion": "good", "label": True}))
    assert rows[0]["prompt"] == prompt and rows[0]["good"]
    factory = {"conversations": [{"from": "human", "value": "q"}], "chosen": {"from": "gpt", "value": "good"}}
    _, rows = read(tmp_path, "f.jsonl", lines(factory | {"rejected": {"from": "gpt", "value": "bad"}}))
    assert (rows[0]["prompt"], rows[0]["chosen"], rows[0]["rejected"]) == ("q", "good", "bad")
    hh = {"chosen": "\n\nHuman: q\n\nAssistant: good", "rejected": "\n\nHuman: q\n\nAssistant: bad"}
    assert read(tmp_path, "d.jsonl", lines(hh))[1][0]["prompt"] == "q"
    marks = [{"prompt": "q", "chosen": "a", "rejected": "b", "score_chosen": c, "score_rejected": 5} for c in (9, 1)]
    assert "marked higher" in read(tmp_path, "e.jsonl", lines(*marks))[1][1]


FILES = [  # name, content, answers of the rows, or words of a reason
    ("bad.jsonl", lines(*({"question": f"q{i}", "answer": "yes"} for i in range(9))) + "{oops\n", ["yes"] * 9 + ["not JSON"]),
    ("list.jsonl", lines(*({"question": f"q{i}", "answer": "yes"} for i in range(9))) + "[1]\n", ["yes"] * 9 + ["named fields"]),
    ("u.jsonl.gz", gzip.compress(lines({"question": Q, "answer": "ação"}).encode("utf-16")), ["ação"]),
    ("u.csv", "question;answer\nq?;ação\n".encode("utf-16"), ["ação"]),
    ("columns.json", json.dumps({"question": ["q?", "r?"], "answer": ["x", "y"]}), ["x", "y"]),
    ("pandas.json", json.dumps({"question": {"0": "q?", "1": "r?"}, "answer": {"0": "x", "1": "y"}}), ["x", "y"]),
    ("split.json", json.dumps({"columns": ["question", "answer"], "index": [0], "data": [["q?", "x"]]}), ["x"]),
    ("called.json", lines({"question": "q?", "answer": "x"}, {"question": "r?", "answer": "y"}), ["x", "y"]),
    ("title.csv", "Prova de 2023;;\n;;\npergunta;resposta;tema\nq?;x;t\n", ["x"]),
    ("sep.csv", "sep=;\nquestion;answer\nq?;x, y\n", ["x, y"]),
    ("tabs.txt", "question\tanswer\nq?\tx\nr?\ty\n", ["x", "y"]),
    ("nan.jsonl", '{"question": "q?", "answer": NaN}\n{"question": "r?", "answer": "nan"}\n{"question": "s?", "answer": "x"}\n', ["empty answer"] * 2 + ["x"]),
    ("dict.jsonl", lines(*({"question": f"q{i}", "answer": "yes"} for i in range(9)), {"question": "r?", "answer": {"foo": 1}}), ["yes"] * 9 + ["is an object"]),
]  # fmt: skip


@pytest.mark.parametrize("name, content, expected", FILES, ids=[case[0] for case in FILES])
def test_file_forms(tmp_path, name, content, expected):
    _, rows = read(tmp_path, name, content)
    assert len(rows) == len(expected)
    for row, want in zip(rows, expected, strict=True):
        assert want in row if isinstance(row, str) else row["answer"] == want, (row, want)


def test_many_bad_lines_refuse_the_file(tmp_path):
    good = lines(*({"question": f"q{i}", "answer": "yes"} for i in range(600)))
    with pytest.raises(UserError, match=r"a\.jsonl:601: not JSON.*11 of the first 611 lines"):
        read(tmp_path, "a.jsonl", good + "{oops\n" * 11)


def test_sheets_archives_and_repeated_headers(tmp_path):
    import openpyxl

    book = openpyxl.Workbook()
    for row in (["Banco de questões"], [], ["question", "a", "b", "c", "answer"], ["q?", 0, 0.5, 2, "A"]):
        book.active.append(row)
    second = book.create_sheet("abertas")
    second.append(["pergunta", "resposta"])
    second.append(["r?", "y"])
    book.save(tmp_path / "book.xlsx")
    args = Args(inputs=[str(tmp_path / "book.xlsx")])
    sources = find_sources(args)
    rows = [convert(record.raw, reading, args) for record, reading in all_records(sources)]
    assert rows[0]["options"] == {"A": "0", "B": "0.5", "C": "2"} and rows[1]["answer"] == "y"
    assert [s.shown.rpartition("#")[2] for s in sources] == ["Sheet", "abertas"]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("in/q.jsonl", lines({"question": "q?", "answer": "x"}))
        archive.writestr("../evil.csv", "question,answer\nr?,y\n")
    args = Args(inputs=[str(tmp_path / "a.zip")])
    found = {record.file.rpartition(".zip/")[2]: record.raw["answer"] for record, _ in all_records(find_sources(args))}
    assert set(found.values()) == {"x", "y"} and not (tmp_path.parent / "evil.csv").exists()
    assert len(input_files(str(tmp_path / "a.zip"), ["*.csv"])) == 1
    assert len(input_files(str(tmp_path / "a.zip"))) == 2, "what the inputs leave out, eval_files may hold"
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.writestr("r.csv", "question,answer\nr?,y\n")
        archive.write(tmp_path / "a.zip", "inner.zip")
    with pytest.raises(UserError, match=r"outer\.zip: holds an archive of its own; unpack it, or --exclude '\[inner\.zip\]'"):
        input_files(str(tmp_path / "outer.zip"))
    [kept] = input_files(str(tmp_path / "outer.zip"), ["inner.zip"])
    assert kept.path.name == "r.csv"
    with pytest.raises(UserError, match=r"answer \(2\)"):
        read(tmp_path, "twice.csv", "question,answer,answer\nq?,x,y\n")


def test_what_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    from data_prep.tables import unpack

    monkeypatch.setattr(unpack, "SMALL", 2**20)
    with pytest.raises(UserError, match="unpacks to far more"):
        read(tmp_path, "bomb.jsonl.gz", gzip.compress(b'{"question": "' + b"a" * 2**24))
    monkeypatch.setattr(unpack, "MOST_WHOLE", 1000)
    with pytest.raises(UserError, match="write it as JSONL"):
        read(tmp_path, "large.json", json.dumps([{"question": "q" * 2000, "answer": "a"}]))
    for name, text in (
        ("large.html", '<meta charset="utf-8"><p>' + "Dor. " * 400),
        ("large.rtf", r"{\rtf1 " + "Dor. " * 400 + "}"),
    ):
        with pytest.raises(UserError, match="in one piece"):  # and not cut where the limit is
            read(tmp_path, name, text)


def test_documents_are_texts(tmp_path):
    import docx
    from pypdf import PdfWriter

    assert read(tmp_path, "a.rtf", r"{\rtf1\ansi Dor tor\'e1cica.\par Conduta.}")[1][0]["text"] == "Dor torácica.\nConduta."
    packed = gzip.compress(rb"{\rtf1\ansi Dor tor\'e1cica.}")
    assert read(tmp_path, "a.rtf.gz", packed)[1][0]["text"] == "Dor torácica."
    document = docx.Document()
    document.add_paragraph("Diretriz de gota.")
    table = document.add_table(rows=1, cols=2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "colchicina", "0,5 mg"
    document.save(tmp_path / "b.docx")
    assert (
        read(tmp_path, "b.docx", (tmp_path / "b.docx").read_bytes())[1][0]["text"] == "Diretriz de gota.\n\ncolchicina | 0,5 mg"
    )
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    writer.write(tmp_path / "c.pdf")
    assert read(tmp_path, "c.pdf", (tmp_path / "c.pdf").read_bytes())[1] == ["empty text"]
    assert "Gota aguda" in read(tmp_path, "d.pdf", pdf_of("Gota aguda"))[1][0]["text"]


def pdf_of(text: str) -> bytes:
    """A PDF of one page with one line, written by hand."""
    stream = f"BT /F1 12 Tf 10 50 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 100] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"xref\n0 6\n0000000000 65535 f \n" + table + b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % len(out)
    return out + end


def test_two_column_keys_and_many_exams(tmp_path, monkeypatch):
    """Every key of `| 1 | D |` tables is taken, and no file is read more than a few times, however many there are."""
    from data_prep.documents import texts
    from data_prep.documents.exam import markdown

    for i in range(30):
        exam = "".join(f"## Questão {n}\n\nPergunta {i} {n}?\n\n- A) x\n- B) y\n\n" for n in (1, 2, 3))
        (tmp_path / f"exam{i}.md").write_text(exam, encoding="utf-8")
        key = f"Chave de exam{i}.md\n\n| Questão | Resposta |\n|---|---|\n| 1 | A |\n| 2 | B |\n| 3 | A |\n"
        (tmp_path / f"key{i}.md").write_text(key, encoding="utf-8")
    assert markdown.keys_in("| 1 | A | 2 | B |\n| 3 | C | 4 | D |") == {
        n: [(a, "")] for n, a in zip((1, 2, 3, 4), "ABCD", strict=True)
    }
    calls = []
    whole = texts.whole_text
    for module in (texts, markdown):
        monkeypatch.setattr(module, "whole_text", lambda path, shown: calls.append(path) or whole(path, shown))
    args = Args(inputs=[str(tmp_path)])
    rows = [convert(record.raw, reading, args) for record, reading in all_records(find_sources(args))]
    assert [row["answer"] for row in rows] == ["A", "B", "A"] * 30
    assert len(calls) <= 8 * 60  # grows with the files, not with their square


ASKED = [
    ("label.jsonl", lines({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], "label": True}), "ignore: [label]"),
    ("bad.jsonl", lines(*({"question": f"q{i}", "answer": "a", "physician_label": w} for i, w in enumerate(("bad", "good")))), "score: physician_label"),
    ("marks.csv", "pergunta,resposta,nota\nq?,x,10\nr?,y,3\n", "good_score: 10"),
    ("wrong.jsonl", lines({"question": Q, "wrong_answer": "a", "correct_answer": "c"}), "wrong_answer"),
    ("numbers.jsonl", lines({"question": Q, "options": ["1", "2", "3"], "answer": 2}), "answer_base: text"),
    ("pred.jsonl", lines({"question": Q, "options": ["x", "y"], "answer": "B", "pred": "A"}), "ignore: [pred]"),
    ("letters.jsonl", lines(*({"question": f"{Q}{i}", "options": ["x", "y"], "answer": "AB"[i], "coluna": "BA"[i]} for i in (0, 1))), "ignore: [coluna]"),
    ("bot.jsonl", lines({"instruction": "[user] q [bot] a [user] r", "output": "b"}), "holds whole dialogues"),
    ("exam.txt", "\n".join(f"Questão {i}\nQual?\na) x\nb) y\nc) z\nd) w\n" for i in range(4)), "questions with lettered options"),
    ("prompts.jsonl", lines(*({"text": f"Qual {i}?\nA) x\nB) y\nC) z"} for i in range(3))), "questions with lettered options"),
    ("turns.jsonl", lines({"question": Q, "answer": "a", "extra": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}), "extra"),
]  # fmt: skip


@pytest.mark.parametrize("name, content, words", ASKED, ids=[case[0] for case in ASKED])
def test_what_would_be_lost_or_guessed_is_asked(tmp_path, name, content, words):
    with pytest.raises(UserError) as error:
        read(tmp_path, name, content)
    assert words in str(error.value) and name in str(error.value) and "paste" in str(error.value).casefold(), error.value


def test_the_pasted_lines_work(tmp_path):
    content = lines(*({"question": f"q{i}?", "answer": "a", "physician_label": w} for i, w in enumerate(("bad", "good"))))
    fields = {"question": "question", "completion": "answer", "score": "physician_label"}
    _, rows = read(tmp_path, "a.jsonl", content, shape="graded", fields=fields)
    assert [row["good"] for row in rows] == [False, True]
    sources, rows = read(tmp_path, "a.jsonl", content, ignore=["physician_label"])
    assert rows[0]["task"] == "open" and "physician_label" in sources[0].reading.unused


@pytest.mark.parametrize("encoding", ["cp1252", "latin_1", "cp850", "mac_roman"])
@pytest.mark.parametrize(
    "text",
    [
        "ação é não",
        "¿Cuál es la dosis en niños?",
        "Größe und Übelkeit, möglich",
        "ATENÇÃO: NÃO USAR",
        "Á beira",
        "5 µg ± 2",
        "à l'hôpital, été",
    ],
)
def test_short_texts_in_western_encodings(tmp_path, encoding, text):
    content = f"question;answer\nq?;{text}\n"
    _, rows = read(tmp_path, "a.csv", content.encode(encoding))
    assert rows[0]["answer"] == text


def test_splits_within_an_object_and_answers_of_weight_0(tmp_path):
    value = {"data": {"train": [{"question": "q?", "answer": "x"}], "test": [{"question": "r?", "answer": "y"}]}}
    sources, rows = read(tmp_path, "a.json", json.dumps(value))
    assert [row["answer"] for row in rows] == ["x", "y"] and sources[0].reading.fields["split"] == "split"
    said = [{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", "weight": w}]} for w in (1, 0)]
    assert "weight 0" in read(tmp_path, "b.jsonl", lines(*said))[1][1]


PASTED = [case for case in ASKED]
PASTED += [
    ("roles.jsonl", lines({"conversations": [{"from": "juiz: 2", "value": "q"}, TALK[1]]}), "roles"),
    ("twice.csv", "question,answer,answer\nq?,x,y\n", "answer (2)"),
]


@pytest.mark.parametrize("name, content, words", PASTED, ids=[case[0] for case in PASTED])
def test_pasted_lines_are_read_from_a_config(tmp_path, name, content, words):
    """The first answer that an error offers, pasted into a YAML file as it stands, is one."""
    from data_prep.common.arguments import parse_args

    (tmp_path / name).write_text(content)
    with pytest.raises(UserError) as error:
        read(tmp_path, name, content)
    first = re.split("(?i)paste", str(error.value), maxsplit=1)[1].split("\n", 1)[1].split("\n       or\n")[0]
    (tmp_path / "c.yaml").write_text(
        "\n".join(line.strip() for line in first.splitlines()) + f"\ninputs: ['{tmp_path / name}']\n"
    )
    args = parse_args(Args, "", [str(tmp_path / "c.yaml")])
    [source] = find_sources(args)
    assert source.reading and any(isinstance(convert(r.raw, reading, args), dict) for r, reading in all_records([source]))


def test_ranked_answers_of_mediqa_keep_their_marks(tmp_path):
    answer = '<Answer AID="1" ReferenceRank="{0}" ReferenceScore="{0}"><AnswerURL>u</AnswerURL><AnswerText>Text {0}.</AnswerText></Answer>'
    answers = "".join(answer.format(n) for n in (1, 2, 3, 4))
    xml = f'<Set><Question QID="1"><QuestionText>Is it?</QuestionText><AnswerList>{answers}</AnswerList></Question></Set>'
    sources, rows = read(tmp_path, "a.xml", xml)
    assert [(row["prompt"], row["completion"], row["good"]) for row in rows] == [
        ("Is it?", f"Text {n}.", n > 2) for n in (1, 2, 3, 4)
    ]
    assert sources[0].reading.known.startswith("MEDIQA")
