"""Chat with a model in the terminal: a folder, an adapter folder, a hub id or a GGUF file. Not for clinical use.

    python scripts/chat.py --model runs/x/sft
    python scripts/chat.py --model runs/x/gguf/x-q4_k_m.gguf --system "Answer briefly."
    python scripts/chat.py --model base-q4_k_m.gguf --lora sft-lora-f16.gguf,dpo-lora-f16.gguf       # one base, two adapters
    python scripts/chat.py --model runs/x/gguf/x-q4_k_m.gguf --prompt "What does insulin do?"      # answers once, ends
    python scripts/chat.py --model runs/x/gguf/x-q4_k_m.gguf --data data/x/test.jsonl --rows 2     # question, answer, gold
    cat questions.txt | python scripts/chat.py --model runs/x/sft                       # each line a question by itself

In the chat: /system TEXT sets the system message (alone: removes it), /reset forgets the conversation, /thinking on|off,
/compare TEXT answers with the base and the tuned model side by side (an adapter's base; for others give --base),
/lora NAME|off chooses among the adapters of --lora (the first at the beginning), /help, /quit. Ctrl-C stops an answer; at the
prompt it ends the chat. In a pipe nothing is a command, and no line knows of the one before.

--prompt, --data and a pipe answer greedily (temperature 0), so the same input gives the same answer; a conversation samples
as the model's makers say, greedily where they say nothing. An answer is written as it comes; one that reached
--max_new_tokens is marked. Questions are asked exactly as in training and scoring (data_prep/chat_template.py); for a GGUF
llama.cpp renders the template in the file.
"""

import contextlib
import dataclasses
import os
import re
import shutil
import sys
import tempfile
import textwrap
from dataclasses import dataclass
from pathlib import Path

from chatting.answering import Question, Settings, load
from common.arguments import check_at_least, parse_args, tell_unused
from common.entry import run_main
from common.errors import UserError
from common.machine import watched
from common.models import EMBEDDED_MODEL, adapter_config, check_model_name, is_adapter
from llamacpp.files import gguf_problems, is_gguf, lora_problems
from llamacpp.sampling import GREEDY
from llamacpp.server import NOTE
from scoring.row_questions import questions_of

HELP = "/system TEXT   /reset   /thinking on|off   /compare TEXT   /lora NAME|off   /help   /quit"
COMMANDS = {part.split()[0] for part in HELP.split("   ")} | {"/exit"}


@dataclass
class Args:
    model: str = EMBEDDED_MODEL
    """folder, adapter folder, hub id or GGUF file"""
    lora: str | None = None
    """adapter GGUFs beside a GGUF --model, comma-separated"""
    base: str | None = None
    """model for /compare; an adapter's own base without it"""
    prompt: str | None = None
    """answer this once and end"""
    data: str | None = None
    """rows (JSONL) whose questions are asked, each by itself"""
    rows: int = 2
    """how many rows of --data"""
    compare: bool = False
    """--prompt and --data: answer with base and tuned side by side"""
    system: str | None = None
    """system message"""
    enable_thinking: bool = False
    """let a model that can think first do so; off as in training"""
    temperature: float | None = None
    """0: greedy; without it 0 for --prompt, --data and a pipe, the model's own in a conversation"""
    max_new_tokens: int = 512
    """longest answer in tokens"""
    max_length: int = 4096
    """longest conversation in tokens"""
    seed: int = 3407
    """seed of the sampling"""
    load_in_4bit: bool = False
    """load a folder in 4 bits (CUDA)"""

    def problems(self) -> list[str]:
        found = check_model_name(self.model) + (check_model_name(self.base, "base") if self.base else [])
        for name in ("model", "base"):
            path = getattr(self, name)
            if path and Path(path).is_file():
                found += gguf_problems(path, name)
            if path and is_adapter(path) and (task := adapter_config(path).get("task_type")) not in (None, "CAUSAL_LM"):
                reward = " (a reward model, as scripts/reward.py makes)" if task == "SEQ_CLS" else ""
                found.append(f"{name}: {path} is a {task} adapter{reward}: it writes no text")
        if self.lora and not is_gguf(self.model):
            found.append("lora: goes with a GGUF --model; a folder's adapter is its own --model")
        elif self.lora:
            found += [p for lora in self.adapters() for p in lora_problems(self.model, lora)]
        if self.data and not Path(self.data).is_file():
            found.append(f"data: there is no file {self.data}")
        if self.prompt is not None and self.data:
            found.append("prompt: give --prompt or --data, not both")
        if self.prompt is not None and not self.prompt.strip():
            found.append("prompt: is empty, so nothing is asked")
        if self.temperature is not None and not 0 <= self.temperature <= 2:
            found.append(f"temperature: {self.temperature} is not between 0 and 2")
        if self.compare and not self.base and not self.lora and not is_adapter(self.model):
            found.append("compare: needs --base, the untuned model (only an adapter brings its own)")
        return found + check_at_least(self, 1, "rows", "max_new_tokens", "max_length")

    def unused(self) -> dict[str, str]:
        """Why a field would change nothing, "" where it does."""
        at_once = self.prompt is not None or self.data or not sys.stdin.isatty()
        return {
            "rows": "" if self.data else "there is no --data to take them from",
            "base": "only --compare asks it" if at_once and not self.compare else "",
            "compare": "" if at_once else "a conversation compares by /compare",
            "load_in_4bit": "a GGUF file has the weights that it has" if is_gguf(self.model) else "",
        }

    def adapters(self) -> list[str]:
        return [part.strip() for part in self.lora.split(",") if part.strip()] if self.lora else []


