"""The page of a synthesis: what came in, what each stage refused and why, what it cost, and rows to look at."""

import html
import json

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:1rem auto;padding:0 1rem;color:#1d2430}"
    "table{border-collapse:collapse;margin:.5rem 0 1.2rem}td,th{border-bottom:1px solid #c9d0da;padding:.25rem .7rem;"
    "text-align:left;vertical-align:top}td.n{text-align:right;font-variant-numeric:tabular-nums}pre{white-space:pre-wrap;overflow-wrap:anywhere;"
    "background:#f4f6f9;padding:.6rem;border-radius:.4rem}.bar{background:#0b5cad;height:.7rem;display:inline-block}"
)


def page(manifest: dict, kept: list[dict], rejects: list[dict]) -> str:
    """report.html: the funnel, reasons, tokens, and examples of what was kept and refused."""
    funnel = manifest["funnel"]
    most = max([n for _, n in funnel] or [1]) or 1
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td class=n>{n:,}</td>"
        f"<td><span class=bar style='width:{300 * n / most:.0f}px'></span></td></tr>"
        for name, n in funnel
    )
    parts = [
        f"<h1>Synthetic rows by {html.escape(manifest['generator']['name'])}</h1>",
        f"<p>{html.escape(manifest['words'])}</p><h2>Funnel</h2><table>{rows}</table>",
        table("Refused, by reason", manifest["reasons"]),
        table("Kept, by kind", manifest["kept_by_kind"]),
        table("Tokens and cost", manifest["tokens"]),
        "<h2>Rows that were kept</h2>" + "".join(example(row) for row in kept[:8]),
        "<h2>What was refused</h2>" + "".join(example(row) for row in one_a_reason(rejects)),
    ]
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>Synthetic rows</title><style>{STYLE}</style><body>"
    return head + "".join(parts) + "</body></html>\n"


def table(title: str, values: dict) -> str:
    rows = "".join(f"<tr><td>{html.escape(str(k))}</td><td class=n>{html.escape(str(v))}</td></tr>" for k, v in values.items())
    return f"<h2>{html.escape(title)}</h2><table>{rows}</table>"


def example(row: dict) -> str:
    return f"<pre>{html.escape(json.dumps(row, ensure_ascii=False, indent=1)[:3000])}</pre>"


def one_a_reason(rejects: list[dict]) -> list[dict]:
    """The first reject of each reason."""
    found = {}
    for row in rejects:
        found.setdefault(row["reason"], row)
    return list(found.values())[:30]
