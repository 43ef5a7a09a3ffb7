"""A raw row's cells by our names, and what several shapes make of them: options, images, languages, thinking."""

import hashlib
import re

from data_prep.shapes.reading import Reading
from data_prep.shapes.statements import numbered
from data_prep.values.choices import Option, option_text, options_of, split_question, unlettered
from data_prep.values.strict import Unreadable, cell, from_literal, is_missing, is_ticked, text_of
from data_prep.values.turns import Turn, apart
from data_prep.words.alphabets import canonical, is_letter
from data_prep.words.names import LANGUAGES, LETTERS, PROVENANCE, holds_any
from data_prep.words.said import NO, TRUE_AND_FALSE


class Cells:
    """A raw row's cells by our names."""

    def __init__(self, raw: dict, reading: Reading):
        self.raw, self.reading, self.fields = raw, reading, reading.fields

    def value(self, name: str):
        return cell(self.raw, self.fields[name]) if name in self.fields else None

    def text(self, name: str) -> str:
        return text_of(self.value(name), name.replace("_", " ")) if name in self.fields else ""

    def question(self) -> str:
        """The question after its title, where it has one that it does not begin with; a title alone asks by itself."""
        title, text = self.text("question_title"), self.text("question")
        if not text:
            return title
        return f"{title}\n\n{text}" if title and text and not text.casefold().startswith(title.casefold()) else text

    def statements(self, roman: bool) -> str:
        """Statements that stand beside the question, under the numbers that its options call them by; "" where it holds them."""
        value = from_literal(self.value("statements"))
        if not isinstance(value, list):
            return self.text("statements")
        texts = list(filter(None, (text_of(item, "statement") for item in value)))
        question = self.text("question")
        return "" if all(text in question for text in texts) else numbered(texts, roman)

    def extra(self) -> dict:
        """Language, system turn, explanation and provenance, where the row has them."""
        found = {name: text for name in ("system", "explanation") if (text := self.text(name))}
        return found | self.provenance() | self.language()

    def provenance(self) -> dict:
        """The exam, the item's number in it, its year and its difficulty (a number), where the row has them."""
        found = {name: text for name in PROVENANCE[:3] if (text := self.text(name))}
        if text := self.text("difficulty"):
            try:
                found["difficulty"] = float(text.replace(",", "."))
            except ValueError:
                raise Unreadable(f"the difficulty is no number: '{text}'") from None
        return found

    def language(self) -> dict:
        """{"language": ISO 639-1} where the row says one."""
        said = plain_language(self.text("language"))
        return {"language": said} if said else {}

    def with_system(self, turns: list[Turn], system: str = "") -> list[Turn]:
        """The turns with `system`, or the row's system turn, before them, where they have none of their own."""
        system = system or self.text("system")
        return [Turn("system", system), *turns] if system and turns and turns[0].role != "system" else turns

    def with_context(self, text: str, args) -> str:
        context = self.text("context")
        return f"{context}\n\n{text}" if context and text and args.context != "none" else text

    def thought(self, text: str) -> tuple[str, dict]:
        """An answer without its think block, and {"thought": ...} where the row holds any thinking."""
        text, inside = apart(text)
        thought = self.text("thought") or inside
        return text, {"thought": thought} if thought else {}


def plain_language(said: str) -> str:
    """ISO 639-1 of a language's name or code ("Portuguese", "pt-BR", "por" are pt); "" for what is not known."""
    word = said.strip().casefold()
    code = re.match(r"([a-z]{2})(?:[-_].*)?$", word)
    first = re.split(r"[\s(,-]", word)[0] if word else ""
    return (
        code[1]
        if code
        else LANGUAGES.get(word)
        or LANGUAGES.get(first)
        or {"por": "pt", "eng": "en", "spa": "es", "fra": "fr", "deu": "de"}.get(word, "")
    )


