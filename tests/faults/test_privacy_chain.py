"""Identifiers planted in raw rows are in no file of a chain: rows, logs, pages, records, model folder, predictions.

rejects.jsonl alone holds rows as they were read; the run says so, and only rejected rows are there.
"""

import csv
import html
import json
import os
import sys
from pathlib import Path

import pytest
from conftest import ROOT, run_script

sys.path.insert(0, str(ROOT / "tests" / "faults"))
from identifiers import Planted, plant

COUNT = 500
COMMON = [
    f"{a} {b}" for a in "Juliana Rodrigo Patrícia Marcelo Fernanda".split() for b in "Carvalho Teixeira Barbosa Moura".split()
]


def leaks(folder: Path, planted: list[Planted], printed: str = "") -> list[str]:
    """Which identifiers stand where, as written, as JSON or HTML escape them, or as digits alone."""
    found = []
    files = {"what was printed": printed.encode()} | {
        str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != "rejects.jsonl"
    }
    for where, content in files.items():
        for one in planted:
            for form in one.forms:
                ways = {form, json.dumps(form)[1:-1], html.escape(form)}
                found += [f"{one.kind} {form!r} in {where}" for way in ways if way.encode() in content]
    return found


def asked(i: int, one: Planted) -> str:
    return f"Caso {i}: {one.sentence} Qual é a conduta número {i * 7919 % 1000}?"


def chat(i: int, system: Planted, user: Planted, assistant: Planted) -> dict:
    said = {
        "system": f"Atenda bem. {system.sentence}",
        "user": asked(i, user),
        "assistant": f"Resposta {i}. {assistant.sentence}",
    }
    return {"messages": [{"role": role, "content": text} for role, text in said.items()]}


def exam_row(i: int, question: Planted, option: Planted, topic: Planted) -> dict:
    options = {"A": option.sentence, "B": f"Repouso {i}", "C": "Alta", "D": "Exame"}
    subject = topic.sentence if topic.kind == "NAME" else "Clínica"
    return {"question": asked(i, question), "options": options, "answer": "B", "subject": subject}


