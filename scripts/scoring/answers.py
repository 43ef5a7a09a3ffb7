"""Reads free answers: which option a text names, and whether it declines. Never guesses: unclear is None.

`extract` in this order, the first that finds something deciding:
  1 reasoning goes: think, reasoning and thought tags, [THINK], gpt-oss's analysis channel; unfinished, it is no answer. So
    does what the model wrote after its turn's end, or from the next question on, and an answer to a question of its own.
    Options that are numbered are then read as if they had letters (numbered.py)
  2 a form made to hold the answer: <answer>B</answer>, \boxed{B}, {"answer": "B"}; then a text that is one option's
  3 phrases that name an answer, the strongest kind that is there: "final answer"; "the correct option is C", "resposta: B",
    "restando a D", "a opção C é a mais indicada", of which a line to itself outweighs the sentences before it; then, after 4
    and 5, "the likeliest cause is (an option's text)", and "option B", "letra C" (of a text that breaks off, only in its
    first sentence: later it is one of those that were to be looked at). Phrases of one kind that name different letters, or a
    range of them, are no answer, unless one of them is the letter that stands alone on the first line, all others than that
    letter are called right (the exception was asked for), or each other has a line on why it is not it. A phrase that denies
    ("B is incorrect"), supposes ("if stable, the answer would be A"), compares ("instead of B"), gives a reason ("because
    option B delays it") or is taken back ("wait, ...") names none; an option's own words ("B. False") do none of these
  4 the one option that a list or a table calls correct ("a) errada ... c) correta ...")
  5 a letter that opens the text, set off by ")", ".", ":", "-" or a line's end; a list of several options is no answer
  6 the one line that is an option's letter and text, after a colon
  7 one single letter that stands by itself; "vitamin C", "B cells" and the words "A" and "E" are not letters
  8 the text of exactly one option, in the first or the last sentence of a text that is not broken off; numbers count whole
    ("2.5 mg" is not "5 mg"); then "yes", "no" and the like where they open the text
Where the exception was asked for (exceptions.py), 3 and 4 take the option that alone is called wrong.
`capitulo_letter` is the case study's own rule, kept with its faults for comparison: the first A to E anywhere.

By hand: what evaluation harnesses bring are single patterns for one prompt of their own ("The answer is (X)").
"""

import re

from scoring import exceptions, numbered
from scoring.doubts import TOLD_OF, WOULD, WOULD_IF, supposed
from scoring.forms import ANSWER_MARK, by_form
from scoring.option_text import broken_off, by_text, own_end, part, same
from scoring.outputs import QUESTION, plain
from scoring.phrases import (
    DENIED_AFTER,
    JOINED,
    ONLY_IF,
    OTHERS_CHOOSE,
    QUESTIONED,
    UNTRUE,
    denied,
    denied_before,
    joined,
    named_by,
    named_texts,
    phrases_in,
    quoted,
    ranged,
    sentence_before,
    words_before,
)
from scoring.statements import by_statements
from scoring.told_apart import told_apart
from scoring.weighing import Named, agreed, chosen, standing

