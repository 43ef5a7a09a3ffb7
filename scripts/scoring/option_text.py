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


def same(text: str) -> str:
    """Text for comparing: lower case, no accents dropped, runs of anything but letters and digits as one space."""
    return re.sub(r"[\W_]+", " ", text.casefold()).strip()


def by_text(text: str, options: dict[str, str], whole: bool) -> str | None:
    """The one option whose text is all of `text`, or stands in it and in no longer option that stands there too."""
    said = f" {same(text)} "
    there = {key: f" {same(value)} " for key, value in options.items() if same(value)}
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


@functools.lru_cache(64)
def _pattern(option: str) -> re.Pattern:
    """An option's words, whatever stands between them; nothing where it has none."""
    words = r"[\W_]+".join(map(re.escape, same(option).split()))
    return re.compile(rf"[\W_]*{words}(?!\w)" if words else "(?!)", re.I)


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
