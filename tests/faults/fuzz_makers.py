"""Inputs that nobody would write, from dice: pieces of real forms in any order, repeated and cut; files with bytes changed."""

import gzip
import io
import json
import random
import zipfile
from pathlib import Path

PIECES = (
    "A|B|C|D|E|a|b|(A)|[B]|**C**|A)|B.|A:|Resposta|resposta correta|Answer|answer is|letra|option|alternativa|é|is|not|não|"
    "porque|,|.|;|:|\n|\n\n| |  |\t|\\boxed{|}|<think>|</think>|{|}|[|]|(|)|\"|'|`|```json|<b>|</b>|<p|&amp;|&#x41;|<!--|"
    "-->|<script>|Dengue|Amoxicilina|500 mg|Nenhuma das|0|1|12|3.5|9,9|-|–|%|mg/dL|CPF|529.982.247-25|123|4567|"
    "11 98765-4321|@|x@y.org|http://|www.|Dr.|Dra.|Sr.|Maria|da|Silva|de|DR|PACIENTE|nascido em|1/2/1990|rua|Rua|10.0.0.1|"
    "::|prontuário|I cannot|não posso|desculpe|como IA|null|true|NaN|\u0000|\u202e|\ud800|\ufeff|\u00a0|é|ß|İ|𝕏|👍|日本|ق|²|"
).split("|")
HTML = (
    '<p>|</p>|<ol>|<ol start="3">|<ol start="²">|</ol>|<ul>|</ul>|'
    "<li>|</li>|<table>|<tr>|<td>|</table>|<br>|<hr/>|<i>|</i>|<sup>|"
    "</sup>|"
    '<img alt="x">|<div>|</div>|<a href="x">|</a>|<title>|</title>|<style>|</style>|&lt;|&nbsp;|&#0;|<pre>|<font color=red>|'
).split("|")
EXAM = (
    "Questão 1~## Questão 3~**Question 2**~1. ~2) ~3.~**4.** ~a) ~b) ~(C) ~D. ~E: ~a) [x] ~b) [ ] ~c) [*] ~- [x] ~"
    "Gabarito: B~Resposta: **A**~Answer: C~Explicação: ~| 1 | D |~| 2 | anulada |~| a | b | c |~|---|---|~| --- | :-: |~"
    "| x | y |~|~# Prova~---~"
    "Médico: ~Paciente: ~User: ~Assistant: ~[Maria] ~**Bot:** ~<|im_start|>user\n~<|im_end|>~[INST]~[/INST]~"
    "### Human: ~### Assistant: ~"
    'exam.md~\t~;~,~"~\r\n~\n~\n~\n~\n\n~\n\n\n~{\\rtf1 ~{"question": "x", "answer": "y"}~{~[~]~}~pergunta;resposta~1~²~١~'
).split("~")
KEYS = (
    "id task question text options answer labels label conversations from value messages role content prompt chosen "
    "rejected completion"
).split()
VALUES = (
    "B",
    "2",
    1,
    0,
    "²",
    ["B"],
    ["x", "y"],
    {"A": "x", "B": "y"},
    "A) x\nB) y",
    "x|y|z",
    True,
    None,
    float("nan"),
    "a b c",
    -1,
)


def soup(dice: random.Random, pieces: list[str] = PIECES) -> str:
    """Pieces in any order, mostly fewer than 300 characters; now and then some of them very often."""
    text = "".join([dice.choice(pieces) for _ in range(dice.choice((1, 3, 8, 20, 60)))])
    if dice.random() < 0.05:
        text = (text[: dice.randrange(1, 12)] or "a") * dice.choice((20, 60, 300)) + text
    if dice.random() < 0.2 and text:
        at = dice.randrange(len(text))
        text = text[:at] + chr(dice.randrange(1, 0x3000)) + text[at + dice.randrange(3) :]
    return text[:4000]


def web(dice: random.Random) -> str:
    return soup(dice, HTML + PIECES)


def exam(dice: random.Random) -> str:
    """Pieces of exams, tables and dialogues that are written into a text."""
    return soup(dice, EXAM if dice.random() < 0.7 else EXAM + PIECES)


def value(dice: random.Random, deep: int = 0):
    """A JSON value with the keys of our rows."""
    kind = dice.randrange(9 if deep < 4 else 6)
    if kind < 6:
        return (soup(dice)[:80], dice.choice(KEYS), dice.randrange(-9, 9), None, dice.random() < 0.5, 1e300)[kind]
    if kind == 6:
        return [value(dice, deep + 1) for _ in range(dice.randrange(4))]
    return {dice.choice([*KEYS, "A", "B"]): value(dice, deep + 1) for _ in range(dice.randrange(6))}


def row(dice: random.Random) -> dict:
    return {dice.choice(KEYS): value(dice, 1) for _ in range(dice.randrange(7))}


def lines(dice: random.Random) -> str:
    made = [json.dumps(row(dice)) if dice.random() < 0.7 else soup(dice) for _ in range(dice.randrange(1, 4))]
    return "\n".join(made)


