"""What a list of repositories that nobody had seen was read wrong in, or asked about needlessly. The rows are ours."""

import pytest
from test_contradicting import run
from test_strangers import read, written

from data_prep.cleaning.privacy import TYPES, mask
from data_prep.common.errors import UserError
from data_prep.documents.office import refuse_unnamed
from data_prep.values.choices import options_of
from data_prep.values.strict import Unreadable
from data_prep.words.language import language_of, language_of_row

DRUGS = "Aspirina Heparina Insulina Furosemida".split()


def asked(i, **more):
    return {"question": f"Qual fármaco se dá ao paciente {i} com a doença {i * i}?", "answer": f"Dá-se o fármaco {i}."} | more


@pytest.mark.parametrize(
    "name, said",
    [
        ("relevance", ("HIGH", "LOW")),
        ("correctness", ("5", "1")),
        ("assessment", ("SUPPORTED", "NOT_SUPPORTED")),
        ("review", ("relevant", "partly relevant")),
        ("veracity", ("plausible", "implausible")),
    ],
)
def test_what_says_whether_an_answer_holds_is_asked_about(name, said):
    with pytest.raises(UserError, match=name):
        read([asked(i, **{name: said[i % 5 == 0]}) for i in range(30)])


def test_a_column_that_denies_nothing_goes_unused():
    reading, rows = read([asked(i, ward=("inner", "outer", "upper")[i % 3]) for i in range(30)])
    assert reading.shape == "qa" and all(isinstance(row, dict) for row in rows)


@pytest.mark.parametrize("few, asks", [("ai", True), ("GPT-4", True), ("banca", False)])
def test_keys_that_a_model_gave_are_asked_about(few, asks):
    rows = [
        {"question": f"Qual fármaco se dá no caso {i}?", "options": DRUGS, "answer": "ABCD"[i % 4]}
        | {"answerSource": few if i % 9 == 4 else "gabarito oficial"}
        for i in range(30)
    ]
    if asks:
        with pytest.raises(UserError, match="answerSource"):
            read(rows)
    else:
        assert read(rows)[0].shape == "mcq"


def numbered(count, ask="Qual o tratamento do caso {}?"):
    said = [f"{i} {ask.format(i)}\n" + "\n".join(f"{n}．Conduta {n} do caso {i}" for n in range(1, 6)) for i in range(1, count)]
    return "\n".join(said)


def test_an_exam_with_numbered_options_and_no_key_is_no_text(tmp_path):
    with pytest.raises(UserError, match="numbered options"):
        written(tmp_path, "x.txt", numbered(20))


def test_steps_of_several_lengths_stay_text(tmp_path):
    def steps(i):
        return "\n".join(f"{n}. Passo {n} do procedimento {i}, feito com calma." for n in range(1, 3 + i % 5))

    text = "\n".join(f"Procedimento {i}, para quem chega à enfermaria.\n{steps(i)}" for i in range(20))
    assert [list(row)[1] for row in written(tmp_path, "x.txt", text)] == ["text"]


def test_a_pdf_whose_characters_are_numbers_in_its_fonts_is_refused():
    with pytest.raises(UserError, match="'/c3691'"):
        refuse_unnamed("Dose de /c3691 a /c3692 mg, /c3693 vezes, por /c3694 ou /c3695 dias.", "x.pdf")
    refuse_unnamed("Veja https://x.org/c3691/c3692/c3693/c3694/c3695 e /c3691.", "x.pdf")


@pytest.mark.parametrize(
    "options",
    [
        ["A: Glicosúria", "B: Poliúria", "C: Anúria", "E: HematúriaD: Piúria"],
        ["A: 2,5%", "B: 3,8%", "C: 5,2%", "E: 7,7%D: 8,3%"],
        ["A: Dor", "B: Calor", "C: RuborD: Tumor"],
        ["A. Dor", "B. Calor", "C. Rubor", "E. Tumor e", "mais umaD. Febre"],
        "B Atropina\nC Morfina\nD Codeína\nE Dipirona",
        ["B Atropina", "C Morfina", "D Codeína", "E Dipirona"],
    ],
)
def test_options_one_of_which_stands_within_another_are_not_read(options):
    with pytest.raises(Unreadable, match="do not follow"):
        options_of(options)


@pytest.mark.parametrize(
    "options, texts",
    [
        (["A. IECA", "B. BCC", "C. Diurético", "D. a-bloqueador", "E. b-bloqueador"], 5),
        (["A. baumannii", "B. cereus", "C. difficile", "E. coli"], 4),
        (["A. HLA-B27", "B. pH 7,2", "C. pH7,4", "D. anti-CCP"], 4),
        (["A. Cálcio", "B. Vitamina D: baixa", "C. Ferro"], 3),
        (["C: Malária", "A: Dengue", "B: Cólera", "D: Tifo"], 4),
        (["a Sinal no olho", "b Mancha roxa", "c Mancha vermelha"], 3),
        (["A α", "A β", "A γ", "C"], 4),
        (r"A Dor\nB Calor\nC Rubor\nD Tumor", 4),
    ],
)
def test_options_that_only_look_out_of_order_are_read(options, texts):
    assert len(options_of(options)) == texts
    if options[0].startswith("a "):
        assert options_of(options)[0].text == "Sinal no olho"
    if isinstance(options, str):
        assert [o.text for o in options_of(options)] == ["Dor", "Calor", "Rubor", "Tumor"]