# "Resposta final: Falso".
LABEL_CUE = re.compile(
    r"\b(?:answer|label|class|category|resposta|rótulo|classe|categoria)\b(?: final)?\s*(?::|is\b|é\b)(.*)", re.I
)
# "a) ... errada", "(B) | ... correct": an item of a list with its verdict.
ITEM = re.compile(
    r"(?:^|[\n.;,]\s*|\s)[\(\[]?([A-Ja-j])(?:[\)\].:]|\s*\|)\s*(?:[^\n;]{0,160}?)\b"
    r"(?=[cefinrtvw])"  # as all of these begin: tried one by one at each word they took four times as long
    r"(?:(?P<no>in(?:correct|correc?t[ao])|errad[ao]|wrong|fals[ao]|false|not correct|não é correta|no es correcta)|"
    r"(?P<yes>correct|correc?t[ao]|cert[ao]|right|true|verdadeir[ao]))\b",
    re.I,
)
# "| B | text | yes | reason |": a row of a table with a cell that is a verdict.
CELL = re.compile(
    r"(?mi)^[|\s(]*([A-J])\b[^|\n]*(?:\|[^|\n]*)*?\|\s*(?:(?P<yes>sim|yes|sí|true|correc?t[ao]?|cert[ao]|verdadeir[ao]|"
    r"[✅✔☑]\ufe0f?)|não|no|false|incorrec?t[ao]?|errad[ao]|fals[ao]|[❌✗✘]\ufe0f?)\s*(?=\||$)"
)
# A letter at the beginning, set off or before a word: which of both, _by_opening looks at.
OPENING = re.compile(
    r"[\(\[\"'“‘【]*([A-Ja-j])(?:[\)\]\"'”’】]+(?!\w)|(?=[.:,;!?\n-]|\s*[-–—:/&+]|\s*$|\s+(?:and|or|e|ou)\s+[\(]?[A-J]\b)|"
    r"\s+(?=\S))"
)
# "A: 10%, B: 70%": how sure it is of each letter.
SHARE = re.compile(r"(?<!\w)[\(\[]?([A-J])[\)\]]?\s*(?:[:=–—-]\s*|\(|(?<=\s))\s*(\d{1,3}(?:[.,]\d+)?)\s*%")
LETTERS_ONLY = re.compile(r"[^\w\n]*(?:[A-J][^\w\n]+)+[A-J]?[^\w\n]*")
# Options that answer whether: what opens with one has said it, whatever follows.
WHETHER = re.compile(
    r"(?:sim|não|yes|no|sí|true|false|verdadeir[oa]|fals[oa]|cierto|correto|incorreto|correct|incorrect)\Z", re.I
)
# A letter that is a word by itself.
LONE = re.compile(r"(?<![\w'’-])([\(\[\"'“‘]?)([A-Ja-j])(?!\w|['’]\w|-\w)")
SENTENCES = re.compile(r"(?<=[.!?])\s+|\n+")
LINE = re.compile(r"(?m)^\s*[\(\[]?([A-Ja-j])(?:[\)\].:](.*)|\s*$)")  # of a list of options
# The mark before the letter, or at its line's end.
MARKED_RIGHT = re.compile(r"(?m)[✅✔☑][^\w\n✅✔☑]{0,5}([A-J])\b|^[^\w\n]{0,5}([A-J])[\)\].:][^\n✅✔☑❌✗]{0,200}[✅✔☑]")
# "hepatitis B", "Vitamina C": a letter after these words belongs to a name.
NAMED = re.compile(
    r"\b(?:blood|sanguíneo|sanguínea|sangue|sangre|vitamin|vitamina|hepatitis|hepatite|type|tipo|group|grupo|class|classe|child|pugh|stage|estágio|grade|grau|influenza|"
    r"hemoglobin|hemoglobina|immunoglobulin|imunoglobulina|protein|proteína|factor|fator|plan|plano|fiber|fibra|cell|"
    r"célula|section|seção|part|parte|apolipoprotein|streptococcus|estreptococo|coenzyme|coenzima|penicillin|penicilina|"
    r"amphotericin|anfotericina|cyclosporin|cyclosporine|ciclosporina|botulinum|serotype|sorotipo)[\s-]*$",
    re.I,
)
DEGREES = re.compile(r"[°º]\s*$")  # 37 °C
# "the electrode (B) and the reference (N)": beside a letter in brackets that no option has, another is a symbol too.
SYMBOL = re.compile(r"\(([^\W\d_])\)")
# "B cell activation", "F is the force": a letter before a word is the beginning of a name or a symbol, unless a reason or
# the like follows.
NAMES_ON = re.compile(r"\s+(?!(?:because|since|as|it|and|or|i\.e|instead|rather|em|ao|porque|pois|por|e|ou|y|o)\b)[^\W\dA-Z_]")
# "III: D" matches two lists; "V = C", "F^{-}" and "the depth \(D\)" are formulas.
STATEMENT = re.compile(r"(?:\b[IVX]+\s*[:-]|[=^]|\w[^\n]*\\\()\s*$")
FORMULA = re.compile(r"\s*[=^_+*/]")


def _by_cue(text: str, options: dict[str, str]) -> str | None:
    """The one label that phrases of answering name ("Resposta: Falso"), whatever else the text mentions."""
    named = {by_text(hit.group(1), options, False) for hit in LABEL_CUE.finditer(text)} - {None}
    return named.pop() if len(named) == 1 else None


def _by_list(text: str, options: dict[str, str], sought: bool = True) -> str | None:
    """The one letter that a list of verdicts calls correct, or ticks; an option's own words ("is correct") are no verdict.
    `sought`: the verdict looked for, of which there must be one, and others of the other kind."""
    ticked = {one or two for one, two in MARKED_RIGHT.findall(text)}
    if sought and len(ticked) == 1 and ticked <= set(options):
        return ticked.pop()
    verdicts: dict[str, set[bool]] = {}
    for cell in CELL.finditer(text):
        verdicts.setdefault(cell[1].upper(), set()).add(cell["yes"] is not None)
    for hit in ITEM.finditer(text):
        if hit[1].upper() in options and not (quoted(text, hit, options) or WOULD.search(hit.group())):
            verdicts.setdefault(hit[1].upper(), set()).add(hit["yes"] is not None)
    found = [letter for letter, said in verdicts.items() if said == {sought}]
    return found[0] if len(found) == 1 and len(verdicts) > 1 else None


