"""The reports of scripts/compare.py: Markdown for the terminal, one self-contained HTML page with plots.

Everything that comes from data or models is escaped before it reaches the page.
"""

import html
import io
import json
import math


def percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def interval(pair: list[float] | None) -> str:
    return "" if not pair else f"{100 * pair[0]:.1f} to {100 * pair[1]:.1f} %"


def p_text(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def majority(part: dict) -> str:
    """The share that always giving the most frequent answer would get."""
    one = part["majority_class"]
    return f"{percent(one['accuracy'])} (always {one['label']})" if one else ""


def unit_of(result: dict) -> str:
    return "bits per byte" if result["measure"] == "bits_per_byte" else "points"


def scores(result: dict) -> tuple[list[str], list[list[str]]]:
    """Head and lines of the table of the models."""
    models = result["models"]
    if result["measure"] == "bits_per_byte":
        lines = [[m["name"], str(m["n"]), f"{m['bits_per_byte']:.4f}", f"{m['perplexity']:.2f}", m["precision"]] for m in models]
        return ["model", "texts", "bits per byte (less is better)", "perplexity a token", "precision"], lines
    if result["measure"] == "rouge_l":
        names = ("rougeL", "rouge1", "rouge2", "bleu", "chrf")
        lines = [
            [
                m["name"],
                str(m["n"]),
                *(f"{m['texts'][name]:.1f}" for name in names),
                f"{percent(m['accuracy'])} ({interval(m['accuracy_ci95'])})",
                str(m["n_invalid"]),
                str(m["precision"] or ""),
            ]
            for m in models
        ]
        return ["model", "rows", "ROUGE-L", "ROUGE-1", "ROUGE-2", "BLEU", "chrF", "exact", "invalid", "precision"], lines
    lines = [
        [
            m["name"],
            f"{m['n_correct']} of {m['n']}",
            percent(m["accuracy"]),
            interval(m["accuracy_ci95"]),
            percent(m["chance"]),
            majority(m),
            str(m["n_invalid"]),
            str(m["precision"] or ""),
        ]
        for m in models
    ]
    what = "declined" if result["task"] == "safety" else "right"
    share = "share" if result["task"] == "safety" else "accuracy"
    return ["model", what, share, "95 % interval", "chance", "majority class", "invalid", "precision"], lines


def tables(result: dict) -> list[tuple[str, list[str], list[list[str]]]]:
    """Title, head and lines of every table of the report, as plain text."""
    bits = result["measure"] == "bits_per_byte"

    def shown(value, sign=""):
        return f"{value:{sign}.4f}" if bits else f"{100 * value:{sign}.1f}"

    pairs = [
        [
            f"{c['from']} → {c['to']}",
            shown(c["difference"], "+"),
            f"{shown(c['difference_ci95'][0], '+')} to {shown(c['difference_ci95'][1], '+')}",
            str(c["won"]),
            str(c["lost"]),
            p_text(c["p_value"]),
            p_text(c["p_holm"]),
            "yes" if c["significant"] else "no",
            "none" if c["minimal_detectable_difference"] is None else shown(c["minimal_detectable_difference"]),
        ]
        for c in result["comparisons"]
    ]
    unit, test = unit_of(result), ("McNemar p" if result["measure"] == "accuracy" else "permutation p")
    found = [
        ("Scores", *scores(result)),
        ("Differences", ["from → to", unit, "95 % interval", "won", "lost", test, "p (Holm)", "shown", "least showable"], pairs),
    ]
    for key, title in (("by_topic", "By topic"), ("by_source", "By source")):
        groups = result["models"][0].get(key) or {}
        if len(groups) > 1:
            lines = [
                [
                    name,
                    str(groups[name]["n"]),
                    percent(groups[name]["chance"]),
                    percent((groups[name]["majority_class"] or {}).get("accuracy")),
                    *(
                        f"{percent(part['accuracy'])} ({interval(part['accuracy_ci95'])})"
                        if (part := (m.get(key) or {}).get(name))
                        else ""
                        for m in result["models"]
                    ),
                ]
                for name in groups
            ]
            found.append((title, [title[3:], "rows", "chance", "majority class", *(m["name"] for m in result["models"])], lines))
    return found


def markdown(result: dict) -> str:
    """comparison.md."""

    def cell(text):
        return str(text).replace("|", "\\|").replace("\n", " ")

    parts = ["# Comparison\n"] + [f"{c['words']}\n" for c in result["comparisons"]]
    parts += [f"**Note.** {warning}\n" for warning in result["warnings"]]
    parts.append(
        f"Task {result['task']}, protocol {result['protocol']}, {result['n']} rows, test set "
        f"{str(result['data_sha256'])[:12]}, significance level {result['alpha']}. Least showable: the smallest "
        f"difference, in {unit_of(result)}, that this test shows four times in five with so many rows.\n"
    )
    for title, head, lines in tables(result):
        rows = [head, ["---"] * len(head), *lines]
        parts.append(f"## {title}\n\n" + "\n".join("| " + " | ".join(map(cell, row)) + " |" for row in rows) + "\n")
    return "\n".join(parts)


# ---------------------------------------------------------------------------------------------- plots


def svg(figure) -> str:
    """A matplotlib figure as SVG that can stand inside a page."""
    out = io.StringIO()
    figure.savefig(out, format="svg", bbox_inches="tight")
    return out.getvalue()[out.getvalue().index("<svg") :]


def legend(axes) -> None:
    """Above the plot, left: beside it, it would make the plot too wide for a phone."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, ncols=1 if len(axes.get_lines()) > 4 else 2)


def accuracy_plot(models: list[dict], names: list[str]) -> str:
    """Accuracy of each model with its interval, chance and the majority class."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 0.9 + 0.5 * len(models)))
    axes = figure.subplots()
    for i, m in enumerate(models):
        low, high = m["accuracy_ci95"]
        axes.plot([100 * low, 100 * high], [i, i], color="#1f5f8b", linewidth=2)
        axes.plot(100 * m["accuracy"], i, "o", color="#1f5f8b")
    if models[0]["chance"] is not None:
        axes.axvline(100 * models[0]["chance"], color="#888", linestyle=":", label="chance")
        axes.axvline(100 * models[0]["majority_class"]["accuracy"], color="#b5651d", linestyle="--", label="majority class")
    axes.set(
        yticks=range(len(names)),
        yticklabels=names,
        xlabel="right answers, % with 95 % Wilson interval",
        ylim=(len(names) - 0.5, -0.5),
        xlim=(0, 100),
    )
    if axes.get_legend_handles_labels()[0]:
        legend(axes)
    return svg(figure)


def difference_plot(result: dict) -> str:
    """Difference of each comparison with its interval, where what is measured is no share."""
    from matplotlib.figure import Figure

    pairs = result["comparisons"]
    scale, unit = (1, "bits per byte, less is better") if result["measure"] == "bits_per_byte" else (100, "points of ROUGE-L")
    figure = Figure(figsize=(4.6, 0.9 + 0.6 * len(pairs)))
    axes = figure.subplots()
    for i, c in enumerate(pairs):
        axes.plot([scale * v for v in c["difference_ci95"]], [i, i], color="#1f5f8b", linewidth=2)
        axes.plot(scale * c["difference"], i, "o", color="#1f5f8b")
    axes.axvline(0, color="#333", linewidth=0.8)
    axes.locator_params(axis="x", nbins=4)
    axes.set(
        yticks=range(len(pairs)),
        yticklabels=[f"{c['from']}\n→ {c['to']}" for c in pairs],
        xlabel=f"difference in {unit}, with 95 % interval",
        ylim=(len(pairs) - 0.5, -0.5),
    )
    return svg(figure)


def plots(result: dict) -> list[tuple[str, str]]:
    """(caption, SVG) of every plot that the data allow."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update(
        {
            "svg.fonttype": "none",
            "font.size": 10,
            "font.family": "sans-serif",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "svg.hashsalt": "0",
            "text.parse_math": False,
        }
    )
    from matplotlib.figure import Figure

    models, drawn = result["models"], []
    names = [m["name"] for m in models]
    if result["measure"] == "accuracy":
        drawn.append(("Accuracy", accuracy_plot(models, names)))
    else:
        drawn.append(("Differences", difference_plot(result)))

    pairs = result["comparisons"]
    figure = Figure(figsize=(4.6, 0.9 + 0.6 * len(pairs)))
    axes = figure.subplots()
    axes.barh(range(len(pairs)), [c["won"] for c in pairs], color="#2e7d4f", label="won")
    axes.barh(range(len(pairs)), [-c["lost"] for c in pairs], color="#b23b3b", label="lost")
    for i, c in enumerate(pairs):
        axes.annotate(f" {c['won']}", (c["won"], i), va="center")
        axes.annotate(f"{c['lost']} ", (-c["lost"], i), va="center", ha="right")
    most = max([1, *(max(c["won"], c["lost"]) for c in pairs)]) * 1.2
    axes.axvline(0, color="#333", linewidth=0.8)
    axes.set(
        yticks=range(len(pairs)),
        yticklabels=[f"{c['from']}\n→ {c['to']}" for c in pairs],
        xlim=(-most, most),
        ylim=(len(pairs) - 0.5, -0.5),
        xlabel="rows lost | rows won",
        xticks=[],
    )
    legend(axes)
    drawn.append(("Rows won and lost", svg(figure)))

    topics = list(models[0].get("by_topic") or {})
    if 1 < len(topics) <= 40 and result["measure"] == "accuracy":
        figure = Figure(figsize=(4.6, 1 + 0.22 * len(topics) * len(models)))
        axes = figure.subplots()
        height = 0.8 / len(models)
        for j, m in enumerate(models):
            parts = [m["by_topic"].get(t) for t in topics]
            at = [i + (j - (len(models) - 1) / 2) * height for i in range(len(topics))]
            values = [100 * p["accuracy"] if p else 0 for p in parts]
            below = [100 * max(0, p["accuracy"] - p["accuracy_ci95"][0]) if p else 0 for p in parts]
            above = [100 * max(0, p["accuracy_ci95"][1] - p["accuracy"]) if p else 0 for p in parts]
            axes.barh(
                at, values, height * 0.9, label=m["name"], xerr=[below, above], error_kw={"elinewidth": 0.8, "ecolor": "#444"}
            )
        if models[0]["chance"] is not None:
            axes.axvline(100 * models[0]["chance"], color="#888", linestyle=":", label="chance")
        axes.set(
            yticks=range(len(topics)),
            yticklabels=topics,
            xlim=(0, 100),
            ylim=(len(topics) - 0.5, -0.5),
            xlabel="right answers, % with 95 % Wilson interval",
        )
        legend(axes)
        drawn.append(("By topic", svg(figure)))

    calibrated = [m for m in models if m.get("calibration")]
    if calibrated:
        figure = Figure(figsize=(4.6, 4.2))
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="#888", linestyle=":", label="perfect")
        for m in calibrated:
            bins = [b for b in m["calibration"]["bins"] if b["n"]]
            axes.plot(
                [b["confidence"] for b in bins],
                [b["accuracy"] for b in bins],
                "o-",
                label=f"{m['name']} (ECE {m['calibration']['ece']:.3f})",
            )
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence in the answer given", ylabel="share that is right")
        legend(axes)
        drawn.append(("Calibration", svg(figure)))
    return drawn


# ---------------------------------------------------------------------------------------------- page

STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
table{border-collapse:collapse;display:block;overflow-x:auto;font-size:.9rem}td,th{border-bottom:1px solid #ddd;
padding:.3rem .7rem;text-align:left;white-space:nowrap}th{font-weight:600}.verdict{font-size:1.1rem;border-left:4px solid #1f5f8b;
padding:.2rem 0 .2rem 1rem}.verdict p{margin:.5rem 0}.note{border-left:4px solid #b5651d;padding-left:1rem}
pre{white-space:pre-wrap;overflow-wrap:anywhere;
background:#f6f6f6;padding:.7rem;font-size:.85rem}svg{max-width:100%;height:auto}summary{cursor:pointer}
.won{color:#2e7d4f}.lost{color:#b23b3b}"""


def page(result: dict, rows: list[dict[str, dict]], most: int) -> str:
    """comparison.html: no script, nothing fetched. `rows` are the predictions by id, one dict a model."""

    def text(value):
        return html.escape(str(value))

    def table(head, lines):
        return (
            "<table><thead><tr>"
            + "".join(f"<th>{text(h)}</th>" for h in head)
            + "</tr></thead><tbody>"
            + "".join("<tr>" + "".join(f"<td>{text(c)}</td>" for c in line) + "</tr>" for line in lines)
            + "</tbody></table>"
        )

    by_name = {m["name"]: r for m, r in zip(result["models"], rows, strict=True)}
    said = "".join(f"<p>{text(c['words'])}</p>" for c in result["comparisons"])
    parts = [f"<h1>Comparison</h1><div class=verdict>{said}</div>"]
    parts += [f"<p class=note>{text(warning)}</p>" for warning in result["warnings"]]
    parts.append(
        f"<p>Task {text(result['task'])}, protocol {text(result['protocol'])}, {result['n']} rows, test set "
        f"{text(result['data_sha256'])[:12]}, significance level {result['alpha']}. Least showable: the smallest "
        f"difference, in {unit_of(result)}, that this test shows four times in five with so many rows.</p>"
    )
    shown = tables(result)
    parts += [f"<h2>{text(title)}</h2>{table(head, lines)}" for title, head, lines in shown[:2]]
    parts += [f"<h2>{text(caption)} (plot)</h2>{drawing}" for caption, drawing in plots(result)]
    parts += [f"<h2>{text(title)}</h2>{table(head, lines)}" for title, head, lines in shown[2:]]
    flipped = "Questions that flipped" if result["measure"] == "accuracy" else "Rows that got better (won) and worse (lost)"
    for c in result["comparisons"]:
        parts.append(f"<h2>{flipped}: {text(c['from'])} → {text(c['to'])}</h2>")
        for kind in ("won", "lost"):
            ids = c[f"{kind}_ids"]
            parts.append(
                f"<h3 class={kind}>{kind}: {len(ids)}" + (f", the first {most} shown" if len(ids) > most else "") + "</h3>"
            )
            for i in ids[:most]:
                one, two = by_name[c["from"]][i], by_name[c["to"]][i]
                if result["measure"] == "bits_per_byte":
                    parts.append(f"<p>{text(i)}: {per_byte(one)} → {per_byte(two)} bits per byte</p>")
                    continue
                said = f"{text(answer(one))} → {text(answer(two))}, gold {text(one['gold'])}"
                if result["measure"] == "rouge_l":
                    said = (
                        f"ROUGE-L {100 * one.get('rouge_l', 0):.0f} → {100 * two.get('rouge_l', 0):.0f}, gold {text(one['gold'])}"
                    )
                parts.append(
                    f"<details><summary>{text(i)}: {said}</summary><pre>{text(one['prompt'])}</pre>"
                    f"{outputs(text, c, one, two)}</details>"
                )
    return (
        f"<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>Comparison</title><style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def per_byte(row: dict) -> str:
    return f"{row['nats'] / math.log(2) / row['bytes']:.4f}"


def answer(row: dict) -> str:
    return "no valid answer" if row["prediction"] is None else str(row["prediction"])


def outputs(text, c: dict, one: dict, two: dict) -> str:
    """What each model gave: its text, or its scores."""
    return "".join(
        f"<p>{text(name)}</p><pre>{text(row['output'] if 'output' in row else json.dumps(row.get('scores')))}</pre>"
        for name, row in ((c["from"], one), (c["to"], two))
    )
