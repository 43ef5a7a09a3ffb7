"""A table of scores: ours with intervals, what others have published beside them, and how each was asked."""

from dataclasses import asdict, dataclass
from pathlib import Path

from common.errors import UserError
from common.files import write_json, write_text
from reporting.language import Language
from reporting.pages import cell
from scoring import scores
from scoring.measures import wilson

from data_prep.common.once import load_yaml

LONGEST = 40  # characters of a model's name that the table shows, the last ones


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


@dataclass
class Published:
    """A figure from elsewhere."""

    accuracy: float
    """a share, 0 to 1"""
    n: int | None
    source: str
    folder: str = ""
    """name of the evaluation it stands beside"""
    benchmark: str = ""
    """or of the benchmark"""
    model: str = ""

    @property
    def interval(self) -> list[float] | None:
        """Wilson's 95 % interval, where it is known of how many rows."""
        return wilson(round(self.accuracy * self.n), self.n) if self.n else None


@dataclass
class Row:
    """One evaluation."""

    name: str
    model: str
    protocol: str
    """with examples, orders of the options, and drawn answers where there were any"""
    n: int
    n_correct: int
    n_invalid: int
    accuracy: float
    low: float
    high: float
    chance: float | None
    published: list[Published]
    n_cases: int | None = None
    """where rows share a case: the interval counts rows all the same"""
    data_sha256: str | None = None
    rows_sha256: str | None = None
    """of the rows that were asked, which may be a part of the data"""


def read_published(path: str | Path) -> list[Published]:
    """Figures of a YAML file, accuracies there in per cent. Raises UserError that names the entry."""
    import yaml

    try:
        raw = load_yaml(Path(path).read_text(encoding="utf-8")) or []
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    found, problems = [], []
    for number, entry in enumerate(raw if isinstance(raw, list) else [None], 1):
        wrong = entry_problem(entry)
        problems += [f"{path}: entry {number}{wrong}"] if wrong else []
        if not wrong:
            found.append(Published(**(entry | {"accuracy": entry["accuracy"] / 100, "n": entry.get("n")})))
    if problems:
        raise UserError(problems)
    return found


def entry_problem(entry) -> str:
    """What is wrong with one published figure, to follow its number; empty where nothing is."""
    known = {"folder", "benchmark", "accuracy", "n", "source", "model"}
    if not isinstance(entry, dict) or not {"accuracy", "source"} <= set(entry) <= known:
        return " needs accuracy and source, may have folder, benchmark, n and model"
    share, n = entry["accuracy"], entry.get("n")
    if type(share) not in (int, float) or not 0 <= share <= 100:
        return f": accuracy {share!r} is no percentage"
    if 0 < share < 1:
        return f": accuracy {share} would be {share} %; write {100 * share:g} if the share is meant"
    if n is not None and (type(n) is not int or n < 1):
        return f": n {n!r} is no number of rows"
    wrong = [key for key in ("folder", "benchmark", "source", "model") if key in entry and not isinstance(entry[key], str)]
    return f": {' and '.join(wrong)} must be text" if wrong else ""


def row_of(folder: Path, name: str, published: list[Published], benchmark: str = "") -> Row:
    """The row of an evaluation's folder, with the figures that name it or its benchmark."""
    m = scores.read(folder)
    if m.accuracy is None:
        raise UserError(f"{folder}: task {m.task} has no accuracy, so it has no place in this table")
    low, high = m.accuracy_ci95
    beside = [p for p in published if (p.folder and p.folder == folder.name) or (p.benchmark and p.benchmark == benchmark)]
    counts, of_rows = (m.n, m.n_correct, m.n_invalid), (m.data_sha256, m.rows_sha256)
    return Row(name, str(m.model), asked(m), *counts, m.accuracy, low, high, m.chance, beside, m.n_cases, *of_rows)


def asked(metrics: scores.Metrics) -> str:
    """How the rows were asked: the protocol, and what of it is not as usual."""
    shots, orders, drawn = metrics.shots, metrics.permutations, metrics.num_samples
    parts = [str(metrics.protocol)]
    parts += [f"{shots} example{'s' * (shots > 1)}"] if shots else []
    parts += [f"{orders} orders"] if orders > 1 else []
    parts += [f"most of {drawn} answers"] if drawn > 1 else []
    return ", ".join(parts)


def beside(row: Row) -> str:
    """The published figures of a row in words."""
    return "; ".join(
        f"{p.model + ' ' if p.model else ''}{percent(p.accuracy)}"
        + (f" ({percent(p.interval[0])} to {percent(p.interval[1])} of {p.n})" if p.interval else "")
        for p in row.published
    )


def lines_of(rows: list[Row]) -> list[list[str]]:
    head = ["evaluation", "model", "protocol", "right", "accuracy", "95 % interval", "chance", "not read", "published"]
    return [
        head,
        *(
            [
                row.name,
                row.model if len(row.model) <= LONGEST else f"…{row.model[1 - LONGEST :]}",
                row.protocol,
                f"{row.n_correct} of {row.n}",
                percent(row.accuracy),
                f"{percent(row.low)} to {percent(row.high)}",
                percent(row.chance) if row.chance is not None else "",
                str(row.n_invalid),
                beside(row),
            ]
            for row in rows
        ),
    ]


def write(title: str, rows: list[Row], output_dir: Path, notes: list[str] = ()) -> None:
    """Print the table and write scores.md and scores.json; `notes` are lines below it."""
    table = lines_of(rows)
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    for line in table:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    sources = sorted({p.source for row in rows for p in row.published})
    said = [*notes, *(["Published figures are of other rows, prompts or readings unless told otherwise."] if sources else [])]
    cased = [f"{row.name} ({Language()('{n:case|cases}', n=row.n_cases)})" for row in rows if row.n_cases]
    said += (
        [f"Intervals count rows; where rows share a case they are too narrow: {', '.join(dict.fromkeys(cased))}."]
        if cased
        else []
    )
    print("\n".join(said))
    body = ["| " + " | ".join(map(cell, line)) + " |" for line in table]
    body.insert(1, "|" + "---|" * len(table[0]))
    text = [f"# {cell(title)}", "", *body, "", *map(cell, said), *(f"- {cell(source)}" for source in sources)]
    write_text(output_dir / "scores.md", "\n".join(text).rstrip() + "\n")
    write_json(output_dir / "scores.json", {"title": title, "rows": [asdict(row) for row in rows], "notes": list(notes)})
