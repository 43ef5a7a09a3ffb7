"""Reads free answers: which option a text names, and whether it declines. Never guesses: unclear is None.

`extract` in this order, the first that finds something deciding:
  1 reasoning goes: think, reasoning and thought tags, [THINK], gpt-oss's analysis channel; unfinished, it is no answer. So
    does what the model wrote after its turn's end, or from the next question on
  2 a form made to hold the answer: <answer>B</answer>, \boxed{B}, {"answer": "B"}; then a text that is one option's
  3 phrases that name an answer, the strongest kind that is there: "final answer"; "the correct option is C", "resposta: B",
    "restando a D", of which a line to itself outweighs the sentences before it; then, after 4 and 5, "option B", "letra C".
    Phrases of one kind that name different letters are no answer, unless one of them is the letter that stands alone on
    the first line. A phrase that denies ("B is incorrect"), supposes ("if stable, the answer would be A"), compares
    ("instead of B") or gives a reason ("because option B delays it") names none; an option's own words ("B. False") do
    none of these
  4 the one option that a list calls correct ("a) errada ... c) correta ...")
  5 a letter that opens the text, set off by ")", ".", ":", "-" or a line's end; a list of several options is no answer
  6 the one line that is an option's letter and text, after a colon
  7 one single letter that stands by itself; "vitamin C", "B cells" and the words "A" and "E" are not letters
  8 the text of exactly one option, in the first or the last sentence of a text that is not broken off
`capitulo_letter` is the case study's own rule, kept with its faults for comparison: the first A to E anywhere.

By hand: what evaluation harnesses bring are single patterns for one prompt of their own ("The answer is (X)").
"""

import functools
import re
import unicodedata
from typing import NamedTuple