def _by_shares(text: str, options: dict[str, str]) -> tuple[bool, str | None]:
    """Whether several letters have a percentage each, which is no option's own text, and the letter with the largest."""
    hits = [hit for hit in SHARE.finditer(text) if hit[1] in options]
    shares = {hit[1]: float(hit[2].replace(",", ".")) for hit in hits}
    if len(shares) < 2 or any(re.search(rf"(?<![\d.,]){re.escape(hit[2])}\s*%", options[hit[1]]) for hit in hits):
        return False, None
    best = [letter for letter, value in shares.items() if value == max(shares.values())]
    return True, best[0] if len(best) == 1 else None


def _whether(text: str, options: dict[str, str]) -> str | None:
    """The option yes, no, true or false that opens a text, set off from what follows."""
    opens = [key for key, option in options.items() if WHETHER.match(option.strip()) and own_end(text, option)]
    return opens[0] if len(opens) == 1 and re.match(r"\s*(?:[.,;:!\n–—-]|$)", text[own_end(text, options[opens[0]]) :]) else None


def _only_options(text: str, options: dict[str, str]) -> bool:
    """Whether a text is several options with their own texts and nothing else, on one line or many."""
    at, seen = 0, set()
    while mark := re.compile(r"[^\w(\[]*[\(\[]?([A-J])[\)\].:-]+").match(text, at):
        if mark[1] not in options or not (own := own_end(text[mark.end() :], options[mark[1]])):
            return False
        at, seen = mark.end() + own, {*seen, mark[1]}
    return len(seen) > 1 and not re.search(r"\w", text[at:])


def _by_opening(text: str, options: dict[str, str]) -> tuple[bool, str | None]:
    """Whether a letter opens the text, and which; a list of options is none."""
    start = OPENING.match(text)
    letter = start[1].upper() if start else ""
    if letter not in options:
        return False, None
    if (LETTERS_ONLY.fullmatch(text) and len(set(LONE.findall(text))) > 1) or _only_options(text, options):
        return True, None
    rest = text[start.end(1) :]
    said = same(rest.split("\n")[0])
    if said != same(options[letter]) and said in [same(option) for key, option in options.items() if key != letter]:
        return True, None  # the letter of one option with the text of another
    if joined(rest, options, letter):
        return True, None
    own = own_end(rest, options[letter])
    # "A coagulação é" begins with an article.
    word = start[1] in "AEOaeo" and not re.match(r"\s*[^\w\s]", rest) and rest[own:].partition("\n")[0].strip(" .")
    its_text = own > 0 and not word
    set_off = re.match(r"[\)\]\"'”’】]|[.:,;!?]|\s*\([^()\n]*\)\s*(?:\n|$)|\s*$|\s*\n|\s*[-–—:]\s*\w", rest) and not re.match(
        r"[.-]\w", rest
    )
    if (
        denied(rest, options[letter])
        or WOULD_IF.match(rest[own:].lstrip(" :–—-"))
        or not (set_off or its_text)
        or part(start[1], rest, options[letter])
    ):
        return False, None  # "A is wrong. So C.": what follows may still name one
    alone = re.match(r"\W*\n", rest) and not LINE.match(rest.lstrip(")]\"'”’.:- \n"))  # "D", and an explanation below it
    return True, None if not alone and _lists(text, letter, its_text, options) else letter


def _lists(text: str, letter: str, its_text: bool, options: dict[str, str]) -> bool:
    """Whether the letter that opens a text begins a list: of the first option on, or with another on the second line.

    What tells an answer with its text (`its_text`) why the others are wrong is no list.
    """
    second = LINE.match(text.partition("\n")[2].lstrip())
    if second and second[1].upper() in options and second[1].upper() != letter and not UNTRUE.search(second[2] or ""):
        if not its_text or own_end(second[2] or "", options[second[1].upper()]):
            return True
    lines = [(line[1].upper(), same(line[2] or "")) for line in LINE.finditer(text) if line[1].upper() in options]
    others = {key for key, said in lines if key != letter and (not its_text or said in (same(options[key]), ""))}
    return bool(others) and not (its_text and letter != next(iter(options)))