@pytest.mark.parametrize(
    "said, here",
    [
        ("男，60岁，胸痛2小时。急诊心电图如下，首选的治疗是", False),
        ("男，60岁，胸痛2小时。心电图如下最可能的诊断是", False),
        ("男，60岁，胸痛2小时。心电图如下：窦性心律，ST段抬高。诊断是", True),
        ("En man söker för utslag (se bild). Vilken diagnos?", False),
        ("Bilden nedan visar ett läkemedel. Vilket?", False),
        ("Den kliniska bilden visar en infektion. Vilken?", True),
    ],
)
def test_questions_on_pictures_in_further_words(said, here):
    rows = [{"question": f"{said} {i}", "options": DRUGS, "answer": "ABCD"[i % 4]} for i in range(8)]
    _, made = read(rows)
    assert all(isinstance(row, dict) is here for row in made)


def test_an_option_that_is_masked_whole_makes_a_reject(tmp_path):
    numbers = ["(11) 98765-4321", "(11) 98765-4322", "(11) 98765-4323", "(11) 98765-4324"]
    rows = [
        {"question": f"Para onde se liga no caso {i} da doença {i * i}?", "options": DRUGS, "answer": "ABCD"[i % 4]}
        for i in range(12)
    ]
    rows[3]["options"] = numbers
    rows[4]["options"] = [*DRUGS[:3], numbers[3]]  # its right option, the first, stays: the mask would tell a wrong one
    counts, lines = run(tmp_path, rows)
    assert counts["rejected"] == 2 and all("masked whole" in row["reason"] for row in lines["rejects"])


def test_options_that_say_nothing_but_their_letter_are_rejects(tmp_path):
    rows = [
        {"question": f"Qual fármaco se dá no caso {i} da doença {i * i}?", "options": DRUGS, "answer": "ABCD"[i % 4]}
        for i in range(12)
    ]
    rows[3]["options"] = [f"Opção {letter} - pergunta 3" for letter in "ABCD"]
    rows[4]["options"] = [f"Vitamina {letter}" for letter in "ABCD"]
    counts, lines = run(tmp_path, rows)
    assert counts["rejected"] == 1 and "nothing but their letter" in lines["rejects"][0]["reason"]


@pytest.mark.parametrize("end", ["syndrome?", "syndrome", "disease."])
def test_a_name_that_an_illness_bears_stays_before_any_sign(end):
    assert "[NAME" not in mask(f"What is Santos Mateus Leal {end}", {}, TYPES)
    assert "[NAME" in mask("Ontem veio Mateus Leal.", {}, TYPES)


def nested(ask):
    questions = [{ask: f"Which drug in case {i}?", "options": DRUGS, "answer": "ABCD"[i % 4]} for i in range(12)]
    return [{"title": f"Lecture {n}", "questions": questions[n * 4 : n * 4 + 4]} for n in range(3)]


def test_questions_in_a_list_may_be_called_prompts():
    reading, _ = read(nested("prompt"))
    assert reading.explode == "questions" and reading.fields["question"] == "prompt" and reading.fields["options"] == "options"


def test_pairs_of_questions_and_short_answers_wait_for_their_passage():
    def row(i):
        sides = {"Dose": f"{i} mg", "Risk": "não"}
        pairs = {
            f"{kind}_{side}": said
            for kind, short in sides.items()
            for side, said in (("Question", f"Qual {kind} {i}?"), ("Answer", short))
        }
        return {"Leaflet_Context": f"A bula {i} diz a dose e o risco do fármaco, em texto corrido. " * 3} | pairs

    with pytest.raises(UserError, match="context: Leaflet_Context"):
        read([row(i) for i in range(20)])


@pytest.mark.parametrize("whole", [True, False])
def test_a_case_that_the_question_says_again_is_not_asked_about(whole):
    def row(i):
        case = f"Mulher de {20 + i} anos com febre e tosse há {i % 5 + 2} dias, sem outras queixas no exame de hoje."
        question = f"{case} Qual fármaco se dá no caso {i}?" if whole else f"Qual fármaco se dá no caso {i}?"
        return {"question": question, "question_context": case, "options": DRUGS, "answer": "ABCD"[i % 4]}

    rows = [row(i) for i in range(24)]
    if whole:
        assert read(rows)[0].shape == "mcq"
    else:
        with pytest.raises(UserError, match="question_context"):
            read(rows)


def test_an_answer_that_is_called_wrong_is_offered_as_the_worse_of_a_pair():
    rows = [asked(i, hallucinated_answer=f"Dá-se o fármaco {i + 1} sem exame.") for i in range(20)]
    with pytest.raises(UserError) as told:
        read([{"ground_truth" if k == "answer" else k: v for k, v in row.items()} for row in rows])
    assert "rejected: hallucinated_answer" in str(told.value) and "answer: hallucinated_answer" not in str(told.value)


def test_the_language_of_rows_in_another_script():
    english = ["The patient, a man of forty years, has had pain in the chest for two hours, and is taken to the ward. " * 2] * 9
    assert (
        language_of(
            [
                *english,
                *[
                    "男，40岁，胸痛两小时，伴有出汗和恶心，既往有高血压病史十年，未规律服药，吸烟二十年，今日来院就诊，查体无特殊。"
                    * 2
                ]
                * 11,
            ]
        )
        == "zh"
    )
    assert (
        language_of_row("小儿乳牙数应为", "en") == "zh"
        and language_of_row("MRI", "zh") == "zh"
        and language_of_row("CT", "pt") == "pt"
    )
