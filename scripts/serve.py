"""Serve a GGUF file: an OpenAI-compatible API and a chat page, by llama.cpp's own server, on this machine only.

    python scripts/serve.py --model runs/x/gguf/x-q4_k_m.gguf                  # http://127.0.0.1:8080
    python scripts/serve.py --model runs/x/gguf/x-q4_k_m.gguf --port 9000 --parallel 4
    python scripts/serve.py --model runs/x/gguf/x-q4_k_m.gguf --host 0.0.0.0 --api_key "$KEY"   # reachable by others

Open the printed URL in a browser for the chat page, or use any OpenAI client with base_url URL/v1. Ctrl-C ends it.
Served on another address than this machine's own, an API key is required: whoever has it may use the model, and nothing
is encrypted (put a proxy with TLS before it). llama.cpp tokenises control tokens written in a message as control tokens,
so do not let strangers write to a model whose system message matters. Not for clinical use.

Thinking is off unless a request asks for it ("chat_template_kwargs": {"enable_thinking": true}), as in training by default.
The key may also come from the environment, where `ps` does not show it: SERVE_API_KEY.
"""

import os
import signal
import socket
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from common.arguments import check_at_least, parse_args
from common.entry import run_main
from common.errors import UserError
from common.machine import quiet
from llamacpp.files import has_template, is_gguf
from llamacpp.server import start_server

LOCAL = ("127.0.0.1", "localhost", "::1")


@dataclass
class Args:
    model: str
    """GGUF file"""
    host: str = "127.0.0.1"
    """address to listen on; another than this machine's own needs --api_key"""
    port: int = 8080
    """port; 0 takes a free one"""
    api_key: str | None = None
    """key that a client must send; without it the environment's SERVE_API_KEY"""
    num_ctx: int = 4096
    """longest conversation in tokens, for each of the parallel ones"""
    parallel: int = 1
    """conversations answered at once"""
    enable_thinking: bool = False
    """let a model that can think first do so where a request does not say; off as in training"""
    gpu_layers: int = -1
    """layers on the GPU, where the installed xllamacpp has one; -1: as many as fit"""

    def problems(self) -> list[str]:
        found = []
        if not is_gguf(self.model):
            found.append(
                f"model: {self.model} is no GGUF file; scripts/export_gguf.py makes one (scripts/chat.py talks to folders)"
            )
        self.api_key = self.api_key or os.environ.get("SERVE_API_KEY")
        if self.host not in LOCAL and not self.api_key:
            found.append(f"host: {self.host} can be reached from other machines, so give --api_key as well")
        if not 0 <= self.port <= 65535:
            found.append(f"port: {self.port} is not between 0 and 65535")
        elif self.port and taken(self.host, self.port):
            found.append(f"port: {self.port} on {self.host} is in use, or not yours to use; choose another with --port")
        return found + check_at_least(self, 1, "num_ctx", "parallel")


def taken(host: str, port: int) -> bool:
    """Whether the port cannot be listened on."""
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, reuse_port=False):
            return False
    except OSError:
        return True


def main() -> None:
    args = parse_args(Args, __doc__)
    log = Path(tempfile.gettempdir()) / f"serve-{Path(args.model).stem}-{os.getpid()}.log"
    name = Path(args.model).stem
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    print(f"loading {args.model} (llama.cpp writes to {log})")
    if not has_template(args.model):
        print("warning: the file holds no chat template; llama.cpp takes ChatML, which may not be what it was trained with")
    with quiet(log):
        try:
            server = start_server(
                args.model,
                n_ctx=args.num_ctx * args.parallel,
                port=args.port,
                host=args.host,
                api_key=args.api_key,
                n_parallel=args.parallel,
                alias=name,
                gpu_layers=args.gpu_layers,
                enable_thinking=args.enable_thinking,
            )
        except Exception as error:
            raise UserError(f"model: llama.cpp cannot serve {args.model} ({error}); what it said: {log}") from None
        url = server.listening_address
        key = ' -H "Authorization: Bearer $KEY"' if args.api_key else ""
        print(
            f"chat page: {url}\nAPI:       {url}/v1 (model name {name})\ntry it:    curl {url}/v1/chat/completions{key} "
            """-H "Content-Type: application/json" -d '{"messages": [{"role": "user", "content": "What does insulin do?"}]}'\n"""
            "Not for clinical use. Ctrl-C ends it."
        )
        ended.wait()
        print("ended")
        sys.stdout.flush()
        # Taking the server down waits for every client that keeps its connection open (seconds to forever). There is nothing
        # to save, so the process just ends, and the system closes what is open.
        os._exit(0)


if __name__ == "__main__":
    run_main(main)
