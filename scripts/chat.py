"""Chat with a model in the terminal: a folder, an adapter folder, a hub id or a GGUF file. Not for clinical use.

    python scripts/chat.py --model runs/x/sft
    python scripts/chat.py --model runs/x/gguf/x-q4_k_m.gguf --system "Answer briefly."
    python scripts/chat.py --model runs/x/gguf/x-q4_k_m.gguf --prompt "What does insulin do?"      # answers once, ends
    python scripts/chat.py --model runs/x/gguf/x-q4_k_m.gguf --data data/x/test.jsonl --rows 2     # question, answer, gold
    cat questions.txt | python scripts/chat.py --model runs/x/sft                                  # one answer a line

In the chat: /system TEXT sets the system message (alone: removes it), /reset forgets the conversation, /thinking on|off,
/compare TEXT answers with the base and the tuned model side by side (an adapter's base; for others give --base),
/help, /quit. Ctrl-C stops an answer; at the prompt it ends the chat.

--prompt, --data and a pipe answer greedily (temperature 0), so the same input gives the same answer; a conversation
samples at 0.7. An answer is written as it comes. Questions are asked exactly as in training and scoring
(data_prep/chat_template.py); for a GGUF llama.cpp renders the template in the file.
"""

import contextlib
import shutil
import sys
import tempfile
import textwrap
from dataclasses import dataclass
from pathlib import Path

from common import models
from common.arguments import check_at_least, parse_args
from common.entry import run_main
from common.errors import UserError
from common.files import read_rows
from common.machine import quiet
from common.models import EMBEDDED_MODEL, adapter_config, check_model_name, find_model, has_cuda, is_adapter, load_tokenizer
from export.adapter_folder import base_of
from export.proof.float32 import load_16bit
from llamacpp.files import has_template, is_gguf
from llamacpp.server import start_server, stream_chat

from data_prep.chat_template import Renderer, scoring_prompt, to_messages

NOTE = "A research model: its answers may be wrong. Not for clinical use."
HELP = "/system TEXT   /reset   /thinking on|off   /compare TEXT   /help   /quit"


@dataclass
class Args:
    model: str = EMBEDDED_MODEL
    """folder, adapter folder, hub id or GGUF file"""
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
    """0: greedy; without it 0 for --prompt, --data and a pipe, 0.7 in a conversation"""
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
            if path and Path(path).is_file() and not is_gguf(path):
                found.append(f"{name}: {path} is a file, but no GGUF; give a model folder or a GGUF file")
            if path and is_adapter(path) and (task := adapter_config(path).get("task_type")) not in (None, "CAUSAL_LM"):
                reward = " (a reward model, as scripts/reward.py makes)" if task == "SEQ_CLS" else ""
                found.append(f"{name}: {path} is a {task} adapter{reward}: it writes no text")
        if self.data and not Path(self.data).is_file():
            found.append(f"data: there is no file {self.data}")
        if self.prompt is not None and self.data:
            found.append("prompt: give --prompt or --data, not both")
        if self.temperature is not None and not 0 <= self.temperature <= 2:
            found.append(f"temperature: {self.temperature} is not between 0 and 2")
        if self.compare and not self.base and not is_adapter(self.model):
            found.append("compare: needs --base, the untuned model (only an adapter folder brings its own)")
        return found + check_at_least(self, 1, "rows", "max_new_tokens", "max_length")


# ---------------------------------------------------------------------------------------------- who answers