TAGS = "think|thinking|thought|thoughts|reasoning|reason|analysis|scratchpad|rationale"
REASONING = re.compile(rf"<(?P<tag>{TAGS})>.*?</(?P=tag)>|\[THINK\].*?\[/THINK\]|^.*(?:</(?:{TAGS})>|\[/THINK\])", re.S | re.I)
ENDED = re.compile(rf"</(?:{TAGS})>|\[/THINK\]", re.I)
UNFINISHED = re.compile(rf"<(?:{TAGS})>|\[THINK\]", re.I)
# gpt-oss: <|channel|>analysis<|message|>...<|end|><|start|>assistant<|channel|>final<|message|>B, or without its marks.
FINAL_CHANNEL = re.compile(r"^.*(?:<\|channel\|>\s*final\s*(?:<\|message\|>)?|assistant\s*final(?=\W|[A-Z]|$))", re.S)
ANALYSIS_CHANNEL = re.compile(r"^\s*(?:<\|start\|>assistant)?(?:<\|channel\|>\s*)?(?:analysis|commentary)(?=<\||[A-Z\s:])")
CONTROL = re.compile(r"<\|[a-z_]+\|>")
# A model that does not stop writes the next turn, or the next question of a list, itself: the answers there are not to this one.
TURN_ENDS = re.compile(r"<\|?(?:end|im_end|eot_id|eot|return|endoftext|end_of_text|end_of_turn|end_response|user)\|?>|</s>", re.I)
QUESTION = re.compile(
    r"(?im)^[^\w\n]*(?:(?:question|questão|questao|pregunta|pergunta)(?:\s*(?:n[.º°o]*\s*)?\d{1,3}\s*(?:[:.)]|$)|\s*:)|"
    r"q\d{0,3}:|(?:human|user|instruction|問題)\s*:)"
)
LETTER = r"[\(\[\"'“‘<{]*([A-Ja-j])(?!\w|['’]\w|-\w)[\)\]\"'”’>}]*"
# At most 40: without end, a text that repeats "answer" took time by the square of its length.
FILLER = (
    r"(?:\s++|[:=–—>-]++|\b(?:is|are|would be|should be|must be|seems to be|é|seria|será|sera|foi|the|as|(?:a|e|o)(?=[^\n\S]+\S)|"
    r"option|choice|letter|answer|alternativa|opção|opcao|letra|correct|correta|correto|certa|certo|best|most likely|final|"
    r"indicated|indicada|adequada|appropriate|melhor|number|item|therefore|portanto|por|meio|da|of|be|to|my|só|pode|ser|"
    r"es|la|el|sería|opción|opcion|correcta|correcto)\b){0,40}"
)
FINAL = r"\b(?:final[ _]answer|resposta final|respuesta final|final choice|escolha final|conclusão final)\b"
STRONG = (
    r"(?:(?<!不)(?:答案|选择|选项|选|正解|答え|정답)(?:是|为|は|은|는)?|\b(?:answer|answers|resposta|respuesta|gabarito|solution|conclus(?:ion|ão)|"
    r"escolho|escolheria|marco|marcaria|assinalo|assinale|elijo|escojo|selecciono|sino|mas sim|e sim|but rather|"
    r"choose|select|pick|go with|"
    r"(?:correct|right|best|most appropriate|most likely) (?:answer|option|choice|alternative|one|letter)|"
    r"(?:alternativa|opção|opcao|opción|letra|resposta|respuesta|afirmativa|melhor alternativa|melhor opção|mejor opción) "
    r"(?:mais |más )?(?:correc?ta|certa|adequada|adecuada|provável|probable|apropriada|apropiada|indicada)|correta|correto|"
    r"correcta|correcto|certa|"
    r"restando|resta|queda(?= la\b)|me quedo con|sobra|sobrando|restou|ficamos com|fico com|leaving|leaves|"
    r"we are left with|only remaining(?: option)?|"
    r"(?:therefore|thus|hence|so|portanto|logo|então|assim),? (?:it is|it's|é)?))"
)
WEAK = r"\b(?:alternativa|opção|opcao|opción|opcion|option|choice|alternative|letra|letter|item)\b"
KINDS = (FINAL, STRONG, WEAK)  # the strongest first
CUES = [re.compile(rf"(?:{kind})({FILLER}){LETTER}", re.I) for kind in KINDS]
CALLED_RIGHT = re.compile(
    rf"(?:^|[.\n:;,]\s*|\b(?:option|alternativa|opção|opción|letra|a|la|the)\s+){LETTER}"
    r"(?!\s+(?:alternativa|opção|opcao|opción|letra|resposta|respuesta|option|choice|answer)\b)\s*(?:[^.\n]{0,60}?\s)??"
    r"(?:is|é|está|esta|es)\s+(?:the |a |o |la |el )?(?:\w+ )?(?:correct|right|best|correc?ta|certa|answer|resposta|respuesta|"
    r"alternativa)\b(?! (?:em|ao|in|that|que)\b)",
    re.I,
)
# "Final answer: Warfarin", the option's text in the letter's place.
TEXT_CUES = [
    re.compile(rf"{FINAL}\s*:", re.I),
    re.compile(r"\b(?<!final[ _])(?:answer|resposta(?: (?:correta|certa))?|respuesta(?: correcta)?|gabarito)\s*:", re.I),
]
TEXT_ENDS = re.compile(r"[^\w\n]*(?:\n|$)|\s*[.;,]|\s+[A-Z_]{4,}:")
# "a hipótese é a B) asma", where the option's own text follows.
COPULA = re.compile(
    rf"\b(?:is|é|es|seria|sería|would be)\s*:?\s*(?:(?:a|o|la|el|the|option|opção|opción|letra)\s+)?{LETTER}(?=[).:])", re.I
)
LEADING = re.compile(r"(?:[\W_]|\b(?:the|a|o|la|el|so|therefore|thus|hence|portanto|logo|assim|então|my|minha)\b)*", re.I)
VERDICT = re.compile(r"(?:corre|cert)\w+\W*\n", re.I)  # "... correta.", at whose line's end another option begins
NOT_WHOLLY = re.compile(r"\b(?:neither|nor|none|nem|nenhuma?|ni|ningun[oa]?|partially|partly|parcialmente|em parte)\b", re.I)
THEREFORE = re.compile(r"(?:therefore|thus|hence|so|portanto|logo|então|assim)\b", re.I)
LABEL_CUE = re.compile(
    r"\b(?:answer|label|class|category|resposta|rótulo|classe|categoria)\b(?: final)?\s*(?::|is\b|é\b)(.*)", re.I
)
ANSWER_TAG = re.compile(r"<(answer|resposta|final_answer|final)>(.*?)(?:</\1>|$)", re.S | re.I)
BOXED = re.compile(r"\\boxed\{\s*((?:[^{}]|\{[^{}]*\})*)\}")
JSON_KEYS = re.compile(
    r"[\"'](?:final_answer|correct_answer|correct_option|answer|answer_choice|choice|option|letter|resposta|resposta_final|respuesta|alternativa|letra|gabarito|prediction)"
    r"[\"']\s*:\s*[\"']?([^\"',}\n]{1,200})",
    re.I,
)
ITEM = re.compile(
    r"(?:^|[\n.;,]\s*|\s)[\(\[]?([A-Ja-j])(?:[\)\].:]|\s*\|)\s*(?:[^\n;]{0,160}?)\b"
    r"(?=[cefinrtvw])"  # as all of these begin: tried one by one at each word they took four times as long
    r"(?:(?P<no>in(?:correct|correc?t[ao])|errad[ao]|wrong|fals[ao]|false|not correct|não é correta|no es correcta)|"
    r"(?P<yes>correct|correc?t[ao]|cert[ao]|right|true|verdadeir[ao]))\b",
    re.I,
)
DENIAL = (
    r"(?:not|never|incorrect|wrong|false|ruled out|contraindicated|excluded|eliminated|incorrec?t[ao]s?|errad[ao]s?|fals[ao]s?|"
    r"não|nao|no(?= (?:es|son|está|puede|debe|sería)\b)|tampoco|descartad[ao]s?|excluíd[ao]s?|contraindicad[ao]s?|eliminad[ao]s?)"
)
DENIED_AFTER = re.compile(
    r"^[\)\]\"'”’]*(?:\.(?!\s*(?:not|não|nao|nunca|never|no|tampoco)\b))?(?:\s*(?:,|and|e|or|ou|nor|nem|y|o|ni)\s*[\(\[]?(?-i:[A-J])[\)\]]?){0,9}"
    r"\s*(?:\b(?:is|are|was|were|can|could|should|must|be|been|está|estão|esta|é|são|foi|foram|seria|parece|pode|podem|deve|devem|"
    r"ser|sido)\b\s*)*"
    rf"(?:\b(?:clearly|claramente|also|também|both|todas|all)\b\s*)?\b{DENIAL}\b(?!\s+(?:options?|answers?|choices?|alternativas?|opç))",
    re.I,
)
CALLED_WRONG = re.compile(r"[^\w\n]*(?:(?:is|é|está|es)\s+)?(?:incorrect|wrong|false|incorrec?t[ao]|errad[ao]|fals[ao])\b", re.I)
DENIED_BEFORE = re.compile(
    r"(?:\b(?:not|isn't|is not|cannot be|can't be|neither|nor|ruled? out|ruling out|exclud\w+|eliminat\w+|incorrect|wrong|"
    r"não|nao|nunca|no es|tampoco|ni|except|excepto|exceto|salvo|menos|all but|"
    r"incorrec?tas?|erradas?|descart\w+|excluí\w+|excluindo|elimin\w+|nem|over|than|instead of|rather than|unlike|versus|vs\.?|"
    r"em vez d[aeo]|ao invés d[aeo]|e não|no lugar d[aeo]|ao contrário d[aeo]|diferente d[aeo]|do que)"
    r"\s+(?:(?:é|is|are|são|es|son|seria|for|a|as|o|os|la|las|el|the|opción|opciones|option|options|answer|choice|letra|letras|alternativa|alternativas|opção|opções)\s+){0,3})$",
    re.I,
)
SENTENCES = re.compile(r"(?<=[.!?])\s+|\n+")
NOT_TEXT = re.compile(r"\b(?:not|never|não|nao|nunca|nem|except|exceto|excepto|salvo)(?: (?:a|an|the|o|la|el))?$")
LINE = re.compile(r"(?m)^\s*[\(\[]?([A-Ja-j])(?:[\)\].:](.*)|\s*$)")  # of a list of options
UNTRUE = re.compile(rf"[❌✗]|\b{DENIAL}\b", re.I)
MARKED_RIGHT = re.compile(r"(?m)[✅✔☑][^\w\n✅✔☑]{0,5}([A-J])\b|^[^\w\n]{0,5}([A-J])[\)\].:][^\n✅✔☑❌✗]{0,200}[✅✔☑]")
NEGATED_CUE = re.compile(
    r"\b(?:not|isn't|is not|cannot be|can't be|não é|nao é|não seria|no es|nunca|wrong|incorrec?ta|errada)\s+(?:\w+\s+){0,2}$",
    re.I,
)
SUPPOSED = re.compile(r"\b(?:if|were|had|se|si|caso|fosse|fuera|tivesse|tuviera|suppose|supondo)\b[^.;!?\n]*$", re.I)
WOULD = re.compile(r"\b(?:would|could|might|seria|poderia|sería|podría)\b", re.I)
REASON = re.compile(
    r"\b(?:because|since|as|while|whereas|although|though|but|porque|pois|já que|uma vez que|enquanto|embora|visto que|mas)\b"
    r"[^.;!?\n]*$",
    re.I,
)
JOINED = re.compile(
    r"^\s*(?:,|/|&|\+|\b(?:and|or|e|ou|y|o|ó|u)\b)\s*(?:,[\w ]{1,30},\s*)?"
    r"(?:maybe |perhaps |possibly |even |talvez |possivelmente |até )?"
    r"(?:option |alternativa |opción |letra |a |la |the )?[\(\[]*([A-J])(?![\w'’])"
)
# "hepatitis B", "Vitamina C": a letter after these words belongs to a name.
NAMED = re.compile(
    r"\b(?:vitamin|vitamina|hepatitis|hepatite|type|tipo|group|grupo|class|classe|child|pugh|stage|estágio|grade|grau|influenza|"
    r"hemoglobin|hemoglobina|immunoglobulin|imunoglobulina|protein|proteína|factor|fator|plan|plano|fiber|fibra|cell|"
    r"célula|section|seção|part|parte|apolipoprotein|streptococcus|estreptococo|coenzyme|coenzima|penicillin|penicilina|"
    r"amphotericin|anfotericina|cyclosporin|cyclosporine|ciclosporina|botulinum|serotype|sorotipo)[\s-]*$",
    re.I,
)