def _by_line(text: str, options: dict[str, str]) -> str | None:
    """The option whose letter and text make up a line after a colon, where no other option has a line."""
    lines = {line[1].upper(): line for line in LINE.finditer(text) if line[1].upper() in options}
    if len(lines) != 1:
        return None
    [(letter, line)] = lines.items()
    said = same(options[letter])
    return letter if said and same(line[2] or "") == said and text[: line.start()].rstrip().endswith(":") else None


def _cut_short(text: str) -> bool:
    """Whether a text of several sentences has no end."""
    ends = re.search(r"(?:[\w,;(\[{<=+/\\–—-]|\.\.\.|…)$", text)
    return bool(ends and SENTENCES.search(text)) and not re.search(r"[\n→➜⇒]\W*[A-J]$", text)


def _by_itself(text: str, options: dict[str, str], phrases: list[list[re.Match]]) -> tuple[bool, str | None]:
    """Whether letters stand by themselves in the first or last sentence, and the one if all of the text's are one.

    A phrase that denied its letter has had its say.
    """
    ends = [hit.span() for hit in SENTENCES.finditer(text)]
    first, last = (ends[0][0], len(text) if _cut_short(text) else ends[-1][1]) if ends else (len(text), 0)
    sure, unsure, phrased = set(), set(), {hit.start(1) for hits in phrases for hit in hits}
    told = min((hit.start() for hits in phrases for hit in hits if TOLD_OF.match(text, hit.end())), default=len(text))
    for hit in LONE.finditer(text):
        letter, amid = hit[2].upper(), first < hit.start() < last
        if letter not in options or letter in sure or (amid and letter in unsure):
            continue  # what is said of it here can change nothing
        if hit.start(2) not in phrased and (surely := _stands_alone(text, hit, options)) is not None:
            (sure if surely and not amid and hit.start() < told else unsure).add(letter)
    return bool(sure), sure.pop() if sure and len(sure | unsure) == 1 else None


def _stands_alone(text: str, hit: re.Match, options: dict[str, str]) -> bool | None:
    """Whether a lone letter is meant as an answer; None where it is not, be it a word, a name's part or denied."""
    raw, before, after = hit[2], words_before(text, hit.start()), text[hit.end() :]
    option = options[raw.upper()]
    set_off = hit[1] and re.match(r"[\)\]\"'”’]", after)
    if (raw.islower() and not set_off) or NAMED.search(before) or DEGREES.search(before) or ranged(before, raw, after):
        return None
    set_off = set_off or (re.match(r"\s*[^\w\s]", after) and own_end(after, option))  # "E (its text)"
    if raw in "AE" and not set_off and not re.match(r"\s*(?:[.,:;!?\)\]]|$)", after) and not JOINED.match(after):
        return None
    sentence = sentence_before(text, hit.start())
    if supposed(sentence, sentence, after) or denied(after, option) or denied_before(before):
        return None
    if OTHERS_CHOOSE.search(before) or ONLY_IF.search(sentence) or QUESTIONED.match(after[own_end(after, option) :]):
        return None
    within = sentence + re.split(r"[.!?]\s|\n", after, maxsplit=1)[0]
    if hit[1] and any(symbol.upper() not in options for symbol in SYMBOL.findall(within)):
        return False
    if (not set_off and NAMES_ON.match(after)) or STATEMENT.search(before) or FORMULA.match(after):
        return False
    return not (broken_off(after, option) or (hit.start() == 0 and part(raw, after, option)))


def _concluded(text: str, options: dict[str, str]) -> str | None:
    """The option whose text is the first sentence, or alone of all stands in a whole text that opens or ends with it."""
    sentences = SENTENCES.split(text)
    if told := by_statements(sentences, options):
        return told
    answer = by_text(sentences[0], options, True)
    if not answer or (sentences[1:] and by_text(sentences[1], options, True)):
        answer = None if _cut_short(text) else by_text(text, options, False)
        # "2" stands in many a text
        if not answer or len(same(options[answer])) < 2:
            return None
        if answer not in [by_text(sentences[at], options, False) for at in (0, -1)]:
            return None
    letters = re.finditer(rf"(?<![\w'’-]){answer}(?![\w'’-])", text)
    return None if any(DENIED_AFTER.match(text[hit.end() :]) for hit in letters) else answer


