"""prepare.py as a user runs it: formats, shapes, accounting, leaks, personal data, bad input; and the folders of real data."""

import csv
import gzip
import json
import zipfile

import pytest
from conftest import ROOT, answer_at_once, run_script

from data_prep.pipeline.options import Args
from data_prep.shapes.convert import convert
from data_prep.shapes.detect import find_reading
from data_prep.shapes.reading import Reading, Wish

SHARED = ROOT.parent / "shared" / "data"
ROWS = [
    {"question": f"What helps against disease number {word}, in short?", "answer": f"Rest and treatment {word} for {i + 2} days."}
    for i, word in enumerate("asthma gout malaria scurvy rabies mumps anaemia cholera typhus lupus measles sepsis".split())
]


def prepare(out, *args, code=0):
    done = run_script("data_prep/prepare.py", *args, "--output_dir", out, code=code)
    if code:
        assert "Traceback" not in done.stderr
        return done.stderr
    return json.loads((out / "manifest.json").read_text()), done.stdout


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def balanced(manifest):
    c = manifest["counts"]
    return c["rows read"] == sum(v for k, v in c.items() if k != "rows read")


def write(path, data=ROWS):
    if path.suffix == ".csv":
        with open(path, "w", newline="", encoding="cp1252") as file:
            writer = csv.DictWriter(file, data[0])
            writer.writeheader()
            writer.writerows(data)
    elif path.suffix == ".gz":
        with gzip.open(path, "wt", encoding="utf-8") as file:
            file.write("".join(json.dumps(r) + "\n" for r in data))
    elif path.suffix == ".json":
        path.write_text(json.dumps({str(i): r for i, r in enumerate(data)}))
    elif path.suffix in (".xlsx", ".parquet"):
        import pandas

        frame = pandas.DataFrame(data)
        frame.to_excel(path, index=False) if path.suffix == ".xlsx" else frame.to_parquet(path)
    elif path.suffix == ".zst":
        import zstandard

        path.write_bytes(zstandard.compress("".join(json.dumps(r) + "\n" for r in data).encode()))
    else:
        path.write_text("".join(json.dumps(r) + "\n" for r in data))
    return path


def test_a_validation_share_is_a_file_of_its_own_and_named(tmp_path):
    manifest, said = prepare(tmp_path / "o", write(tmp_path / "q.jsonl"), "--validation_size", "0.25", "--test_size", "0.25")
    ids = {n: {row["id"] for row in rows(tmp_path / f"o/{n}.jsonl")} for n in ("train", "validation", "test")}
    assert {n: len(found) for n, found in ids.items()} == {n: manifest["counts"][n] for n in ids} and balanced(manifest)
    assert len(set.union(*ids.values())) == len(ROWS) and all(ids.values())
    assert "(train.jsonl, validation.jsonl, test.jsonl, report.html" in said
    assert "(train.jsonl, test.jsonl, report.html" in prepare(tmp_path / "p", tmp_path / "q.jsonl")[1]


def test_a_whole_book_is_one_row_and_its_personal_data_are_hidden_on_the_page(tmp_path):
    """A megabyte in one text, as a PDF gives it: nothing that is done to it may take its length squared."""
    words = " ".join(f"Sinal {i} da doença, conduta {i % 97}." for i in range(34_000))
    book = f"{words}\nSumário {'.' * 20_000} 3\nDra. Ana Paula Souza, CPF 529.982.247-25\n{words[:900]}"
    manifest, _ = prepare(tmp_path / "o", write(tmp_path / "book.jsonl", [{"text": book}]), "--shape", "text")
    assert len(book) > 1_000_000 and manifest["personal_data"] == {"CPF": 1, "NAME": 1}
    page = (tmp_path / "o/report.html").read_text()
    assert (
        "529.982" not in page
        and "Ana Paula" not in page
        and f"CPF <mark>{14 * chr(0x2022)}<" in page
        and "CPF <mark>[CPF]<" in page
    )


def test_every_format_gives_the_same_rows(tmp_path):
    names = ["a.csv", "b.jsonl.gz", "c.json", "d.xlsx", "e.parquet", "f.jsonl.zst", "g.jsonl"]
    (tmp_path / "in").mkdir()
    for name in names:
        write(tmp_path / "in" / name)
    manifest, _ = prepare(tmp_path / "out", tmp_path / "in")
    assert manifest["counts"]["rows read"] == len(ROWS) * len(names) and balanced(manifest)
    assert manifest["counts"]["duplicate"] == len(ROWS) * (len(names) - 1)