# "B cell activation", "F is the force": a letter before a word is the beginning of a name or a symbol, unless a reason or
# the like follows.
NAMES_ON = re.compile(r"\s+(?!(?:because|since|as|it|and|or|i\.e|instead|rather|em|ao|porque|pois|por|e|ou|y|o)\b)[^\W\dA-Z_]")


STATEMENT = re.compile(r"(?:\b[IVX]+\s*[:-]|[=^°])\s*$")  # "III: D" matches two lists; "V = C" and "F^{-}" are formulas
FORMULA = re.compile(r"\s*[=^_+*/]")


# How far back is looked from a letter: for the words before it (seven in 120 characters: "no lugar da" and three more), and for
# the beginning of its sentence. All the way took seconds a row where a model repeats one letter until its tokens end.
WORDS, NEAR, SENTENCE = 7, 120, 500


class Named(NamedTuple):
    """A letter that a phrase names, where it stands, and where the phrase begins."""

    letter: str
    at: int
    begins: int


def without_reasoning(text: str) -> str:
    """Text without the reasoning that ended. What follows the last end is not searched: "<think>" without end took seconds."""
    end = max((hit.end() for hit in ENDED.finditer(text)), default=0)
    return REASONING.sub("", text[:end]) + text[end:]


def plain(text: str) -> str:
    """Text without reasoning, marks of channels and markdown, letters of full width made plain; empty if it never ended."""
    if found := FINAL_CHANNEL.match(text):
        text = text[found.end() :]
    elif ANALYSIS_CHANNEL.match(text) and not re.match(r"\s*analysis[\s:]", text):
        return ""
    text = next((turn for turn in TURN_ENDS.split(without_reasoning(text)) if turn.strip()), "")
    if unfinished := UNFINISHED.search(text):
        text = text[: unfinished.start()]
    text = unicodedata.normalize("NFKC", CONTROL.sub(" ", text))
    text = re.sub(r"</?(?:b|strong|i|em|u|p|br)\s*/?>", " ", text, flags=re.I)
    text = re.sub(r"(?<![^\W_])_+|_+(?![^\W_])", "", text)  # markdown's, not those of a JSON key
    return re.sub(r"\n\s+\n", "\n\n", re.sub(r"[*`#$]+", "", text)).strip()


