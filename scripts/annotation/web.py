"""The page on which people choose: Starlette, Jinja and one file of script; no build step, nothing from another server.

Every address begins with the rater's token (/r/TOKEN), so nothing is shown and no vote is taken without one, and no cookie
is set. What reaches the browser is the text of questions and answers, escaped; answers are named by their place on the page,
items by their place in the rater's own order, so neither tells which model wrote what.
"""

import re
import urllib.parse
from pathlib import Path
from typing import NamedTuple

from annotation.modes import MAX_REMARK, BadVote, Rubric, value_of
from annotation.sources import MAX_SHOWN, shown
from annotation.store import Rater, Store, Task
from annotation.words import WORDS

HERE = Path(__file__).parent
MAX_BODY = 64_000  # bytes of a vote
PATIENCE = 60.0  # seconds that it may take
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # "no-referrer" would make a browser send `Origin: null` with its own form
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


class Settings(NamedTuple):
    """What the page needs to know; `names` matches what is hidden in texts, `hosts` are the names it answers to.

    `origins` are host:port of pages that may send votes beside the address that was asked itself (a proxy's).
    """

    mode: str
    rubric: Rubric
    show_reference: bool
    names: re.Pattern
    hosts: list[str]
    origins: list[str]


class Text(NamedTuple):
    """A text as shown, who says it (role of a turn, or ""), what is said if it was cut, and the rank given so far."""

    text: str
    role: str
    cut: str
    given: int | None


class Pages:
    """What each address answers; handlers are plain functions where they only read and write the store."""

    def __init__(self, store: Store, settings: Settings):
        import jinja2

        self.store, self.settings = store, settings
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.template = environment.get_template("page.html.jinja")

    def page(self, base: str, rater: Rater, task: Task | None, notice: str = "", status: int = 200):
        from starlette.responses import HTMLResponse

        values = page_values(self.store, self.settings, rater, task)
        return HTMLResponse(self.template.render(**values, base=base, notice=notice), status, HEADERS)

    def get(self, request):
        """GET /r/TOKEN: the rater's next question, or the one at `place`."""
        token = request.path_params["token"]
        rater = self.store.rater(token)
        if rater is None:
            return refuse(404)
        place = place_of(request.query_params.get("place", ""))
        return self.page(f"/r/{token}", rater, self.store.task(rater, place))

    async def post(self, request):
        """POST /r/TOKEN/vote or /r/TOKEN/language: a form, bounded, from a page of ours."""
        from common.web_server import body_of
        from starlette.concurrency import run_in_threadpool

        origin, host = request.headers.get("origin"), request.headers.get("host", "")
        if origin is not None and urllib.parse.urlsplit(origin).netloc.lower() not in (host.lower(), *self.settings.origins):
            return refuse(403, "This vote came from another page")
        body = await body_of(request, MAX_BODY, PATIENCE)
        if isinstance(body, int):
            return refuse(body, "Too large" if body == 413 else "Too slow")
        try:
            form = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=64))
        except ValueError:
            return refuse(400, "Not a form")
        return await run_in_threadpool(self.take, request.path_params["token"], request.path_params["action"], form)

    def take(self, token: str, action: str, form: dict[str, str]):
        """A vote, or the choice of a language."""
        from starlette.responses import RedirectResponse

        rater, base = self.store.rater(token), f"/r/{token}"
        if rater is None or action not in ("vote", "language"):
            return refuse(404)
        place = place_of(form.get("place", ""))
        if action == "language":
            if form.get("language") in WORDS:
                self.store.set_language(rater, form["language"])
            return RedirectResponse(f"{base}?place={place}" if place else base, 303, HEADERS)
        task = self.store.task(rater, place) if place else None
        try:
            # Another task stands at this place since raters were added; the vote is of what the page showed.
            if task is None or form.get("seen", task.seen) != task.seen:
                raise BadVote("unknown")
            if not self.store.record(rater, task, value_of(form, self.settings.mode, task, self.settings.rubric)):
                raise BadVote("unknown")
        except BadVote as error:
            said = WORDS[rater.language][str(error)]
            answer = self.page(base, rater, task, said, 400)
            answer.headers["X-Notice"] = urllib.parse.quote(said)
            return answer
        return RedirectResponse(base, 303, HEADERS)


def place_of(text: str) -> int | None:
    """A place as it stands in an address or a form; None for anything else."""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def refuse(status: int, text: str = "Not found"):
    from starlette.responses import PlainTextResponse

    return PlainTextResponse(text, status, HEADERS)


def static(request):
    from starlette.responses import FileResponse

    name = request.path_params["name"]
    return FileResponse(HERE / name, headers=HEADERS) if name in ("style.css", "keys.js") else refuse(404)


def make_app(store: Store, settings: Settings):
    """The ASGI application."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.routing import Route

    pages = Pages(store, settings)
    return Starlette(
        routes=[
            Route("/r/{token}", pages.get, methods=["GET"]),
            Route("/r/{token}/{action:str}", pages.post, methods=["POST"]),
            Route("/static/{name}", static, methods=["GET"]),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=settings.hosts, www_redirect=False)],
        exception_handlers={404: lambda *_: refuse(404), 405: lambda *_: refuse(405, "Not allowed")},
    )


def page_values(store: Store, settings: Settings, rater: Rater, task: Task | None) -> dict:
    """What the template is filled with."""
    words = WORDS[rater.language]
    done, total = store.progress(rater)

    def text_of(text: str, role: str = "", given: int | None = None) -> Text:
        seen, length = shown(text, settings.names, words["hidden"])
        cut = words["cut"].format(shown=f"{MAX_SHOWN:,}", length=f"{length:,}") if length > MAX_SHOWN else ""
        return Text(seen, role, cut, given)

    vote = (task.vote if task else None) or {}
    ranks, preferred = vote.get("ranks", {}), vote.get("preferred")
    choice = "skip" if vote.get("skipped") else f"both_{vote['tie']}" if "tie" in vote else ""
    if "good" in vote:
        choice = "good" if vote["good"] else "bad"
    if preferred is not None:
        choice = str([i for i, _ in task.answers].index(preferred) + 1)
    last = total if task is None else task.place - 1
    return {
        "words": words,
        "language": rater.language,
        "mode": settings.mode,
        "rubric": settings.rubric,
        "max_remark": MAX_REMARK,
        "task": task,
        "turns": [text_of(m["content"], m["role"]) for m in task.messages] if task else [],
        "reference": text_of(task.reference) if task and task.reference and settings.show_reference else None,
        "answers": [text_of(text, given=ranks.get(str(i))) for i, text in task.answers] if task else [],
        "given_choice": choice,
        "given_scores": vote.get("scores", {}),
        "remark": vote.get("remark", ""),
        "done": done,
        "total": total,
        "previous": last or None,
        "following": task.place + 1 if task and task.vote is not None and task.place < total else None,
    }
