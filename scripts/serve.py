"""Serve GGUF files: an OpenAI-compatible API and a chat page, by llama.cpp's own server, on this machine only.

    python scripts/serve.py --model runs/x/gguf/x-q4_k_m.gguf                  # http://127.0.0.1:8080
    python scripts/serve.py --model runs/x/gguf/x-q4_k_m.gguf --port 9000 --parallel 4
    python scripts/serve.py --model base-q4_k_m.gguf --lora sft.gguf,dpo.gguf   # one model in memory, three to ask
    python scripts/serve.py --compare base-q4_k_m.gguf tuned-q4_k_m.gguf        # both answers side by side: URL/compare
    python scripts/serve.py --model runs/x/gguf/x-q4_k_m.gguf --host 0.0.0.0 --api_key "$KEY"   # reachable by others

Open the printed URL in a browser for the chat page, or use any OpenAI client with base_url URL/v1. Ctrl-C ends it.
--lora takes adapters that scripts/export_gguf.py --lora_only made of this base. A request names what answers by `model`: an
adapter's file name, or the base's; without it the first adapter does, and an unknown name is an error. The names stand in
/v1/models; /compare shows base and tuned side by side, from one model in memory.

Requests are answered where they come by this machine's own name and from no other site's page, and up to --max_body_mb.
Served on another address than this machine's own, an API key is required: whoever has it may use the model, and nothing
is encrypted (put a proxy with TLS before it). llama.cpp tokenises control tokens written in a message as control tokens,
so do not let strangers write to a model whose system message matters. Not for clinical use.

Thinking is off unless a request asks for it ("chat_template_kwargs": {"enable_thinking": true}), as in training by default.
Answers are sampled as the model's makers say (the file's general.sampling), greedily where they say nothing, unless a request
says otherwise. The key may also come from the environment, where `ps` does not show it: SERVE_API_KEY.
"""

import gc
import os
import secrets
import signal
import socket
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

from common.arguments import check_at_least, parse_args
from common.entry import run_main
from common.errors import UserError
from common.machine import few_heaps, quiet, watched
from llamacpp.files import gguf_problems, has_template, lora_problems
from llamacpp.proxy import LOCAL, Rules, Served, make_app, serve_in_background
from llamacpp.sampling import sampling_of
from llamacpp.server import start_server


@dataclass
class Args:
    model: str | None = None
    """GGUF file"""
    compare: list[str] = field(default_factory=list)
    """two GGUF files, in the place of --model: the untuned and the tuned"""
    lora: str | None = None
    """adapter GGUFs for --model, comma-separated"""
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
    max_body_mb: float = 2.0
    """longest request in 10^6 bytes"""
    gpu_layers: int = -1
    """layers on the GPU, where the installed xllamacpp has one; -1: as many as fit"""

    def problems(self) -> list[str]:
        found = []
        if bool(self.model) == bool(self.compare):
            found.append("model: give --model FILE, or --compare BASE TUNED")
        if self.compare and (len(self.compare) != 2 or self.lora):
            found.append("compare: takes two GGUF files, and no --lora (--model BASE --lora ADAPTER compares as well)")
        found += [problem for path in self.files() for problem in gguf_problems(path)]
        if self.lora and not found:
            found += [p for lora in self.adapters() for p in lora_problems(self.model, lora)]
        self.api_key = self.api_key or os.environ.get("SERVE_API_KEY")
        if self.host not in LOCAL and not self.api_key:
            found.append(f"host: {self.host} can be reached from other machines, so give --api_key as well")
        if not 0 <= self.port <= 65535:
            found.append(f"port: {self.port} is not between 0 and 65535")
        elif self.port and taken(self.host, self.port):
            found.append(
                f"port: {self.port} on {self.host} is in use, not yours to use, or of no machine; choose another with --port"
            )
        if len({Path(p).stem for p in [*self.files(), *self.adapters()]}) < len([*self.files(), *self.adapters()]):
            found.append("model: two files have the same name, by which requests would choose; rename one")
        return found + check_at_least(self, 1, "num_ctx", "parallel") + check_at_least(self, 0.001, "max_body_mb")

    def files(self) -> list[str]:
        return self.compare or ([self.model] if self.model else [])

    def adapters(self) -> list[str]:
        return [part.strip() for part in self.lora.split(",") if part.strip()] if self.lora else []