class GgufModel:
    """A GGUF file in llama.cpp (xllamacpp), inside this process; what it prints goes to a log."""

    def __init__(self, path: str, args: Args):
        self.args, self.base = args, None
        self.log = Path(tempfile.gettempdir()) / f"chat-{Path(path).stem}.log"
        self.log.unlink(missing_ok=True)
        if not has_template(path):
            print(f"warning: {path} holds no chat template; llama.cpp takes ChatML", file=sys.stderr)
        self.quiet = contextlib.ExitStack()
        self.quiet.enter_context(quiet(self.log))
        try:
            self.server = start_server(path, n_ctx=args.max_length)
        except Exception as error:
            self.quiet.close()
            raise UserError(f"model: llama.cpp cannot load {path} ({error}); what it said: {self.log}") from None

    def answer(self, messages: list[dict], on_text, temperature: float, enable_thinking: bool) -> str:
        thought = []

        def think(piece: str) -> None:
            on_text(piece if thought else f"<think>\n{piece}")
            thought.append(piece)

        def write(piece: str) -> None:
            if thought and thought[-1] is not None:
                on_text("\n</think>\n\n")
                thought.append(None)
            on_text(piece)

        try:
            answer = stream_chat(
                self.server,
                messages,
                write,
                enable_thinking,
                think,
                temperature=temperature,
                max_tokens=self.args.max_new_tokens,
                seed=self.args.seed,
            )
        except RuntimeError as error:
            raise UserError(f"llama.cpp does not answer: {error} (max_length is {self.args.max_length}; /reset)") from None
        return answer["text"]

    def close(self) -> None:
        self.server = None
        self.quiet.close()


class FolderModel:
    """A Hugging Face folder, adapter folder or hub id; on a CUDA GPU through Unsloth."""

    def __init__(self, model: str, args: Args):
        import warnings

        warnings.filterwarnings("ignore")
        cuda = has_cuda()
        if cuda:
            from unsloth import FastLanguageModel

            self.model, self.tokenizer = models.load_model(model, args.max_length, args.load_in_4bit)
            FastLanguageModel.for_inference(self.model)
        else:
            self.tokenizer = load_tokenizer(model)
            if not self.tokenizer.chat_template:
                raise UserError(f"model: {model} has no chat template, so how to ask it cannot be told")
            self.model = load_16bit(base_of(model) if is_adapter(model) else model)
            if is_adapter(model):
                from peft import PeftModel

                if len(self.tokenizer) > self.model.get_input_embeddings().num_embeddings:
                    self.model.resize_token_embeddings(len(self.tokenizer))
                self.model = PeftModel.from_pretrained(self.model, model)
            self.model.eval()
        self.args, self.base = args, getattr(self.model, "disable_adapter", None)

    def answer(self, messages: list[dict], on_text, temperature: float, enable_thinking: bool) -> str:
        import threading

        import torch
        from transformers import TextIteratorStreamer

        ids = Renderer(self.tokenizer, enable_thinking).encode_prompt(messages)
        room = self.args.max_length - len(ids)
        if room < 1:
            raise UserError(f"the conversation is {len(ids)} tokens long, max_length is {self.args.max_length}; /reset")
        prompt = torch.tensor([ids], device=self.model.device)
        streamer = TextIteratorStreamer(self.tokenizer, skip_prompt=True, skip_special_tokens=True)
        sample = {"do_sample": True, "temperature": temperature} if temperature else {"do_sample": False}
        stop, failed = threading.Event(), []
        torch.manual_seed(self.args.seed)

        def generate():
            try:
                self.model.generate(
                    input_ids=prompt,
                    attention_mask=torch.ones_like(prompt),
                    streamer=streamer,
                    max_new_tokens=min(self.args.max_new_tokens, room),
                    pad_token_id=self.tokenizer.pad_token_id,
                    eos_token_id=self.ends(),
                    stopping_criteria=[lambda *_, **__: stop.is_set()],
                    **sample,
                )
            except Exception as error:
                failed.append(error)
                streamer.end()

        thread = threading.Thread(target=generate, daemon=True)
        thread.start()
        text = ""
        try:
            for piece in streamer:
                text += piece
                on_text(piece)
        finally:
            stop.set()
            thread.join()
        if failed:
            raise failed[0]
        return text

    def ends(self) -> list[int]:
        """Ids that end an answer: the tokenizer's, and those of the generation config."""
        configured = self.model.generation_config.eos_token_id
        return sorted({self.tokenizer.eos_token_id, *([configured] if isinstance(configured, int) else configured or [])})

    def close(self) -> None:
        pass


