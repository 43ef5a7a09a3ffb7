"""serve.py and annotate.py for an hour, at a low rate, their resident memory noted each minute.

    python tests/faults/soak.py --minutes 60 --model SmolLM2-135M-Instruct.Q4_1.gguf

Mixed requests by turns: answers whole and streamed, streams that a client leaves, long prompts, pages, sites that may not ask,
nonsense, bodies that are too long, connections that are dropped; on the page of annotate.py votes, changed votes, pages, wrong
links, nonsense. A line a minute: MB, threads, open files, answers of each status. Exit code 1 where a server ended, or its memory
grew by more than a tenth from a quarter of the time on.
"""

import argparse
import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 600  # seconds; generous, for machines are busy
CHAT = "/v1/chat/completions"
PAGES = ("/", "/v1/models", "/props", "/health", "/compare", "/etc/passwd")
STRANGERS = ({"Origin": "https://example.org"}, {"Host": "rebound.example.org"}, {"Content-Type": "text/plain"})


@dataclass
class Server:
    """A script of ours that serves; `minutes`: (minute, MB, threads, open files)."""

    name: str
    words: list[str]
    ready: str
    printed: Path
    minutes: list[tuple[float, float, int, int]] = field(default_factory=list)
    answers: Counter = field(default_factory=Counter)

    def start(self) -> None:
        with open(self.printed, "w") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.words], cwd=ROOT, stdout=log, stderr=log, env=os.environ | {"OMP_NUM_THREADS": "1"}
            )
        while not (found := re.search(self.ready, self.printed.read_text())):
            assert self.process.poll() is None, self.printed.read_text()
            time.sleep(0.2)
        self.url = found[1]

    def note(self, minute: float) -> None:
        """Of the process and its children together."""
        own = self.process.pid
        megabytes = threads = files = 0
        for pid in (own, *Path(f"/proc/{own}/task/{own}/children").read_text().split()):
            status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
            megabytes += int(status["VmRSS"].split()[0]) / 1000
            threads, files = threads + int(status["Threads"]), files + len(os.listdir(f"/proc/{pid}/fd"))
        self.minutes.append((minute, round(megabytes, 1), threads, files))

    def ask(self, path: str, body: bytes | None = None, headers: dict | None = None, leave: bool = False) -> None:
        """One request, however it ends; `leave`: the client goes away in the middle of the answer."""
        call = urllib.request.Request(self.url + path, body, {"Content-Type": "application/json"} | (headers or {}))
        try:
            with urllib.request.urlopen(call, timeout=PATIENCE) as answer:
                answer.readline() if leave else answer.read()
                self.answers["left" if leave else answer.status] += 1
        except urllib.error.HTTPError as error:
            self.answers[error.code] += 1
            with contextlib.suppress(ConnectionError):  # refused while it was being sent, and the connection ended
                error.read()
        except TimeoutError:
            self.answers["hung"] += 1
            print(f"{self.name}: no answer in {PATIENCE} s to {(body or path.encode())[:300]}", flush=True)
        except (urllib.error.URLError, ConnectionError):  # a body that is too long is refused while it is being sent
            self.answers["ended"] += 1

    def grown(self) -> float:
        """Growth of the memory after a quarter of the time, as a share."""
        quarter = self.minutes[len(self.minutes) // 4 :]
        return quarter[-1][1] / quarter[0][1] - 1


def ask_model(server: Server, dice: random.Random) -> None:
    """One request to serve.py."""
    text = " ".join(dice.choices(("dose", "febre", "tosse", "insulina", "what", "how", "é"), k=dice.choice((5, 60, 300))))
    body = {"messages": [{"role": "user", "content": text}], "max_tokens": dice.choice((4, 16, 32)), "temperature": 0.7}
    kind = dice.choice(("whole", "whole", "stream", "leave", "too long", "page", "stranger", "nonsense", "large", "hold"))
    if kind in ("whole", "stream", "leave"):
        body |= {"stream": kind != "whole"} | ({"max_tokens": 200} if kind == "leave" else {})
        server.ask(CHAT, json.dumps(body).encode(), leave=kind == "leave")
    elif kind == "too long":  # over the context
        body["messages"][0]["content"] = text * 200
        server.ask(CHAT, json.dumps(body).encode())
    elif kind == "page":
        server.ask(dice.choice(PAGES))
    elif kind == "stranger":
        server.ask(CHAT, json.dumps(body).encode(), dice.choice(STRANGERS))
    elif kind == "nonsense":
        server.ask(CHAT, dice.randbytes(dice.choice((1, 100, 10_000))))
    elif kind == "large":
        server.ask(CHAT, b'{"messages": "' + b"x" * 3_000_000 + b'"}')
    else:
        hold(server.url, CHAT)


def vote(server: Server, dice: random.Random, links: list[str], questions: int) -> None:
    """One request to annotate.py."""
    link, place = dice.choice(links), dice.randrange(1, questions + 1)
    kind = dice.choice(("vote", "vote", "vote", "page", "page", "stranger", "nonsense", "large", "hold"))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    if kind == "vote":
        server.ask(f"{link}/vote", f"place={place}&choice={dice.choice((1, 2))}".encode(), form)
    elif kind == "page":
        server.ask(dice.choice((link, f"{link}?place={place}", "/static/style.css", "/r/none", "/x")))
    elif kind == "stranger":
        server.ask(f"{link}/vote", b"place=1&choice=1", form | dice.choice(STRANGERS[:2]))
    elif kind == "nonsense":
        server.ask(f"{link}/vote", dice.randbytes(dice.choice((1, 100, 10_000))), form)
    elif kind == "large":
        server.ask(f"{link}/vote", b"x" * 3_000_000, form)
    else:
        hold(server.url, f"{link}/vote")


def hold(url: str, path: str) -> None:
    """A client that sends half a request and goes away."""
    from test_servers import head
    from test_servers import hold as held

    held(url, head(url, path, 1000)[:40]).close()


def make_answers(folder: Path, questions: int) -> list[str]:
    """Two files of answers for annotate.py."""
    for name in ("a", "b"):
        rows = [{"id": f"q{i}", "prompt": f"Pergunta {i}?", "answer": f"{name} diz {i}. " * 20} for i in range(questions)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [str(folder / "a.jsonl"), str(folder / "b.jsonl")]


def soak(model: str, minutes: float, pause: float, seed: int, folder: Path) -> list[Server]:
    """Both servers, asked by turns until the time is over."""
    dice, questions = random.Random(seed), 200
    words = ["scripts/annotate.py", "--answers", *make_answers(folder, questions), "--raters", "Ana", "Bia", "--port", "0"]
    serving = Server("serve.py", ["scripts/serve.py", "--model", model, "--port", "0", "--num_ctx", "1024"],
                     r"chat page: (\S+)\n[^$]*Ctrl-C", folder / "serve.txt")  # fmt: skip
    voting = Server("annotate.py", [*words, "--overlap", "1", "--output_dir", str(folder / "votes")],
                    r"Ana: (http://[^/]+)/r/[^$]*ready", folder / "annotate.txt")  # fmt: skip
    try:
        for server in (serving, voting):
            server.start()
        links = re.findall(r"http://[^/]+(/r/\S+)", voting.printed.read_text())
        begin = time.monotonic()
        while (now := time.monotonic() - begin) < 60 * minutes:
            for server in (serving, voting):
                assert server.process.poll() is None, f"{server.name} ended: {server.printed.read_text()[-3000:]}"
                if now >= 60 * len(server.minutes):
                    server.note(round(now / 60, 1))
                    print(server.name, *server.minutes[-1], dict(server.answers), flush=True)
            ask_model(serving, dice)
            vote(voting, dice, links, questions)
            time.sleep(pause)
        return [serving, voting]
    finally:
        for server in (serving, voting):
            if hasattr(server, "process"):
                server.process.send_signal(signal.SIGINT)
                server.process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="GGUF file, a small one")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--pause", type=float, default=1.5, help="seconds between two requests")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    sys.path[:0] = [str(ROOT), str(ROOT / "scripts"), str(ROOT / "tests")]
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        servers = soak(args.model, args.minutes, args.pause, args.seed, Path(folder))
    for server in servers:
        print(f"{server.name}: memory {server.grown():+.1%} from a quarter of the time on; answers {dict(server.answers)}")
    sys.exit(any(server.grown() > 0.1 or server.answers["hung"] for server in servers))


if __name__ == "__main__":
    main()