def listening(host: str, port: int) -> socket.socket:
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, reuse_port=False)


def taken(host: str, port: int) -> bool:
    """Whether the port cannot be listened on."""
    try:
        with listening(host, port):
            return False
    except (OSError, ValueError, TypeError):  # a ValueError for "127.0..1", which no name can be
        return True


def start_models(args: Args, key: str, log: Path) -> tuple[list, list[Served]]:
    """llama.cpp's servers (kept alive by the caller), and what clients may name; the default first."""
    servers, served = [], []
    for path in args.files():
        try:
            server = start_server(
                path,
                n_ctx=args.num_ctx * args.parallel,
                api_key=key,
                n_parallel=args.parallel,
                alias=Path(path).stem,
                gpu_layers=args.gpu_layers,
                loras=args.adapters(),
                enable_thinking=args.enable_thinking,
                sampling=sampling_of(path),
            )
        except Exception as error:
            raise UserError(f"model: llama.cpp cannot serve {path} ({error}); what it said: {log}") from None
        servers.append(server)
        none = tuple({"id": i, "scale": 0.0} for i in range(len(args.adapters())))
        served.append(Served(Path(path).stem, server.listening_address, none))
    for number, lora in enumerate(args.adapters()):
        one = tuple({"id": i, "scale": float(i == number)} for i in range(len(args.adapters())))
        served.insert(number, Served(Path(lora).stem, servers[0].listening_address, one))
    return servers, served if args.lora else served[::-1]  # with --compare the tuned answers by default


def main() -> None:
    args = parse_args(Args, __doc__)
    with tempfile.NamedTemporaryFile(prefix="serve-", suffix=".log", delete=False) as file:
        log = Path(file.name)
    watched(f"model: {' or '.join([*args.files(), *args.adapters()])}", log)
    few_heaps()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    print(f"loading {', '.join([*args.files(), *args.adapters()])} (llama.cpp writes to {log})")
    for path in args.files():
        if not has_template(path):
            print(f"warning: {path} holds no chat template; llama.cpp takes ChatML, which it may not be trained with")
    key = args.api_key or secrets.token_urlsafe(32)
    local = args.host in LOCAL
    hosts = frozenset({*LOCAL, args.host.lower()}) if local or not args.api_key else None
    rules = Rules(hosts, int(args.max_body_mb * 1e6), None if args.api_key else key)
    with quiet(log):
        _kept, served = start_models(args, key, log)
        sock = listening(args.host, args.port)
        serve_in_background(make_app(served, rules), sock)
        host, port = sock.getsockname()[:2]
        url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        print(told(url, served, bool(args.api_key)))
        # Each request leaves cycles of httpx and asyncio that hold its body and sockets, 76 KB. run_main has cycles looked for
        # every 50,000 objects, for the imports' sake: every 1,000 requests.
        gc.freeze()
        gc.set_threshold(700, 10, 10)
        ended.wait()
        print("ended")
        sys.stdout.flush()
        # Taking the servers down waits for every client that keeps its connection open (seconds to forever). There is nothing
        # to save, so the process just ends, and the system closes what is open.
        os._exit(0)


def told(url: str, served: list[Served], with_key: bool) -> str:
    """What is printed once it serves."""
    key = ' -H "Authorization: Bearer $KEY"' if with_key else ""
    names = f"model name {served[0].name}" if len(served) == 1 else f"models {', '.join(s.name for s in served)}"
    lines = [f"chat page: {url}", f"API:       {url}/v1 ({names})"]
    lines += [f"compare:   {url}/compare"] if len(served) > 1 else []
    body = '{"messages": [{"role": "user", "content": "What does insulin do?"}]}'
    lines.append(f"try it:    curl {url}/v1/chat/completions{key} -H \"Content-Type: application/json\" -d '{body}'")
    return "\n".join([*lines, "Not for clinical use. Ctrl-C ends it."])


if __name__ == "__main__":
    run_main(main)
