"""Killed anywhere and run again; a disk that is too small, a real one; two exports at once; a base from the hub's cache."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from common.files import sha256
from conftest import ROOT, answer_at_once, run_script
from export import preflight
from export.needs import needs_of, shape_of
from llamacpp import tools
from llamacpp.tools import CONVERTER_FOLDER, INSTALL

if not list(CONVERTER_FOLDER.glob("*/llama.cpp/convert_hf_to_gguf.py")):
    pytest.skip(f"llama.cpp's converter is not in .tools; run: make setup, or: {INSTALL}", allow_module_level=True)


@pytest.fixture(scope="module")
def small(smollm2, tmp_path_factory):
    """(model, adapter): a random Llama of two layers with SmolLM2's tokenizer, and an adapter with weights far from zero."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(3)
    folder = tmp_path_factory.mktemp("small")
    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    model = LlamaForCausalLM(config).to(torch.bfloat16)
    model.save_pretrained(folder / "model")
    tokenizer = AutoTokenizer.from_pretrained(ROOT / smollm2)
    tokenizer.save_pretrained(folder / "model")
    model = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM"))
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, 0, 0.2)
    model.save_pretrained(folder / "adapter")
    tokenizer.save_pretrained(folder / "adapter")
    named(folder / "adapter", str(folder / "model"))
    return folder / "model", folder / "adapter"


def named(adapter, base):
    """Have the adapter name this base."""
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": base}))


# The best token of random weights is a matter of luck.
SHORT = ["--max_tokens", "300", "--quantization", "q4_k_m", "--name", "x", "--gates", '{"q4_k_m": {"top1": 0.1}}']


def bytes_of(folder):
    """Hashes of what an export publishes; verification.json holds times, so of it only the verdicts."""
    names = ["x-q4_k_m.gguf", "Modelfile"]
    return {name: sha256(folder / name) for name in names} | {
        "verdicts": [f["failed"] for f in json.loads((folder / "verification.json").read_text())["files"]]
    }


@pytest.mark.parametrize(
    "stages",
    [
        ["convert"],
        pytest.param(["merge", "convert", "quantise", "verify"], marks=pytest.mark.slow),  # five exports
    ],
)
def test_killed_and_run_again_ends_with_the_same_bytes(stages, small, tmp_path):
    """SIGKILL as each step begins (nothing can catch it): no child lives on, and the next run makes the same files."""
    _, adapter = small
    proof = ["--verify", "verify" in stages]
    command = ["scripts/export_gguf.py", "--model", adapter, *SHORT, *proof, "--output_dir"]
    for stage in stages:
        process = subprocess.Popen(
            [sys.executable, *map(str, command), str(tmp_path / "killed")],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            stderr=subprocess.STDOUT,
        )
        printed = ""
        while not printed.endswith(f"{stage} " if stage == "verify" or stage == "merge" else stage):
            piece = process.stdout.read(1)
            assert piece, printed
            printed += piece
        time.sleep(1.0 if stage != "quantise" else 0.1)
        children = subprocess.run(["ps", "--ppid", str(process.pid), "-o", "pid="], capture_output=True, text=True).stdout.split()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        time.sleep(0.5)
        assert children and not any(os.path.exists(f"/proc/{pid}/exe") for pid in children), "a step lives on"
        left = sorted(p.name for p in (tmp_path / "killed").iterdir() if not p.name.startswith("."))
        assert left in ([], ["export.log"]), "something half done was published"
    for name in ("killed", "whole"):
        run_script(*command, tmp_path / name)
    assert bytes_of(tmp_path / "killed") == bytes_of(tmp_path / "whole")
    assert not (tmp_path / "killed" / ".work").exists() and not (tmp_path / "killed" / ".lock").exists()