def load(name: str, args: Args):
    """Whoever answers for this name."""
    if is_gguf(name):
        return GgufModel(name, args)
    find_model(name)
    return FolderModel(name, args)


# ---------------------------------------------------------------------------------------------- the chat


class Chat:
    """A conversation with its history, and the commands that change it."""

    def __init__(self, args: Args, temperature: float):
        self.args, self.temperature, self.enable_thinking = args, temperature, args.enable_thinking
        self.model, self.base_model = load(args.model, args), None
        self.system, self.history = args.system, []

    def messages(self, text: str) -> list[dict]:
        system = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, *self.history, {"role": "user", "content": text}]

    def say(self, text: str) -> None:
        """Ask, write the answer as it comes, and remember both."""

        def write(piece: str) -> None:
            sys.stdout.write(piece)
            sys.stdout.flush()

        answer = self.model.answer(self.messages(text), write, self.temperature, self.enable_thinking)
        print()
        self.history += [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]

    def compare(self, text: str) -> None:
        """Answers of base and tuned side by side; the conversation stays as it was."""

        def ask(model):
            return model.answer(self.messages(text), lambda piece: None, self.temperature, self.enable_thinking)

        if self.args.base:
            self.base_model = self.base_model or load(self.args.base, self.args)
            base = ask(self.base_model)
        elif self.model.base:
            with self.model.base():
                base = ask(self.model)
        else:
            print("/compare needs --base, the untuned model (only an adapter folder brings its own)")
            return
        print(side_by_side("base", base, "tuned", ask(self.model)))

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
        else:
            print(HELP)
        return True

    def close(self) -> None:
        for model in (self.model, self.base_model):
            if model:
                model.close()


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


def question(row: dict) -> tuple[str, str | None]:
    """What a row asks, and its right answer."""
    if "options" in row or "labels" in row:
        return scoring_prompt(row), row.get("answer", row.get("label"))
    if "conversations" in row or "messages" in row:
        messages = [m for m in to_messages(row) if m["role"] != "system"]
        return messages[0]["content"], messages[1]["content"] if len(messages) > 1 else None
    return row.get("question") or row.get("prompt") or row["text"], row.get("answer")


def main() -> None:
    args = parse_args(Args, __doc__)
    rows = read_rows(args.data)[: args.rows] if args.data else []
    typed = args.prompt is None and not rows and sys.stdin.isatty()
    chat = Chat(args, args.temperature if args.temperature is not None else 0.7 if typed else 0.0)
    print(NOTE, file=sys.stderr)
    ask = chat.compare if args.compare else chat.say
    try:
        if args.prompt is not None:
            ask(args.prompt)
        for number, row in enumerate(rows, 1):
            text, gold = question(row)
            chat.system, chat.history = row.get("system", args.system), []
            print(f"question {number}: {text}\nanswer: ", end="\n" if args.compare else "")
            ask(text)
            print(f"gold: {gold}\n" if gold else "")
        if args.prompt is None and not rows:
            if typed:
                print(HELP)
            talk(chat, typed)
    finally:
        chat.close()


def talk(chat: Chat, typed: bool) -> None:
    """Read lines until the end; a line that begins with a slash is a command."""
    if typed:
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401  (arrow keys and history at the prompt)
    while True:
        try:
            line = input("\n> " if typed else "")
        except EOFError:
            return
        if not line.strip():
            continue
        try:
            if not line.startswith("/"):
                chat.say(line)
            elif not chat.command(line):
                return
        except KeyboardInterrupt:
            print("\n(stopped)")
        except UserError as error:
            if not typed:
                raise
            print(error)


if __name__ == "__main__":
    run_main(main)
