"""Forms that hold an answer in many languages, letters in brackets behind the best option's text, and options told apart."""

import pytest
from scoring import answers

GERMS = {"A": "Escherichia coli", "B": "Brucella", "C": "Clostridioides difficile", "D": "Diphtheroids"}
NUMBERS = {"A": "10", "B": "20", "C": "30", "D": "40"}
UNKNOWN = dict.fromkeys("ABCD", "")


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ('{"response": "C"}', "C"),
        ('```json\n{\n "response": b\n}\n```\nNote: option c is rarer.', "B"),
        ('{"réponse": "D) Diphtheroids"}', "D"),
        ('{"resposta_correta": "a"}', "A"),
        ("{'答案': 'B'}", "B"),
        ('{"response": "Brucella"}', "B"),
        ('{"response": "A. Escherichia coli"}', "A"),
        ('{"response": "A patient with fever needs a culture first"}', None),
        ('{"response": "I think we need a culture"}', None),
        ('{"response": "B-lactamase producers"}', None),
        ('{"response": "A or B"}', None),
        ("Both are close, and many would take A.\n\nCHOICE: D", "D"),
        ("**Letra: B**", "B"),
        ("It lives in raw milk, and farmers get it. CHOICE: B", "B"),
        ("Let us look at each. Option: A lives in the bowel and", None),
        ("Seçenek: D\nAçıklama: Boğazda zar yapar.", "D"),
        ("Réponse : C\nLes autres sont moins fréquentes.", "C"),
        ("Antwort: B", "B"),
        ("La risposta: A) Escherichia coli", "A"),
        ("Option: A\nGrows fast.\n\nOption: B\nGrows slowly.\n\nOption: C\nMakes spores.", None),
    ],
)
def test_keys_and_lines_of_many_languages(output, expected):
    assert answers.extract(output, GERMS) == expected


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("The likeliest cause of the fever is a bacterium from raw milk (option B).\n\nOption A: common in urine.", None),
        ("The most likely cause of the fever is a germ of raw milk (option B).\n\nOption A: common in urine.", "B"),
        ("O agente mais provável é o que vive no leite cru (alternativa B). A alternativa A vive no intestino.", "B"),
        ("So the answer is 'Brucella' (choice B).\n\nOption D: D is best seen on a smear.", "B"),
        ("The best drug is one by mouth, as one by vein (option D) would be too strong.", None),
        ("The best guess is not the germ of raw milk (option B), but the other one.", None),
        ("The most likely cause is one from the bowel (option A) or one from milk (option B).", None),
        ("Option A: A smear is where it is best seen.\nOption B: it needs weeks.", None),
        ("Spores are there.\n\nOption C: 'Clostridioides difficile' would be the most likely cause.\n\nOption A: has none.", "C"),
        ("The best is 'C: Clostridioides difficile'.\n\nOption 'B: Brucella' is the most likely, but not in town.", "C"),
        ("The answer is C.\n\nAnswer A: makes no spores.\nAnswer B: is from milk.\nAnswer D: is from skin.", "C"),
        ("Answer A: makes no spores.\nAnswer B: is from milk.", None),
        ("The next best guess is B: Brucella.\n\nAnswer choice (A) It is of the bowel.\nAnswer choice (C) It has spores.", "B"),
    ],
)
def test_the_best_option_s_letter_in_brackets(output, expected):
    assert answers.extract(output, GERMS) == expected


TOLD = "\n\nOption A: it does not double.\nOption B: it is not enough.\nOption D: it is {} too much."


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("The dose is tripled by this drug (option C)." + TOLD.format("not right, being"), "C"),
        ("The dose is tripled by this drug (option C).\nThe other options are for children:" + TOLD.format("far"), "C"),
        ("The dose is tripled by this drug (option C)." + TOLD.format("the most, never"), "C"),
        ("The dose is tripled by this drug (option C)." + TOLD.format("the most apt and"), None),
        ("The dose is not tripled by this drug (option C)." + TOLD.format("not"), None),
        ("A dose of this drug (option C) would not be tripled." + TOLD.format("not"), None),
        ("Although some would triple it (option C), look at each." + TOLD.format("not"), None),
        ("The dose is tripled (option C) or doubled (option B)." + TOLD.format("not"), None),
        ("Option C: it is tripled." + TOLD.format("not"), None),
    ],
)
def test_an_option_spoken_of_before_each_of_the_others_is_told_apart(output, expected):
    assert answers.extract(output, NUMBERS) == expected


def test_two_letters_with_words_of_their_own_are_two():
    assert answers.extract("The correct answer is (A) the rate falls and (C) it stays.", UNKNOWN) is None
    assert answers.extract("The correct answer is (A) because it falls and (C) would rise.", UNKNOWN) == "A"


def test_a_question_said_again_is_answered_below_it():
    again = (
        "Question:\nWhich germ is of raw milk?\nFINAL_ANSWER: Brucella\nWHY: goats.\nQuestion:\nWhich makes spores?\nAnswer: C"
    )
    assert answers.extract(again, GERMS) == "B"
    another = "Question:\nWhich bone?\nA) femur\nB) ulna\nAnswer: A\nQuestion:\nWhich nerve?\nAnswer: B"
    assert answers.extract(another, GERMS) is None