ANSWERS = (
    r"(?:respuestas?|respostas?|opci(?:[óo]n|ones)|op[çc](?:[ãa]o|[õo]es)|alternativas?|afirmaciones|afirmativas?|options?|answers?"
    r"|choices?|r[ée]ponses?|antwort(?:en)?)"
)
TWO = r"(?:l?as?\s+)?\(?[A-J]\)?\s*(?:,|and|or|y|e|et|und|ou|o)\s*(?:l?as?\s+)?\(?[A-J]\b\)?"
TRUE = r"(?:in)?(?:correct|corret|ciert|cert|true|right|verd|fals|errad|exact|richtig)"
BY_ORDER = re.compile(  # "all of the above", "A e C", "las respuestas A y C son ciertas", "以上都是"
    r"(?i)\b(?:all|none|both|any|neither) of the (?:above|others?|options)\b"
    r"|\b(?:tod[ao]s|nenhum[ao]?|ningun[ao]?|ningún|amb[ao]s)\b.{0,25}\b(?:anteriores|acima|alternativas|opções|opciones)\b"
    r"|\b(?:todo|nada de|ninguno de|l[ao]s dos|[ao]s du?[oa]is)\s+(?:lo\s+)?anterior(?:es)?\b"
    r"|\bci-dessus\b|\boben genannt|вышеперечисленн|以上(?:都|均|皆|全|答案|选项|各项)"
    rf"|^\W*(?:both )?{TWO}\W*$|^\W*{TWO}\s.{{0,20}}\b{TRUE}|\b{TRUE}\w*:?\s+{TWO}\W*$"
    rf"|\b{ANSWERS}\s+(?:{TWO}|(?:l?as?\s+)?(?-i:[A-J])\b(?=\W*$|[.,;)]|\s+(?:es|é|is|ist|est|está)\b))"
)


def options_in(raw: dict, reading: Reading) -> tuple[str | None, list[Option]]:
    """(question without its options where they stand in it, else None; the options, blank ones with their position).

    Where the right option stands apart from the wrong ones they have no order: a digest of each text gives one.
    """
    stem, found = _written_options(raw, reading)
    if reading.base != "apart":
        return stem, found
    right = cell(raw, reading.fields["answer"])
    if isinstance(right, list) and len(right) > 1:
        raise Unreadable("several right answers")
    texts = [option_text(right[0] if isinstance(right, list) and right else right), *(o.text for o in found)]
    if told := next((t for t in texts if BY_ORDER.search(t)), ""):
        raise Unreadable(f"an option points at the others by their order, which the file does not give: '{told[:60]}'")
    texts = sorted(filter(None, texts), key=lambda t: hashlib.blake2b(t.encode("utf-8", "replace")).digest())
    return stem, [Option(letter, text) for letter, text in zip(LETTERS, texts, strict=False)]


def true_or_false(answer, language: str) -> tuple[str, str] | None:
    """What a statement without options is sorted into, where its key says which (`Falso`): among questions that have options."""
    said = str(answer).strip().strip(".").casefold()
    pairs = [pair for pair in TRUE_AND_FALSE.values() if said in (word.casefold() for word in pair)]
    own = [pair for pair in pairs if pair == TRUE_AND_FALSE.get(language)]
    return next(iter(own or pairs), None)


def _written_options(raw: dict, reading: Reading) -> tuple[str | None, list[Option]]:
    if "options" in reading.fields:
        listed = cell(raw, reading.fields["options"])
        if is_missing(listed) and (words := true_or_false(cell(raw, reading.fields.get("answer", "")), reading.language)):
            return None, [Option(letter, word) for letter, word in zip(LETTERS, words, strict=False)]
        return None, options_of(listed)
    if reading.option_columns:
        values = [raw.get(column) for column in reading.option_columns]
        if all(is_missing(v) for v in values):
            raise Unreadable("no options")
        texts = (option_text(v) for v in values)
        ids = (canonical(c) if is_letter(c) else "" for c in reading.option_columns)
        marks = [is_ticked(raw.get(column)) for column in reading.mark_columns] or [None] * len(values)
        found = [Option(*one) for one in zip(LETTERS, texts, ids, marks, strict=False)]
        return None, unlettered(found)
    return whole_last(*split_question(text_of(cell(raw, reading.fields["question"]), "question")))


# A line that goes on with the one above it: a small letter, or a number that counts or measures something ("5 mg").
GOES_ON = re.compile(r"(?:\d[\d.,]*\s*)?(?P<word>[^\W\d_])|\d[\d.,]*\s*%")
ASKED_AGAIN = re.compile(r"\s*\n\s*(?:the\s+)?(?:answer|resposta|respuesta|réponse|antwort|ans|a)\s*[:：]\s*$", re.I)


def whole_last(stem: str, options: list[Option]) -> tuple[str, list[Option]]:
    """Options that are written into a question, the last one without the `Answer:` below it. Raises Unreadable where other
    lines stand below it, as the orders of a prompt do: the others have one line each."""
    if len(options) < 2:
        return stem, options
    *others, last = options
    said = ASKED_AGAIN.sub("", last.text)
    below = [line.strip() for line in said.split("\n")[1:] if line.strip()]
    if not all(_goes_on(line) for line in below) and not any("\n" in option.text.strip() for option in others):
        raise Unreadable(f"below its last option stands a text that may be none of it: '{below[0][:60]}'")
    return stem, [*others, last._replace(text=said)]