def _same(text: str) -> str:
    """Text for comparing: lower case, no accents dropped, runs of anything but letters and digits as one space."""
    return re.sub(r"[\W_]+", " ", text.casefold()).strip()


def _by_text(text: str, options: dict[str, str], whole: bool) -> str | None:
    """The one option whose text is all of `text`, or stands in it and in no longer option that stands there too."""
    said = f" {_same(text)} "
    there = {key: f" {_same(value)} " for key, value in options.items() if _same(value)}
    if whole:
        found = [key for key, value in there.items() if value == said]
    else:
        hit = {key: value for key, value in there.items() if value in said}
        found = [key for key, value in hit.items() if not any(value in other and value != other for other in hit.values())]
        around = {key: said.partition(there[key]) for key in found}
        found = [
            key
            for key, (before, _, after) in around.items()
            if not (re.match(rf"(?:is|are|é|são|está|es)?\s*{DENIAL}\b", after) or NOT_TEXT.search(before))
        ]
    return found[0] if len(found) == 1 else None


def _cut_short(text: str) -> bool:
    """Whether a text of several sentences has no end."""
    return bool(SENTENCES.search(text)) and not re.search(r"[.!?:)\"'”]$|\n\W*[A-J]$", text)


def _concluded(text: str, options: dict[str, str]) -> str | None:
    """The option whose text is the first sentence, or alone of all stands in a whole text that opens or ends with it."""
    sentences = SENTENCES.split(text)
    if (first := _by_text(sentences[0], options, True)) and not (sentences[1:] and _by_text(sentences[1], options, True)):
        return first
    answer = None if _cut_short(text) else _by_text(text, options, False)
    if answer and len(_same(options[answer])) < 2:  # "2" stands in many a text
        return None
    return answer if answer in [_by_text(sentences[at], options, False) for at in (0, -1)] else None


