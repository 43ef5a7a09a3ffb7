"""What is the same text, what is nearly the same, and what looks alike but asks something else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.cleaning.duplicates import SIGNS, Protected, digest, figures, fold, joined_signatures, near_duplicates, signatures


@pytest.mark.parametrize(
    "one, other",
    [
        ("pH < 7,35", "pH > 7,35"),
        ("pH < 7,35", "pH ≤ 7,35"),
        ("pH < 7,35", "pH < 7,25"),
        ("HBsAg(+)", "HBsAg(-)"),
        ("HBsAg(−) e anti-HBc(+)", "HBsAg(+) e anti-HBc(+)"),
        ("Paciente Rh -, gestante", "Paciente Rh +, gestante"),
        ("HBsAg- anti-HBs+", "HBsAg+ anti-HBs+"),
        ("BE de -5", "BE de 5"),
        ("BE de −5", "BE de 5"),
        ("comprimidos de 6 mm", "comprimidos de 8 mm"),
        ("SpO2 90%", "SpO2 90"),
        ("K+ 3.5", "K 3.5"),
        ("CD4 1.5", "CD4 15"),
    ],
)
def test_figures_and_signs_are_words(one, other):
    assert fold(one) != fold(other) and figures(fold(one)) != figures(fold(other))


@pytest.mark.parametrize(
    "one, other",
    [
        ("Follow-up after β-blocker?", "follow up, after  Β blocker"),
        ("pH < 7,35", "PH<7.35 "),
        ("pH ≤ 7,35", "pH <= 7.35"),
        ("Ação - reação", "acao reacao"),
        ("HBsAg (−)", "HBsAg(-)"),
        ("10 %", "10%"),
        ("Qual é a conduta?", "qual e a conduta"),
    ],
)
def test_case_accents_spaces_and_dashes_are_none(one, other):
    assert fold(one) == fold(other)


def kept_of(texts: list[str], threshold: float = 0.8) -> list[int]:
    folded = [fold(t) for t in texts]
    apart = np.array([digest(figures(f)) for f in folded], np.uint64)
    like = near_duplicates(signatures(folded), threshold, apart)
    assert all(like[like[i]] == -1 for i in range(len(texts)) if like[i] != -1), "a row is left out for a row that is kept"
    return [i for i in range(len(texts)) if like[i] == -1]


def test_tablets_of_three_sizes_are_three_questions():
    text = "Um paciente encontra comprimidos brancos, redondos e lisos de {} mm no frasco sem rótulo do avô. O que pode ser?"
    assert kept_of([text.format(n) for n in (6, 8, 11)]) == [0, 1, 2]
    assert kept_of([text.format(6), text.format(6).replace("lisos", "liso"), text.format(6).upper()]) == [0]


def test_a_chain_of_small_steps_erases_no_other_question():
    """Each row is near the one before it, the last has no word of the first."""
    words = [f"palavra{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(80)]
    chain = [" ".join(words[i : i + 30]) for i in range(40)]
    kept = kept_of(chain, 0.8)
    assert kept[0] == 0 and 8 <= len(kept) <= 30, kept
    sets = [{fold(t)[i : i + 5] for i in range(len(fold(t)) - 4)} for t in chain]
    for i in range(40):
        nearest = max(len(sets[i] & sets[k]) / len(sets[i] | sets[k]) for k in kept)
        assert nearest >= 0.7, "every row that is gone stands near one that is left"


def test_order_says_which_row_stays():
    text = "Qual o tratamento inicial da cetoacidose diabética no adulto com potássio normal e pressão arterial estável?"
    rows = [text, text.replace("inicial", "inicial correto"), "Outra pergunta, sobre o manejo da sepse na emergência pediátrica"]
    matrix, apart = signatures([fold(r) for r in rows]), np.zeros(3, np.uint64)
    assert near_duplicates(matrix, 0.7, apart).tolist() == [-1, 0, -1]
    assert near_duplicates(matrix, 0.7, apart, np.array([1, 0, 2])).tolist() == [1, -1, -1]
    assert near_duplicates(matrix, 0.7, apart, np.array([0, 2])).tolist() == [-1, -1, -1], "a row outside the order is left alone"
    assert near_duplicates(matrix, 0.7, np.arange(3, dtype=np.uint64)).tolist() == [-1] * 3
    assert near_duplicates(matrix[:0], 0.7, apart[:0]).tolist() == []


def test_signatures_of_beginnings_and_wholes_are_those_of_each_alone():
    texts = ["", "a", "abcd", "abcde", "qual o distúrbio", "ascite " * 3000, "x" * 19_998, "y" * 20_003]
    whole = [f"{text} | acidose {i}" for i, text in enumerate(texts)]
    begun, joined = joined_signatures(texts, whole)
    assert (begun == signatures(texts)).all() and (joined == signatures(whole)).all()


def test_leak_is_exact_only_for_the_same_figures():
    asked = "Paciente com pH < 7,35 e bicarbonato baixo na gasometria: qual o distúrbio?"
    guard = Protected([("exam:1", asked, "acidose | alcalose")], 0.8)
    near = guard.candidates(signatures([fold(asked)]))[0]
    assert guard.match(fold(asked.upper()), "acidose | alcalose", near)[0] == "exact"
    other = guard.match(fold(asked.replace("<", ">")), "acidose | alcalose", near)
    assert other is None or other[0] != "exact"


def check_fold(text):
    """Every digit and every sign of the text is in what is folded, in order; nothing else that is no word is."""
    import re
    import unicodedata

    folded = fold(text)
    plain = unicodedata.normalize("NFKD", text.translate(SIGNS)).casefold()
    kept = lambda t: re.findall(r"\d|[+<>%]", t)  # noqa: E731
    assert kept(folded) == kept("".join(c for c in plain if not unicodedata.combining(c)))
    assert all(re.fullmatch(r"\w+(?:\.\d+)*|[+<>%-]|[<>]=", word) for word in folded.split())
    assert set(figures(folded).split()) <= set(folded.split())
    assert fold(f" {text} ") == folded


SOME = st.lists(
    st.sampled_from([*"pH < > ≤ ≥ − – - + % ( ) , . 7,35 7.35 HBsAg ação É 10 000 ½ ² µg / é´ ﬁ".split(), " "]), max_size=14
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(SOME.map("".join) | SOME.map(" ".join) | st.text(max_size=30))
def test_folding_is_stable(text):
    check_fold(text)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None, derandomize=True)
@given(SOME.map("".join) | SOME.map(" ".join) | st.text(max_size=30))
def test_folding_is_stable_thousands(text):
    check_fold(text)


def test_prepare_keeps_questions_that_differ_in_a_figure_and_a_chain_loses_only_neighbours(tmp_path):
    import json

    from data_prep.pipeline.options import Args
    from data_prep.prepare import prepare

    tablet = "Um paciente encontra comprimidos brancos, redondos e lisos de {} mm no frasco sem rótulo do avô. O que pode ser?"
    words = [f"palavra{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(80)]
    rows = [{"question": tablet.format(n), "answer": "Procure um farmacêutico."} for n in (6, 8, 11)]
    rows += [{"question": f"O paciente tem pH {sign} 7,35 na gasometria de hoje?", "answer": "Depende do caso."} for sign in "<>"]
    rows += [{"question": " ".join(words[i : i + 30]) + "?", "answer": "Sim, em todos."} for i in range(40)]
    (tmp_path / "raw.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    manifest = prepare(Args(inputs=[str(tmp_path / "raw.jsonl")], output_dir=str(tmp_path / "out"), test_size=0))
    asked = [
        json.loads(line)["conversations"][0]["value"]
        for line in (tmp_path / "out" / "train.jsonl").read_text("utf-8").splitlines()
    ]
    assert {tablet.format(n) for n in (6, 8, 11)} <= set(asked) and sum("7,35" in text for text in asked) == 2
    chain = sum("palavra" in text for text in asked)
    assert 8 <= chain < 40 and manifest["counts"]["near-duplicate"] == 40 - chain
