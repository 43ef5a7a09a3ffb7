"""Pages from blocks: HTML in one file that loads nothing, and Markdown; everything from data or a model is escaped."""

import re
from pathlib import Path

from reporting.blocks import Page
from reporting.language import Language

TEMPLATES = Path(__file__).parent


def cell(text) -> str:
    """A text in Markdown, on one line, nothing of it a mark."""
    return re.sub(r"([\\|<>`*_\[\]])", r"\\\1", " ".join(str(text).split()))


def render(page: Page, say: Language, form: str) -> str:
    """The page as `form`: html or md."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=form == "html",
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = cell
    return environment.get_template(f"page.{form}.jinja").render(page=page, say=say)