def _by_cue(text: str, options: dict[str, str]) -> str | None:
    """The one label that phrases of answering name ("Resposta: Falso"), whatever else the text mentions."""
    named = {_by_text(hit.group(1), options, False) for hit in LABEL_CUE.finditer(text)} - {None}
    return named.pop() if len(named) == 1 else None


def _inner(text: str, options: dict[str, str]) -> str | None:
    """The option that the content of an answer tag, a box or a JSON value is."""
    text = re.sub(r"\\(?:text|mathrm|textbf|mathbf)\s*\{([^{}]*)\}", r"\1", text).strip()
    if exact := _by_text(text, options, True):
        return exact
    letters = [key for key in options if len(key) == 1]
    hit = re.match(r"^\W*(?:(?:option|alternativa|letra|opção|answer|resposta)\W+)?([A-Ja-j])(?:[\)\].:,\s-]|\W*$)", text, re.I)
    if hit and hit[1].upper() in letters and not JOINED.match(text[hit.end(1) :].lstrip(")]. ")):
        return hit[1].upper()
    return None if letters else _by_text(text, options, False)


def _last_boxes(text: str) -> list[str]:
    """What the last box holds, and those that stand side by side with it: "\\boxed{B} or \\boxed{C}"."""
    boxes = list(BOXED.finditer(text))
    first = len(boxes) - 1
    while first > 0 and re.fullmatch(
        r"(?:[\W_]|\b(?:and|or|e|ou|y|o)\b){0,9}", text[boxes[first - 1].end() : boxes[first].start()]
    ):
        first -= 1
    return [box[1] for box in boxes[max(first, 0) :]]


def _by_form(text: str, options: dict[str, str]) -> tuple[bool, str | None]:
    """Whether a form made for the answer is there (tag, box, JSON), and the option that its last kind names."""
    boxes, tags = _last_boxes(text), [m[2] for m in ANSWER_TAG.finditer(text) if m[2].strip()]
    values = [m[1] for m in JSON_KEYS.finditer(text)]
    for found in (tags[-1:], boxes, values):
        named = {_inner(one, options) for one in found} - {None}
        if named:
            return True, named.pop() if len(named) == 1 else None
    return False, None


def _own_lines(named: list[Named], text: str, options: dict[str, str]) -> list[Named]:
    """Those that make up a line, with the option's text at most: "Resposta: B". They outweigh what sentences say before them."""
    heads, lines = [], []
    for one in named:
        start, end = text.rfind("\n", 0, one.begins) + 1, text.find("\n", one.at)
        rest = text[one.at + 1 : end if end > 0 else len(text)]
        if LEADING.fullmatch(text[start : one.begins]) and not THEREFORE.match(text[one.begins :]):
            heads.append(one)
            if re.fullmatch(r"[\W_]*", rest[_own(rest, options[one.letter]) :]):
                lines.append(one)
    return heads + [one for one in named if one.at > lines[-1].at] if lines else []


def back(text: str, at: int) -> str:
    """The last words before a place, as many as a pattern that ends there can take in."""
    near = text[max(0, at - NEAR) : at]
    words = near.rsplit(None, WORDS)
    return near[len(words[0]) :] if len(words) > WORDS else near


def _own(rest: str, option: str) -> int:
    """Where an option's own text ends if it begins `rest`, else 0."""
    hit = _pattern(option).match(rest)
    return hit.end() if hit else 0


@functools.lru_cache(64)
def _pattern(option: str) -> re.Pattern:
    """An option's words, whatever stands between them; nothing where it has none."""
    words = r"[\W_]+".join(map(re.escape, _same(option).split()))
    return re.compile(rf"[\W_]*{words}(?!\w)" if words else "(?!)", re.I)


def _denied(rest: str, option: str) -> bool:
    """Whether the words after a letter deny it, or after its text call it wrong; those of the option ("B. False") do not."""
    own = _own(rest, option)
    return bool(CALLED_WRONG.match(rest[own:]) if own else DENIED_AFTER.match(rest))


