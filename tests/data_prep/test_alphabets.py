"""Options lettered in other scripts: what is read, and what only resembles it. The rows are ours."""

import pytest
from test_strangers import read, written

from data_prep.common.errors import UserError
from data_prep.values.choices import key_letters, options_of, split_stem
from data_prep.values.strict import Unreadable

LETTERS = {
    "Arabic": ["أ", "ب", "ج", "د"],
    "Arabic, by the dictionary": ["ا", "ب", "ت", "ث"],
    "Persian": ["الف", "ب", "ج", "د"],
    "Russian": ["А", "Б", "В", "Г"],
    "Greek": ["α", "β", "γ", "δ"],
    "Hindi": ["क", "ख", "ग", "घ"],
    "Thai": ["ก", "ข", "ค", "ง"],
    "Korean": ["가", "나", "다", "라"],
}


def question(i: int) -> str:
    return f"ما هو العلاج {i}؟"


def inline(letters, form):
    return [
        {"question": question(i) + form(letters, i), "answer": letters[i % 4] if i % 2 else f"{letters[i % 4]}."}
        for i in range(24)
    ]


FORMS = {
    "lines": lambda letters, i: "".join(f"\n{a}) دواء {i + k}" for k, a in enumerate(letters)),
    "dots": lambda letters, i: "".join(f"\n- {a}. دواء {i + k}" for k, a in enumerate(letters)),
    "one line": lambda letters, i: "".join(f" ({a}) دواء {i + k}" for k, a in enumerate(letters)),
}


@pytest.mark.parametrize("letters", LETTERS.values(), ids=LETTERS.keys())
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_options_of_other_alphabets_in_the_question(letters, form):
    reading, rows = read(inline(letters, form))
    assert reading.shape == "mcq" and [row["answer"] for row in rows[:4]] == ["A", "B", "C", "D"]
    assert rows[5]["options"] == {"A": "دواء 5", "B": "دواء 6", "C": "دواء 7", "D": "دواء 8"} and rows[5]["question"] == question(
        5
    )


@pytest.mark.parametrize("letters", LETTERS.values(), ids=LETTERS.keys())
def test_options_of_other_alphabets_in_columns_lists_and_objects(letters):
    def texts(i):
        return [f"دواء {i + k}" for k in range(4)]

    for options in (
        lambda i: {"options": dict(zip(letters, texts(i), strict=True))},
        lambda i: {"options": [f"{a}) {t}" for a, t in zip(letters, texts(i), strict=True)]},
        lambda i: {"options": [{"label": a, "text": t} for a, t in zip(letters, texts(i), strict=True)]},
        lambda i: dict(zip(letters, texts(i), strict=True)),
    ):
        reading, rows = read([{"question": question(i), **options(i), "answer": letters[i % 4]} for i in range(24)])
        assert reading.shape == "mcq" and [row["answer"] for row in rows[:4]] == ["A", "B", "C", "D"]
        assert rows[5]["options"]["D"] == "دواء 8"


def test_numbers_in_circles_are_options_with_numbers():
    rows = [{"question": f"무엇인가 {i}?\n① 약 {i}\n② 약 9{i}\n③ 약 8{i}\n④ 약 7{i}", "answer": i % 4 + 1} for i in range(24)]
    assert [row["answer"] for row in read(rows)[1][:4]] == ["A", "B", "C", "D"]
    rows = [row | {"answer": "①②③④"[i % 4]} for i, row in enumerate(rows)]
    assert [row["answer"] for row in read(rows)[1][:4]] == ["A", "B", "C", "D"]


def test_a_key_of_letter_and_text_must_name_one_option():
    options = split_stem("س\nأ) دواء\nب) ماء\nج) راحة")[1]
    assert key_letters("ب) ماء", options, "text") == ["B"]
    with pytest.raises(Unreadable):
        key_letters("أ) ماء", options, "text")


@pytest.mark.parametrize(
    "text",
    [
        "س\nأ) دواء\nج) ماء\nد) راحة",  # a letter is missing
        "س\nب) دواء\nج) ماء\nد) راحة",  # the first is
        "Врачи: А. Иванов, Б. Петров, В. Сидоров",
        "Что верно?\nА) да\nБ) нет",  # two alone are no row
        "두 가지: 가. 하나 다. 셋",
    ],
)
def test_letters_that_do_not_follow_one_another_are_no_options(text):
    assert split_stem(text) == (text, [])


