"""serve.py's and annotate.py's web parts under load: 200 connections, slow and broken clients, 10 MB bodies, llama.cpp gone.

In this process, without a model: a listener of a few lines stands in llama.cpp's place, and dies when it is told to.
"""

import http.client
import json
import re
import socket
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from annotation import modes, web
from annotation.sources import Answer, Material, Question
from annotation.store import Store
from conftest import ROOT
from llamacpp.proxy import Rules, Served, make_app, serve_in_background

MANY = 200
RUBRIC = ROOT / "scripts" / "annotation" / "rubric.yaml"
ANSWER = b'{"choices": [{"message": {"content": "ok"}}]}'


class Upstream:
    """What stands in llama.cpp's place. `way`: whole, cut (half an answer, then the connection ends), or reset at once."""

    def __init__(self):
        self.way, self.asked = "whole", 0
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection):
        with connection, connection.makefile("rwb") as stream:
            while line := stream.readline():
                length = 0
                while line.strip():
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                    line = stream.readline()
                stream.read(length)
                self.asked += 1
                if self.way == "reset":
                    return
                stream.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
                half = ANSWER[:10] if self.way == "cut" else ANSWER
                stream.write(f"{len(half):x}\r\n".encode() + half + b"\r\n")
                stream.flush()
                if self.way == "cut":
                    return
                stream.write(b"0\r\n\r\n")
                stream.flush()


def background(app) -> str:
    sock = socket.create_server(("127.0.0.1", 0), backlog=512)
    serve_in_background(app, sock)
    return f"http://127.0.0.1:{sock.getsockname()[1]}"


@pytest.fixture(scope="module")
def upstream():
    return Upstream()


@pytest.fixture(scope="module")
def proxy(upstream):
    models = [Served("one", upstream.url), Served("two", upstream.url)]
    return background(make_app(models, Rules(frozenset({"127.0.0.1", "localhost"}), 2_000_000, "secret")))


def ask(url: str, body: bytes | None = None, **headers) -> tuple[int, bytes]:
    headers = {"Content-Type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=300) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def chat(proxy: str, body: bytes = b'{"messages": []}', **headers) -> tuple[int, bytes]:
    return ask(f"{proxy}/v1/chat/completions", body, **headers)


def hold(url: str, sent: bytes) -> socket.socket:
    """A client that sends so much and then neither more nor an end."""
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=300)
    connection.sendall(sent)
    return connection


def head(url: str, path: str, length: int) -> bytes:
    host = url.removeprefix("http://")
    return f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n".encode()


def test_200_connections_are_all_answered_beside_slow_and_broken_ones(proxy):
    path = "/v1/chat/completions"
    slow = [hold(proxy, head(proxy, path, 1000)[: 5 + i]) for i in range(50)]  # in the middle of a header, for good
    slow += [hold(proxy, head(proxy, path, 1000) + b"{") for _ in range(50)]  # or of a body
    for _ in range(50):
        hold(proxy, head(proxy, path, 1000) + b"{").close()
    with ThreadPoolExecutor(MANY) as pool:
        assert list(pool.map(lambda _: chat(proxy), range(MANY))) == [(200, ANSWER)] * MANY
    for connection in slow:
        connection.close()


def test_long_deep_and_broken_bodies_are_told(proxy, upstream):
    before = upstream.asked
    with ThreadPoolExecutor(10) as pool:
        bodies = [b'{"messages": "' + b"x" * 10_000_000 + b'"}'] * 10
        refused = list(pool.map(lambda body: _refused(proxy, body), bodies))
    assert set(refused) <= {413} and upstream.asked == before
    odd = [b"[" * 900_000, b"\xff\xfe", b"", b'{"n": ' + b"9" * 9000 + b"}"]
    odd += [b'{"messages": ' + b"[" * n + b"]" * n + b"}" for n in (101, 990, 400_000)]
    grammar = {"grammar": "root ::= " + "(" * 5000 + '"a"' + ")" * 5000}
    odd += [json.dumps(body).encode() for body in (grammar, {"schema": {"pattern": "(" * 200}})]  # each ended llama.cpp
    assert [chat(proxy, body)[0] for body in odd] == [400] * len(odd) and upstream.asked == before
    for body in (
        b"null",
        b'{"model": {"a": 1}}',
        b'{"messages": "' + b"(" * 5000 + b'"}',
        b'{"a": ' + b"[" * 90 + b"]" * 90 + b"}",
    ):
        assert chat(proxy, body)[0] == 200, body[:40]
    assert chat(proxy, Origin="http://evil.example")[0] == chat(proxy, Host="evil.example")[0] == 403


def _refused(proxy: str, body: bytes) -> int:
    try:
        return chat(proxy, body)[0]
    except (urllib.error.URLError, ConnectionError):  # refused while it was still sending, the answer lost with the connection
        return 413


def test_llama_that_dies_in_the_middle_is_told_and_nothing_hangs(proxy, upstream):
    upstream.way = "cut"
    try:
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            chat(proxy)
        upstream.way = "reset"
        status, said = chat(proxy)
        assert status == 502 and b"llama.cpp does not answer" in said
    finally:
        upstream.way = "whole"
    assert chat(proxy)[0] == 200
    gone = background(make_app([Served("x", "http://127.0.0.1:1")], Rules(None, 1000, None)))
    assert chat(gone)[0] == 502


@pytest.fixture
def votes(tmp_path):
    """(address, store, tokens) of twenty raters and ten questions."""
    store = Store(tmp_path)
    asked = [Question(f"q{i}", [{"role": "user", "content": f"Pergunta {i}?"}], "", "pt") for i in range(10)]
    answers = [Answer(q.name, system, f"{system} a {q.name}") for q in asked for system in "ab"]
    store.create(Material(asked, answers, False), "pairs", {}, 1.0, 1)
    tokens = list(store.add_raters([f"r{i}" for i in range(20)], {}, "pt", 1).values())
    settings = web.Settings("pairs", modes.read_rubric(RUBRIC), False, re.compile("qwen"), ["127.0.0.1"], [])
    return background(web.make_app(store, settings)), store, tokens


def test_200_votes_at_once_are_all_kept(votes):
    url, store, tokens = votes
    slow = [hold(url, head(url, f"/r/{tokens[0]}/vote", 100)[: 9 + i]) for i in range(50)]
    slow += [hold(url, head(url, f"/r/{tokens[0]}/vote", 100) + b"place=1") for _ in range(50)]

    def vote(job):
        token, place = job
        return ask(f"{url}/r/{token}/vote", f"place={place}&choice={1 + place % 2}".encode())[0]

    jobs = [(token, place) for token in tokens for place in range(1, 11)]
    with ThreadPoolExecutor(MANY) as pool:
        assert set(pool.map(vote, jobs)) == {200}
    for connection in slow:
        connection.close()
    found = store.votes()
    assert len(found) == MANY and {v.mended for v in found} == {0}
    for body in (b"x" * 10_000_000, b"choice=" + b"%41" * 3_000_000):
        try:
            assert ask(f"{url}/r/{tokens[0]}/vote", body)[0] == 413
        except (urllib.error.URLError, ConnectionError):
            pass  # the same, with the connection ended while it was sending
    assert len(store.votes()) == MANY and json.dumps(store.counts())
