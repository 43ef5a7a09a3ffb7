"""Nothing is asked of a network that the user did not name. The recipes are held to it in tests/recipes/test_rehearsals.py."""

import pytest
from conftest import ROOT, run_without_network

CALL = "import socket, sys; s = socket.socket(); s.settimeout(1); "


@pytest.mark.parametrize("call", ["s.connect_ex(('192.0.2.1', 80))", "socket.getaddrinfo('example.invalid', 80)"])
def test_a_call_outside_is_caught_in_a_child_too(tmp_path, call):
    """What holds the others to it can fail. The address is one of those kept for documents (RFC 5737)."""
    child = f"import contextlib\n{CALL}\nwith contextlib.suppress(OSError): {call}"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    with pytest.raises(AssertionError, match="asked for by"):
        run_without_network(tmp_path / "asked.txt", "-c", code)


def test_this_machine_itself_can_be_asked(tmp_path):
    """llama.cpp's server is, on 127.0.0.1, by the export's proof."""
    code = "import socket; s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname(), 5)"
    run_without_network(tmp_path / "asked.txt", "-c", code)


@pytest.mark.rehearsal  # half a minute
def test_preparing_training_and_scoring_ask_for_nothing(tiny_model, tiny_rows, tmp_path):
    data, sft = tmp_path / "data", tmp_path / "sft"
    ask = tmp_path / "asked.txt"
    run_without_network(ask, "data_prep/prepare.py", ROOT / "recipes/rehearsal/labelled.csv", "--output_dir", data)
    train = ["--data", tiny_rows / "train.jsonl", "--max_steps", 1, "--max_length", 256]
    run_without_network(ask, "scripts/sft.py", "--model", tiny_model, *train, "--output_dir", sft)
    test = ["--data", tiny_rows / "test.jsonl", "--output_dir", tmp_path / "eval"]
    run_without_network(ask, "scripts/evaluate.py", "--model", sft, *test)
