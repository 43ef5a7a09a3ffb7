"""What a page is made of. Every page is a list of these blocks; page.html.jinja and page.md.jinja draw them."""

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple


@dataclass
class Heading:
    kind: ClassVar[str] = "heading"
    text: str
    level: int = 2


@dataclass
class Text:
    kind: ClassVar[str] = "text"
    text: str
    tone: str = ""
    """"" plain, soft, good, warn or bad"""


@dataclass
class Bullets:
    kind: ClassVar[str] = "bullets"
    items: list[str]


@dataclass
class Table:
    """Rows become cards on a narrow screen. A cell is text; `numeric` says which columns are set to the right."""

    kind: ClassVar[str] = "table"
    head: list[str]
    rows: list[list[str]]
    tones: list[str] = field(default_factory=list)
    """a tone for each row, none where the list is empty"""

    def tone(self, row: int) -> str:
        return self.tones[row] if row < len(self.tones) else ""


class Mark(NamedTuple):
    """A line across a chart: chance, or no difference."""

    name: str
    at: float


class Dot(NamedTuple):
    """A value with its interval, in the chart's unit; `label` is its text."""

    name: str
    value: float
    low: float
    high: float
    label: str


@dataclass
class Chart:
    """Dots with intervals over one axis from `low` to `high`. Drawn by CSS: text keeps its size on a phone."""

    kind: ClassVar[str] = "chart"
    title: str
    dots: list[Dot]
    marks: list[Mark]
    low: float
    high: float

    def place(self, value: float) -> str:
        """Where a value stands, in percent of the axis."""
        share = (value - self.low) / ((self.high - self.low) or 1)
        return f"{100 * min(1.0, max(0.0, share)):.2f}"

    def width(self, dot: Dot) -> str:
        return f"{float(self.place(dot.high)) - float(self.place(dot.low)):.2f}"


@dataclass
class Curve:
    """A line over steps, with dots beside it: a training's loss."""

    kind: ClassVar[str] = "curve"
    title: str
    line: list[tuple[int, float]]
    dots: list[tuple[int, float]]
    first: str
    last: str

    @property
    def top(self) -> float:
        return max([value for _, value in self.line + self.dots] + [1e-9])

    def place(self, step: int, value: float) -> str:
        """A point of an SVG of 640 by 200 units, as "x,y"."""
        steps = max(s for s, _ in self.line)
        return f"{50 + 580 * (step - 1) / max(steps - 1, 1):.1f},{170 - 155 * max(value, 0) / self.top:.1f}"


class Part(NamedTuple):
    """A named text inside Details."""

    name: str
    text: str


@dataclass
class Details:
    """Closed until it is opened: a question whole, with what each model answered."""

    kind: ClassVar[str] = "details"
    summary: str
    parts: list[Part]
    tone: str = ""
    whole: bool = False
    """in Markdown too, which has nothing to open, so that many of them would bury the page"""


@dataclass
class Link:
    """To another page of this run; `path` is relative to this one."""

    kind: ClassVar[str] = "link"
    text: str
    path: str


@dataclass
class Pre:
    kind: ClassVar[str] = "pre"
    text: str


@dataclass
class Page:
    """A whole page. `tone` colours its first sentences: good, warn or bad."""

    title: str
    first: str
    """the sentence that answers the reader's question"""
    verdict: list[str]
    tone: str
    blocks: list
    footer: str
    date: str = ""