def test_letters_that_only_look_alike_name_nothing():
    russian, ours = options_of(["А) вода", "Б) покой", "В) сон"]), options_of(["A) вода", "B) покой", "C) сон"])
    assert key_letters("В", russian, "id") == ["C"]
    for key, options in (("B", russian), ("В", ours)):
        for base in ("letter", "id", "text"):
            with pytest.raises(Unreadable):
                key_letters(key, options, base)
    with pytest.raises(Unreadable):
        key_letters("Г", russian, "id")


def test_lists_in_open_questions_and_in_prose_stay_as_they_are(tmp_path):
    rows = [
        {"question": f"Почему {i}?\nа) боль\nб) жар\nв) кашель", "answer": f"Потому что день {i} холоден."} for i in range(24)
    ]
    reading, made = read(rows)
    assert reading.shape == "qa" and made[3]["question"] == rows[3]["question"]
    prose = "\n".join(f"Раздел {i}\nТекст о болезни.\nЕще текст.\nа) вода\nб) покой\nв) сон" for i in range(24))
    assert len(written(tmp_path, "x.txt", prose)) == 1
    with pytest.raises(UserError, match="lettered options"):
        written(tmp_path, "y.txt", "\n".join(f"{i}. Что верно?\nа) вода\nб) покой\nв) сон" for i in range(24)))


def test_a_greek_prefix_is_a_part_of_the_options_name():
    prefixed = [{"A": "α-cetona", "B": "β-cetona", "C": "γ-cetona", "D": "δ-cetona"}, "(A) α-cetona\n(B) β-cetona\n(C) γ-cetona"]
    for options in prefixed:
        read_as = options_of(options)
        assert [o.text for o in read_as[:3]] == ["α-cetona", "β-cetona", "γ-cetona"] and key_letters("B", read_as, "letter") == [
            "B"
        ]
    assert [o.text for o in options_of(["α- um", "β- dois", "γ- três"])] == ["um", "dois", "três"]


WHOLE = {
    "in another order, over two lines": (
        "D: rest\nA: iron and\nfolate\nB: water\nC: heat",
        {"A": "iron and\nfolate", "D": "rest"},
    ),
    "in their order": ("A: iron\nB: water and\nrest\nC: heat", {"A": "iron", "B": "water and\nrest"}),
    "over many lines": ("A: a\nb\nc\nB: d\ne\nf\nC: g\nh\ni", {"A": "a\nb\nc", "B": "d\ne\nf", "C": "g\nh\ni"}),
    "species": ("E. coli\nC. albicans\nB. fragilis\nA. baumannii", {"A": "E. coli", "D": "A. baumannii"}),
    "names that begin with a letter": ("B-cell\nC-reactive protein\nD-dimer", {"A": "B-cell", "C": "D-dimer"}),
}


@pytest.mark.parametrize("text, options", WHOLE.values(), ids=WHOLE.keys())
def test_lines_of_options_are_those_of_their_letters(text, options):
    assert {o.letter: o.text for o in options_of(text)}.items() >= options.items()
    assert {o.letter: o.text for o in options_of(text.split("\n"))}.items() >= options.items()


@pytest.mark.parametrize(
    "text",
    [
        "A: iron\nE: heatB: water\nC: rest\nD: air",
        "A: iron\nB: water\nC: rest\nE: heatD: air",
        "E: heatA: iron\nB: water\nC: rest\nD: air",
        "Choose one:\nA: iron\nB: water\nC: rest",
        "A) iron\nB) water\nB) rest\nC) heat",
    ],
)
def test_letters_that_are_not_each_there_once_are_no_options(text):
    with pytest.raises(Unreadable, match="do not follow one another"):
        options_of(text)
    if "Choose" not in text:
        assert len(split_stem("Which?\n" + text)[1]) != 3
    if "heat" in text and ")" not in text:  # in a list, too, one option stands within another
        with pytest.raises(Unreadable, match="stands within"):
            options_of(text.split("\n"))
        return
    listed = options_of(text.split("\n"))  # of a list a key by number counts, and one by letter where it is the text's own
    own = [o for o in listed if o.text[:1] not in (o.letter, "C")]
    for option in own:
        with pytest.raises(Unreadable, match="a letter of its own"):
            key_letters(option.letter, listed, "letter")
    assert key_letters(1, listed, "0") == ["B"]


def test_letters_in_brackets_are_several_answers():
    options = options_of("A: iron\nB: water\nC: rest")
    assert key_letters("(BC)", options, "letter") == ["B", "C"] and key_letters("(B)", options, "letter") == ["B"]
