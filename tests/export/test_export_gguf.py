"""The export as a user runs it: a trained adapter becomes verified GGUF files; planted faults are caught."""

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request

import pytest
from conftest import ROOT, answer_at_once, run_script, wait_for
from export.proof.gates import GATES
from export.proof.record import Reference
from llamacpp.files import read_header
from llamacpp.tools import CONVERTER_FOLDER, INSTALL, find_converter
from planted_gguf import Planted

if not list(CONVERTER_FOLDER.glob("*/llama.cpp/convert_hf_to_gguf.py")):
    pytest.skip(f"llama.cpp's converter is not in .tools; run: make setup, or: {INSTALL}", allow_module_level=True)


@pytest.fixture(scope="session")
def exported(tiny_sft, tiny_rows, tmp_path_factory):
    """Folder of one export of the tiny adapter in q8_0 and q4_k_m, with its work kept, and what was printed."""
    out = tmp_path_factory.mktemp("export") / "gguf"
    done = run_script(
        "scripts/export_gguf.py",
        "--model",
        tiny_sft,
        "--output_dir",
        out,
        "--name",
        "tiny",
        "--data",
        tiny_rows / "test.jsonl",
        "--max_tokens",
        300,
        "--keep_work",
    )
    return out, done.stdout


def test_files_and_report(exported, tiny_sft):
    out, printed = exported
    report = json.loads((out / "verification.json").read_text())
    assert [f["file"] for f in report["files"]] == ["tiny-q8_0.gguf", "tiny-q4_k_m.gguf"]
    assert not (out / ".work").exists() and "passed" in (out / "verification.txt").read_text()
    merge = report["merge"]
    assert merge["kl_adapted_to_merged"] <= merge["bound"] < merge["kl_merged_to_base"], "merged is not adapted, or is the base"
    for file in report["files"]:
        checks = file["checks"]
        assert not file["failed"] and checks["kl"] <= GATES[file["quantization"]].kl
        assert checks["task_loss"]["tuned"] < checks["task_loss"]["untuned"] - 1
        assert checks["tokens"]["different"] == 0 and checks["tokens"]["strings"] > 60
        assert checks["template"] == {"conversations": 4, "different": 0} and checks["template_ids"]["different"] == 0
        assert checks["stop"]["forced"] == "stop"
    q8, q4 = report["files"]
    sixteen = report["sixteen_bit"]
    assert sixteen["quantization"] == "bf16" and not sixteen["failed"] and sixteen["checks"]["kl"] <= 5e-4
    assert sixteen["checks"]["long_document"]["from_position"] >= 2048
    assert all(f["checks"]["tensors"]["not_as_quantised_again"] == 0 for f in report["files"])
    assert all(f["checks"]["same_metadata"]["different"] == 0 and not f["loosened"] for f in report["files"])
    assert 8.4 < q8["bits_per_weight"] < 8.6 and q4["fallback_tensors"] == 0 and q4["tensors"]["Q4_K"] > 5
    assert "llama_model_loader" not in printed and "q4_K" not in printed, "llama.cpp's log is on the screen"


def ollama_renders(template: str, messages: list[dict]) -> str:
    """What the Go template of a Modelfile makes of a conversation, by way of Jinja; anything unknown in it is an error."""
    import re

    from jinja2 import Environment

    actions = re.findall(r'\{\{- ((?:"(?:\\.|[^"\\])*"|[^"{}])+) \}\}', template)
    assert "".join(f"{{{{- {action} }}}}" for action in actions) == template, "text between actions, where {{- would trim it"
    source, opened = "", []
    for action in actions:
        choice = re.fullmatch(r'(else )?if eq \.Role "(\w+)"', action)
        if action.startswith('"'):
            source += f"{{{{ {action} }}}}"
        elif action == "range .Messages":
            opened.append("for")
            source += "{% for m in messages %}"
        elif choice:
            opened += [] if choice[1] else ["if"]
            source += f"{{% {'elif' if choice[1] else 'if'} m.role == '{choice[2]}' %}}"
        elif action == 'if ne (index .Messages 0).Role "system"':
            opened.append("if")
            source += "{% if messages[0].role != 'system' %}"
        else:
            source += {".Content": "{{ m.content }}", "end": f"{{% end{opened[-1] if opened else ''} %}}"}[action]
            opened = opened[:-1] if action == "end" else opened
    return Environment().from_string(source).render(messages=messages)


