"""Phrases that name an option by its letter, and the words around a letter that deny, suppose or compare it."""

import re

from scoring.cues import (
    ASIDE,
    BEST_IN_BRACKETS,
    BEST_IS_TEXT,
    CALLED_FITTING,
    CALLED_RIGHT,
    CONTRAST,
    COPULA,
    CUES,
    ENDS,
    FITTING,
    IS,
    ITEM_OF,
    LEFT,
    MENTION,
    MENTIONED,
    NAMED_LINE,
    NOT,
    RIGHT,
    SUPERLATIVE,
    TEXT_CUES,
    TEXT_ENDS,
    VERDICT,
    WEAK,
)
from scoring.doubts import TOLD_OF, supposed
from scoring.option_text import DENIAL, broken_off, by_text, own_end, same
from scoring.weighing import Named

# "Neither A nor B is correct", "A is partially correct".
NOT_WHOLLY = re.compile(r"\b(?:neither|nor|none|nem|nenhuma?|ni|ningun[oa]?|partially|partly|parcialmente|em parte)\b", re.I)
# "B is not", "B, C and D are clearly wrong", "B. Não é"; but not "B. Not ...", an option's text, nor "is not the only option".
DENIED_AFTER = re.compile(
    r"^[\)\]\"'”’]*(?:\.(?!\s*(?:not|não|nao|nunca|never|no|tampoco)\b))?(?:\s*(?:,|and|e|or|ou|nor|nem|y|o|ni)\s*[\(\[]?(?-i:[A-J])[\)\]]?){0,9}"
    r"\s*(?:\b(?:is|are|was|were|can|could|should|must|be|been|está|estão|esta|é|são|foi|foram|seria|parece|pode|podem|deve|devem|"
    r"ser|sido)\b\s*)*"
    rf"(?:\b(?:clearly|claramente|also|também|both|todas|all)\b\s*)?\b{DENIAL}\b(?!\s+(?:options?|answers?|choices?|alternativas?|opç))",
    re.I,
)
# The verdict after the option's own text: "B. Heparin: wrong".
CALLED_WRONG = re.compile(
    r"[^\w\n]*(?:(?:this|that|it|esta|essa|isto|isso)\s+)?(?:(?:option|answer|alternativa|opção|opción)\s+)?(?:(?:is|é|está|es)\s+)?"
    r"(?:incorrect|wrong|false|incorrec?t[ao]|errad[ao]|fals[ao])\b",
    re.I,
)
# "A: Incorrect. It ...", "B - correct": an item with its verdict.
ITEM_VERDICT = re.compile(
    r"[^\w\n]*(?:(?:in)?correct|wrong|right|false|true|(?:in)?correc?t[ao]|errad[ao]|cert[ao]|fals[ao])\b", re.I
)
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
# "As incorretas são B e C": what is denied of B is denied of C. "Correta só se for A": it names what it would be.
ALREADY = re.compile(r"(?:[\(\[]?\b[A-J]\b[\)\]]?(?:\s*(?:,|/|\b(?:e|and|y|ou|or|nor|nem|ni)\b))+\s*(?:(?:a|o|la|el)\s+)?)+$")
ONLY_IF = re.compile(r"\b(?:apenas|somente|só|only|sólo|solo)\s+(?:se|si|if)\b[^.;:!?\n]*$", re.I)
# "is not the right answer", where the phrase is denied before it begins.
NEGATED_CUE = re.compile(
    r"\b(?:not|isn't|is not|cannot be|can't be|não é|nao é|não seria|no es|nunca|wrong|incorrec?ta|errada)\s+(?:\w+\s+){0,2}$",
    re.I,
)
# "Many students would answer B", "Muitos marcariam a B": somebody else's choice.
OTHERS_CHOOSE = re.compile(
    r"\b(?!I\b|we\b)\w+\s+(?:would|will|might|may|could|often|usually|tend to)\s+(?:\w+ly\s+)?$|"
    r"\b\w+[aei]r(?:iam|ían)\s+(?:(?:a|na|la|em|por|letra|opção|opción|alternativa)\s+)*$",
    re.I,
)
CHOOSES = re.compile(r"(?:answer|choose|select|pick|go with)\b", re.I)
# "A alternativa A está correta? Não": asked, not said.
QUESTIONED = re.compile(r"[^.!?;:\n]{0,200}\?")
# "... because option B delays it": in a reason an option is only mentioned.
REASON = re.compile(
    r"\b(?:because|since|as|while|whereas|although|though|but|porque|pois|já que|uma vez que|enquanto|embora|visto que|mas)\b",
    re.I,
)
# "A and possibly option B".
JOINED = re.compile(
    r"^\s*(?:,|/|&|\+|\b(?:and|or|e|ou|y|o|ó|u|plus|followed by|seguid[ao] (?:de|por)|as well as|bem como|assim como)\b)\s*"
    r"(?:,[\w ]{1,30},\s*)?"
    r"(?:maybe |perhaps |possibly |even |talvez |possivelmente |até )?"
    r"(?:option |alternativa |opción |letra |a |la |the )?[\(\[]*([A-J])(?![\w'’])"
)
BUT = re.compile(r"\b(?:but|although|though|however|mas|porém|embora|contudo|pero|aunque)\b", re.I)
# "(option B)".
BRACKETED = re.compile(rf"\((?:{WEAK}|answer)\s+[\"'“‘]?([A-J])[\"'”’]?[),:]", re.I)
# "Option A tells of the one, and option B of the other".
TOLD_BEFORE = re.compile(rf"{WEAK}\s+[(\[]?(?-i:[A-J])[)\]]?{TOLD_OF.pattern}", re.I)
# "The options are A to D", "de A a E", "A–D": a range is no choice.
RANGE_BEGINS = re.compile(r"(?<![\w'’-])([A-J])(?:[)\]]?\s+(?:to|through|até|a|à)\s+(?:a |la )?|[–-])[(\[]?$")
RANGE_GOES_ON = re.compile(r"[)\]]?(?:\s+(?:to|through|até|a|à)\s+(?:a |la )?|[–-])[(\[]?([A-J])(?![\w'’-])")
# How far back is looked from a letter: for the words before it (seven in 120 characters: "no lugar da" and three more), and for
# the beginning of its sentence. All the way took seconds a row where a model repeats one letter until its tokens end.
WORDS, NEAR, SENTENCE = 7, 120, 500


