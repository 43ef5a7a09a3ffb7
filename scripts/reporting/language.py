"""The language of a page: sentences by a table (portuguese.py), numbers with its decimal mark.

A sentence's key is its English text with {named} places, so the code reads as what it says. Not gettext: its compiled
catalogues would be files that nobody here can read or edit without a tool. A place may hold the words that go with its number,
for one and for more: {n:row|rows} gives "1 row" and "5 rows", {n:?is|are} the word alone.
"""

import string
from typing import NamedTuple

from reporting.portuguese import PORTUGUESE

LANGUAGES = ("en", "pt-BR")


class Counting(string.Formatter):
    """str.format with the words for one and for more."""

    def format_field(self, value, format_spec: str) -> str:
        one, mark, more = format_spec.removeprefix("?").partition("|")
        if not mark:
            return super().format_field(value, format_spec)
        word = one if str(value) == "1" else more
        return word if format_spec.startswith("?") else f"{value} {word}"


class Language(NamedTuple):
    """`code` is one of LANGUAGES."""

    code: str = "en"

    def __call__(self, sentence: str, **places) -> str:
        """The sentence in this language, its places filled in."""
        return Counting().format(PORTUGUESE.get(sentence, sentence) if self.code == "pt-BR" else sentence, **places)

    def number(self, value: float, form: str = ".1f") -> str:
        """A number by a format of Python's, with this language's decimal mark."""
        return self.mark(format(value, form))

    def mark(self, number: str) -> str:
        """A number's digits, with this language's marks."""
        return number.replace(",", " ").replace(".", ",") if self.code == "pt-BR" else number

    def percent(self, share: float | None) -> str:
        return "" if share is None else f"{self.number(100 * share)} %"

    def interval(self, pair) -> str:
        """Both ends of an interval of shares, in percent; empty for None."""
        return "" if not pair else f"{self.number(100 * pair[0])} {self('to')} {self.number(100 * pair[1])} %"

    def p(self, value: float) -> str:
        return f"p < {self.number(0.0001, '.4f')}" if value < 0.0001 else f"p = {self.number(value, '.4f')}"

    def measured(self, value: float, measure: str, sign: str = "") -> str:
        """A value or difference of a measure: percent or points without their unit, bits per byte with four digits."""
        return self.number(value, f"{sign}.4f") if measure == "bits_per_byte" else self.number(100 * value, f"{sign}.1f")