def raw_files(folder: Path, planted: list[Planted]) -> dict[str, Path]:
    """The planted sentences in every place of a row where text can stand: four shapes, and rows that are rejected."""
    folder.mkdir()
    parts = [planted[i::5] for i in range(5)]
    three = [list(enumerate(zip(*[parts[n][k::3] for k in range(3)], strict=False))) for n in (1, 2)]
    qa = [
        {"pergunta": asked(i, p), "resposta": f"Conduta {i}: {q.sentence}", "cpf_do_paciente": p.text}
        for i, (p, q) in enumerate(zip(parts[0][::2], parts[0][1::2], strict=True))
    ]
    no_answer = [{"pergunta": asked(i, p), "resposta": "" if i % 2 else None} for i, p in enumerate(parts[3][:60])]
    rows = {"qa": [*qa, *qa[:5], *no_answer], "chats": [chat(i, *some) for i, some in three[0]]}
    rows["exam"] = [exam_row(i, *some) for i, some in three[1]]
    for name, some in rows.items():
        lines = [json.dumps(row, ensure_ascii=False) for row in some]
        if name == "qa":
            lines[-9:] = [line[:-3] for line in lines[-9:]]  # no JSON any more
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with open(folder / "labelled.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["texto", "classe"])
        writer.writeheader()
        writer.writerows({"texto": asked(i, p), "classe": ("leve", "grave")[i % 2]} for i, p in enumerate(parts[4]))
    return {path.stem: path for path in folder.iterdir()}


def prepared(raw: Path, out: Path, capsys, **options) -> str:
    """prepare.py in this process; returns what it printed."""
    from data_prep.pipeline.options import Args
    from data_prep.prepare import prepare

    prepare(Args(inputs=[str(raw)], output_dir=str(out), **options))
    return "".join(capsys.readouterr())


def test_no_planted_identifier_leaves_prepare(tmp_path, capsys):
    planted = plant(COUNT, 1)
    raw, out, printed = raw_files(tmp_path / "raw", planted), tmp_path / "out", ""
    printed += prepared(raw["exam"], out / "exam", capsys, test_size=1.0)
    for name in ("qa", "chats", "labelled"):
        printed += prepared(raw[name], out / f"{name}_rows", capsys)
    guard = tmp_path / "guard.jsonl"  # not prepared, so not masked: its questions are quoted beside the leaks
    guard.write_text("".join(raw["exam"].read_text(encoding="utf-8").splitlines(keepends=True)[:12]), encoding="utf-8")
    for task in ("preference", "feedback"):
        printed += prepared(raw["exam"], out / task, capsys, task=task, eval_files=[str(guard)])
    assert len(json.loads((out / "feedback/report.json").read_text())["leak_pairs"]) >= 12
    written = "".join(p.read_text() for p in out.rglob("*.jsonl") if p.name != "rejects.jsonl")
    assert all(written.count(f"[{kind}") > 20 for kind in {one.kind for one in planted}), "the planted rows are not there at all"
    assert leaks(out, planted, printed) == []
    rejected = [json.loads(line) for p in out.rglob("rejects.jsonl") for line in p.read_text().splitlines()]
    assert len(rejected) > 50 and (out / "qa_rows/report.html").read_text().count("personal data are not masked") == 1


def test_no_planted_identifier_is_left_by_masking():
    """Sentences of ten seeds: one of 250 is in a form that few of a seed's 500 have."""
    from data_prep.cleaning.privacy import TYPES, mask

    some = [one for seed in range(100, 110) for one in plant(COUNT, seed)]
    assert [one.sentence for one in some if any(form in mask(one.sentence, {}, TYPES) for form in one.forms)] == []


def test_a_leak_would_be_seen(tmp_path, capsys):
    planted = plant(400, 2)
    raw = raw_files(tmp_path / "raw", planted)
    prepared(raw["exam"], tmp_path / "out", capsys, personal_data="keep")
    assert {line.split()[0] for line in leaks(tmp_path / "out", planted)} == {one.kind for one in planted}


def test_what_is_said_of_rejects_and_of_untitled_names():
    """By design a name that nothing announces stays where given name or surname is no known one; the README says so."""
    from data_prep.cleaning.privacy import TYPES, mask

    rare = plant(COUNT, 3, untitled=True)
    stays = sum(one.text in mask(one.sentence, {}, TYPES) for one in rare)
    common = [sentence for name in COMMON if name in (sentence := mask(f"{name} refere tosse seca", {}, TYPES))]
    print(f"untitled names that stay: {stays} of {COUNT} made of syllables, {len(common)} of {len(COMMON)} common ones")
    assert not common
    for name in ("README.md", "README.pt-BR.md"):
        text = " ".join((ROOT / "data_prep" / name).read_text(encoding="utf-8").split())  # a sentence may go on in the next line
        assert ("nothing is masked there" in text and "a person must still look" in text) or (
            "ali nada é mascarado" in text and "uma pessoa ainda precisa olhar" in text
        )


@pytest.mark.slow
@pytest.mark.rehearsal
def test_no_planted_identifier_leaves_a_recipe(tiny_model, tmp_path):
    """prepare, score, train, score, compare, export, report: every file of the folder, and what was printed."""
    planted = plant(COUNT, 4)
    raw, out = raw_files(tmp_path / "raw", planted), tmp_path / "out"
    variables = {"exam": str(raw["exam"]), "cases": str(raw["qa"])}
    home = {**os.environ, "HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "home")}
    (tmp_path / "home").mkdir()
    flags = ["--rehearse", "--variables", json.dumps(variables), "--output_dir", out]
    done = run_script("scripts/run_recipe.py", "recipes/sft", *flags, env=home, timeout=3000)
    assert "all stages done" in done.stdout and (out / "eval_sft/predictions.jsonl").is_file() and list(out.glob("gguf/*.gguf"))
    assert leaks(out, planted, done.stdout + done.stderr) == [] and leaks(tmp_path / "home", planted) == []
