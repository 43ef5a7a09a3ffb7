"""Phrases that name an option by its letter, and the words around a letter that deny, suppose or compare it."""

import re
from typing import NamedTuple

from scoring.option_text import DENIAL, broken_off, own_end, same

# A letter in brackets ("[ B ]") or quotes or without, but not the beginning of "d'água", "B-cell".
LETTER = r"[\(\[\"'“‘<{]*(?:(?<=[\[(]) )?([A-Ja-j])(?!\w|['’]\w|-\w)[\)\]\"'”’>}]*"
# What may stand between a phrase and its letter. At most 40:
# without end, a text that repeats "answer" took time by the square of its length.
FILLER = (
    r"(?:\s++|[:=–—>】」-]++|with (?:\w+ )?(?:confidence|certainty)"
    r"|\b(?:is|are|would be|should be|must be|seems to be|é|seria|será|sera|foi|the|as|(?:a|e|o)(?=[^\n\S]+\S)|"
    r"option|choice|letter|answer|alternativa|opção|opcao|letra|correct|correta|correto|certa|certo|best|most likely|final|"
    r"indicated|indicada|adequada|appropriate|melhor|number|item|therefore|portanto|por|meio|da|of|be|to|my|só|pode|ser|"
    r"es|la|el|sería|opción|opcion|correcta|correcto)\b){0,40}"
)
# The three kinds of phrases, the strongest first.
FINAL = r"\b(?:final[ _]answer|resposta final|respuesta final|final choice|escolha final|conclusão final)\b"
STRONG = (
    r"(?:(?<!不)(?:答案|选择|选|正解|答え|정답)(?:应该|应当|应)?(?:是|为|は|은|는)?|\b(?:answer|answers|ans\b\.?|resp\b\.?|resposta|respuesta|gabarito|solution|conclus(?:ion|ão)|"
    r"escolho|escolheria|marco|marcaria|assinalo|assinale|elijo|escojo|selecciono|sino|mas sim|e sim|but rather|"
    r"choose|select|pick|go with|minha (?:escolha|opção)|my choice|mi elección|"
    r"(?:correct|right|best|most appropriate|most likely) (?:answer|option|choice|alternative|one|letter)|"
    r"(?:alternativa|opção|opcao|opción|letra|resposta|respuesta|afirmativa|melhor alternativa|melhor opção|mejor opción) "
    r"(?:mais |más )?(?:correc?ta|certa|adequada|adecuada|provável|probable|apropriada|apropiada|indicada)|correta|correto|"
    r"correcta|correcto|certa|"
    r"restando|resta|queda(?= la\b)|me quedo con|sobra|sobrando|restou|ficamos com|fico com|leaving|leaves|"
    r"we are left with|only remaining(?: option)?|"
    r"(?:therefore|thus|hence|so|portanto|logo|então|assim|por (?:lo )?tanto|así que),? (?:it is|it's|é|es)?))"
)
WEAK = r"(?:选项|\b(?:alternativa|opção|opcao|opción|opcion|option|choice|alternative|letra|letter|item)\b)"
CUES = [re.compile(rf"(?:{kind}){FILLER}{LETTER}", re.I) for kind in (FINAL, STRONG, WEAK)]
# "B is the correct answer", "a alternativa C, de todas, está correta", but not "A correct answer is", "is correct in that".
CALLED_RIGHT = re.compile(
    rf"(?:^|[.\n:;,]\s*|\b(?:option|alternativa|opção|opción|letra|a|la|the)\s+){LETTER}"
    r"(?!\s+(?:alternativa|opção|opcao|opción|letra|resposta|respuesta|option|choice|answer)\b)\s*(?:[^.\n]{0,60}?\s)??"
    r"(?:(?:is|would be|é|está|esta|es|seria|sería)\s+(?:the |a |o |la |el )?(?:\w+ )?(?:correct|right|best|correc?ta|certa|"
    r"answer|resposta|respuesta|alternativa)\b(?! (?:em|ao|in|that|que)\b)|(?:fits best|best fits)\b|"
    r"(?:é|es)\s+(?:a|la)\s+(?:alternativa|opção|opción|resposta|respuesta)\s+que\s+(?:melhor|mais|mejor|más)\b)",
    re.I,
)
# "a hipótese é a B) asma", where the option's own text follows.
COPULA = re.compile(
    rf"\b(?:is|é|es|seria|sería|would be)\s*:?\s*(?:(?:a|o|la|el|the|option|opção|opción|letra)\s+)?{LETTER}(?=[).:])", re.I
)
# The one letter at a sentence's end in Chinese ("诊断是D：霍乱"), or on a line of its own below "the best next step is:".
ENDS = [
    re.compile(r"(?<!不)(?<!排除的)(?:是|为)\s*([A-J])(?:选项|项)?(?=\s*(?:[。.,，:;；<\n]|$))"),
    re.compile(r"\b(?:is|are|é|es|be|seria|sería)\s*:[^\S\n]*\n\s*[\(\[]?([A-J])[\)\].]?[^\S\n]*(?:\n|$)"),
]
# "So maybe the answer is C, but I'm not sure": a thought on the way, where more follows.
HEDGED = re.compile(r"\b(?:maybe|perhaps|possibly|talvez|quizás?|tal vez)\b", re.I)
# "So, option C says that": told of, not chosen.
TOLD_OF = re.compile(
    r"\s+(?:is saying|says|said|states|mentions|talks|refers|describes|diz|afirma|fala|menciona|dice|habla)\b", re.I
)
# "Final answer: Warfarin", the option's text in the letter's place.
TEXT_CUES = [
    re.compile(rf"{FINAL}\s*:", re.I),
    re.compile(r"\b(?<!final[ _])(?:answer|resposta(?: (?:correta|certa))?|respuesta(?: correcta)?|gabarito)\s*:", re.I),
]
# After that text the line ends, the sentence, or the next heading begins ("EXPLANATION:").
TEXT_ENDS = re.compile(r"[^\w\n]*(?:\n|$)|\s*[.;,]|\s+[A-Z_]{4,}:")
# What may open a line of an answer's own ("So my answer: B") ...
LEADING = re.compile(r"(?:[\W_]|\b(?:the|a|o|la|el|so|therefore|thus|hence|portanto|logo|assim|então|my|minha)\b)*", re.I)
VERDICT = re.compile(r"(?:corre|cert)\w+\W*\n", re.I)  # "... correta.", at whose line's end another option begins
# "Neither A nor B is correct", "A is partially correct".
NOT_WHOLLY = re.compile(r"\b(?:neither|nor|none|nem|nenhuma?|ni|ningun[oa]?|partially|partly|parcialmente|em parte)\b", re.I)
# ... where "Therefore B" is no phrase of its own, but a step of an argument.
THEREFORE = re.compile(r"(?:therefore|thus|hence|so|portanto|logo|então|assim|por (?:lo )?tanto|así que)\b", re.I)
# "B is not", "B, C and D are clearly wrong", "B. Não é"; but not "B. Not ...", an option's text, nor "is not the only option".
DENIED_AFTER = re.compile(
    r"^[\)\]\"'”’]*(?:\.(?!\s*(?:not|não|nao|nunca|never|no|tampoco)\b))?(?:\s*(?:,|and|e|or|ou|nor|nem|y|o|ni)\s*[\(\[]?(?-i:[A-J])[\)\]]?){0,9}"
    r"\s*(?:\b(?:is|are|was|were|can|could|should|must|be|been|está|estão|esta|é|são|foi|foram|seria|parece|pode|podem|deve|devem|"
    r"ser|sido)\b\s*)*"
    rf"(?:\b(?:clearly|claramente|also|também|both|todas|all)\b\s*)?\b{DENIAL}\b(?!\s+(?:options?|answers?|choices?|alternativas?|opç))",
    re.I,
)
# The verdict after the option's own text: "B. Heparin: wrong".
CALLED_WRONG = re.compile(r"[^\w\n]*(?:(?:is|é|está|es)\s+)?(?:incorrect|wrong|false|incorrec?t[ao]|errad[ao]|fals[ao])\b", re.I)
# "not B", "ruled out the option B", "instead of B".
DENIED_BEFORE = re.compile(
    r"(?:\b(?:not|isn't|is not|cannot be|can't be|neither|nor|ruled? out|ruling out|exclud\w+|eliminat\w+|incorrect|wrong|"
    r"não|nao|nunca|no es|tampoco|ni|except|excepto|exceto|salvo|menos|all but|"
    r"incorrec?tas?|erradas?|descart\w+|excluí\w+|excluindo|elimin\w+|nem|over|than|instead of|rather than|unlike|versus|vs\.?|"
    r"em vez d[aeo]|ao invés d[aeo]|e não|no lugar d[aeo]|ao contrário d[aeo]|diferente d[aeo]|do que)"
    r"\s+(?:(?:é|is|are|são|es|son|seria|for|a|as|o|os|la|las|el|the|opción|opciones|option|options|answer|choice|letra|letras|alternativa|alternativas|opção|opções)\s+){0,3})$",
    re.I,
)
# Any word or mark in a line that speaks against its option.
UNTRUE = re.compile(rf"[❌✗]|\b{DENIAL}\b", re.I)
# "is not the right answer", where the phrase is denied before it begins.
NEGATED_CUE = re.compile(
    r"\b(?:not|isn't|is not|cannot be|can't be|não é|nao é|não seria|no es|nunca|wrong|incorrec?ta|errada)\s+(?:\w+\s+){0,2}$",
    re.I,
)
# "If he were stable, the answer would be A": both must be there.
SUPPOSED = re.compile(r"\b(?:if|were|had|se|si|caso|fosse|fuera|tivesse|tuviera|suppose|supondo)\b[^.;!?\n]*$", re.I)
WOULD = re.compile(r"\b(?:would|could|might|seria|poderia|sería|podría)\b", re.I)
# "... because option B delays it": in a reason an option is only mentioned.
REASON = re.compile(
    r"\b(?:because|since|as|while|whereas|although|though|but|porque|pois|já que|uma vez que|enquanto|embora|visto que|mas)\b",
    re.I,
)
# "A and possibly option B".
JOINED = re.compile(
    r"^\s*(?:,|/|&|\+|\b(?:and|or|e|ou|y|o|ó|u)\b)\s*(?:,[\w ]{1,30},\s*)?"
    r"(?:maybe |perhaps |possibly |even |talvez |possivelmente |até )?"
    r"(?:option |alternativa |opción |letra |a |la |the )?[\(\[]*([A-J])(?![\w'’])"
)
# How far back is looked from a letter: for the words before it (seven in 120 characters: "no lugar da" and three more), and for
# the beginning of its sentence. All the way took seconds a row where a model repeats one letter until its tokens end.
WORDS, NEAR, SENTENCE = 7, 120, 500


