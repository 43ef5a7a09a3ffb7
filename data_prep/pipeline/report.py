"""report.html: what came in, what went out and why, on one self-contained page. All content is escaped."""

import collections
import dataclasses
import difflib
import json
import re
from html import escape
from pathlib import Path

from data_prep.cleaning.split import SPLITS
from data_prep.common.files import write_text
from data_prep.words.language import language_of

STYLE = """
:root{--ink:#1c2430;--soft:#5b6675;--line:#dde3ea;--bar:#2f6f8f;--bad:#b3472f;--paper:#fff;--back:#f4f6f8}
@media(prefers-color-scheme:dark){:root{--ink:#e6ebf1;--soft:#9aa7b6;--line:#2c3642;--bar:#5aa5c8;--bad:#e0795f;--paper:#161c24;--back:#0f141a}}
*{box-sizing:border-box}body{margin:0;background:var(--back);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:60rem;margin:0 auto;padding:1.2rem}h1{font-size:1.5rem;margin:.3rem 0}h2{font-size:1.1rem;margin:0 0 .6rem}
section{background:var(--paper);border:1px solid var(--line);border-radius:.5rem;padding:1rem;margin:1rem 0;overflow-x:auto}
.row{display:grid;grid-template-columns:minmax(7rem,13rem) 1fr 7.5rem;gap:.6rem;align-items:center;margin:.15rem 0}
.row b{font-weight:500;overflow-wrap:anywhere}.track{height:.9rem}.fill{display:block;height:100%;background:var(--bar);border-radius:2px;min-width:1px}
.bad .fill{background:var(--bad)}.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}p,.soft{color:var(--soft);margin:.2rem 0 .6rem;overflow-wrap:anywhere}mark{background:#f5d7a1;color:#1c2430;border-radius:2px}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--back);padding:.6rem;border-radius:.3rem;font-size:.82rem;margin:.3rem 0}
svg{width:100%;height:auto;display:block}svg text{font-size:13px}.k{white-space:nowrap}table{border-collapse:collapse;width:100%;font-size:.9rem}
td,th{padding:.3rem .5rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top;overflow-wrap:anywhere}
@media(max-width:34rem){main{padding:.6rem}.row{grid-template-columns:6.5rem 1fr 6.3rem;font-size:.85rem}svg text{font-size:25px}td,th{padding:.25rem}}
"""


LOOKED_AT = 500  # rows whose language is told
TEXTS = ("question", "text", "prompt", "answer", "chosen", "completion")


def languages(files: list[Path]) -> dict[str, int]:
    """How many rows of the first LOOKED_AT of each file are in which language (rows stand in the order of a hash)."""
    found = collections.Counter()
    for path in files:
        with open(path, encoding="utf-8") as lines:
            for line, _ in zip(lines, range(LOOKED_AT), strict=False):
                row = json.loads(line)
                texts = [turn["value"] for turn in row.get("conversations", [])]
                texts += [row[k] for k in TEXTS if isinstance(row.get(k), str)]
                found[language_of([" ".join(texts)])] += 1
    return dict(found.most_common())


def share(part: int, total: int) -> str:
    percent = 100 * part / total if total else 0
    return "" if not total or part == total else f" · {percent:.0f} %" if percent >= 1 or not part else " · <1 %"


def marked(text: str, other: str) -> str:
    """A text, escaped, with the words that the other one has not marked."""
    mine, theirs = re.findall(r"\s+|[^\s]+", text), re.findall(r"\s+|[^\s]+", other)
    found = difflib.SequenceMatcher(None, mine, theirs, autojunk=False)
    return "".join(
        escape("".join(mine[a:b])) if what == "equal" else f"<mark>{escape(''.join(mine[a:b]))}</mark>"
        for what, a, b, _, _ in found.get_opcodes()
        if a < b
    )


def rows_of(values: dict) -> str:
    cells = "".join(
        f"<tr><td>{escape(k.replace('_', ' '))}</td><td>{f'{v:,}' if isinstance(v, int) else escape(str(v))}</td></tr>"
        for k, v in values.items()
    )
    return f"<table>{cells}</table>" if cells else ""