def test_same_seed_same_bytes_and_stable_split(tmp_path):
    data = write(tmp_path / "a.jsonl")
    first, _ = prepare(tmp_path / "one", data, "--test_size", 0.4)
    again, _ = prepare(tmp_path / "two", data, "--test_size", 0.4)
    assert first["outputs"] == again["outputs"]
    more = write(
        tmp_path / "b.jsonl", [*ROWS, {"question": "What is the use of a stethoscope in a clinic?", "answer": "Listening."}]
    )
    prepare(tmp_path / "more", more, "--test_size", 0.4)
    places = [{r["question"] for r in rows(tmp_path / n / "test.jsonl")} for n in ("one", "more")]
    assert places[0] and places[0] == places[1] - {"What is the use of a stethoscope in a clinic?"}


def test_cp1252_and_quoted_newlines(tmp_path):
    data = [
        {
            "question": f"Qual é a dose número {i}, doutor, na infecção?",
            "answer": f"São {i} comprimidos,\napós a refeição “leve”.",
        }
        for i in range(9)
    ]
    prepare(tmp_path / "out", write(tmp_path / "a.csv", data), "--near_duplicates", "off")
    made = rows(tmp_path / "out/train.jsonl") + rows(tmp_path / "out/test.jsonl")
    assert len(made) == 9 and "após a refeição “leve”" in json.dumps(made, ensure_ascii=False)


@pytest.mark.parametrize(
    "key, options, base",
    [
        ("B", "A. one\nB. two", None),
        ("B. two", "A. one\nB. two", None),
        (1, ["one", "two"], "0"),
        (2, ["one", "two"], "1"),
        ("two", {"A": "one", "B": "two"}, None),
    ],
)
def test_mcq_keys(key, options, base):
    raw = {"question": "Which number?", "options": options, "answer": key}
    row = convert(raw, find_reading([raw], Wish(base=base or "auto"), "x"), Args())
    assert row["answer"] == "B" and row["options"] == {"A": "one", "B": "two"}


def test_contradictory_several_and_annulled_keys_are_rejected():
    found = Reading("mcq", {n: n for n in ("question", "options", "answer")}, base="letter")
    raw = {"question": "Which?", "options": ["one", "two", "three"]}
    assert "several" in convert({**raw, "answer": "A, C"}, found, Args())
    assert "annulled" in convert({**raw, "answer": "-"}, found, Args())
    assert "no right answer" in convert({**raw, "answer": "A. two"}, found, Args())


def test_dialogue_keeps_every_turn():
    found = Reading("dialogue", {"dialogue": "dialogue"})
    talk = "Doctor: Hello.\nPatient: I cough.\nPatient: A lot.\nGuest_family: He does.\nDoctor: Since when?"
    turns = convert({"dialogue": talk}, found, Args())["conversations"]
    assert [t["from"] for t in turns] == ["human", "gpt", "human", "gpt"]
    assert turns[2]["value"] == "I cough.\nA lot.\nGuest_family: He does."
    assert "third role" in convert({"dialogue": talk}, found, Args(third_role="reject"))


def test_leaks_near_duplicates_and_personal_data(tmp_path):
    evaluation = [
        {
            "question": "Which nerve is compressed in the carpal tunnel syndrome of the wrist?",
            "answer": "The median nerve, as it happens.",
        }
    ]
    data = [
        *ROWS,
        {"question": "WHICH NERVE is compressed in the carpal tunnel syndrome of the wrist", "answer": "Median."},
        {**ROWS[0], "answer": ROWS[0]["answer"].replace("Rest", "Rests")},
        {
            "question": "Can Sra. Maria da Silva, CPF 529.982.247-25, take this drug now?",
            "answer": "Sra. Maria da Silva can, said a@b.com.",
        },
    ]
    manifest, _ = prepare(
        tmp_path / "out",
        write(tmp_path / "a.jsonl", data),
        "--eval_files",
        json.dumps([str(write(tmp_path / "e.jsonl", evaluation))]),
    )
    assert manifest["counts"]["leak"] == 1 and manifest["counts"]["near-duplicate"] == 1 and balanced(manifest)
    assert manifest["personal_data"] == {"CPF": 1, "EMAIL": 1, "NAME": 2}
    made = json.dumps(rows(tmp_path / "out/train.jsonl") + rows(tmp_path / "out/test.jsonl"))
    assert "Sra. [NAME], CPF [CPF]" in made and "529" not in made and "[NAME_2]" not in made
    page = (tmp_path / "out/report.html").read_text()
    assert "carpal tunnel" in page and "<script" not in page


