"""What stands before llama.cpp's servers: who may ask, how much, and which of several models answers.

llama.cpp checks neither Host nor Origin, reads a body of any length, and knows its adapters only by number. So its own port is
kept behind a key that nobody has, and requests come through here (Starlette under uvicorn, passed on by httpx).
"""

import itertools
import json
import re
import threading
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llamacpp.asked import field_problem, unheard

PAGE = Path(__file__).with_name("side_by_side.html")
LOCAL = ("127.0.0.1", "localhost", "::1")
ASKS = ("completion", "completions", "messages", "responses", "infill")  # last word of the paths that generate
HOST = re.compile(r"(\[[0-9a-f:.%]+\]|[^\s:/@?#\\\[\]]+)(?::\d*)?", re.IGNORECASE)
QUERY = "/:@!$&'()*+,;=~?%-._"  # what stays as it is in a query
LONGEST_PATH = 8000  # characters, with the query; llama.cpp ends the connection at 8192
NAMELESS = ("", "default")  # what clients send that must send something
MOST_NESTED = 100  # levels; llama.cpp reads schemas and grammars by recursion
CLOSED = ("lora-adapters", "slots", "props", "models/load", "models/unload")  # POST there would change the server for everyone


@dataclass(frozen=True)
class Served:
    """One model by the name that clients give it: llama.cpp's URL, and which adapters are in use ({id, scale} each)."""

    name: str
    url: str
    lora: tuple[dict, ...] = ()


@dataclass(frozen=True)
class Rules:
    """hosts: names by which this server may be called, None for any. key: llama.cpp's, added here (None: clients send it).
    patience: seconds that a client has to send its request, and to take the next piece of its answer.
    """

    hosts: frozenset[str] | None
    largest_body: int
    key: str | None
    patience: float = 120.0


def host_of(value: str) -> str:
    """The name in a Host header, without port and brackets; empty where the header is something else."""
    found = HOST.fullmatch(value)
    return found[1].strip("[]").lower() if found else ""


def refusal(request, rules: Rules) -> tuple[int, str] | None:
    """Status and sentence where the request is not answered.

    A page of another site can make a browser send requests here; that it cannot read the answers does not keep it from asking.
    And a name of its own that points to 127.0.0.1 would let it read them.
    """
    host, path = request.headers.get("host", "").lower(), request.scope["path"]
    if rules.hosts is not None and host_of(host) not in rules.hosts:
        return 403, f"this server is not called {host[:100]!r}"
    if any(
        origin and origin.lower() not in (f"http://{host}", f"https://{host}") for origin in request.headers.getlist("origin")
    ):
        return 403, "pages of other sites may not ask here"
    if request.method not in ("GET", "HEAD", "POST"):
        return 405, "GET and POST only"
    if {".", ".."} & set(path.split("/")):  # resolved on their way they would be another path than the one looked at below
        return 404, "there is no such page"
    if len(path) + len(request.scope["query_string"]) > LONGEST_PATH:
        return 414, f"the address is longer than {LONGEST_PATH} characters"
    what = path.strip("/").removeprefix("v1/")
    if request.method == "POST" and any(what == closed or what.startswith(f"{closed}/") for closed in CLOSED):
        return 403, "this would change the server for everyone"
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method == "POST" and kind != "application/json":
        return 415, "send JSON (Content-Type: application/json)"
    if int(request.headers.get("content-length") or 0) > rules.largest_body:
        return 413, f"the request is longer than {rules.largest_body} bytes"
    return None


def too_deep(asked) -> bool:
    """Whether a request is nested so deep that llama.cpp may overflow its stack, which ends this process: lists and objects
    (a schema of 30,000 lists does), and brackets in a grammar or a pattern."""
    waiting = [(asked, 1, "")]
    while waiting:
        value, level, key = waiting.pop()
        if isinstance(value, dict | list):
            pairs = value.items() if isinstance(value, dict) else ((key, one) for one in value)
            waiting += [(one, level + 1, name) for name, one in pairs]
        elif isinstance(value, str) and key in ("grammar", "pattern"):
            level = max(itertools.accumulate({"(": 1, ")": -1}.get(c, 0) for c in value), default=0)
        if level > MOST_NESTED:
            return True
    return False


def parsed(body: bytes):
    """The request's JSON. Raises ValueError with a sentence for the client."""
    try:
        asked = json.loads(body)
    except RecursionError:
        asked = None
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from None
    if (asked is None and body.strip() != b"null") or too_deep(asked):
        raise ValueError(f"nested deeper than {MOST_NESTED} levels")
    return asked