def _is_word(raw: str, rest: str, before: str) -> bool:
    """Whether a letter is the word "a", "e", "o", or the beginning of something else."""
    called = re.match(
        r"\s+(?:é|está|es|is)\s+(?:a |o |la |the )?(?:mais |más |most )?(?:cor|cert|right|ade[cq]ua|apropria|indica)", rest, re.I
    )
    if called and re.search(WEAK + r"\s+$", before, re.I):
        return False
    if raw in "aeioAEO":
        set_off = re.match(r"\s*(?:[\)\].,:;!?\"'”’}✅✔]|$|[-–—]\s|\n)", rest)
        reason = r"\s+(?:because|since|as|over|rather|instead|porque|pois|por|em vez|ao invés|\()"
        if not set_off and not (raw.isupper() and (JOINED.match(rest) or re.match(reason, rest))):
            return True
    if raw.islower() and raw in "bcdfghj" and re.match(r"[^\n\S]*\w", rest) and before[-1:] not in ("(", "["):
        return True
    if raw == "I" and re.match(r"\s+[a-z]", rest):  # "Therefore, I cannot"
        return True
    # "A resposta é a": cut off before the answer came, the last word an article.
    return raw in "aeo" and not rest.strip() and bool(re.search(r"\b(?:é|e|is|seria|será|foi|a|resta|restando)\s+$", before))


def _stands(text: str, hit: re.Match, group: int, options: dict[str, str]) -> bool:
    """Whether a phrase names its letter: none that denies, supposes or compares."""
    raw, rest = hit.group(group), text[hit.end(group) :]
    before, ahead = back(text, hit.start(group)), back(text, hit.start()).rpartition("\n")[2]
    sentence = re.split(r"[.!?\n]\s", text[max(0, hit.start() - SENTENCE) : hit.start()])[-1]
    if raw.upper() not in options or _denied(rest, options[raw.upper()]) or _is_word(raw, rest, before):
        return False
    if VERDICT.match(hit.group()) or (hit.re is CALLED_RIGHT and NOT_WHOLLY.search(sentence + hit.group())):
        return False
    if DENIED_BEFORE.search(ahead) or NEGATED_CUE.search(ahead) or DENIED_BEFORE.search(before):
        return False
    return not (WOULD.search(hit.group()) and SUPPOSED.search(sentence))


def _quoted(text: str, hit: re.Match, options: dict[str, str]) -> bool:
    """Whether what follows a hit's letter are the option's own words ("B) It is the best test"), no verdict on it."""
    said = _same(text[hit.end(1) : hit.end()])
    return bool(said) and _same(options.get(hit[1].upper(), "")).startswith(said)


def _named(text: str, options: dict[str, str], cues: list[list[re.Match]]) -> list[list[Named]]:
    """What phrases of each kind name, the strongest kind first; a reason's clause holds no phrase of the weakest."""
    found = []
    for number, hits in enumerate(cues):
        if number == 1:
            hits = [*hits, *CALLED_RIGHT.finditer(text), *COPULA.finditer(text)]
        named = []
        for hit in hits:
            group = hit.lastindex
            if not _stands(text, hit, group, options):
                continue
            if (hit.re is CALLED_RIGHT and _quoted(text, hit, options)) or (
                hit.re is COPULA and not _own(text[hit.end() :], options[hit[1].upper()])
            ):
                continue
            if number == 2 and REASON.search(re.split(r"[.!?;\n]", text[max(0, hit.start() - SENTENCE) : hit.start()])[-1]):
                continue
            named.append(Named(hit.group(group).upper(), hit.start(group), hit.start()))
            more = _joined(text[hit.end(group) :], options, hit.group(group).upper())
            if more and not DENIED_AFTER.match(text[hit.end(group) :]):
                named.append(Named(more, hit.start(group), hit.start()))
        if number < len(TEXT_CUES):
            named += [one for hit in TEXT_CUES[number].finditer(text) if (one := _text_after(text, hit, options))]
        found.append(named)
    return found


def _text_after(text: str, cue: re.Match, options: dict[str, str]) -> Named | None:
    """The option whose text follows a cue, and nothing else."""
    rest = text[cue.end() :]
    end, letter = max((_own(rest, option) if len(_same(option)) > 1 else 0, letter) for letter, option in options.items())
    return Named(letter, cue.end(), cue.start()) if end and TEXT_ENDS.match(rest[end:]) else None


def _first_line(text: str, letters: list[str]) -> str | None:
    """The letter that stands alone on the first line."""
    hit = re.match(r"[\(\[\"'“‘]*([A-Ja-j])[\)\]\"'”’.:]*\s*(?:\n|$)", text)
    return hit[1].upper() if hit and hit[1].upper() in letters else None


def _agreed(named: list[Named], text: str, letters: list[str]) -> str | None:
    """The one letter that phrases of a kind name; of several the one that stands alone on the first line."""
    agreed = {one.letter for one in named}
    first = _first_line(text, letters)
    return agreed.pop() if len(agreed) == 1 else first if first in agreed else None


