"""What the texts of a column hold in the place of prose or of single questions: exams, keys, dialogues, tables, pairs."""

import collections
import itertools
import re

from data_prep.documents.asked_text import BOLD, HEADING
from data_prep.documents.marked_text import asks_often, holds_marked
from data_prep.shapes.columns import Column, share
from data_prep.shapes.exams import holds_key
from data_prep.shapes.lines import KINDS, OTHERS, filled, is_barred, of_single_words
from data_prep.shapes.outcome import NONE
from data_prep.values.html_text import TAG, html_to_text
from data_prep.values.strict import cell, is_missing
from data_prep.words.phrases import asks

INTENTS = re.compile(r"(?im)^#*[ \t]*(?:-[ \t]*)?intent[ \t]*:")
NUMBERS = re.compile(r"(?im)^[ \t]*(?:id|dialog(?:ue)?|conversation|case|caso)[ \t]*[=:#][ \t]*\d+[ \t]*$")
ASKING = r"pergunta|quest[ãa]o|question|pregunta|domanda|frage|vraag|pytanie|soru|вопрос|ερ[ωώ]τηση|问题?|問題?|질문"
HEADS = re.compile(rf"(?im)^[^\w\n]{{0,8}}(?:(?:{ASKING})\s+(?:n[ºo.]*\s*)?|q(?=\d))(\d{{1,3}})\b")
ASKS = re.compile(rf"(?im)^[^\w\n]{{0,8}}(?:{ASKING})\b[^\n:：]{{0,20}}[:：]")
ANSWERS = re.compile(
    r"(?im)^[^\w\n]{0,8}(?:resposta|answer|respuesta|risposta|antwort|réponse|答案?|回答|답변)\b[^\n:：]{0,20}[:：]|^[^\w\n]{0,8}\d+[.)].*\n[^\w\n]{0,8}→"
)
CALLOUTS = re.compile(r"(?im)^[ \t]*>[ \t]*\[!(?:question|faq|help)\]")  # of notes in Markdown, with the answer folded beneath
TOLD = re.compile(  # `Correct answer:`, `correct_answer:`, `参考答案：`
    r"(?im)^[^\w\n]{0,8}(?:(?:[^\W\d_]{1,12}[ _-]){1,2}(?:answer|antwort|réponse|resposta|respuesta|risposta)|[一-鿿]{2}答案)"
    r"\b[^\n:：]{0,20}[:：]"
)
WRONG = re.compile(  # `Wrong answers:`, `Respostas erradas:`
    r"(?im)^[^\w\n]{0,8}(?:(?:wrong|incorrect|false|falsche|mauvaises?|fausses?)[ \t]+(?:answer|option|antwort|r[ée]ponse)\w*"
    r"|(?:respostas?|respuestas?|risposte|op[çc][õo]es)[ \t]+(?:errad|incorret|incorrect|fals|sbagliat)\w*)[ \t]*[:：]"
)
EXAM_KEYS = re.compile(
    r"(?im)^[^\w\n]{0,8}(?:(?:gabarito|gab|resp|alternativa correta|correct option|ans)\b[^\n:：]{0,20}"
    r"|(?:correct[ao]?|corret[ao]|corrett[ao])[ \t*_]*)[:：]"
)
BOX = r"[ \t]*(?:[-*•][ \t]+)?"
OPEN, TICKED = rf"{BOX}(?:\[[ \t]?\]|☐).*\n", rf"{BOX}(?:\[[ \t]?[xX✓][ \t]?\]|[☑☒✅]).*\n"
BOXES = re.compile(rf"(?m)^(?!{BOX}[\[☐☑☒✅]).*\n\s*?(?:(?:{OPEN})+{TICKED}(?:{OPEN})*|{TICKED}(?:{OPEN}){{2,}})")
KEYS = re.compile(r"(?<![\w.])\d{1,3}[ \t]?[-–.:)][ \t]?[A-E](?!\w)")


def no_prose(column: Column) -> str:
    """What the texts of a column, as cleaned, hold in the place of prose, as NO_PROSE calls it; "" for prose."""
    texts = [html_to_text(str(value)) for value in column.values]
    what = next((what for what, holds in NO_PROSE if share(texts, holds) >= 0.3), "")
    return what or next((what for what, holds in OF_ROWS if holds(texts)), "")