def routed(path: str, asked, models: Sequence[Served]) -> tuple[Served, bytes]:
    """Which model answers, and the request as llama.cpp takes it: the one that it names, the first where it names none.

    Raises LookupError for a name that none of several has: another's answers would be taken for that model's.
    Raises ValueError for an adapter that is not here.
    """
    chosen = models[0]
    if isinstance(asked, dict) and isinstance(wanted := asked.get("lora"), list):
        ids = {one.get("id") for one in wanted if isinstance(one, dict)} - {one["id"] for one in chosen.lora}
        if ids:  # llama.cpp leaves out an adapter that it does not have
            raise ValueError(f"lora: there is no adapter of id {', '.join(sorted(map(str, ids)))[:60]} here")
    if isinstance(asked, dict) and (len(models) > 1 or models[0].lora):
        named = asked.get("model")
        if len(models) > 1 and isinstance(named, str) and named not in NAMELESS:
            stem = Path(named).name.removesuffix(".gguf")
            if not (alike := [m for m in models if m.name in (named, stem)]):
                raise LookupError(f"there is no model {named[:100]!r} here; there are {', '.join(m.name for m in models)}")
            chosen = alike[0]
        if path.rpartition("/")[2] in ASKS:
            asked.setdefault("lora", list(chosen.lora))
    return chosen, json.dumps(asked).encode()  # written anew: what was looked at is what llama.cpp reads


def renaming(path: str, method: str, chosen: Served, base: Served) -> tuple[bytes, bytes] | None:
    """What llama.cpp writes of an adapter's model name, and what clients are to read: it gives every adapter the base's name, so
    whoever reads an answer, or the chat page's menu, would think that the base answers."""
    key = "model" if method == "POST" and path.rpartition("/")[2] in ASKS else "model_alias" if path == "/props" else None
    if not key or not chosen.lora or chosen is base:
        return None
    old, new = (f'"{key}":{json.dumps(name)}'.encode() for name in (base.name, chosen.name))
    return old, new


def make_app(models: Sequence[Served], rules: Rules):
    """The web application. `models`: at least one; the first answers where a request names none."""
    import httpx
    from common.web_server import body_of
    from llamacpp.passing import Passed
    from starlette.applications import Starlette
    from starlette.responses import HTMLResponse, JSONResponse
    from starlette.routing import Route

    client = httpx.AsyncClient(timeout=None, limits=httpx.Limits(max_connections=None))

    def error(status: int, say: str):
        return JSONResponse({"error": {"code": status, "message": say, "type": "invalid_request_error"}}, status)

    async def forward(request):
        if wrong := refusal(request, rules):
            return error(*wrong)
        path = request.scope["path"]
        if path == "/compare" and len(models) > 1 and request.method == "GET":
            names = json.dumps([models[-1].name, models[0].name])  # the untuned on the left
            return HTMLResponse(PAGE.read_text(encoding="utf-8").replace("__MODELS__", names.replace("<", "\\u003c")))
        if path in ("/v1/models", "/models") and len(models) > 1:
            return JSONResponse({"object": "list", "data": [{"id": m.name, "object": "model"} for m in models]})
        body = await body_of(request, rules.largest_body, rules.patience)
        if isinstance(body, int):
            late, long = f"did not come within {rules.patience:g} s", f"is longer than {rules.largest_body} bytes"
            return error(body, f"the request {late if body == 408 else long}")
        chosen = models[0]
        if request.method == "POST":
            try:
                asked = parsed(body)
                if wrong := unheard(path, asked) or field_problem(path, asked):
                    return error(400, wrong)
                chosen, body = routed(path, asked, models)
            except ValueError as wrong:
                return error(400, str(wrong))
            except LookupError as unknown:
                return error(404, str(unknown))
        keep = ("content-type", "accept", "accept-encoding", "authorization", "x-api-key", "if-none-match")
        headers = {k: v for k, v in request.headers.items() if k in keep}
        if path == "/props":
            chosen = next((m for m in models if m.name == request.query_params.get("model")), chosen)
        if renamed := renaming(path, request.method, chosen, models[-1]):
            headers["accept-encoding"] = "identity"
        if rules.key:
            headers["authorization"] = f"Bearer {rules.key}"
        # Quoted again, so that llama.cpp reads the path that was looked at: %2523 is %23 here and must not become # there.
        query = request.scope["query_string"].decode("latin-1")
        url = f"{chosen.url}{urllib.parse.quote(path)}{'?' if query else ''}{urllib.parse.quote(query, safe=QUERY)}"
        try:
            sent = client.build_request(request.method, url, headers=headers, content=body if request.method == "POST" else None)
            answer = await client.send(sent, stream=True)
        except httpx.HTTPError as failed:
            return error(502, f"llama.cpp does not answer ({type(failed).__name__})")
        drop = ("transfer-encoding", "connection", "keep-alive", "server", "date")
        kept = {k: v for k, v in answer.headers.items() if k not in drop and not k.startswith("access-control")}
        kept["x-frame-options"] = "DENY"
        return Passed(answer, kept, rules.patience, renamed)

    methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]
    return Starlette(routes=[Route("/{path:path}", forward, methods=methods)])


def serve_in_background(app, sock) -> None:
    """Answer on this listening socket from a thread; returns when it does. Raises RuntimeError where it does not begin."""
    import time

    from common.web_server import server_of

    server = server_of(app, log_level="error", lifespan="off", ws="none")
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the web server did not begin")
        time.sleep(0.01)