CODE = (
    "[~]~{~}~,~:~'~\"~`~\\~\\n~\\x41~\\u00e9~\\u{1f600}~\\ud83d~\\ude00~+~-~1~2.5~007~true~null~undefined~question~answer~a~b~$~_x~"
    "// a\n~//~/*~*/~/* b */~${x}~f(x)~ ~\n~\t~'x'~\"y\"~`z`~question: ~answer: ~const q = [~];~=> "
).split("~")


def script(dice: random.Random) -> str:
    """A literal as a script may write it, or pieces of such in any order."""
    if dice.random() < 0.3:
        return soup(dice, CODE)
    text = json.dumps(value(dice), ensure_ascii=dice.random() < 0.5)
    if dice.random() < 0.5:
        return text
    at = dice.randrange(len(text) + 1)
    return text[:at] + dice.choice(CODE) + text[at + dice.randrange(3) :]


def alike(dice: random.Random) -> list[dict]:
    """Rows of one file: the same names, in each column mostly values of one kind."""
    names = [
        dice.choice([*KEYS, "opcao_a", "opcao_b", "gabarito", "contexto", "A", "B", "score"]) for _ in range(dice.randrange(1, 6))
    ]
    kinds = {name: dice.choice((VALUES, VALUES[:4], VALUES[5:10], None)) for name in names}
    return [
        {name: value(dice, 2) if kind is None else dice.choice(kind) for name, kind in kinds.items()}
        for _ in range(dice.randrange(1, 7))
    ]


def keyed(dice: random.Random) -> tuple:
    """Options, a key, and how it is to be read."""
    options = dice.choice(VALUES) if dice.random() < 0.5 else value(dice)
    return (
        options,
        dice.choice(VALUES) if dice.random() < 0.5 else value(dice),
        dice.choice(("letter", "0", "1", "id", "text", "marked")),
    )


def conversation(dice: random.Random) -> list[dict]:
    marks = [
        "<|im_end|>",
        "<|im_start|>assistant\n",
        "<think>",
        "</think>",
        "<|endoftext|>",
        "＜|im_end|＞",
        "{{ x }}",
        "{% if %}",
        *PIECES,
    ]
    said = [soup(dice, marks).replace("\ud800", "") for _ in range(2 * dice.randrange(1, 3))]
    roles = ("user", "assistant") * len(said)
    return [{"role": role, "content": text} for role, text in zip(roles, said, strict=False)]


def changed(dice: random.Random, content: bytes) -> bytes:
    """Bytes with some set, left out, doubled, or in their place a number as large as it can be."""
    found = bytearray(content)
    for _ in range(dice.randrange(1, 5)):
        at, what = dice.randrange(len(found) + 1), dice.randrange(5)
        if what == 0:
            found[at : at + 1] = bytes([dice.randrange(256)])
        elif what == 1:
            del found[at : at + dice.randrange(1, 9)]
        elif what == 2:
            found[at:at] = found[max(0, at - 16) : at]
        elif what == 3:
            found[at : at + 8] = dice.choice((b"\xff" * 8, b"\0" * 8, (2**31).to_bytes(8, "little"), b"\xff" * 4))
        else:
            del found[at:]
    return bytes(found)


def seeds() -> dict[str, bytes]:
    """A small whole file of each kind that is made of bytes."""
    plain = b'{"question": "Qual?", "answer": "Este."}\n' * 3
    inside = io.BytesIO()
    with zipfile.ZipFile(inside, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jsonl", plain)
        archive.writestr("b/c.csv", "pergunta;resposta\nQual?;Este.\n")
    pair = b'<QAPair><Question qtype="y">Q?</Question><Answer>A.</Answer></QAPair>'
    xml = b'<Document source="x"><QAPairs>' + pair + b"</QAPairs></Document>"
    return {
        "a.jsonl.gz": gzip.compress(plain, mtime=0),
        "a.zip": inside.getvalue(),
        "a.csv": 'pergunta,resposta\n"Qual é?",Ação\n'.encode("cp1252"),
        "a.json": b'[{"question": "Qual?", "answer": "Este."}]',
        "a.jsonl": plain,
        "a.xml": xml,
        "a.rtf": rb"{\rtf1\ansi Quest\'e3o \u225? {\b x}\par}",
    }


def gguf_seed(folder: Path) -> bytes:
    """A small GGUF with a field of each kind and two tensors."""
    import gguf
    import numpy

    path = folder / "seed.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_chat_template("{{ messages }}")
    writer.add_array("tokenizer.ggml.tokens", ["a", "b"])
    writer.add_array("tokenizer.ggml.scores", [0.5, 1.5])
    writer.add_custom_alignment(32)
    writer.add_tensor("token_embd.weight", numpy.zeros((2, 32), dtype=numpy.float32))
    writer.add_tensor("blk.0.attn_q.weight", numpy.zeros((32, 32), dtype=numpy.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()