def bars(values: dict, bad: bool = False, total: int = 0) -> str:
    most = total or max([*values.values(), 1])
    return "".join(
        f'<div class="row{" bad" if bad else ""}"><b>{escape(str(k) or "(none)")}</b><span class="track"><span class="fill" style="width:'
        f'{100 * v / most:.1f}%"></span></span><span class="n">{v:,}{share(v, total)}</span></div>'
        for k, v in values.items()
    )


def section(title: str, body: str, note: str = "") -> str:
    return f"<section><h2>{escape(title)}</h2>{f'<p>{escape(note)}</p>' if note else ''}{body}</section>" if body else ""


def histogram(bins: list, cut: int) -> str:
    """Rows by token length as SVG; the cut at max_length is marked."""
    if not bins:
        return ""
    width = bins[1][0] - bins[0][0] if len(bins) > 1 else 8
    end, most = bins[-1][0] + width, max(n for _, n in bins)
    x = lambda tokens: 700 * tokens / end  # noqa: E731
    parts = [
        f'<rect x="{x(a):.1f}" y="{180 - 165 * n / most:.1f}" width="{max(1, x(width) - 1):.1f}" height="{165 * n / most:.1f}" fill="var(--bar)">'
        f"<title>{a} to {a + width - 1} tokens: {n} rows</title></rect>"
        for a, n in bins
    ]
    if 0 < cut <= end:
        parts.append(
            f'<line x1="{x(cut):.1f}" x2="{x(cut):.1f}" y1="0" y2="180" stroke="var(--bad)" stroke-width="2"/>'
            f'<text x="{min(x(cut) + 6, 540):.1f}" y="22" fill="var(--bad)">cut at {cut}</text>'
        )
    parts += [
        f'<text x="{x(t):.0f}" y="206" fill="var(--soft)" text-anchor="{a}">{t:,}</text>'
        for t, a in ((0, "start"), (end // 2, "middle"), (end, "end"))
    ]
    return f'<svg viewBox="0 0 700 212" role="img" aria-label="rows by length in tokens">{"".join(parts)}</svg>'


def write_report(manifest: dict, tally, lengths, out: Path, as_page: bool) -> None:
    """report.json, and report.html where it is wanted."""
    report = {
        **manifest,
        "languages": languages([out / f"{name}.jsonl" for name in SPLITS]),
        "leak_pairs": [dataclasses.asdict(leak) for leak in tally.leaks],
        "examples": [dataclasses.asdict(example) for example in tally.examples],
        "length_histogram": lengths.histogram(),
    }
    write_text(out / "report.json", json.dumps(report, ensure_ascii=False, indent=1) + "\n")
    if as_page:
        write_text(out / "report.html", page(report))
    else:
        (out / "report.html").unlink(missing_ok=True)  # of an earlier run: it would tell of other rows


def readings_table(readings: dict[str, dict]) -> str:
    """How each file was read; files that are read alike share a row."""
    alike: dict[str, list[str]] = {}
    for name, reading in readings.items():
        alike.setdefault(json.dumps(reading, ensure_ascii=False), []).append(name)
    rows = []
    for text, names in alike.items():
        reading = json.loads(text)
        shown = escape(names[0]) + (f" and {len(names) - 1} more" if len(names) > 1 else "")
        columns = ", ".join(f"{ours} = {theirs}" for ours, theirs in reading.get("fields", {}).items())
        columns += f"; options in {', '.join(reading['option_columns'])}" if "option_columns" in reading else ""
        columns += f"; marks in {', '.join(reading['mark_columns'])}" if "mark_columns" in reading else ""
        columns += f"; key as {reading['base']}" if "base" in reading else ""
        columns += "; " + ", ".join(f"{raw} = {side}" for raw, side in reading["roles"].items()) if "roles" in reading else ""
        unused = [f"{name} ({what})" for name, what in reading.get("unused", {}).items()]
        unused = ", ".join(unused + [f"{name} (in {n} later rows)" for name, n in reading.get("late", {}).items()]) or "none"
        shape = reading["shape"] + (
            f" ({reading['known']})" if "known" in reading else f", {reading.get('confidence', 0):.0%} sure"
        )
        rows.append(f"<tr><td>{shown}</td><td>{escape(shape)}</td><td>{escape(columns)}</td><td>{escape(unused)}</td></tr>")
    head = "<tr><th>file</th><th>shape</th><th>columns</th><th>unused</th></tr>"
    return f"<table>{head}{''.join(rows[:60])}</table>" if rows else ""


def leaks_table(pairs: list[dict]) -> str:
    rows = "".join(
        f"<tr><td class=k>{escape(pair['kind'])}</td><td>{escape(pair['file'])}:{pair['line']}<br>{escape(pair['question'][:300])}</td>"
        f"<td>{escape(pair['evaluation'])}<br>{escape(pair['evaluation_question'][:300])}</td></tr>"
        for pair in pairs
    )
    return f"<table><tr><th>match</th><th>row left out</th><th>evaluation row</th></tr>{rows}</table>" if rows else ""


def examples_of(examples: list[dict]) -> str:
    return "".join(
        f"<p>{escape(', '.join(e['rules']))} · {escape(e['where'])}</p><pre>{marked(e['before'], e['after'])}</pre>"
        f"<pre>{marked(e['after'], e['before'])}</pre>"
        for e in examples
    )


def inputs_table(inputs: list[tuple[str, dict]]) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{v['rows']:,}</td><td>{escape(v.get('sha256', '')[:16])}</td></tr>" for name, v in inputs
    )
    return f"<table><tr><th>file</th><th>rows</th><th>SHA-256</th></tr>{rows}</table>"


def funnel(counts: dict[str, int]) -> str:
    """From rows read and added to rows kept and left out, as bars of one scale."""
    kept = {k: counts[k] for k in SPLITS if counts[k]}
    added = {k: v for k, v in counts.items() if k.startswith("added")}
    came = counts["rows read"] + sum(added.values())
    lost = {k: v for k, v in counts.items() if k not in ("rows read", *SPLITS, *added) and v}
    return bars({"read": counts["rows read"], **added}, total=came) + bars(kept, total=came) + bars(lost, bad=True, total=came)


def topics(groups: dict[str, dict[str, int]]) -> dict[str, int]:
    """Rows of the thirty largest topics or labels, the others together."""
    sizes = sorted(((name or "(no topic)", sum(n.values())) for name, n in groups.items()), key=lambda g: -g[1])
    more = {f"{len(sizes) - 30} more": sum(n for _, n in sizes[30:])} if len(sizes) > 30 else {}
    return dict(sizes[:30]) | more


def sections(report: dict) -> list[str]:
    """The page's sections, from the dict that report.json holds; empty ones are empty texts."""
    cut = report["options"]["max_length"]
    return [
        section(
            "From in to out",
            funnel(report["counts"]),
            "Every row is in one of the lines below; rejects.jsonl holds each one left out, with file, line and reason, as it was read: "
            "its personal data are not masked there.",
        ),
        section("How the files were read", readings_table(report["readings"]), "A column that is not named here went nowhere."),
        section("Why rows were rejected", bars(dict(list(report["reasons"].items())[:20]), bad=True)),
        section(
            "Length in tokens",
            histogram(report["length_histogram"], cut) + rows_of(report["tokens"]) if report["tokens"] else "",
            "As training renders the rows, by template; longer ones are cut on the right." if cut else "",
        ),
        section("Topics or labels", bars(topics(report["groups"]))),
        section("Languages", bars(report["languages"]), f"of the first {LOOKED_AT} rows of each file written"),
        section("Cleaning: rows changed by each rule", bars(report["cleaned"])),
        section(
            "Personal data replaced",
            bars(report["personal_data"]),
            "Found by form, check digits and context; not a substitute for a review by a person.",
        ),
        section(
            "Rows like protected evaluation rows",
            leaks_table(report["leak_pairs"][:50]),
            f"{len(report['leak_pairs'])} left out; the first 50 to read",
        ),
        section("Balance of preferences", rows_of(report["balance"])),
        section(
            "Before and after",
            examples_of(report["examples"][:12]),
            "what each rule changed, the passage in question; personal data are hidden on both sides",
        ),
        section(
            "Inputs",
            inputs_table(list(report["inputs"].items())[:60]),
            "Licences: " + "; ".join(f"{k}: {v}" for k, v in report["licences"].items()),
        ),
    ]


def page(report: dict) -> str:
    """The whole page, from the dict that report.json holds."""
    kept, read = sum(report["counts"][split] for split in SPLITS), report["counts"]["rows read"]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Prepared data</title><style>{STYLE}</style><main><h1>Prepared data: {kept:,} of {read:,} rows</h1>"
        f"{''.join(sections(report))}</main></html>\n"
    )