class Chat:
    """A conversation with its history, and the commands that change it."""

    def __init__(self, args: Args, typed: bool, log: Path | None):
        self.args, self.enable_thinking = args, args.enable_thinking
        self.settings = Settings(args.max_new_tokens, args.max_length, args.seed, args.load_in_4bit, log)
        self.model, self.base_model = load(args.model, self.settings, args.adapters()), None
        self.sampling = self.model.sampling if typed else GREEDY
        if args.temperature is not None:
            self.sampling = dataclasses.replace(self.sampling, temperature=args.temperature)
        self.adapter = 0 if args.lora else None
        self.system, self.history = args.system, []

    def question(self, text: str, adapter: int | None) -> Question:
        system = [{"role": "system", "content": self.system}] if self.system else []
        messages = [*system, *self.history, {"role": "user", "content": text}]
        return Question(messages, self.sampling, self.enable_thinking, adapter)

    def say(self, text: str) -> None:
        """Ask, write the answer as it comes, and remember both."""

        def write(piece: str) -> None:
            sys.stdout.write(piece)
            sys.stdout.flush()

        answer = self.model.answer(self.question(text, self.adapter), write)
        print(self.mark() if answer.cut else "")
        self.history += [{"role": "user", "content": text}, {"role": "assistant", "content": answer.text}]

    def begin(self, messages: list[dict]) -> str:
        """A new conversation with what stands before a row's question; the question."""
        *before, asked = messages
        self.system = next((m["content"] for m in before if m["role"] == "system"), self.args.system)
        self.history = [m for m in before if m["role"] != "system"]
        return asked["content"]

    def mark(self) -> str:
        return f" [cut after {self.args.max_new_tokens} tokens; --max_new_tokens]"

    def compare(self, text: str) -> None:
        """Answers of base and tuned side by side; the conversation stays as it was."""

        def ask(model, adapter):
            answer = model.answer(self.question(text, adapter), lambda piece: None)
            return answer.text + (self.mark() if answer.cut else "")

        if self.args.base:
            self.base_model = self.base_model or load(self.args.base, self.settings)
            base = ask(self.base_model, None)
        elif self.model.compares:
            base = ask(self.model, -1)
        else:
            print("/compare needs --base, the untuned model (only an adapter brings its own)")
            return
        print(side_by_side("base", base, "tuned", ask(self.model, 0 if self.adapter == -1 else self.adapter)))

    def command(self, line: str) -> bool:
        """Do a line that begins with a slash; False where it ends the chat."""
        name, _, rest = line.partition(" ")
        rest = rest.strip()
        if name in ("/quit", "/exit"):
            return False
        if name == "/system":
            self.system, self.history = rest or None, []
            print("system message " + ("set" if rest else "removed") + "; a new conversation begins")
        elif name == "/reset":
            self.history = []
            print("a new conversation begins")
        elif name == "/thinking" and rest in ("on", "off"):
            self.enable_thinking = rest == "on"
            print(f"thinking {rest}")
        elif name == "/compare" and rest:
            self.compare(rest)
        elif name == "/lora" and (rest == "off" or rest in self.model.names) and self.model.names:
            self.adapter = -1 if rest == "off" else self.model.names.index(rest)
            print(f"adapter {rest}")
        elif name == "/lora":
            print(f"adapters: {', '.join(self.model.names) or 'none (--lora)'}; or off")
        else:
            print(HELP)
        return True

    def close(self) -> None:
        for model in (self.model, self.base_model):
            if model:
                model.close()