@pytest.fixture
def small_disk(tmp_path):
    """A function that mounts a disk (in memory) of so many bytes, and returns its folder."""
    mounted = []

    def mount(size: int):
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"a small disk needs the right to mount one ({done.stderr.strip()})")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.slow  # an export and a half
def test_full_disk_is_told_before_and_what_is_told_is_enough(small, small_disk):
    """On a real disk: a byte too small is refused before anything is written; of the size asked for, it ends well."""
    model, adapter = small
    need = needs_of(model, ["q4_k_m"], proof_tokens=300, untuned=False).disk
    command = ["scripts/export_gguf.py", "--model", adapter, *SHORT, "--output_dir"]
    page = os.sysconf("SC_PAGE_SIZE")
    tight = small_disk((need // page - 1) * page)
    said = answer_at_once(*command, tight / "g").stderr
    assert "of disk are needed" in said and not (tight / "g").exists()
    right = small_disk((need // page + 1) * page)
    run_script(*command, right / "g")
    assert (right / "g" / "x-q4_k_m.gguf").exists()


@pytest.mark.slow  # the embedded model, on a disk of just the size that is asked for: real sizes, three files
def test_disk_need_is_enough_for_the_embedded_model(smollm2, small_disk):
    quantizations = ["f16", "q8_0", "q4_k_m"]
    need = needs_of(ROOT / smollm2, quantizations, proof_tokens=1000, merged=False, untuned=False).disk
    disk = small_disk(need + 2**20)
    command = ["scripts/export_gguf.py", "--model", smollm2, "--quantization", ",".join(quantizations), "--max_tokens", 1000]
    run_script(*command, "--output_dir", disk / "g")
    weights = shape_of(ROOT / smollm2).weights
    # Four files are 2.9 times the weights, the reference of 1,000 tokens 0.4; the rest is room for what file systems take.
    assert need < 4.3 * weights, "far more is asked for than is needed"


def test_one_export_at_a_time(small, tmp_path):
    import fcntl

    (tmp_path / "g").mkdir()
    with open(tmp_path / "g" / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = ["scripts/export_gguf.py", "--model", small[1], *SHORT, "--output_dir", tmp_path / "g"]
        assert "another export writes" in run_script(*command, code=2).stderr


def test_training_is_warned_in_time(small, smollm2, tmp_path, monkeypatch, small_disk):
    """What sft.py asks before it trains: nothing to say where all is there, and nothing heavy imported for it."""
    model, adapter = small
    for name in (model, adapter, "Qwen/Qwen3-1.7B"):
        assert preflight.before_training(str(name), tmp_path) == []
    code = "import sys; sys.path.insert(0, 'scripts'); from export import preflight; "
    code += "preflight.before_training(sys.argv[1], '.'); "
    code += "assert not {'torch', 'transformers', 'huggingface_hub'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code, smollm2], cwd=ROOT, check=True)
    assert "prefix adapter cannot be exported" in preflight.before_training(str(model), tmp_path, "prefix")[0]
    monkeypatch.setattr(tools, "CONVERTER_FOLDER", tmp_path / "nowhere")
    assert "run: make setup" in preflight.before_training(str(model), tmp_path)[0]
    monkeypatch.undo()
    other = tmp_path / "other"
    shutil.copytree(model, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"architectures": ["MedicalOracleForCausalLM"]}))
    assert "does not know the architecture MedicalOracleForCausalLM" in preflight.before_training(str(other), tmp_path)[0]
    disk = small_disk(2**20)
    assert "of disk at" in preflight.before_training(str(model), disk / "runs")[0]


@pytest.mark.slow  # an export
def test_base_from_the_hubs_cache(small, tmp_path, monkeypatch):
    """An adapter that names a hub id: its snapshot in the cache is used, its own tokenizer where the snapshot has none."""
    model, adapter = small
    snapshot = tmp_path / "hub" / "models--acme--tiny" / "snapshots" / "abc"
    shutil.copytree(model, snapshot)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("abc")
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (snapshot / name).unlink()
    shutil.copytree(adapter, tmp_path / "adapter")
    named(tmp_path / "adapter", "acme/tiny")
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello there"}]}))
    # A random adapter need not answer better than its base: that is said, and no fault of the file.
    command = ["scripts/export_gguf.py", "--model", tmp_path / "adapter", *SHORT, "--data", rows, "--output_dir", tmp_path / "g"]
    environment = {**os.environ, "HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}
    subprocess.run([sys.executable, *map(str, command)], cwd=ROOT, env=environment, capture_output=True)
    report = json.loads((tmp_path / "g" / "verification.json").read_text())
    file = report["files"][0]
    loss = file["checks"]["task_loss"]
    assert report["untuned"] == "acme/tiny" and not file["failed"]
    assert any("no likelier" in remark for remark in file["remarks"]) == (loss["tuned"] >= loss["untuned"])


OWN_QUANTIZE = """#!{python}
import sys
sys.path.insert(0, {scripts!r})
from llamacpp.library import quantize_file
quantize_file(sys.argv[1], sys.argv[2], sys.argv[3].lower())
open(__file__ + ".called", "w").write(sys.argv[3])
"""


@pytest.mark.slow  # two exports
def test_users_own_llama_cpp_is_used(small, tmp_path):
    """--llama_cpp: converter and llama-quantize of that folder, here one that calls the wheel's library; the same bytes."""
    own = tmp_path / "llama.cpp"
    own.mkdir()
    for name in ("convert_hf_to_gguf.py", "conversion", "gguf-py"):
        (own / name).symlink_to(tools.find_converter() / name)
    quantize = own / "llama-quantize"
    quantize.write_text(OWN_QUANTIZE.format(python=sys.executable, scripts=str(ROOT / "scripts")))
    quantize.chmod(0o755)
    command = ["scripts/export_gguf.py", "--model", small[1], *SHORT, "--verify", "false", "--output_dir"]
    run_script(*command, tmp_path / "own", "--llama_cpp", own)
    run_script(*command, tmp_path / "wheel")
    assert bytes_of(tmp_path / "own") == bytes_of(tmp_path / "wheel") and (own / "llama-quantize.called").read_text() == "Q4_K_M"
    report = json.loads((tmp_path / "own" / "verification.json").read_text())
    assert report["converter"] == str(own) and report["verified"] is False
    (own / "llama-quantize").unlink()
    assert "no llama-quantize" in run_script(*command, tmp_path / "x", "--llama_cpp", own, code=2).stderr