class Named(NamedTuple):
    """A letter that a phrase names, where it stands, and where the phrase begins."""

    letter: str
    at: int
    begins: int


def words_before(text: str, at: int) -> str:
    """The last words before a place, as many as a pattern that ends there can take in."""
    near = text[max(0, at - NEAR) : at]
    words = near.rsplit(None, WORDS)
    return near[len(words[0]) :] if len(words) > WORDS else near


def sentence_before(text: str, at: int, ends: str = r"[.!?\n]\s") -> str:
    """What stands before a place in its sentence."""
    return re.split(ends, text[max(0, at - SENTENCE) : at])[-1]


def denied(rest: str, option: str) -> bool:
    """Whether the words after a letter deny it, or after its text call it wrong; those of the option ("B. False") do not."""
    own = own_end(rest, option)
    return bool(CALLED_WRONG.match(rest[own:]) if own else DENIED_AFTER.match(rest))


def _is_word(raw: str, rest: str, before: str) -> bool:
    """Whether a letter is the word "a", "e", "o", or the beginning of something else."""
    called = re.match(
        r"\s+(?:é|está|es|is)\s+(?:a |o |la |the )?(?:mais |más |most )?(?:cor|cert|right|ade[cq]ua|apropria|indica)", rest, re.I
    )
    if called and re.search(WEAK + r"\s+$", before, re.I):
        return False
    if raw in "aeioAEO":
        set_off = re.match(r"\s*(?:[\)\].,:;!?\"'”’}✅✔<。]|$|[-–—]\s|\n)", rest)
        reason = r"\s+(?:because|since|as|over|rather|instead|porque|pois|por|em vez|ao invés|\()"
        if not set_off and not (raw.isupper() and (JOINED.match(rest) or re.match(reason, rest))):
            return True
    if raw.islower() and raw in "bcdfghj" and re.match(r"[^\n\S]*\w", rest) and before[-1:] not in ("(", "["):
        return True
    if raw == "I" and re.match(r"\s+[a-z]", rest):  # "Therefore, I cannot"
        return True
    # "A resposta é a": cut off before the answer came, the last word an article.
    return raw in "aeo" and not rest.strip() and bool(re.search(r"\b(?:é|e|is|seria|será|foi|a|resta|restando)\s+$", before))


