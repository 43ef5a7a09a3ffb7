"""Public data sets are read without a question: a sample of each in its true columns, and the row that it must become.

Columns and forms are those that the sets have; the questions are ours.
"""

import json

import pytest

from data_prep.pipeline.options import Args
from data_prep.shapes.convert import convert
from data_prep.shapes.detect import find_reading
from data_prep.shapes.known import KNOWN
from data_prep.shapes.nested import exploded
from data_prep.shapes.reading import Wish

OPTIONS = {"A": "Aspirin", "B": "Heparin", "C": "Insulin", "D": "Digoxin"}
TEXTS = list(OPTIONS.values())
ASKED = "Which drug lowers glucose in type 1 diabetes?"
MCQ = {"task": "mcq", "question": ASKED, "options": OPTIONS, "answer": "C"}
BR = {
    "enunciado": "Qual fármaco reduz a glicemia no diabetes tipo 1?", "resposta": "C", "contains_img": False, "img_description": None,
    "origem": "REVALIDA", "prova": "2023", "numero": 7, "alternativas": {"A": "Aspirina", "B": "Heparina", "C": "Insulina", "D": "", "E": None},
}  # fmt: skip
TALK = [{"from": "human", "value": "Can I take aspirin?"}, {"from": "gpt", "value": "Ask your doctor."}]
SAID = [{"role": "user", "content": "Can I take aspirin?"}, {"role": "assistant", "content": "Ask your doctor."}]
QA = {"task": "open", "question": "What is gout?", "answer": "A disease of the joints."}
PUBMED = {"question": "Does aspirin help?", "long_answer": "It seems to help.", "final_decision": "maybe"}

