"""The lines to paste: a reading as YAML, with what is missing to be filled in."""

from data_prep.shapes.reading import Reading, to_paste, yaml_line
from data_prep.shapes.rules import RULE_OF, STORED


def pasted(reading: Reading, ignore: list[str] = (), further: dict[str, str] | None = None) -> str:
    """The lines that make a reading the user's wish; `further`: fields beside those that its shape needs."""
    needs = STORED.get(reading.shape, tuple(n[0] for n in RULE_OF[reading.shape].needs))
    more = ("options", "answer") if reading.shape == "mcq" and reading.base != "apart" else ("answer",) if reading.base else ()
    fields = {
        n: reading.fields.get(n, "YOUR_FIELD") for n in (*needs, *more) if n in reading.fields or n not in ("options", "answer")
    }
    lines = [yaml_line("shape", reading.shape), yaml_line("fields", fields | (further or {}))]
    lines += [yaml_line(name, value) for name in ("explode", "pairs") if (value := getattr(reading, name))]
    if ignore:
        lines.append(yaml_line("ignore", ignore))
    return to_paste(*lines)