def test_modelfile_says_what_the_file_says(exported):
    from export.modelfile import apply, parts, render
    from transformers import AutoTokenizer

    from data_prep.chat_template import Renderer

    out, _ = exported
    header, _ = read_header(out / "tiny-q4_k_m.gguf")
    lines = (out / "Modelfile").read_text().splitlines()
    assert lines[0] == "FROM ./tiny-q4_k_m.gguf" and (out / "tiny-q4_k_m.gguf").exists()
    assert (
        'PARAMETER stop "<|im_end|>"' in lines
        and header["tokenizer.ggml.tokens"][int(header["tokenizer.ggml.eos_token_id"])] == "<|im_end|>"
    )
    assert "PARAMETER num_ctx 4096" in lines and int(header["qwen3.context_length"]) >= 4096
    template = header["tokenizer.chat_template"]
    renderer = Renderer(AutoTokenizer.from_pretrained(out / "work" / "tiny"))
    turns = [("system", "Be brief."), ("user", "Olá {{ x }}"), ("assistant", "ok"), ("user", "?")]
    messages = [{"role": r, "content": c} for r, c in turns]
    assert apply(parts(template), turns) == renderer.render(messages, generate=True) == render(template, messages)
    said = (out / "Modelfile").read_text().partition('TEMPLATE """')[2].partition('"""')[0]
    for upto in (2, 4):
        assert ollama_renders(said, messages[:upto]) == renderer.render(messages[:upto], generate=True)
    assert ollama_renders(said, messages[1:]) == renderer.render(messages[1:], generate=True)
    parameters = [line for line in lines if line.startswith("PARAMETER")]
    assert parameters == ['PARAMETER stop "<|im_end|>"', "PARAMETER num_ctx 4096", "PARAMETER temperature 0"]
    assert [line.split(maxsplit=1)[0] for line in lines] == ["FROM", "TEMPLATE", *["PARAMETER"] * 3], (
        "a field that nothing checks"
    )