OPTION = re.compile(r"\s*\(?([A-Ea-e])[).]\s+\S")


def _are_options(texts: list) -> bool:
    """Whether many texts begin with an option's letter, each of three letters often: an exam that was cut into its lines."""
    found = collections.Counter(hit[1].upper() for text in texts if (hit := OPTION.match(str(text))))
    often = [times for times in found.values() if times >= 5]
    return len(often) >= 3 and sum(often) >= 0.2 * len(texts)


LONGEST_QUESTION = 300  # characters


def _are_questions(texts: list) -> bool:
    """Whether nearly all texts are one question each, in a line: what answers them stands elsewhere."""
    alone = [asks(text) and len(text) <= LONGEST_QUESTION and "\n" not in text.strip() for text in texts]
    return len(texts) >= 5 and sum(alone) >= 0.8 * len(texts)


OF_ROWS = (
    ("single options of an exam, a row each", _are_options),
    ("single questions, a row each, with no answer beside them", _are_questions),
)


def _under_titles(text: str) -> bool:
    """Whether several titles or words in bold say Question, and several Answer, whatever else a text holds."""
    marks = [[bool(hit[1]) for hit in form.finditer(text)] for form in (HEADING, BOLD)]
    return any(min(found.count(True), found.count(False)) >= 3 for found in marks)


def _asks_only(text: str) -> bool:
    """Whether nearly every line of a text is a question: what answers them stands elsewhere, in the file's name perhaps."""
    lines = [line.strip() for line in filled(text)]
    return len(lines) >= 5 and sum(map(asks, lines)) >= 0.9 * len(lines)


def _in_pairs_of_lines(text: str) -> bool:
    """Whether a text is of blocks of two lines, with an empty line between them, the first of which is no heading."""
    blocks = [block.strip() for block in re.split(r"\n\s*\n", text.strip())]
    pairs = [block for block in blocks if block.count("\n") == 1 and not block.startswith("#")]
    return (len(blocks) >= 20 and len(pairs) >= 0.8 * len(blocks)) or (len(blocks) == 1 and _takes_turns(text))


def _takes_turns(text: str) -> bool:
    """Whether a short line that ends no sentence and a longer one follow one another, from the first line to the last."""
    lines = [line.strip() for line in filled(text)]
    pairs = list(zip(lines[::2], lines[1::2], strict=False))
    taking = sum(len(a) < len(b) and not a.endswith((".", "。", ":", "：")) for a, b in pairs)
    return len(lines) % 2 == 0 and len(pairs) >= 20 and taking >= 0.95 * len(pairs)


PLAIN_QUESTION = re.compile(r"[^\W\d_][^\n]*[?？؟][\"'”’)]?\s*")  # a leaflet's title has a sign, a number or bold type


def _blocks_ask(text: str) -> bool:
    """Whether nearly every block of a text begins with a line that asks, and tells in the lines beneath it; a leaflet's titles
    bear numbers or capitals."""
    blocks = [block.strip().split("\n") for block in re.split(r"\n\s*\n", text.strip())]
    heads = [lines[0] for lines in blocks if len(lines) > 1]
    plain, asking = sum(bool(PLAIN_QUESTION.fullmatch(head)) for head in heads), sum(_heads_block(head.strip()) for head in heads)
    return len(blocks) >= 5 and (plain >= 0.9 * len(blocks) or asking >= 0.8 * len(blocks))


TITLED = re.compile(r"#|\*\*|\d+[.)]|[IVX]+[.)–-]")


def _heads_block(head: str) -> bool:
    return head.endswith(("?", "？", "؟")) and not head.isupper() and not TITLED.match(head) and asks(head)


def _are_numbered(text: str) -> bool:
    """Whether lines begin with the numbers of many questions; fewer are enough in a text that sets them as titles."""
    numbers = {hit[1] for hit in HEADS.finditer(text)}
    titled = {hit[1] for hit in HEADS.finditer(text) if hit.group().lstrip().startswith(("#", "**"))}
    return len(numbers) >= 10 or len(titled) >= 5


