"""How answers choose by praise, by exclusion or by an option's text, and what takes a choice back, as chat models write."""

import pytest
from scoring import answers

DRUGS = {"A": "Aciclovir", "B": "Amoxicilina", "C": "Ivermectina", "D": "Permetrina a 5%"}
CAUSES = {"A": "scabies", "B": "atopic dermatitis", "C": "tinea corporis", "D": "psoriasis"}


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("A alternativa que melhor se ajusta ao quadro é a D. A alternativa A seria indicada se houvesse vesículas.", "D"),
        ("A melhor medida a ser tomada agora é a opção d: permetrina. A opção a trata herpes, e a opção b, bactérias.", "D"),
        ("A resposta correta para o caso descrito é a opção **d. Permetrina a 5%**.\n\nA opção c é para casos graves.", "D"),
        ("a. herpes zoster\nb. impetigo\nc. sarna crostosa\nd. sarna comum\n\nPortanto, a opção d é a mais coerente.", "D"),
        ("Diante disso, o item c parece ser o mais adequado; o item a não trata ácaros.", "C"),
        ("Pelas lesões, o item b é o recomendado nesta idade.", "B"),
        ("Entre as quatro, a C é a que melhor cobre o surto. A opção A está descartada.", "C"),
        ("A, B e D não servem em surtos. Só a C é adequada a todos.", "C"),
        ("Resposta curta: C.\n\nResposta longa: trata todos de uma vez; a D seria aplicada um a um.", "C"),
        ("The best treatment for the whole ward would be option C, because it is given by mouth.", "C"),
        ("| Opção | Serve? | Motivo |\n|--|--|--|\n| A) | Não | vírus |\n| B) | Não | bactéria |\n| C) | Sim | ácaro |", "C"),
        ("Chance de cada uma: A 5%, B 5%, C 80%, D 10%.", "C"),
        ("B\n\nA opção A é correta, pois age no vírus. A opção C é correta, e a opção D é correta.", "B"),
        ("C\n\n**Justificativa:**\n- **A)** vírus\n- **B)** bactérias\n- **D)** um a um", "C"),
        ("A conduta mais indicada é a:\n\n> D) Permetrina a 5%", "D"),
        ("정답은 C입니다", "C"),
    ],
)
def test_praise_and_exclusion_choose(output, expected):
    assert answers.extract(output, DRUGS) == expected


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("The most likely diagnosis is scabies (option a). Tinea corporis (option c) has a ring.", "A"),
        ("The likeliest cause is hard to tell. The most likely diagnosis is not scabies, I think of the skin only.", None),
        ("The most likely diagnosis is scabies, then psoriasis. I cannot decide for one.", None),
        ("The most likely diagnosis is psoriasis. Therefore the answer is A.", "A"),  # a letter outweighs a text
        ("The correct answer is tinea corporis.", "C"),
        ("The most likely diagnosis is:\n\nB: atopic derm", "B"),  # cut within the option's text
        ("This leaves B and C. Atopic dermatitis begins in childhood, so the answer is B.", "B"),
        ("We can rule out answer D and answer C. So the answer is A.", "A"),
        ("A: scabies\nWhile your first idea was D: psoriasis, the burrows speak against it.", "A"),
        ("The answer is B) atopic dermatitis followed by D) psoriasis.", None),
        (
            "B\n\nConclusion:\n\n- Option A (scabies): no burrows.\n- Option B (atopic dermatitis): fits.\n- Option C: no ring.",
            "B",
        ),
        ("Resposta: (A) - A. scabies. (B) - B. atopic dermatitis. (C) - C. tinea corporis. (D) - D. psoriasis.", None),
        ("Let me look at each option:\n\nA) scabies: burrows.\nB) atopic dermatitis: flexures.\nC) tinea", None),
        ("Question 2: Which bone is the longest?\nA) femur\nB) tibia\nC) ulna\nD) radius\nAnswer: A", None),
    ],
)
def test_an_option_s_text_chooses_where_nothing_says_otherwise(output, expected):
    assert answers.extract(output, CAUSES) == expected


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("A resposta é a letra B... espera, há túneis na pele. Portanto, a resposta correta é D.", "D"),
        ("Resposta: B\n\nWait, there are burrows. So the answer is D.", "D"),
        ("A resposta é B. Não, espere, talvez seja C. Sem ver a pele não decido.", None),
        ("The answer is B. Actually, burrows do not fit. The answer is D.", "D"),
        ("The answer is D. Wait two hours before washing.", "D"),
        ("A resposta é D. Espera-se melhora em duas semanas, corrigindo a coceira.", "D"),
        ("Correção: 5 mL. A resposta é D.", "D"),
        ("Se houver surto, a alternativa C é a correta; se for um só doente, a D.", None),
        ("If many are ill, the best answer is C.\nIf only one is ill, the best answer is D.", None),
        ("A alternativa C seria a correta se houvesse surto. Como é um só doente, a correta é a D.", "D"),
        ("Conclusão: a resposta é a D.\n\nObservação: em outros casos a resposta seria a C.", "D"),
        ("a. Aciclovir: seria correta se houvesse vesículas.\nb. Amoxicilina: incorreta.\nd. Permetrina: talvez.", None),
        ("A resposta correta é D.\n\nA opção C, embora prática, não é a mais indicada para um só doente.", "D"),
        ("A resposta correta é:\n\nD) Permetrina a 5%\n\nA ivermectina (opção C) também é uma alternativa em surtos.", "D"),
        ("A resposta é a D.\n- C: como o pai é o provável contato, tratar a casa.", "D"),
        ("O agente mais provável é a E. coli, e a resposta é B.", "B"),
    ],
)
def test_what_is_taken_back_supposed_or_denied_chooses_nothing(output, expected):
    assert answers.extract(output, DRUGS) == expected


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("The rash itches at night. Let me look at each option:\n\nOption A: mites in burrows. They are passed on by to", None),
        ("The rash itches at night.\n\nOption C suggests a ring-shaped rash, which is seen with...", None),
        ("I would take option A. It fits the burrows, and the itch at night, and the mother who", "A"),
        ("The rash itches at night. Burrows are seen.\n\nOption A", None),
        ("The rash itches at night. Burrows are seen. Option A...", None),
        ("The rash itches at night. Burrows are seen, which fits option A", "A"),
        ("The mite (B) and its eggs (K) are seen in the scraping that was ta...", None),
        ("The depth (d) of a burrow grows with the age (h) of the mite.", None),
        ("The open choices are A to D. First, what is known of the skin", None),
        ("Entre as alternativas de A a D, nenhuma serve.", None),
        ("Therefore, among A through D, the answer is none of these.", None),
        ("Scabies burrows, psoriasis scales.\n\nTherefore, among A through D, the answer is scabies.", "A"),
        ("So the answer is scabies or psoriasis.", None),
        ("The rash was there at 38 °C as at 36 °C.\n\n**A**", "A"),
        ("The depth of a burrow, \\( D \\), is about 1 mm, and that is all that can be said", None),
        ("To find the correct answer:\n\n- **A**: Incorrect. No burrows.\n- **B**: Correct. The flexures.\n\nAnswer: B", "B"),
        ("The answer is A and B, but one letter is asked for.\n\nAnswer: B", "B"),
        ("The answer is A and B.\n\nAnswer: C", None),
        ("Option A describes burrows and option D, scales.", None),
        ("Option D describes scales, and A", None),
        ("Two of them fit the elbows, and both of the signs → D", "D"),
        ("Burrows rule out B, flexures C, scales D. Therefore: A.", "A"),
        ("Burrows are not seen in B, C or D. Thus: A", "A"),
        ("Apart from that there remains only option D. It leaves only option D.", "D"),
        ("| Option | Sign | |\n|--|--|--|\n| A | burrows | ✅ |\n| B | flexures | ❌ |", "A"),
        ("Answer: A\n\nThe scales are silver. I will change my answer to that of the scales.", None),
        ("The answer is (B).<|assistant|>The answer is (C), as in the other case.", "B"),
    ],
)
def test_what_is_only_looked_at_is_not_chosen(output, expected):
    assert answers.extract(output, CAUSES) == expected


def test_the_parts_of_an_option_are_no_letters():
    shares = {"A": "(a) 1 %, (b) 2 %", "B": "(a) 3 %, (b) 2 %", "C": "(a) 5 %, (b) 9 %"}
    assert answers.extract("The right option is C.\n\n**Answer:** (a) 5 %, (b) 9 %\n\nSo C.", shares) == "C"


def test_an_order_of_praise_in_the_question_s_own_letters_is_no_list_of_options():
    """Options whose texts the reader does not know: the letters alone, as some prompts give them."""
    letters = dict.fromkeys("ABCDE", "")
    assert answers.extract("Question 3: one of mine\nAnswer: B", letters) == "B"
    assert answers.extract("The most appropriate next step is (C), given her age.", letters) == "C"