def extract(output: str, options: dict[str, str], question: str = "") -> str | None:
    """The option that a free answer names, or None. `options`: letter (or number) -> text, or label -> label; `question`: where
    it asks for the exception, the one option that is called wrong is the answer."""
    text = plain(output)
    if not text:
        return None
    if numbered.is_numbered(options):
        return _by_number(text, options, question)
    if questions := [hit.start() for hit in QUESTION.finditer(text)]:
        if answer := extract(text[: questions[0]], options, question):
            return answer
        if questions[0] == 0 and len(questions) > 1:
            return _asked_again(text[: questions[1]], options)
        if len(questions) > 1 or _another_s(text[questions[0] :], options):
            return None
    found, answer = by_form(text, options)
    if found:
        return answer
    text = ANSWER_MARK.sub(" ", text).strip()
    if not all(len(key) == 1 for key in options):
        named = by_text(text, options, True) or _by_cue(text, options) or by_text(text, options, False)
        return named or _whether(text, options)
    if len(same(text)) > 1 and (exact := by_text(text, options, True)):
        return exact
    return _by_letter(text, options, exceptions.asked_for(question))


def _by_number(text: str, options: dict[str, str], question: str) -> str | None:
    """The option that a text names where the options are numbered; none where it names letters, which no option has."""
    if extract(text, {letter: f"\0{letter}" for letter in numbered.LETTERS[: len(options)]}):
        return None
    said = numbered.lettered(text, options)
    return said.keys.get(extract(said.text, said.options, question))


def _asked_again(text: str, options: dict[str, str]) -> str | None:
    """What answers the question that was asked, where the model says it again first: an option whose text stands there too."""
    answer = extract(text, options)
    return answer if answer and len(same(options[answer])) > 1 and f" {same(options[answer])} " in f" {same(text)} " else None


def _another_s(text: str, options: dict[str, str]) -> bool:
    """Whether a question that the model wrote has options of its own: what it answers is not what was asked."""
    lines = [line for line in LINE.finditer(text) if line[1].upper() in options and same(line[2] or "")]
    own = [line for line in lines if own_end(line[2], options[line[1].upper()])]
    return len(lines) > 1 and not own and any(same(option) for option in options.values())


def _by_letter(text: str, options: dict[str, str], exception: bool = False) -> str | None:
    """Steps 3 to 8. `exception`: the option that does not fit was asked for."""
    phrases = phrases_in(text)
    final, strong, weak = named_by(phrases, text, options)
    named, answer = chosen(final, strong, text, options)
    if exception and not final:
        only_true = answer and exceptions.only_called_true(text, answer)
        wrong = exceptions.called_wrong(text, options) or _by_list(text, options, False)
        if only_true or (wrong and answer in (None, wrong)):
            return wrong
    if named:
        return answer
    weak = standing(weak, text)
    shared, likeliest = _by_shares(text, options)
    if shared:
        return likeliest
    opens, opening = _by_opening(text, options)
    if one := _by_list(text, options):
        return one if opening in (None, one) else None
    if opening or (opens and not weak):
        return opening
    found, answer = _by_itself(text, options, phrases)
    if texts := {one.letter for one in named_texts(text, options)}:
        letters = {one.letter for one in weak} or ({answer} - {None}) or texts
        return texts.pop() if len(texts) == 1 and texts <= letters else None
    if weak and (one := told_apart(text, options)):
        return one
    if weak and _cut_short(text):
        weak = _not_only_looked_at(weak, text, options)
        return agreed(weak, text, options) if weak else None
    if weak:
        return agreed(weak, text, options)
    if one := _by_line(text, options):
        return one
    return answer if found else _concluded(text, options) or _whether(text, options)


def _not_only_looked_at(weak: list[Named], text: str, options: dict[str, str]) -> list[Named]:
    """What "option A" names in a text that breaks off: in its first sentence, or as the last word of another one. Anywhere else
    it is one of the options that were to be looked at."""
    first = next((hit.start() for hit in SENTENCES.finditer(text) if re.search(r"[^\W\d]", text[: hit.start()])), 0)

    def ends(one: Named) -> bool:
        rest = text[one.at + 1 :]
        begins = re.search(r"(?:[.!?:]\s|\n)\W*$", text[: one.begins])
        return not (begins or re.search(r"\w|\.\.\.|…", rest[own_end(rest, options[one.letter]) :]))

    return [one for one in weak if one.at < first or ends(one)]


def capitulo_letter(output: str) -> str | None:
    """The case study's rule: the first letter A to E found anywhere in the output, in upper case."""
    hit = re.search("[A-E]", output.upper())
    return hit.group() if hit else None