BY_NUMBERS = re.compile(r"(?m)^[ \t]*1[.)] .+\n[ \t]*2[.)] .+\n[ \t]*3[.)] ")
NUMBERED_LINE = re.compile(r"[ \t]*\(?([1-9])[).．、][ \t]*[^\s\d]")


def _numbered_alike(text: str) -> bool:
    """Whether much of a text is numbered lines that begin with 1 again and again, nearly always as many, and often a line asks:
    an exam's options."""
    lines = [line.strip() for line in filled(text)]
    runs: list[int] = []
    for number in (int(hit[1]) for line in lines if (hit := NUMBERED_LINE.match(line))):
        if number == 1:
            runs.append(1)
        elif runs and number == runs[-1] + 1:
            runs[-1] = number
    often = max(set(runs), key=runs.count, default=0)
    same = runs.count(often)
    asking = sum(line.endswith(("?", "？", "か。", "か．")) for line in lines if not NUMBERED_LINE.match(line)) if runs else 0
    return (
        asking >= 0.3 * len(runs) > 0
        and 3 <= often <= 6
        and same >= max(10, 0.7 * len(runs))
        and often * same >= 0.3 * len(lines)
    )


RUN_ON = re.compile(r"\bA\b[^\n]{1,300}?\bB\b[^\n]{1,300}?\bC\b[^\n]{1,300}?(?:\bD\b|$)")


def _in_cells(text: str) -> bool:
    """Whether nearly every line of a text has the same number of tabs, as the lines of a table have."""
    tabs = [line.count("\t") for line in filled(text) if not line.startswith("#")]
    return (
        len(tabs) >= 5 and max(tabs) > 0 and tabs.count(max(set(tabs), key=tabs.count)) >= 0.9 * len(tabs) and tabs.count(0) < 3
    )


def _in_commas(text: str) -> bool:
    """Whether nearly every line of a text has the same number of commas or semicolons, with no space behind them."""
    lines = [line.strip() for line in filled(text)]
    cells = [len(re.findall(r"[,;](?=\S| https?:)", line)) if not line.endswith((".", "。")) else 0 for line in lines]
    most = max(set(cells), key=cells.count, default=0)
    same = most > 0 and cells.count(most) >= 0.95 * len(lines)
    return len(lines) >= 20 and (same or any(_parted_by(sign, lines) for sign in ",;"))


def _parted_by(sign: str, lines: list[str]) -> bool:
    """Whether nearly all lines, sentences or not, hold a sign as often, and never with a space behind it."""
    lines = [line.rstrip(",;") for line in lines]  # a sign at the end sets no cell apart
    counts = [line.count(sign) for line in lines]
    same = counts.count(max(set(counts), key=counts.count)) if any(counts) else 0
    close = sum(sign in line and f"{sign} " not in line for line in lines)
    return min(same, close) >= 0.9 * len(lines)


TERM = re.compile(r"\w(?:[^\n.:;!?。：；！？]|\.(?=\S)){0,59}")


def _is_of_terms(text: str) -> bool:
    """Whether a text is a list of terms, a line each or all on one with commas, with no sentence among them."""
    lines = [line.strip() for line in filled(text)]
    if len(lines) == 1:
        lines = [item.strip() for item in re.split(r"[,，、]", lines[0]) if item.strip()]
    terms = sum(bool(TERM.fullmatch(line)) for line in lines)
    return len(lines) >= 50 and terms >= 0.95 * len(lines) and sum(len(line.split()) for line in lines) <= 4 * len(lines)


def _words_marked(text: str) -> bool:
    """Whether most words of a text bear a mark of their kind (`Tus/B-CL mob/B-NN`), or nearly all of fewer words do."""
    words = text.split()
    most, nearly_all = (sum(bool(form.fullmatch(word)) for word in words) for form in (MARKED, TAGGED_WORD))
    return (len(words) >= 50 and most >= 0.5 * len(words)) or (len(words) >= 30 and nearly_all >= 0.8 * len(words))


def _runs_on(text: str) -> bool:
    """Whether much of a text is options one after another on one line, each behind its bare letter."""
    runs = [hit.end() - hit.start() for hit in RUN_ON.finditer(text)]
    return len(runs) >= 10 and sum(runs) >= 0.3 * len(text)


