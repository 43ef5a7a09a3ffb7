"""Options that are sets of numbered statements ("Apenas I e II"): which set a text calls right, whatever words surround it."""

import re

ROMAN = r"(?-i:[IVX]+)"
NOUN = r"(?:afirmativas?|assertivas?|afirmações|afirmação|proposições|itens|item|statements?|afirmaciones|afirmación|enunciados?)"
ONLY = r"(?:apenas|somente|só|unicamente|only|solo|sólo|solamente)"
IS = r"(?:está|estão|são|é|is|are|es|son|están)"
TRUE = r"(?:correc?t[ao]s?|cert[ao]s?|verdadeir[ao]s?|verdader[ao]s?|correct|true|right)"
SET = re.compile(
    r"(?:(?:portanto|logo|assim|então|por lo tanto|therefore|so|thus)\b[,:]?\s*)?"
    rf"(?:{ONLY}\s+)?(?:(?:as?|os?|las?|los?|the)\s+)?(?:{NOUN}\s+)?"
    rf"(?P<set>{ROMAN}(?:\s*(?:,|\be\b|\by\b|\band\b|&)\s*{ROMAN})*)(?:,?\s+{ONLY})?(?:\s+{IS}(?:\s+{ONLY})?\s+{TRUE})?[\s.]*",
    re.I,
)


def _set(text: str) -> frozenset[str] | None:
    hit = SET.fullmatch(text.strip())
    return frozenset(re.findall(r"[IVX]+", hit["set"])) if hit else None


def by_statements(sentences: list[str], options: dict[str, str]) -> str | None:
    """The option whose statements are those that the first or else the last sentence names, and no others."""
    sets = {key: found for key, option in options.items() if (found := _set(option))}
    if len(sets) < 2 or len(set(sets.values())) < len(sets):
        return None
    said = next((found for at in (0, -1) if (found := _set(sentences[at]))), None)
    return next((key for key, own in sets.items() if own == said), None)