def _by_list(text: str, options: dict[str, str]) -> str | None:
    """The one letter that a list of verdicts calls correct, or ticks; an option's own words ("is correct") are no verdict."""
    ticked = {one or two for one, two in MARKED_RIGHT.findall(text)}
    if len(ticked) == 1 and ticked <= set(options):
        return ticked.pop()
    verdicts: dict[str, set[bool]] = {}
    for hit in ITEM.finditer(text):
        if hit[1].upper() in options and not _quoted(text, hit, options):
            verdicts.setdefault(hit[1].upper(), set()).add(hit["yes"] is not None)
    right = [letter for letter, said in verdicts.items() if said == {True}]
    return right[0] if len(right) == 1 and len(verdicts) > 1 else None


def _joined(rest: str, options: dict[str, str], letter: str) -> str | None:
    """The letter that stands beside `letter`: "B and C", or "B. its text, D. its text"."""
    more = JOINED.match(rest.lstrip(")]\"'”’. "))
    if not more and (
        more := re.match(r"\W*?(?:,|/|&|\b(?:and|or|e|ou|y|o)\b)\s*[(\[]?([A-Ja-j])(?=[)\],./;]|\s*?(?:\n|$))", rest)
    ):
        return more[1].upper() if more[1].upper() in options and more[1].upper() != letter else None
    if not more and (own := _own(rest, options[letter])):
        more = JOINED.match(rest[own:])
        more = more if more and re.match(r"[).\]:]", rest[own + more.end() :]) else None
        more = more or re.match(r"[.;]?[^\n\S]*\n[^\n\S]*[(\[]?([A-J])[).\]:](.*)", rest[own:])
        if more and more.lastindex == 2:  # on the next line, and no word on why it is wrong
            option = options.get(more[1], "")
            more = None if UNTRUE.search(more[2]) or not (_own(more[2], option) or _broken_off(more[2], option)) else more
    return more.group(1) if more and more.group(1) in options and more.group(1) != letter else None


def _by_opening(text: str, options: dict[str, str]) -> tuple[bool, str | None]:
    """Whether a letter opens the text, and which; a list of options is none."""
    letters = list(options)
    start = re.match(
        r"[\(\[\"'“‘]*([A-Ja-j])(?:[\)\]\"'”’]+(?!\w)|(?=[.:,;!?\n-]|\s*[-–—:/&+]|\s*$|\s+(?:and|or|e|ou)\s+[\(]?[A-J]\b)|"
        r"\s+(?=\S))",
        text,
    )
    if not start or start.group(1).upper() not in letters:
        return False, None
    letter, rest = start.group(1).upper(), text[start.end(1) :]
    said = _same(rest.split("\n")[0])
    if any(said == _same(text) for key, text in options.items() if key != letter and said != _same(options[letter])):
        return True, None  # the letter of one option with the text of another
    own = _own(rest, options[letter])
    # "A coagulação é" begins with an article.
    word = start.group(1) in "AEOaeo" and not re.match(r"\s*[^\w\s]", rest) and rest[own:].partition("\n")[0].strip(" .")
    its_text = own > 0 and not word
    if _joined(rest, options, letter):
        return True, None
    set_off = re.match(r"[\)\]\"'”’]|[.:,;!?]|\s*$|\s*\n|\s*[-–—:]\s*\w", rest) and not re.match(r"[.-]\w", rest)
    if _denied(rest, options[letter]) or not (set_off or its_text) or _part(start.group(1), rest, options[letter]):
        return False, None  # "A is wrong. So C.": what follows may still name one
    # A list begins with the first option, or has the next on its second line; not what tells an answer why others are wrong.
    lines = [line for line in LINE.finditer(text) if line[1].upper() in letters]
    others = {line[1].upper() for line in lines if not its_text or _same(line[2] or "") in (_same(options[line[1].upper()]), "")}
    second = LINE.match(text.partition("\n")[2].lstrip())
    listed = second and second[1].upper() in letters and second[1].upper() != letter and not UNTRUE.search(second[2] or "")
    listed = listed and (not its_text or _own(second[2] or "", options[second[1].upper()]))
    if listed or (len(others | {letter}) > 1 and not (its_text and letter != letters[0])):
        return True, None
    return True, letter


def _by_line(text: str, options: dict[str, str]) -> str | None:
    """The option whose letter and text make up a line after a colon, where no other option has a line."""
    lines = {line[1].upper(): (line, line.start()) for line in LINE.finditer(text) if line[1].upper() in options}
    if len(lines) != 1:
        return None
    [(letter, (line, at))] = lines.items()
    said = _same(options[letter])
    return letter if said and _same(line[2] or "") == said and text[:at].rstrip().endswith(":") else None


