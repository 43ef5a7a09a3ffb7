"""llama.cpp's own HTTP server inside this process (xllamacpp), and chat with it."""

import json
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

from common.machine import cores
from llamacpp.sampling import Sampling

# Memory for prompts that were answered before, beside the slots' own. llama.cpp takes 8192: a server of an hour's mixed questions
# grew by 10 MB a minute and would have until 8 GB.
CACHE_MIB = 256
NOTE = "A research model: its answers may be wrong. Not for clinical use."
# On every page of llama.cpp's chat, above all else and in nobody's way.
BANNER = f"""body::after {{ content: "{NOTE}"; position: fixed; inset: 0 0 auto 0; z-index: 2147483647; padding: 2px 8px;
  background: #fff4d6; color: #1b1b1b; font: 13px/1.4 system-ui, sans-serif; text-align: center; pointer-events: none; }}"""


def start_server(
    path: str | Path,
    n_ctx: int = 4096,
    port: int = 0,
    host: str = "127.0.0.1",
    api_key: str | None = None,
    n_parallel: int = 1,
    alias: str | None = None,
    gpu_layers: int = -1,
    loras: Sequence[str | Path] = (),
    enable_thinking: bool = False,
    sampling: Sampling | None = None,
):
    """llama.cpp's own HTTP server inside this process (xllamacpp); `.listening_address` is its URL.

    `enable_thinking` is the default of a request that sets none (chat_template_kwargs). Ours is off as in training; many
    templates' own is on. `loras`: adapter GGUFs beside the model, all used unless a request's `lora` says otherwise.

    `sampling`: what a request gets that does not say.

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
    params.cache_ram_mib = CACHE_MIB
    params.default_template_kwargs = {"enable_thinking": json.dumps(enable_thinking)}
    if loras:
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(lora), 1.0) for lora in loras]
    for name, value in (sampling.settings() if sampling else {}).items():
        setattr(params.sampling, {"temperature": "temp", "repeat_penalty": "penalty_repeat"}.get(name, name), value)
    params.ui_config_json = json.dumps({"customCss": BANNER})
    if alias:
        params.model_alias = {alias}
    if api_key:
        params.api_keys = [api_key]
    server = xllamacpp.Server(params)
    # Ended before its main loop has begun, llama.cpp waits for that loop's end for ever; a token says that it runs.
    server.handle_completions({"prompt": "a", "max_tokens": 1})
    return server


def request(server, path: str, body: dict) -> dict:
    """POST JSON to a running server and return its answer."""
    import urllib.request

    headers = {"Content-Type": "application/json"}
    call = urllib.request.Request(server.listening_address + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(call, timeout=300) as answer:
        return json.load(answer)


def stream_chat(server, messages: list[dict], on_text, enable_thinking: bool = False, on_thought=None, **settings) -> dict:
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

    body = {"messages": messages, "stream": True, "chat_template_kwargs": {"enable_thinking": enable_thinking}, **settings}
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
        raise failed.pop(0)  # kept in the list it would, by its traceback, keep the server
    return answer
