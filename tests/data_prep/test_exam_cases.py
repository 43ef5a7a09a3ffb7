"""Cases that several questions of an exam stand on: each question has its own, or is no row. The rows are ours."""

from test_exam_text import KEY, question

from data_prep.documents.exam.read import exam_in
from data_prep.tables.records import Bad

CASES = 10
ALL = KEY * 2


def asked(case: int, count: int = 2, below: str = "") -> str:
    first = 10 * case
    told = [
        question(n, head=f"Pregunta {n - first}\n", right=ALL[n - first], sign="*") for n in range(first + 1, first + count + 1)
    ]
    return "\n\n".join(text + below for text in told)


def text_of(heads: list[str], **more) -> str:
    return "\n\n".join(f"{head}\nMujer de {20 + n} años con fiebre.\n\n{asked(n, **more)}" for n, head in enumerate(heads))


def own_case(row: dict) -> bool:
    """Whether a question stands on the case that was written above it."""
    return f"Mujer de {20 + int(row['question'].split('caso ')[1].split()[0]) // 10} años" in row.get("context", "")


def test_a_case_may_say_how_long_it_is():
    heads = [
        "Caso clínico:",
        "Caso clínico (breve):",
        "Caso 3 (pediatría)",
        "Caso clínico 4 (largo): urgencias",
        *["Caso clínico:"] * 6,
    ]
    rows = [row for _, row in exam_in(text_of(heads))]
    assert len(rows) == 2 * CASES and all(map(own_case, rows))


def test_numbers_that_begin_again_without_a_case_stand_on_none_that_is_known():
    rows = [row for _, row in exam_in(text_of([*["Caso clínico:"] * 5, "Viñeta", *["Caso clínico:"] * 4]))]
    bad = [row for row in rows if isinstance(row, Bad) and "another case" in row.reason]
    assert len(bad) == 2 and all("caso 5" in row.text for row in bad)
    assert all(own_case(row) for row in rows if isinstance(row, dict))


def test_a_case_that_begins_in_a_question_that_is_not_plain_is_not_the_one_before():
    text = text_of(["Caso clínico:"] * CASES, below="\nRetroalimentación: por la guía.")
    assert all(own_case(row) for _, row in exam_in(text))
    broken = text.replace("D) conduta D32 do caso", "D) conduta A32 do caso")  # the last one before the fifth case
    assert broken != text
    rows = [row for _, row in exam_in(broken)]
    reasons = [row.reason for row in rows if isinstance(row, Bad)]
    assert reasons[0].startswith("options that are not plain") and len(reasons) == 3
    assert all(own_case(row) for row in rows if isinstance(row, dict))


def test_lines_that_tell_of_a_case_are_columns_of_its_own_questions():
    heads = [f"Tema: Cirugía {n}\nDificultad: Alta o media, según\nla guía\nCaso clínico:" for n in range(CASES)]
    rows = [row for _, row in exam_in(text_of(heads, below="\nRetroalimentación:\nPor la guía."))]
    assert [row["tema"] for row in rows] == [f"Cirugía {n}" for n in range(CASES) for _ in range(2)]
    assert {row["dificultad"] for row in rows} == {"Alta o media, según la guía"}
    assert {row["explanation"] for row in rows} == {"Por la guía."} and all(map(own_case, rows))
