"""Where an option's own text stands in an answer: as all of it, at the beginning, or anywhere."""

import functools
import re

# What denies an option, of whatever kind the phrase is; in Spanish a bare "no" is also the Portuguese "in the".
DENIAL = (
    r"(?:not|never|incorrect|wrong|false|ruled out|contraindicated|excluded|eliminated|incorrec?t[ao]s?|errad[ao]s?|fals[ao]s?|"
    r"não|nao|no(?= (?:es|son|está|puede|debe|sería)\b)|tampoco|descartad[ao]s?|excluíd[ao]s?|contraindicad[ao]s?|eliminad[ao]s?)"
)
# What denies the option's text that follows.
NOT_TEXT = re.compile(r"\b(?:not|never|não|nao|nunca|nem|except|exceto|excepto|salvo)(?: (?:a|an|the|o|la|el))?$")

# What makes a number before or after it another one: "2.5 mg" is not "5 mg", nor are "2-5 mg", "2 to 5 mg", "-5 mg" and ">5 mg".
PART_BEFORE = re.compile(r"\d(?:[.,/:·]|\s?[–—−-]\s?|\s+(?:to|and|or|a|e|ou|y|o|até|hasta)\s+)$|(?:^|[\s(=:])[−-]$", re.I)
PART_AFTER = re.compile(r"(?:[.,/:·](?=\d)|\s?[–—−-]\s?(?=\d)|\s+(?:to|a|até|hasta)\s+(?=\d))", re.I)
SIGN = re.compile(r"(<=|>=|[<>≤≥±])\s*=?\s*$")
SIGNS = {"<=": "≤", ">=": "≥"}
# What may stand between two digits; any of one line is as good as another: "1,5" and "1.5", "1, 2" and "1,2".
ALIKE = (".,·;", "–—−-", "/:")


def same(text: str) -> str:
    """Text for comparing: lower case, no accents dropped, runs of anything but letters and digits as one space."""
    return re.sub(r"[\W_]+", " ", text.casefold()).strip()


def by_text(text: str, options: dict[str, str], whole: bool) -> str | None:
    """The one option whose text is all of `text`, or stands in it and in no longer option that stands there too."""
    said = f" {same(text)} "
    there = {key: f" {same(value)} " for key, value in options.items() if same(value)}
    if whole:
        found = [key for key, value in there.items() if value == said and not other_number(text, options[key])]
    else:
        hit = {key: value for key, value in there.items() if value in said and not other_number(text, options[key])}
        found = [key for key, value in hit.items() if not any(value in other and value != other for other in hit.values())]
        around = {key: said.partition(there[key]) for key in found}
        found = [
            key
            for key, (before, _, after) in around.items()
            if not (re.match(rf"(?:is|are|é|são|está|es)?\s*{DENIAL}\b", after) or NOT_TEXT.search(before))
        ]
    return found[0] if len(found) == 1 else None


def other_number(text: str, option: str) -> bool:
    """Whether the option's words, wherever they stand in a text, are a part of another number, or have another sign."""
    if not re.search(r"\d", option):
        return False
    own, found = _sign(option[: re.search(r"\w", option).start()]), False
    for hit in _words(option).finditer(text):
        before, said, after = text[max(0, hit.start() - 20) : hit.start()], hit.group(), text[hit.end() : hit.end() + 20]
        found = (
            (option[:1] not in "-−" and PART_BEFORE.search(before))
            or _sign(before) not in ("", own)
            or PART_AFTER.match(after)
            or any(a and b and a != b for a, b in zip(_joints(said), _joints(option), strict=False))
        )
        if not found:
            return False
    return bool(found)


def _sign(before: str) -> str:
    """The sign of comparison that a text ends with."""
    hit = SIGN.search(before)
    return SIGNS.get(hit[1], hit[1]) if hit else ""


def _joints(text: str) -> list[str]:
    """What stands between digits of a text, place by place; empty for what is none of ALIKE."""
    found = [re.sub(r"[\s\w]", "", gap) for gap in re.findall(r"(?<=\d)[\W_]+(?=\d)", text)]
    return [next((kind for kind in ALIKE if gap and gap in kind), "") for gap in found]


@functools.lru_cache(64)
def _words(option: str) -> re.Pattern:
    """An option's words, whatever stands between them, anywhere in a text."""
    return re.compile(r"(?<!\w)" + r"[\W_]+".join(map(re.escape, same(option).split())) + r"(?!\w)", re.I)


@functools.lru_cache(64)
def _pattern(option: str) -> re.Pattern:
    """An option's words, whatever stands between them; nothing where it has none."""
    words = r"[\W_]+".join(map(re.escape, same(option).split()))
    ends = r"(?!\w|[.,/:]\d)" if words[-1:].isdigit() else r"(?!\w)"  # "10.5" does not begin with 10
    return re.compile(rf"[\W_]*{words}{ends}" if words else "(?!)", re.I)


def own_end(rest: str, option: str) -> int:
    """Where an option's own text ends if it begins `rest`, else 0."""
    hit = _pattern(option).match(rest)
    return hit.end() if hit else 0


def broken_off(after: str, option: str) -> bool:
    """Whether the text breaks off within an option's text: "The options are A. Adipo"."""
    # 20: the marks between letter and text
    begun, option = after[: len(option) + 20].strip(" )].:").casefold(), option.rstrip(" .").casefold()
    return after[-1:].isalnum() and begun != option and bool(begun) and option.startswith(begun)


def part(raw: str, rest: str, option: str) -> bool:
    """Whether a small letter numbers a part of the task ("(a) The mass is"), as the option's own text does not follow."""
    return raw.islower() and bool(re.match(r"\)[^\n\S]*\w", rest) and same(option)) and not own_end(rest, option)