def is_command(line: str) -> bool:
    """/reset is one, and /rest is a mistake for one; "/etc/passwd is what?" is a question."""
    return line.partition(" ")[0] in COMMANDS or bool(re.fullmatch(r"/[a-z]+", line.strip()))


def side_by_side(left_title: str, left: str, right_title: str, right: str) -> str:
    """Two texts in two columns as wide as the terminal allows."""
    width = max(20, (min(shutil.get_terminal_size((100, 24)).columns, 160) - 3) // 2)
    columns = [
        [title, "-" * width, *(line for part in text.splitlines() or [""] for line in textwrap.wrap(part, width) or [""])]
        for title, text in ((left_title, left.strip()), (right_title, right.strip()))
    ]
    longest = max(map(len, columns))
    pairs = zip(*(c + [""] * (longest - len(c)) for c in columns), strict=True)
    return "\n".join(f"{a:{width}} | {b}".rstrip() for a, b in pairs)


def main() -> None:
    args = parse_args(Args, __doc__)
    tell_unused(args, args.unused())
    # A byte that is no UTF-8 spoils its own character only.
    sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    args.prompt, args.system = (t and t.encode("utf-8", "replace").decode() for t in (args.prompt, args.system))
    rows = questions_of(args.data, args.rows) if args.data else []
    typed = args.prompt is None and not rows and sys.stdin.isatty()
    chat = Chat(args, typed, watch(args, typed))
    print(NOTE, file=sys.stderr)
    ask = chat.compare if args.compare else chat.say
    try:
        if args.prompt is not None:
            ask(args.prompt)
        for number, (messages, gold) in enumerate(rows, 1):
            text = chat.begin(messages)
            print(f"question {number}: {text}\nanswer: ", end="\n" if args.compare else "")
            ask(text)
            print(f"gold: {gold}\n" if gold else "")
        if args.prompt is None and not rows:
            talk(chat) if typed else answer_lines(chat, ask)
    except BrokenPipeError:  # `| head -1` has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os._exit(0)
    finally:
        chat.close()


def watch(args: Args, typed: bool) -> Path | None:
    """From here on in a child of this process where llama.cpp answers, which may end it; the file for what llama.cpp prints."""
    files = [path for path in (args.model, args.base) if path and is_gguf(path)]
    if not files:
        return None
    with tempfile.NamedTemporaryFile(prefix="chat-", suffix=".log", delete=False) as file:
        log = Path(file.name)
    watched(f"model: {' or '.join([*files, *args.adapters()])}", log, keyboard=typed)
    return log


def answer_lines(chat: Chat, ask) -> None:
    """Each line of the standard input as a question by itself. Raises UserError at the end, where one could not be answered, or
    none was asked."""
    failed, asked = [], 0
    for number, line in enumerate(sys.stdin, 1):
        if line.strip():
            chat.history, asked = [], asked + 1
            try:
                ask(line.strip())
            except UserError as error:
                failed.append(f"line {number}: {'; '.join(error.problems)}")
                print(f"(line {number} is not answered)")
    if failed:
        raise UserError(failed)
    if not asked:
        raise UserError("prompt: the standard input holds no question; give lines there, --prompt or --data")


def talk(chat: Chat) -> None:
    """Read what is typed until the end."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  (arrow keys and history at the prompt)
    print(HELP)
    while True:
        try:
            line = input("\n> ")
        except EOFError:
            return
        if not line.strip():
            continue
        try:
            if not is_command(line):
                chat.say(line)
            elif not chat.command(line):
                return
        except KeyboardInterrupt:
            print("\n(stopped)")
        except UserError as error:
            print(error)


if __name__ == "__main__":
    run_main(main)