def words_before(text: str, at: int) -> str:
    """The last words before a place, as many as a pattern that ends there can take in."""
    near = text[max(0, at - NEAR) : at]
    words = near.rsplit(None, WORDS)
    return near[len(words[0]) :] if len(words) > WORDS else near


def sentence_before(text: str, at: int, ends: str = r"[.!?\n]\s") -> str:
    """What stands before a place in its sentence."""
    return re.split(ends, text[max(0, at - SENTENCE) : at])[-1]


def ranged(before: str, letter: str, rest: str) -> bool:
    """Whether a letter is one end of a range."""
    first, last = RANGE_BEGINS.search(before), RANGE_GOES_ON.match(rest)
    return bool((first and first[1] < letter.upper()) or (last and letter.upper() < last[1]))


def denied_before(before: str) -> bool:
    """Whether the words before a letter deny it, or those before the letters that it is joined to."""
    return bool(DENIED_BEFORE.search(before) or DENIED_BEFORE.search(ALREADY.sub("", before)))


def denied(rest: str, option: str) -> bool:
    """Whether the words after a letter deny it, or after its text call it wrong; those of the option ("B. False") do not."""
    own = own_end(rest, option)
    return bool(CALLED_WRONG.match(rest[own:]) if own else DENIED_AFTER.match(rest))