SETS = {  # name: (raw row, further rows that show how the key is written, what the row becomes)
    "drbodebench": (
        BR,
        [],
        {"task": "mcq", "question": BR["enunciado"], "answer": "C", "options": {"A": "Aspirina", "B": "Heparina", "C": "Insulina"},
         "exam": "2023", "number": "7"},
    ),
    "drbodebench with an image": (
        BR | {"contains_img": True, "img_description": "ECG com supra de ST."},
        [],
        {"question": "ECG com supra de ST.\n\n" + BR["enunciado"]},
    ),
    "drbode240": ({"data": SAID}, [], {"task": "dialogue", "conversations": TALK}),
    "dpo-mmlu-ptbr": (
        {"prompt": "Posso tomar aspirina?", "chosen": "Pergunte ao médico.", "rejected": "Sim, à vontade."},
        [],
        {"task": "preference", "chosen": "Pergunte ao médico.", "rejected": "Sim, à vontade."},
    ),
    "MedPT": (
        {"id": 0, "question": "O que é gota?", "answer": "Uma doença das articulações.", "condition": "Gota",
         "medical_specialty": "Reumatologista", "question_type": "Diagnóstico"},
        [],
        {"task": "open", "question": "O que é gota?"},
    ),
    "HealthBench": (
        {"prompt": SAID[:1], "prompt_id": "x", "rubrics": [{"criterion": "c", "points": 5, "tags": []}], "example_tags": ["t"],
         "ideal_completions_data": {"ideal_completion": "Ask your doctor.", "ideal_completions_group": "g"}, "canary": "healthbench:"},
        [],
        {"task": "dialogue", "conversations": TALK},
    ),
    "HealthBench-BR": (
        {"pergunta_id": "1", "protocolo": "Gota", "pergunta": "Verdadeiro ou falso? A gota dói.", "resposta": "Verdadeiro"},
        [],
        {"task": "classification", "text": "Verdadeiro ou falso? A gota dói.", "label": "Verdadeiro"},
    ),
    "HealthBench-BR graded": (
        {"arquivo": "a.pdf", "titulo": "Gota", "idx_local": 0, "pergunta": "A gota dói?", "esperado": "Verdadeiro", "pred": "Falso",
         "correta": "0", "resposta_bruta": "Falso."},
        [],
        {"task": "graded", "completion": "Falso.", "good": False},
    ),
    "PCDT-QA": (
        {"title": "Gota", "questions": [{"question": "O que é gota?", "answer": "Uma doença."}, {"question": "Dói?", "answer": "Sim, dói."}]},
        [],
        {"task": "open", "question": "O que é gota?", "answer": "Uma doença."},
    ),
    "MedQA": (
        {"question": ASKED, "answer": "Insulin", "options": OPTIONS, "meta_info": "step1", "answer_idx": "C", "metamap_phrases": ["x"]},
        [],
        MCQ,
    ),
    "MedQA, endings": (
        {"id": "1", "sent1": ASKED, "sent2": "", **{f"ending{i}": t for i, t in enumerate(TEXTS)}, "label": 2},
        [],
        MCQ,
    ),
    "MedQA, BigBio": (
        {"meta_info": "step1", "question": ASKED, "answer_idx": "C", "answer": "Insulin",
         "options": [{"key": k, "value": v} for k, v in OPTIONS.items()]},
        [],
        MCQ,
    ),
    "MedMCQA": (
        {"id": "a", "question": ASKED, "opa": TEXTS[0], "opb": TEXTS[1], "opc": TEXTS[2], "opd": TEXTS[3], "cop": 2,
         "choice_type": "single", "exp": "It is a hormone.", "subject_name": "Pharmacology", "topic_name": None},
        [{"cop": 0}, {"cop": 3}],
        MCQ | {"explanation": "It is a hormone."},
    ),
    "MedMCQA, as first published": (
        {"id": "a", "question": ASKED, "opa": TEXTS[0], "opb": TEXTS[1], "opc": TEXTS[2], "opd": TEXTS[3], "cop": 3,
         "choice_type": "single", "exp": None, "subject_name": "Pharmacology", "topic_name": None},
        [{"cop": 1}, {"cop": 4}],
        MCQ,
    ),
    "PubMedQA, JSON": (
        {"QUESTION": "Does aspirin help?", "CONTEXTS": ["One.", "Two."], "LABELS": ["A", "B"], "LONG_ANSWER": "It seems to help.",
         "MESHES": [], "YEAR": "", "reasoning_required_pred": "yes", "reasoning_free_pred": "no", "final_decision": "maybe"},
        [],
        {"task": "classification", "label": "maybe", "text": "One.\n\nTwo.\n\nDoes aspirin help?"},
    ),
    "PubMedQA, Parquet": (
        {"pubid": 1, **PUBMED, "context": {"contexts": ["One is long enough to be a passage of its own, so it stands apart.", "Two."], "labels": ["A"]}},
        [],
        {"task": "classification", "label": "maybe"},
    ),
    "MMLU": ({"question": ASKED, "subject": "anatomy", "choices": TEXTS, "answer": 2}, [{"answer": 0}], MCQ),
    "MMMLU": ({"Unnamed: 0": 0, "Question": ASKED, **OPTIONS, "Answer": "C", "Subject": "anatomy"}, [], MCQ),
    "MMLU-Pro": (
        {"question_id": 1, "question": ASKED, "options": TEXTS, "answer": "C", "answer_index": 2, "cot_content": "", "category": "health",
         "src": "x"},
        [],
        MCQ,
    ),
    "HeadQA": (
        {"name": "q", "year": "2013", "category": "medicine", "qid": 1, "qtext": ASKED, "ra": 3, "image": "",
         "answers": [{"aid": i, "atext": t} for i, t in enumerate(TEXTS, 1)]},
        [],
        MCQ,
    ),
    "CareQA": (
        {"exam_id": 1, "question": ASKED, "op1": TEXTS[0], "op2": TEXTS[1], "op3": TEXTS[2], "op4": TEXTS[3], "cop": 3, "year": 2020,
         "category": "Medicine", "unique_id": "u"},
        [{"cop": 4}],
        MCQ,
    ),
    "MedXpertQA": (
        {"id": "Text-1", "question": ASKED, "options": [{"letter": k, "content": v} for k, v in OPTIONS.items()], "label": "C",
         "medical_task": "Treatment", "body_system": "Endocrine", "question_type": "Reasoning"},
        [],
        MCQ,
    ),
    "MedXpertQA, hub": (
        {"id": "Text-1", "question": ASKED, "options": OPTIONS, "label": "C", "medical_task": "Treatment", "body_system": "Endocrine",
         "question_type": "Reasoning"},
        [],
        MCQ,
    ),
    "medical-o1": (
        {"Question": "What is gout?", "Complex_CoT": "Let me think.", "Response": "A disease of the joints."},
        [],
        QA | {"thought": "Let me think."},
    ),
    "medical-o1, verifiable": ({"Open-ended Verifiable Question": "What is gout?", "Ground-True Answer": "A disease of the joints."}, [], QA),
    "UltraMedical": (
        {"id": "1", "type": "Exam", "conversations": TALK, "answer": "B", "score": "4"},
        [],
        {"task": "dialogue", "conversations": TALK},
    ),
    "UltraMedical-Preference": (
        {"prompt_id": "1", "label_type": "gpt4", "prompt": "Can I take aspirin?", "chosen": SAID, "metadata": {"a": 1},
         "rejected": [SAID[0], {"role": "assistant", "content": "Sure."}]},
        [],
        {"task": "preference", "prompt": "Can I take aspirin?", "chosen": "Ask your doctor.", "rejected": "Sure."},
    ),
    "medAlpaca": (
        {"instruction": "Answer this question truthfully", "input": "What is gout?", "output": "A disease of the joints."},
        [],
        QA | {"question": "Answer this question truthfully\n\nWhat is gout?"},
    ),
    "iCliniq": (
        {"input": "What is gout?", "answer_icliniq": "A disease of the joints.", "answer_chatgpt": "Gout is...", "answer_chatdoctor": "It is..."},
        [],
        QA,
    ),
    "MedQuAD, CSV": ({"qtype": "information", "Question": "What is gout?", "Answer": "A disease of the joints."}, [], QA),
    "MedQuAD, hub": (
        {"document_id": "1", "document_source": "NIH", "document_url": "http://x", "category": None, "umls_cui": "C", "synonyms": None,
         "question_id": "1-1", "question_focus": "Gout", "question_type": "information", "question": "What is gout?",
         "answer": "A disease of the joints."},
        [],
        QA,
    ),
    "MEDIQA 2019": (
        {"question": "What is gout?", "answer": "A disease of the joints.", "reference_score": "2", "reference_rank": "5"},
        [],
        {"task": "graded", "score": 2.0, "good": False},
    ),
    "MTS-Dialog": (
        {"ID": "0", "section_header": "CC", "section_text": "Cough.", "dialogue": "Doctor: What is it?\nPatient: I cough.\nDoctor: Since when?"},
        [],
        {"task": "dialogue"},
    ),
    "LiveQA": (
        {"question": "What is gout?", "answer": "A disease of the joints.", "original_subject": "gout", "original_message": "I have gout"},
        [],
        QA,
    ),
    "Chinese medical dialogue data": (
        {"department": "内科", "title": "痛风怎么办？", "ask": "脚趾痛三天。", "answer": "请就医。"},
        [],
        {"task": "open", "question": "痛风怎么办？\n\n脚趾痛三天。", "answer": "请就医。"},
    ),
    "aci-bench": (
        {"dataset": "virtscribe", "encounter_id": "D1", "dialogue": "[doctor] hi .\n[patient] hello .\n[doctor] how are you ?", "note": "CC"},
        [],
        {"task": "dialogue"},
    ),
    "K-QA": (
        {"Question": "What is gout?", "Free_form_answer": "A disease of the joints.", "Must_have": ["a"], "Nice_to_have": [], "Sources": "x",
         "ICD_10_diag": "M10"},
        [],
        QA,
    ),
    "RAGPharma": ({"query": ASKED, "id": 5, "nome": "x", "gold": 2, "choices": TEXTS, "answer_model": "Insulin."}, [{"gold": 0}], MCQ),
    "AI Medical Chatbot": ({"Description": "What is gout?", "Patient": "What is gout?", "Doctor": "A disease of the joints."}, [], QA),
    "MedSafetyBench": ({"": 0, "harmful_medical_request": "What is gout?", "safe_response": "A disease of the joints."}, [], QA),
    "Counselling conversations": (
        {"Context": "I cannot sleep. What can I do?", "Response": "Keep to one hour."},
        [{"Context": "I worry."}],
        {"question": "I cannot sleep. What can I do?", "answer": "Keep to one hour."},
    ),
    "COVID-QA": (
        {"question": "What is gout?", "answer": "A disease of the joints.", "answer_html": "<p>A disease.</p>", "link": "x", "name": "n",
         "source": "s", "category": "c", "country": "", "region": "", "city": "", "lang": "en", "last_update": "x"},
        [],
        QA | {"language": "en"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SETS)
def test_a_known_set_is_read_without_a_question(name):
    raw, more, expected = SETS[name]
    rows = [raw, *(raw | other for other in more)]
    reading = find_reading(rows, Wish(), name)
    made = convert(exploded(rows, reading.explode)[0], reading, Args())
    assert isinstance(made, dict), made
    assert {key: made.get(key) for key in expected} == expected, json.dumps(made, ensure_ascii=False)
    unused, used = set(reading.unused), {*reading.fields.values(), *reading.option_columns, *reading.checked, reading.explode}
    assert unused | {c.split(".")[0] for c in used if c} >= set(exploded(rows, reading.explode)[0])


def test_every_line_of_the_table_has_its_sample():
    seen = set()
    for raw, more, _ in SETS.values():
        seen.add(find_reading([raw, *(raw | other for other in more)], Wish(), "x").known)
    assert {known.name for known in KNOWN} <= seen


@pytest.mark.parametrize(
    "name, shape, expected",
    [
        ("MedPT", "classification", {"text": "O que é gota?", "label": "Reumatologista"}),
        ("PubMedQA, JSON", "qa", {"answer": "It seems to help."}),
        ("MTS-Dialog", "qa", {"answer": "Cough."}),
    ],
)
def test_a_known_set_is_read_another_way_where_the_shape_says_so(name, shape, expected):
    raw = SETS[name][0]
    made = convert(raw, find_reading([raw], Wish(shape=shape), name), Args())
    assert {key: made[key] for key in expected} == expected


def test_an_image_that_nobody_describes_is_a_reject():
    reading = find_reading([BR], Wish(), "x")
    assert "not described" in convert(BR | {"contains_img": True}, reading, Args())
    assert "needs an image" in convert(BR | {"contains_img": True, "img_description": "ECG"}, reading, Args(images="reject"))