@pytest.mark.skipif(not shutil.which("ollama"), reason="Ollama is not installed")
def test_ollama_takes_the_modelfile_and_answers_as_llama_cpp_does(exported, tmp_path):
    """`ollama create` and a question, on a server of its own; its prompt has as many tokens as ours."""
    from transformers import AutoTokenizer

    from data_prep.chat_template import Renderer

    out, _ = exported
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    env = {**os.environ, "OLLAMA_HOST": address, "OLLAMA_MODELS": str(tmp_path / "models")}
    server = subprocess.Popen(["ollama", "serve"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(server, lambda: answers(f"http://{address}/api/version"))
        subprocess.run(["ollama", "create", "tiny", "-f", out / "Modelfile"], env=env, check=True, capture_output=True)
        messages = [{"role": "user", "content": "Olá {{ x }}"}]
        asked = {"model": "tiny", "messages": messages, "stream": False, "options": {"num_predict": 4}}
        request = urllib.request.Request(f"http://{address}/api/chat", json.dumps(asked).encode())
        told = json.loads(urllib.request.urlopen(request, timeout=300).read())
    finally:
        server.terminate()
        server.wait()
    renderer = Renderer(AutoTokenizer.from_pretrained(out / "work" / "tiny"))
    assert told["prompt_eval_count"] == len(renderer.encode_prompt(messages)) and told["done"]


def answers(url: str) -> bool:
    try:
        return urllib.request.urlopen(url, timeout=5).status == 200
    except OSError:
        return False


def test_file_that_answers_as_the_untuned_one_is_caught(exported, tmp_path):
    """To the last digit, as a file without the adapter does; another file of the same model does not."""
    out, _ = exported
    command = ["scripts/verify_gguf.py", "--gguf", out / "tiny-q8_0.gguf", "--reference", out / "work" / "reference"]
    run_script(*command, "--untuned", out / "tiny-q8_0.gguf", "--output_dir", tmp_path, code=1)
    failed = json.loads((tmp_path / "verification.json").read_text())["files"][0]["failed"]
    assert set(failed) == {"task_loss"} and "the adapter is missing" in failed["task_loss"]
    run_script(*command, "--untuned", out / "tiny-q4_k_m.gguf", "--output_dir", tmp_path / "other")


def test_tokenizer_of_another_model_is_caught(exported, smollm2, tmp_path):
    out, _ = exported
    path = tmp_path / "other-f16.gguf"
    vocabulary_of(smollm2, path)
    reference = out / "work" / "reference"
    run_script("scripts/verify_gguf.py", "--gguf", path, "--reference", reference, "--output_dir", tmp_path, code=1)
    failed = json.loads((tmp_path / "verification.json").read_text())["files"][0]["failed"]
    assert "49152 tokens, the model has 151936" in failed["metadata"] and "spelled otherwise" in failed["metadata"]


def test_reference_of_another_version_is_told(exported, tmp_path):
    out, _ = exported
    written = json.loads((out / "work" / "reference" / "reference.json").read_text())
    written["texts"][0]["decomposed"] = False
    (tmp_path / "reference.json").write_text(json.dumps(written))
    command = ["scripts/verify_gguf.py", "--gguf", out / "tiny-q8_0.gguf", "--reference", tmp_path]
    assert "is of another version of these scripts" in run_script(*command, code=2).stderr


@pytest.mark.parametrize("relative", ["gpt-4o", "qwen35", "jais-2"])
def test_pretokenizer_that_reads_nearly_alike_is_caught(relative, exported, tmp_path):
    """Other than Qwen's own where capitals stand in a word (gpt-4o), signs behind a vowel's mark (qwen35), many blanks."""
    from export.proof.gates import Findings
    from export.proof.tokens import check_tokens
    from llamacpp.library import Gguf

    path, reference = exported[0] / "tiny-q8_0.gguf", Reference.load(exported[0] / "work" / "reference")
    sound, findings = Findings(), Findings()
    check_tokens(Gguf(path, n_ctx=64), reference, sound)
    planted = Planted.read(path)
    planted.set("tokenizer.ggml.pre", relative)
    planted.write(tmp_path / "tiny-q8_0.gguf")
    check_tokens(Gguf(tmp_path / "tiny-q8_0.gguf", n_ctx=64), reference, findings)
    assert not sound.failed and set(findings.failed) == {"tokens"}


def test_byte_fallback_tokenizer_is_refused_and_caught(exported, smollm2, tmp_path):
    """What transformers writes when it imports a GGUF: converts without a word, and llama.cpp aborts on the file."""
    folder = tmp_path / "imported"
    shutil.copytree(ROOT / smollm2, folder)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"]["byte_fallback"] = True
    tokenizer["decoder"] = {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}, tokenizer["decoder"]]}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert "byte_fallback" in refused("--model", folder, "--output_dir", tmp_path / "g") and not (tmp_path / "g").exists()

    path = tmp_path / "fault-f16.gguf"
    vocabulary_of(folder, path)
    vocabulary = Reference.load(exported[0] / "work" / "reference").vocabulary
    assert read_header(path)[0]["tokenizer.ggml.model"] == "llama", "the converter no longer falls for it"
    from export.proof.metadata import kind_problems

    assert "byte_fallback" in kind_problems(read_header(path), vocabulary)[0]


def vocabulary_of(model, path):
    """A GGUF of a model's vocabulary alone, by llama.cpp's converter."""
    converter = find_converter() / "convert_hf_to_gguf.py"
    subprocess.run(
        [sys.executable, converter, model, "--vocab-only", "--outfile", path], check=True, capture_output=True, cwd=ROOT
    )


# ---------------------------------------------------------------------------------------------- refusals


def refused(*args):
    return answer_at_once("scripts/export_gguf.py", *args).stderr