def _part(raw: str, rest: str, option: str) -> bool:
    """Whether a small letter numbers a part of the task ("(a) The mass is"), as the option's own text does not follow."""
    return raw.islower() and bool(re.match(r"\)[^\n\S]*\w", rest) and _same(option)) and not _own(rest, option)


def _broken_off(after: str, option: str) -> bool:
    """Whether the text breaks off within an option's text: "The options are A. Adipo"."""
    begun, option = after[: len(option) + NEAR].strip(" )].:").casefold(), option.rstrip(" .").casefold()
    return after[-1:].isalnum() and begun != option and bool(begun) and option.startswith(begun)


def _by_itself(text: str, options: dict[str, str], cues: list[list[re.Match]]) -> tuple[bool, str | None]:
    """Whether letters stand by themselves in the first or last sentence, and the one if all of the text's are one.

    A phrase that denied its letter has had its say.
    """
    letters, ends = list(options), [hit.span() for hit in SENTENCES.finditer(text)]
    first, last = (ends[0][0], len(text) if _cut_short(text) else ends[-1][1]) if ends else (len(text), 0)
    single, named, phrased = set(), set(), {hit.start(hit.lastindex) for hits in cues for hit in hits}
    for hit in re.finditer(r"(?<![\w'’-])([\(\[\"'“‘]?)([A-Ja-j])(?!\w|['’]\w|-\w)", text):
        opened, raw = hit.groups()
        letter = raw.upper()
        if letter not in letters or letter in single or (letter in named and first < hit.start() < last):
            continue  # what is said of it here can change nothing
        before, after = back(text, hit.start()), text[hit.end() :]
        set_off = opened and re.match(r"[\)\]\"'”’]", after)
        if hit.start(2) in phrased or (raw.islower() and not set_off) or NAMED.search(before):
            continue
        set_off = set_off or (re.match(r"\s*[^\w\s]", after) and _own(after, options[raw.upper()]))  # "E (its text)"
        if raw in "AE" and not set_off and not re.match(r"\s*(?:[.,:;!?\)\]]|$)", after) and not JOINED.match(after):
            continue
        clause = re.split(r"[.!?\n]\s", text[max(0, hit.start() - SENTENCE) : hit.start()])[-1]
        supposed = WOULD.search(clause) and SUPPOSED.search(clause)
        if not (supposed or _denied(after, options[raw.upper()]) or DENIED_BEFORE.search(before)):
            unsure = (not set_off and NAMES_ON.match(after)) or STATEMENT.search(before) or FORMULA.match(after)
            unsure = unsure or (hit.start() == 0 and _part(raw, after, options[raw.upper()]))
            unsure = unsure or _broken_off(after, options[raw.upper()]) or first < hit.start() < last
            (named if unsure else single).add(raw.upper())
    return bool(single), single.pop() if len(single | named) == 1 and single else None


def extract(output: str, options: dict[str, str]) -> str | None:
    """The option that a free answer names, or None. `options`: letter -> text, or label -> label."""
    text = plain(output)
    if not text:
        return None
    if questions := [hit.start() for hit in QUESTION.finditer(text)]:
        if answer := extract(text[: questions[0]], options):
            return answer
        if len(questions) > 1:
            return None
    found, answer = _by_form(text, options)
    if found:
        return answer
    text = re.sub(r"</?(?:answer|resposta|final_answer|final)>", " ", text, flags=re.I).strip()
    if not all(len(key) == 1 for key in options):
        return _by_text(text, options, True) or _by_cue(text, options) or _by_text(text, options, False)
    if len(_same(text)) > 1 and (exact := _by_text(text, options, True)):
        return exact
    letters, cues = list(options), [list(cue.finditer(text)) for cue in CUES]
    kinds, opening = _named(text, options, cues), _by_opening(text, options)
    if kinds[0]:
        return _agreed(kinds[0], text, letters)
    if strong := _own_lines(kinds[1], text, options) or kinds[1]:
        return _agreed(strong, text, letters)
    if one := _by_list(text, options):
        return one if opening[1] in (None, one) else None
    if opening[1] or not kinds[2]:
        if opening[0]:
            return opening[1]
    else:
        return _agreed(kinds[2], text, letters)
    if one := _by_line(text, options):
        return one
    found, answer = _by_itself(text, options, cues)
    if not found and (answer := _concluded(text, options)):
        named = [hit.end() for hit in re.finditer(rf"(?<![\w'’-]){answer}(?![\w'’-])", text)]
        answer = None if any(DENIED_AFTER.match(text[at:]) for at in named) else answer
    return answer


def capitulo_letter(output: str) -> str | None:
    """The case study's rule: the first letter A to E found anywhere in the output, in upper case."""
    hit = re.search("[A-E]", output.upper())
    return hit.group() if hit else None