def _is_word(raw: str, rest: str, before: str) -> bool:
    """Whether a letter is the word "a", "e", "o", or the beginning of something else."""
    called = re.match(
        rf"(?:\s*\([^()\n]{{0,120}}\))?\s+{IS}\s+(?:a |o |la |the )?"
        rf"(?:(?:mais |más |most )?(?:cor|cert|right|{FITTING})|(?:que|that|which) (?:melhor|mais|mejor|más|best))",
        rest,
        re.I,
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
    if raw in "ao" and re.match(r"\s*:?\s*\n?[^\w\n]*[A-Ja-j][).]", rest):  # "é a:", and the option below it
        return True
    return raw in "aeo" and not rest.strip() and bool(re.search(r"\b(?:é|e|is|seria|será|foi|a|resta|restando)\s+$", before))


def _stands(text: str, hit: re.Match, options: dict[str, str]) -> bool:
    """Whether a phrase names its letter: none that denies, supposes, compares or gives a reason."""
    at, end = hit.span(1)
    raw, rest, before, ahead = (
        text[at:end],
        text[end:],
        words_before(text, at),
        words_before(text, hit.start()).rpartition("\n")[2],
    )
    sentence = sentence_before(text, hit.start())
    if raw.upper() not in options or denied(rest, options[raw.upper()]) or _is_word(raw, rest, before):
        return False
    if ranged(before, raw, rest) or (raw.islower() and any(f"{raw})" in option for option in options.values())):
        return False  # "(a) 1 %, (b) 5 %": the options' own parts
    if DENIED_BEFORE.search(ahead) or NEGATED_CUE.search(ahead) or denied_before(before) or ONLY_IF.search(sentence):
        return False
    if (CHOOSES.match(hit.group()) and OTHERS_CHOOSE.search(ahead)) or OTHERS_CHOOSE.search(before):
        return False
    if QUESTIONED.match(rest[own_end(rest, options[raw.upper()]) :]):
        return False
    if (
        TOLD_OF.match(rest)
        or VERDICT.match(hit.group())
        or supposed(hit.group(), sentence, rest, text[: hit.start()][-SENTENCE:])
    ):
        return False
    if hit.re is SUPERLATIVE and re.match(r"\.\s?[^\W\dA-Z_]", rest):  # "the likeliest agent is E. coli"
        return own_end(rest, options[raw.upper()]) > 0
    if hit.re in (BEST_IN_BRACKETS, NAMED_LINE, CALLED_FITTING, CALLED_RIGHT):
        return _praised(text, hit, options)
    if hit.re is COPULA:
        return own_end(text[hit.end() :], options[raw.upper()]) > 0 or (
            ":" in hit.group() and broken_off(rest, options[raw.upper()])
        )
    if _heads_list(hit, rest):
        return False
    said = sentence_before(text, hit.start(), r"[.!?;\n]")
    if hit.re is CUES[-1] and text[hit.start() - 1 : hit.start()] == "(" and NOT.search(re.split(r"[,:]\s", said)[-1]):
        return False  # "is not the germ of milk (option B)"
    if hit.re is CUES[-1] and BUT.search(re.split(r"[.!?;]\s|\n", rest[:SENTENCE])[0]):
        return False  # "Option B is tempting, but ..."
    return not (hit.re is CUES[-1] and (REASON.search(said) or TOLD_BEFORE.search(said)))


def _praised(text: str, hit: re.Match, options: dict[str, str]) -> bool:
    """Whether a phrase that calls an option right, or a line that is one, says so of it and of no other, without a "but"."""
    raw, end = hit[1], hit.end(1)
    rest = text[end:]
    if hit.re is BEST_IN_BRACKETS:
        others = BRACKETED.findall(re.split(r"[.!?;]\s|\n", rest)[0])  # "gas (option A) or liquid (option B)"
        return not (
            NOT.search(hit.group()) or CONTRAST.search(hit.group()) or {other.upper() for other in others} - {raw.upper()}
        )
    if hit.re is NAMED_LINE:
        line = rest.partition("\n")[0]
        return not re.search(r"\w", line[own_end(line, options[raw.upper()]) :])
    if hit.re is CALLED_FITTING:
        own = own_end(rest, options[raw.upper()])
        goes_on = re.split(r"[.!?]\s|\n", text[hit.end() :])[0]
        if BUT.search(goes_on) and NOT.search(goes_on):  # "is the most accurate test, but not for her"
            return False
        after = text[end + own : hit.end("between")].strip(" .,\"”'’)")
        return bool(ASIDE.fullmatch(hit["between"])) or (own > 0 and not after)
    said = sentence_before(text, hit.start()) + hit.group()
    return not (NOT.search(text[end : hit.end()]) or NOT_WHOLLY.search(said) or quoted(text, hit, options))


def _heads_list(hit: re.Match, rest: str) -> bool:
    """Whether the letter begins a list on the lines below its phrase: "Let us see each option:", "A) ...", "B) ...".

    As an answer may have such a list below it, a stronger phrase heads one only where each item has its noun ("Conclusion:",
    "- Option A: no", "- Option B: fits") or the first its verdict ("to find the correct answer:", "- A: incorrect. ...").
    """
    noun = re.search(r"\n[^\w\n]*(option|alternativa|opção|opción|letra)\s[^\n]*$", hit.group(), re.I)
    if "\n" not in hit.group() or not (noun or hit.re is CUES[-1] or ITEM_VERDICT.match(rest)):
        return False
    items = re.findall(rf"(?i)\n[^\w\n]*{noun[1] if noun else ''}[\s(]*([A-J])[).:(\s]", rest)
    return any(item.upper() == chr(ord(hit[1].upper()) + 1) for item in items)


def quoted(text: str, hit: re.Match, options: dict[str, str]) -> bool:
    """Whether what follows a hit's letter are the option's own words ("B) It is the best test"), no verdict on it."""
    said = same(text[hit.end(1) : hit.end()])
    return bool(said) and same(options.get(hit[1].upper(), "")).startswith(said)


def phrases_in(text: str) -> list[list[re.Match]]:
    """Where phrases of each kind stand, the strongest kind first, whether or not they name an answer."""
    final, strong, weak = (list(cue.finditer(text)) for cue in CUES)
    only = [hit for hit in strong if MENTION.fullmatch(hit.group()) and MENTIONED.search(words_before(text, hit.start()))]
    items = [hit for hit in strong if ITEM_OF.fullmatch(hit.group()) and re.match(r"[^\S\n]*(?:[:–—-]\s*)?\w", text[hit.end() :])]
    items = [hit for hit in items if re.search(r"(?:^|\n)\W*$", text[max(0, hit.start() - NEAR) : hit.start()])]
    only += items if len({hit[1].upper() for hit in items}) > 1 else []  # "Answer A: no.\nAnswer B: no."
    return [final, [hit for hit in strong if hit not in only], weak + only]


def named_by(phrases: list[list[re.Match]], text: str, options: dict[str, str]) -> list[list[Named]]:
    """What phrases of each kind name, and what is said in the same way without one of them."""
    final, strong, weak = phrases
    strong = [*strong, *(hit for cue in (*RIGHT, COPULA, *ENDS) for hit in cue.finditer(text))]
    found = [[one for hit in hits for one in _names(text, hit, options)] for hits in (final, strong, weak)]
    for kind, cue in zip(found, TEXT_CUES, strict=False):
        kind += [one for hit in cue.finditer(text) if (one := _text_after(text, hit, options))]
    return found


def named_texts(text: str, options: dict[str, str]) -> list[Named]:
    """The options whose texts are named as the best or likeliest ("the most likely diagnosis is scabies (B)")."""
    named = [_text_after(text, hit, options) for hit in BEST_IS_TEXT.finditer(text)]
    return [one for one in named if one and _alone(one, text, options)]


def _alone(one: Named, text: str, options: dict[str, str]) -> bool:
    """Whether a phrase that names an option's text denies and supposes nothing, and no other's text follows in its sentence."""
    cue, rest = text[one.begins : one.at], re.split(r"[.!?;]\s|\n", text[one.at :])[0]
    if NOT.search(cue) or supposed(cue, sentence_before(text, one.begins), rest, text[: one.begins][-SENTENCE:]):
        return False
    others = [option for option in options.values() if same(option) not in same(options[one.letter])]
    return not any(by_text(rest, {"": option}, False) is not None for option in others)


def _names(text: str, hit: re.Match, options: dict[str, str]) -> list[Named]:
    """The letter that a phrase names, and the one that is joined to it."""
    if not _stands(text, hit, options):
        return []
    at, end = hit.span(1)
    letter, rest = text[at:end].upper(), text[end:]
    other = joined(rest, options, letter)
    if other and LEFT.match(hit.group()):  # "that leaves B and C": a step on the way
        return []
    both = [letter, other] if other and not DENIED_AFTER.match(rest) else [letter]
    return [Named(one, at, hit.start()) for one in both]


def _text_after(text: str, cue: re.Match, options: dict[str, str]) -> Named | None:
    """The option whose text follows a cue, and nothing else."""
    rest = text[cue.end() :]
    end, letter = max((own_end(rest, option) if len(same(option)) > 1 else 0, letter) for letter, option in options.items())
    return Named(letter, cue.end(), cue.start()) if end and TEXT_ENDS.match(rest[end:]) else None


def joined(rest: str, options: dict[str, str], letter: str) -> str | None:
    """The letter that stands beside `letter`: "B and C", or "B. its text, D. its text", on one line or on two."""
    rest = re.sub(rf"^[)\].:\s–—-]+{letter}(?=[).:]\s)", "", rest)  # "(B) - B. its text"
    more = JOINED.match(rest.lstrip(")]\"'”’. "))
    if not more and (
        more := re.match(r"\W*?(?:,|/|&|\b(?:and|or|e|ou|y|o)\b)\s*[(\[]?([A-Ja-j])(?=[)\],./;]|\s*?(?:\n|$))", rest)
    ):
        return more[1].upper() if more[1].upper() in options and more[1].upper() != letter else None
    if not more and not same(options[letter]):  # texts unknown: "(A) the rate falls and (C) it stays"
        more = re.match(r"[)\]]\s(?P<said>[^.;!?\n]{0,80}?)\s(?:and|e|y)\s[(\[]([A-J])[)\]]", rest)
        more = more if more and not REASON.search(more["said"]) else None
        return more[2] if more and more[2] in options and more[2] != letter else None
    if not more and (own := own_end(rest, options[letter])):
        more = JOINED.match(rest[own:])
        more = more if more and re.match(r"[).\]:]", rest[own + more.end() :]) else None
        more = more or re.match(r"[.;]?[^\n\S]*\n[^\n\S]*[(\[]?([A-J])[).\]:](.*)", rest[own:]) or _next_item(rest[own:], options)
        if more and more.lastindex == 2:  # on the next line, and no word on why it is wrong
            option = options.get(more[1], "")
            more = None if UNTRUE.search(more[2]) or not (own_end(more[2], option) or broken_off(more[2], option)) else more
    return more.group(1) if more and more.group(1) in options and more.group(1) != letter else None


def _next_item(rest: str, options: dict[str, str]) -> re.Match | None:
    """The next of the options on the same line, if no more than its own text follows it: "A. its text. B. its text. C. ..."."""
    more = re.match(r"[.;,]?[^\n\S]+[(\[]?([A-J])[).\]:]+(?:[\s–—-]*\1[).:])?", rest)
    own = own_end(rest[more.end() :], options.get(more[1], "")) if more else 0
    return more if own and re.match(r"[.;,]?\s*(?:$|[(\[]*[A-J][).\]:])", rest[more.end() + own :]) else None