def _stands(text: str, hit: re.Match, options: dict[str, str]) -> bool:
    """Whether a phrase names its letter: none that denies, supposes, compares or gives a reason."""
    at, end = hit.span(hit.lastindex)
    raw, rest, before, ahead = (
        text[at:end],
        text[end:],
        words_before(text, at),
        words_before(text, hit.start()).rpartition("\n")[2],
    )
    sentence = sentence_before(text, hit.start())
    if raw.upper() not in options or denied(rest, options[raw.upper()]) or _is_word(raw, rest, before):
        return False
    if DENIED_BEFORE.search(ahead) or NEGATED_CUE.search(ahead) or DENIED_BEFORE.search(before):
        return False
    if TOLD_OF.match(rest):
        return False
    if HEDGED.search(sentence) and re.search(r"[.!?]\s+\S[^.!?\n]*\S", rest):
        return False
    if VERDICT.match(hit.group()) or (WOULD.search(hit.group()) and SUPPOSED.search(sentence)):
        return False
    if hit.re is CALLED_RIGHT:
        return not (NOT_WHOLLY.search(sentence + hit.group()) or quoted(text, hit, options))
    if hit.re is COPULA:
        return own_end(text[hit.end() :], options[raw.upper()]) > 0
    return not (hit.re is CUES[-1] and REASON.search(sentence_before(text, hit.start(), r"[.!?;\n]")))


