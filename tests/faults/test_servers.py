"""serve.py's and annotate.py's web parts under load: 200 connections, slow and broken clients, 10 MB bodies, llama.cpp gone,
requests as only a stranger writes them.

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
from common import web_server
from conftest import ROOT
from llamacpp.proxy import Rules, Served, make_app, serve_in_background

MANY = 200
RUBRIC = ROOT / "scripts" / "annotation" / "rubric.yaml"
ANSWER = b'{"choices": [{"message": {"content": "ok"}}]}'


class Upstream:
    """What stands in llama.cpp's place. `way`: whole, cut (half an answer, then the connection ends), reset at once, or endless.
    `lines`: the first lines of the requests. `left`: an endless answer was ended by who asked."""

    def __init__(self):
        self.way, self.asked, self.lines, self.left = "whole", 0, [], threading.Event()
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
                self.lines.append(line.decode())
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
                if self.way == "endless":
                    stream.flush()
                    return self.write_for_good(connection)
                half = ANSWER[:10] if self.way == "cut" else ANSWER
                stream.write(f"{len(half):x}\r\n".encode() + half + b"\r\n")
                stream.flush()
                if self.way == "cut":
                    return
                stream.write(b"0\r\n\r\n")
                stream.flush()

    def write_for_good(self, connection):
        try:
            while True:
                connection.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        except OSError:
            self.left.set()


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


HI = b'{"messages": [{"role": "user", "content": "hi"}]}'


def chat(proxy: str, body: bytes = HI, **headers) -> tuple[int, bytes]:
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


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-More: "])
def test_a_header_that_never_ends_is_not_waited_for(upstream, monkeypatch, sent):
    """Each half of one held a file descriptor for good; also after a first, whole request."""
    app = background(make_app([Served("one", upstream.url)], Rules(frozenset({"127.0.0.1"}), 2_000_000, "secret")))
    with hold(app, b"GET / HTTP/1.1\r\nHost: evil\r\n\r\n") as connection, connection.makefile("rb") as answer:
        assert b"403" in answer.readline()
        monkeypatch.setattr(web_server, "HEADER_SECONDS", 0.2)
        connection.sendall(sent)
        assert answer.read().endswith(b"}")
    with hold(app, sent) as connection:
        assert connection.recv(100) == b""


def test_a_vote_that_never_ends_is_not_waited_for(votes, monkeypatch):
    url, store, tokens = votes
    monkeypatch.setattr(web, "PATIENCE", 0.2)
    with hold(url, head(url, f"/r/{tokens[0]}/vote", 100) + b"place=1") as connection:
        assert b"408" in connection.recv(100)
    assert not store.votes()


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
        b'{"metadata": ' + b"[" * 90 + b"]" * 90 + b"}",
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


def raw(url: str, sent: bytes) -> bytes:
    """What is answered to these bytes, up to the end of the answer that they ask to be the last."""
    with hold(url, sent) as connection:
        found = b""
        try:
            while piece := connection.recv(65536):
                found += piece
        except ConnectionResetError:
            pass
    return found


def get(path: str, host: str, *more: str, method: str = "GET") -> bytes:
    body = "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n[]" if method == "POST" else "\r\n"
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *more, body]).encode()


def status(answer: bytes) -> int:
    return int(answer.split()[1])


def test_no_spelling_of_a_path_reaches_what_would_change_the_server(proxy, upstream):
    host, before = proxy.removeprefix("http://"), len(upstream.lines)
    closed = ("/./lora-adapters", "/x/../lora-adapters", "/v1/../props", "/%2e/lora-adapters", "/x/%2e%2e/lora-adapters")
    closed += ("//lora-adapters", "/lora%2dadapters", "/slots/0?action=erase", "/v1/lora-adapters/")
    assert {status(raw(proxy, get(path, host, method="POST"))) for path in closed} == {403, 404} and len(upstream.lines) == before
    for path, asked in (
        ("/lora%252dadapters", "/lora%252dadapters"),  # decoded once here and once there
        ("/lora-adapters%23x", "/lora-adapters%23x"),
        ("/lora-adapters%3fx", "/lora-adapters%3Fx"),
        ("/a%00b?c=%41%20d", "/a%00b?c=%41%20d"),
        ("//evil.example/v1/models", "//evil.example/v1/models"),
    ):
        assert status(raw(proxy, get(path, host, method="POST"))) == 200
        assert upstream.lines[-1] == f"POST {asked} HTTP/1.1\r\n"
    assert status(raw(proxy, get("/" + "a" * 8000, host))) == 414


def test_who_may_ask_is_read_as_browsers_write_it(proxy, upstream):
    host, before = proxy.removeprefix("http://"), len(upstream.lines)
    for name in ("evil.example://localhost", "localhost:80@evil.example", "http://localhost", "[::1].evil.example", "localhost."):
        assert status(raw(proxy, get("/v1/models", name))) == 403, name
    for name in ("%6c%6f%63alhost", "127.0.0.1%00.evil", "[::1", "", "localhost/x?", "evil.example"):
        assert status(raw(proxy, get("/health", name))) == 403, name
    for more in (f"Origin: evil://{host}", f"Origin: http://{host}\r\nOrigin: http://evil.example", "Origin: null"):
        assert status(raw(proxy, get("/health", host, more))) == 403, more
    for path in ("http://evil.example/health", "http://127.0.0.1:1@evil.example/", "@evil.example/", ":1/health", "*"):
        assert status(raw(proxy, get(path, host))) == 404, path
    for method in ("OPTIONS", "PUT", "TRACE", "DELETE", "PATCH", "PROPFIND", "A" * 5000):
        assert status(raw(proxy, get("/health", host, method=method))) == 405, method
    assert len(upstream.lines) == before
    upgrade = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    assert status(raw(proxy, get("/health", host, upgrade))) == status(raw(proxy, get("/health", "LOCALHOST:1"))) == 200


def test_what_is_no_http_is_told_and_hides_no_second_request(proxy, upstream):
    host, before = proxy.removeprefix("http://"), len(upstream.lines)
    begin = f"POST /completion HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n".encode()
    second = b"0\r\n\r\n" + get("/lora-adapters", "evil.example", method="POST")
    for header in (
        *(b"Content-Length: " + n for n in (b"-5", b"+5", b"0x10", b"9" * 5000, b"", b"2\r\nContent-Length: 5")),
        *(b"Transfer-Encoding: " + n for n in (b"chunked, chunked", b"xchunked", b"gzip, chunked", b"chunked\r\nX : y")),
        b"X: a\0b",
        b"X: " + b"a" * 1_000_000,
        b"Host: " + host.encode(),
    ):
        answer = raw(proxy, begin + header + b"\r\n\r\n" + second)
        assert answer == b"" or status(answer) == 400, (header[:50], answer[:200])  # or reset while it was being sent
    both = begin + b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % len(second) + second
    assert re.findall(rb"HTTP/1.1 (\d+)", raw(proxy, both)) == [b"400", b"403"]
    assert len(upstream.lines) == before and chat(proxy)[0] == 200


def test_a_client_that_sends_or_takes_nothing_is_not_waited_for(upstream):
    """A body that does not come is told; an answer that is not taken is ended, in llama.cpp too."""
    impatient = background(make_app([Served("one", upstream.url)], Rules(None, 2_000_000, None, patience=0.5)))
    assert status(raw(impatient, head(impatient, "/completion", 1000) + b"{")) == 408
    upstream.way = "endless"
    try:
        with hold(impatient, head(impatient, "/completion", 2) + b"{}"):
            assert upstream.left.wait(300)
    finally:
        upstream.way = "whole"


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