def test_wrong_input_is_told_before_anything_starts(tiny_model, tmp_path):
    said = refused("--model", tiny_model, "--quantization", "q4_k_m,q3_x", "--data", "nowhere.jsonl", "--merge_only")
    assert "q3_x" in said and "nowhere.jsonl" in said and "no adapter" in said, "all problems in one error"
    assert "is the run finished?" in refused("--model", tmp_path)
    for name in ("../x", "a/b", " ", ".x"):  # the files lay beside output_dir, or nowhere
        assert "no name of a file" in refused("--model", tiny_model, "--name", name, "--output_dir", tmp_path / "g")
    assert "holds no convert_hf_to_gguf.py" in refused(
        "--model", tiny_model, "--llama_cpp", tmp_path, "--output_dir", tmp_path / "g"
    )


def test_an_adapter_is_no_model_to_verify_by_and_files_of_an_earlier_export_are_told(tiny_sft, tiny_model, tmp_path, capsys):
    """The one ended in a traceback; of the others the report no longer speaks, and they look like this export's."""
    from export.plan import Plan
    from export.run import write_report
    from export.steps import Steps

    gguf = tmp_path / "x-q4_k_m.gguf"
    gguf.write_bytes(b"GGUF")
    said = answer_at_once("scripts/verify_gguf.py", "--model", tiny_sft, "--gguf", gguf).stderr
    assert "is an adapter" in said and f"--model {tiny_sft} --merge_only" in said
    plan = Plan(str(tiny_sft), tiny_model, tmp_path, "x", ["q8_0"], None, 300, None, False, False, 4096, None, "files")
    write_report(plan, Steps(tmp_path / "log"), [], None, None)
    assert f"{tmp_path} still holds x-q4_k_m.gguf of an earlier export" in capsys.readouterr().out


def model_like(tiny_model, folder, **config):
    folder.mkdir()
    for name in ("tokenizer.json", "config.json"):
        shutil.copy(ROOT / tiny_model / name, folder / name)
    found = json.loads((folder / "config.json").read_text()) | config
    (folder / "config.json").write_text(json.dumps(found))
    return folder


def test_refuses_what_no_gguf_can_hold(tiny_model, tmp_path):
    unknown = model_like(tiny_model, tmp_path / "unknown", architectures=["MedicalOracleForCausalLM"])
    assert "does not know the architecture MedicalOracleForCausalLM" in refused(
        "--model", unknown, "--output_dir", tmp_path / "g"
    )
    four_bit = model_like(
        tiny_model, tmp_path / "few", quantization_config={"load_in_4bit": True, "quant_method": "bitsandbytes"}
    )
    assert "few bits" in refused("--model", four_bit, "--output_dir", tmp_path / "g")

    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")  # whole, without a weight
    for kind, base, says in (
        ("PROMPT_TUNING", str(ROOT / tiny_model), "PROMPT_TUNING adapter"),
        ("LORA", str(four_bit), "stored in 4 bits"),
        ("LORA", "unsloth/qwen3-1.7b-unsloth-bnb-4bit", "pass the 16-bit model with --base"),
        ("LORA", str(tmp_path / "gone"), "there is no folder"),
    ):
        (adapter / "adapter_config.json").write_text(json.dumps({"peft_type": kind, "base_model_name_or_path": base}))
        assert says in refused("--model", adapter, "--output_dir", tmp_path / "g")


def test_a_template_that_shows_no_answer_is_told_before_anything_is_merged(tiny_sft, tmp_path):
    adapter = shutil.copytree(tiny_sft, tmp_path / "adapter", ignore=shutil.ignore_patterns("checkpoint-*"))
    (adapter / "chat_template.jinja").write_text("{% for m in messages %}{{ m.role }}{% endfor %}")
    out = tmp_path / "g"
    said = run_script("scripts/export_gguf.py", "--model", adapter, "--output_dir", out, code=2)
    assert f"model: {adapter}: this chat template does not show" in said.stderr and "reference ..." not in said.stdout
    assert not list(out.rglob("*.safetensors"))


def test_full_disk_is_told_before(tiny_model, tmp_path):
    """A model whose header claims more than any disk holds: the refusal comes before anything is written."""
    big = model_like(tiny_model, tmp_path / "big")
    header = json.dumps({"w": {"dtype": "BF16", "shape": [10**9, 10**6], "data_offsets": [0, 0]}}).encode()
    (big / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    said = refused("--model", big, "--output_dir", tmp_path / "g")
    assert "GB of disk are needed" in said and "GB of memory are needed" in said and not (tmp_path / "g").exists()