def quoted(text: str, hit: re.Match, options: dict[str, str]) -> bool:
    """Whether what follows a hit's letter are the option's own words ("B) It is the best test"), no verdict on it."""
    said = same(text[hit.end(1) : hit.end()])
    return bool(said) and same(options.get(hit[1].upper(), "")).startswith(said)


def phrases_in(text: str) -> list[list[re.Match]]:
    """Where phrases of each kind stand, the strongest kind first, whether or not they name an answer."""
    return [list(cue.finditer(text)) for cue in CUES]


def named_by(phrases: list[list[re.Match]], text: str, options: dict[str, str]) -> list[list[Named]]:
    """What phrases of each kind name, and what is said in the same way without one of them."""
    final, strong, weak = phrases
    strong = [*strong, *(hit for cue in (CALLED_RIGHT, COPULA, *ENDS) for hit in cue.finditer(text))]
    found = [[one for hit in hits for one in _names(text, hit, options)] for hits in (final, strong, weak)]
    for kind, cue in zip(found, TEXT_CUES, strict=False):
        kind += [one for hit in cue.finditer(text) if (one := _text_after(text, hit, options))]
    return found


def _names(text: str, hit: re.Match, options: dict[str, str]) -> list[Named]:
    """The letter that a phrase names, and the one that is joined to it."""
    if not _stands(text, hit, options):
        return []
    at, end = hit.span(hit.lastindex)
    letter, rest = text[at:end].upper(), text[end:]
    other = joined(rest, options, letter)
    both = [letter, other] if other and not DENIED_AFTER.match(rest) else [letter]
    return [Named(one, at, hit.start()) for one in both]


def _text_after(text: str, cue: re.Match, options: dict[str, str]) -> Named | None:
    """The option whose text follows a cue, and nothing else."""
    rest = text[cue.end() :]
    end, letter = max((own_end(rest, option) if len(same(option)) > 1 else 0, letter) for letter, option in options.items())
    return Named(letter, cue.end(), cue.start()) if end and TEXT_ENDS.match(rest[end:]) else None


def joined(rest: str, options: dict[str, str], letter: str) -> str | None:
    """The letter that stands beside `letter`: "B and C", or "B. its text, D. its text"."""
    more = JOINED.match(rest.lstrip(")]\"'”’. "))
    if not more and (
        more := re.match(r"\W*?(?:,|/|&|\b(?:and|or|e|ou|y|o)\b)\s*[(\[]?([A-Ja-j])(?=[)\],./;]|\s*?(?:\n|$))", rest)
    ):
        return more[1].upper() if more[1].upper() in options and more[1].upper() != letter else None
    if not more and (own := own_end(rest, options[letter])):
        more = JOINED.match(rest[own:])
        more = more if more and re.match(r"[).\]:]", rest[own + more.end() :]) else None
        more = more or re.match(r"[.;]?[^\n\S]*\n[^\n\S]*[(\[]?([A-J])[).\]:](.*)", rest[own:])
        if more and more.lastindex == 2:  # on the next line, and no word on why it is wrong
            option = options.get(more[1], "")
            more = None if UNTRUE.search(more[2]) or not (own_end(more[2], option) or broken_off(more[2], option)) else more
    return more.group(1) if more and more.group(1) in options and more.group(1) != letter else None


def own_lines(named: list[Named], text: str, options: dict[str, str]) -> list[Named]:
    """Those that make up a line, with the option's text at most: "Resposta: B". They outweigh what sentences say before them."""
    heads, lines = [], []
    for one in named:
        start, end = text.rfind("\n", 0, one.begins) + 1, text.find("\n", one.at)
        rest = text[one.at + 1 : end if end > 0 else len(text)]
        if LEADING.fullmatch(text[start : one.begins]) and not THEREFORE.match(text[one.begins :]):
            heads.append(one)
            if re.fullmatch(r"[\W_]*", rest[own_end(rest, options[one.letter]) :]):
                lines.append(one)
    return heads + [one for one in named if one.at > lines[-1].at] if lines else []


def agreed(named: list[Named], text: str) -> str | None:
    """The one letter that phrases of a kind name; of several the one that stands alone on the first line."""
    letters = {one.letter for one in named}
    if len(letters) == 1:
        return letters.pop()
    alone = re.match(r"[\(\[\"'“‘]*([A-Ja-j])[\)\]\"'”’.:]*\s*(?:\n|$)", text)
    return alone[1].upper() if alone and alone[1].upper() in letters else None