MARKED = re.compile(r"\S+[/_](?:O|[BIOES]-[A-Z]\w*|[A-Z]{1,4}\$?)(?:-[A-Z]+)?")
TAGGED_WORD = re.compile(r"[^\s/_]+[/_][A-Z]{1,5}(?:-[A-Z]{1,5})?")
STEPS = re.compile(r"(?m)^[ \t]*-[ \t]*(?:utter|action)_\w+[ \t]*$")

XML = re.compile(r"\s*(?:<\?xml\b|<([A-Za-z_][\w:.-]*)(?:\s[^<>]*)?>(?=[^<]*<.*</\1>\s*$))", re.S)


def is_xml(text) -> bool:
    """Whether a text is an XML document as a whole, from its declaration or a first tag that is not HTML's to that tag's end."""
    return bool(XML.match(str(text))) and not TAG.match(str(text).lstrip())


NO_PROSE = (
    ("questions with their answers, each under a mark", lambda text: ASKS.search(text) and ANSWERS.search(text)),
    ("questions with their answers, each under a mark", holds_marked),
    ("questions with their answers, each under a mark", _under_titles),
    ("questions with their answers, each under a mark", lambda text: len(CALLOUTS.findall(text)) >= 5),
    ("the lines of a table, whose cells tabs part (save it as .tsv, with a line of names above)", _in_cells),
    ("the lines of a table, whose cells commas or semicolons part (save it as .csv, with a line of names above)", _in_commas),
    ("a list of terms", _is_of_terms),
    ("blocks that each begin with a question, and answer it beneath", _blocks_ask),
    ("words with their marks, as those of a corpus of tags", _words_marked),
    ("the steps of a chatbot's stories", lambda text: len(STEPS.findall(text)) >= 3),
    ("answers, each under a mark", lambda text: max(len(ANSWERS.findall(text)), len(TOLD.findall(text))) >= 10),
    ("answers, wrong ones among them, each under a mark", lambda text: len(WRONG.findall(text)) >= 3),
    ("answers to an exam", lambda text: len(EXAM_KEYS.findall(text)) >= 3),
    ("options with boxes, of which one is ticked", lambda text: len(BOXES.findall(text)) >= 3),
    ("the letters of an exam's key", lambda text: len(KEYS.findall(text)) >= max(10, len(text) // 30 + 1) or holds_key(text)),
    (
        "questions with numbered options and their answers",
        lambda t: min(len(BY_NUMBERS.findall(t)), len(ANSWERS.findall(t))) >= 2,
    ),
    ("numbered options, as many below each question", _numbered_alike),
    ("options by their letters, all on one line", _runs_on),
    ("examples of intents", lambda text: len(INTENTS.findall(text)) >= 3),
    ("records, each below a line with its number", lambda text: len(NUMBERS.findall(text)) >= 10),
    ("the numbered questions of an exam", _are_numbered),
    ("questions alone, a line each, with no answer beside them", _asks_only),
    ("pairs of lines, as questions and answers stand", _in_pairs_of_lines),
    ("questions, with little beside each", asks_often),
    *OTHERS,
    *((kind.name, kind.holds) for kind in KINDS),
    ("the lines of a table, whose cells bars part", is_barred),
    ("a word or two on each line", of_single_words),
    *NONE,
)


def is_of_ids(value) -> bool:
    """Whether an answer is a whole number, or several: what is measured or counted has a unit or a word beside it."""
    return bool(re.fullmatch(r"\s*-?\d+(?:\s*[,;]\s*-?\d+)*\s*", str(value)))


LETTER = re.compile(r"\s*\(?(?:[A-Za-z]|[IVX]{1,4})\)?\.?\s*")


def blank_below(column: Column, sample: list[dict]) -> bool:
    """Whether a column is filled in the first row and then hardly ever in two rows one after another."""
    filled = [not is_missing(cell(raw, column.name)) for raw in sample]
    pairs = sum(a and b for a, b in itertools.pairwise(filled))
    return filled[0] and 3 <= sum(filled) <= 0.6 * len(filled) and pairs <= 0.1 * sum(filled)
