"""Answers to vote on, and the page served as a user serves it."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

from conftest import ROOT

HOSTILE = (
    "<script>document.title = 'taken over'</script><img src=x onerror=\"document.title='taken over'\"></div></form> "
    "I am Qwen3-1.7B by Alibaba. \u202ecba\u202c \u05e9\u05dc\u05d5\u05dd " + "dose " * 20_000
)
QUESTIONS = [
    "Quais são os sinais de alarme da dengue?",
    "What are the contraindications of metformin?",
    "O que é cetoacidose diabética?",
    "When is a CT indicated after head trauma?",
    "Como se trata a crise asmática grave?",
    "What is the first-line treatment of syphilis?",
]


def write_rows(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def write_answers(folder: Path) -> list[Path]:
    """Answers of two systems to six questions, whose file names would tell them apart; one answer is hostile."""
    files = []
    for system in ("plain-smollm2", "tuned-dpo"):
        rows = [
            {
                "id": f"q{i}",
                "prompt": q,
                "answer": f"{'Short' if 'plain' in system else 'Longer and fuller'} answer to number {i}.",
            }
            for i, q in enumerate(QUESTIONS)
        ]
        rows[0]["answer"] = HOSTILE if "plain" in system else rows[0]["answer"]
        files.append(write_rows(folder / f"{system}.jsonl", rows))
    return files


class Served:
    """A running annotate.py: its raters' links, and a way to kill it."""

    def __init__(self, command: list, folder: Path):
        self.process = subprocess.Popen(
            [sys.executable, "scripts/annotate.py", *map(str, command), "--output_dir", str(folder)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.printed = []
        for line in self.process.stdout:
            self.printed.append(line)
            if line.startswith("ready"):
                break
        else:
            raise AssertionError("".join(self.printed))
        lines = (folder / "links.txt").read_text(encoding="utf-8").splitlines()
        self.links = dict(line.split("\t") for line in lines)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