def test_report_escapes_content(tmp_path):
    data = [
        *ROWS,
        {
            "question": "Is <script>alert(1)</script> and Dr. Souza a question?",
            "answer": "Yes  it <b>is</b>, and Dr. Souza agrees.",
        },
    ]
    prepare(tmp_path / "out", write(tmp_path / "a.jsonl", data))
    assert "<script" not in (tmp_path / "out/report.html").read_text()


BAD = {
    "half.jsonl": (b'{"question": "a", "answer": "b"}\n{"question": \n', ":2"),
    "cut.jsonl.gz": (gzip.compress(b'{"question": "a"}\n' * 5000)[:-20], "cut.jsonl.gz"),
    "mixed.csv": ("question,answer\nção,b\n".encode() + "ção,b\n".encode("cp1252"), ":3"),
    "empty.jsonl": (b"", "no rows"),
    "bomb.xml": (
        b'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><Document><QAPairs/></Document>',
        "entities",
    ),
    "cell.csv": (b'question,answer\n"' + b"x" * 40_000_000 + b'",b\n', "MB"),
    "blank.csv": (b"", "is empty"),
    "odd.csv": (b"question,answer\na,b,c,d\n", ":2"),
    "unclear.jsonl": (b'{"foo": 1, "bar": 2}\n', "no two of them hold texts"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_clear_error(tmp_path, name):
    content, expected = BAD[name]
    (tmp_path / name).write_bytes(content)
    said = prepare(tmp_path / "out", tmp_path / name, code=2)
    assert expected in said and name in said
    assert not (tmp_path / "out").exists()


def test_a_damaged_archive_is_one_clear_error(tmp_path):
    """zipfile raises an UnicodeDecodeError for the first, an IndexError for the second."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("é.csv", "question,answer\na,b\n")
    whole = (tmp_path / "a.zip").read_bytes()
    for damaged in (whole.replace("é".encode(), b"\xa6\xa6"), whole.replace("é.csv".encode(), b"\0" * 6)):
        (tmp_path / "a.zip").write_bytes(damaged)
        assert "a.zip" in prepare(tmp_path / "out", tmp_path / "a.zip", code=2)


def test_problems_come_in_one_error_before_anything_heavy_is_imported(tmp_path):
    said = answer_at_once("data_prep/prepare.py", "nothing.csv", "--output_dir", tmp_path / "out", "--test_size", 2).stderr
    assert "nothing.csv" in said and "test_size" in said


TWO = ["--near_duplicates", "off"]
REAL = {  # folder or file: (arguments, rows read, fewest rows out, what the rejects must say); test_real.py looks at every row
    # The official test set is a file of ids alone: these 500 rows are left out, counted as leaks.
    "pubmedqa/ori_pqal.json": (
        ["--shape", "qa", "--context", "none", "--eval_files", f'["{SHARED}/pubmedqa/test_ground_truth.json"]'],
        1000,
        490,
        "",
    ),
    "healthbench_br": (["--exclude", '["*.json"]', "--task", "preference"], 2000, 200, "another mark"),
    "enare": ([], 200, 110, "annulled"),  # 70 rows are 25 questions, printed under several numbers
    "medsafetybench": ([], 150, 150, ""),
}


@pytest.mark.parametrize("name", REAL)
def test_real_folders(tmp_path, name):
    if not SHARED.exists():
        pytest.skip("../shared/data is absent: this test reads real data that is not part of the project")
    extra, read, least, reason = REAL[name]
    manifest, _ = prepare(tmp_path / "out", SHARED / name, *extra)
    counts = manifest["counts"]
    out = sum(counts[k] for k in ("train", "validation", "test"))
    assert counts["rows read"] == read and out >= least and balanced(manifest), counts
    assert reason in " ".join(manifest["reasons"])


def test_two_readings_are_a_question(tmp_path):
    if not SHARED.exists():
        pytest.skip("../shared/data is absent: this test reads real data that is not part of the project")
    said = prepare(tmp_path / "out", SHARED / "kqa/NLI_medical_annotator.csv", code=2)
    assert "shape: qa" in said and "shape: classification" in said and "majority_label" in said