def _goes_on(line: str) -> bool:
    found = GOES_ON.match(line)
    return bool(found) and (found["word"] or "a").islower()


PICTURE = (
    r"(?:imag(?:em|ens|es?)|im[áa]gen(?:es)?|figur(?:as?|es?)|fotos?|fotograf[ií]as?|gr[áa]ficos?|photo(?:graph)?s?|pictures?)"
)
SHOWN = r"muestra\w*|observ\w+|aprecia\w*|señalad\w+|mostrad\w+|apresentad\w+|ilustrad\w+|adjunt\w+"
POINTS = re.compile(  # a question that points at its picture: "figura abaixo", "pregunta vinculada a la imagen", "別に示す"
    rf"(?i)\b{PICTURE}\s+(?:\w+\s+)?(?:abaixo|a\s+seguir|ao\s+lado|a\s+continuaci[óo]n|below|ci-dessous|ci-contre)\b(?!\s+d[aeo])"
    rf"|\b(?:the\s+following|a\s+seguinte|la\s+siguiente)\s+{PICTURE}\b"
    rf"|\b(?:pregunta|quest[ãa]o)\s+(?:vinculad|asociad|associad|relacionad)\w*\s+(?:\w+\s+){{1,2}}{PICTURE}\b"
    rf"|\b(?:{SHOWN})\s+(?:en\s+(?:la|las|el|los)|n[ao]s?)\s+{PICTURE}\b(?!\s+(?:d[aeo]|\w+[ao]l\b))"
    rf"|\b(?:shown|seen|depicted|illustrated|pictured)\s+in\s+the\s+{PICTURE}\b(?!\s+of)"
    r"|\b(?:shown|given|presented)\s+separately\b|を別に示す|(?:下|次|左|右)の図|如\s*[下上左右附]?\s*[图圖]|[见見下上左右附][图圖]所?示|[下附][图圖](?!書|书)|(?:다음|아래)\s*그림"
    r"|(?:心电图|脑电图|X线[胸平]?片?|胸片|CT|MRI|[B超]超|超声|造影|图片|图像|照片)[^，。,.：:；;]{0,6}如下(?![：:]|[表述文]|\s*[（(]?\d)"
    r"|\bse\s+(?:bild(?:en)?\b|bifoga\w*)|\bbilden\s+(?:nedan|ovan)\b|^bilden\s+visar\b"
)
NUMBERED = re.compile(  # an exam's question that names its picture: "seen in Figure A", "a figura 1", "imagen nº 12"
    rf"\b(?i:{PICTURE}|fig\.|abbildung)\s*(?:n[º°.o]{{0,2}}\s*)?(?:[A-H]|\d{{1,2}})\b(?![.,]?\d|\s*%|\s+(?i:mil|million|per))"
)

EMBEDDED = re.compile(  # an image in the text itself, without two words that say what it shows
    r"""(?i)<img\b(?![^>]*\balt\s*=\s*["'][^"'>]*\w\s+\w)[^>]*>|!\[(?![^\]\n]*\w\s+\w)[^\]\n]*\]\([^)\n]+\)"""
)

SPEAKS = tuple(
    "imag imág fig foto gráf graf photo pict abbild separately 示 図 图 圖 그림 如下 bild bifog".split()
)  # or none is found


def _pointing(cells: Cells, question: str) -> re.Match | None:
    """Where a question points at a picture. An exam's case does too, and by a figure's number; a study names its by the way."""
    if not holds_any(question.lower(), SPEAKS):
        return None
    if cells.reading.shape == "mcq":
        return POINTS.search(question) or NUMBERED.search(question)
    return POINTS.search(question.removeprefix(cells.text("context")))


def with_image(cells: Cells, question: str, args) -> str:
    """The image's description before the question. A question whose image is neither here nor described cannot be answered."""
    image, described = cells.value("image"), cells.text("image_text")
    if args.images == "ignore":
        return f"{described}\n\n{question}" if described else question
    if not described and EMBEDDED.search(question):
        raise Unreadable("needs an image, which is not described")
    shown = (
        not is_missing(image)
        and not (isinstance(image, bool | int | float) and not image)
        and str(image).strip().casefold() not in ("false", "não", "nao", "no", "0")
    )
    if not shown and cells.text("text_only").casefold() not in NO:
        said = {"text_only", "image_text"} & cells.fields.keys() or not is_missing(image)
        if points := not said and _pointing(cells, question):  # no column says of this row whether there is one
            raise Unreadable(f"speaks of an image that is not here: '{points[0]}'")
        return question
    if args.images == "reject" or not described:
        raise Unreadable("needs an image" + ("" if described else ", which is not described"))
    return f"{described}\n\n{question}"
