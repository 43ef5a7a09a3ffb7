"""Models in llama.cpp (a GGUF file) and behind an OpenAI-compatible URL, with the calls of scripts/engines.py.

Gguf reads the file's own chat template and vocabulary, so that Renderer asks it as it asks a Hugging Face model; all
options of a row run in one batch, the prompt's tokens belonging to every option's sequence. Url sends messages: the
template is the server's own, likelihoods are not to be had, and what differs from other engines is said by compare.py.
"""

import json
import os
import time
import types
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import common
import llama_tools
from engines import shared_beginning, text_sha256

from data_prep.chat_template import Renderer, TemplateError, set_template

SEQUENCES = 16  # options a batch
TRIES = 4


class GgufTokenizer:
    """What Renderer needs of a tokenizer, from the vocabulary and the template inside a GGUF file."""

    def __init__(self, model):
        self.vocab = model.get_vocab()
        self.chat_template = model.get_default_chat_template()
        self.all_special_tokens = [self.vocab.get_text(i) for i in range(self.vocab.n_vocab) if self.vocab.is_control(i)]
        self.added_tokens_decoder = {}
        self.names = {"bos_token": self.vocab.token_bos(), "eos_token": self.vocab.token_eos()}

    def apply_chat_template(self, messages, tokenize=False, add_generation_prompt=False, **more):
        from transformers.utils.chat_template_utils import render_jinja_template

        names = {name: self.vocab.get_text(token) for name, token in self.names.items() if token >= 0}
        return render_jinja_template(
            conversations=[messages],
            chat_template=self.chat_template,
            add_generation_prompt=add_generation_prompt,
            **names,
            **more,
        )[0][0]

    def __call__(self, text, add_special_tokens=False, return_offsets_mapping=False, split_special_tokens=False):
        ids = list(self.vocab.tokenize(text, False, not split_special_tokens)) if text else []
        return {"input_ids": ids, "offset_mapping": [(0, 0)] * len(ids)}


class Gguf:
    """A GGUF file on llama.cpp's library, on the processor. `log` takes what the library prints."""

    def __init__(self, path: str, template: str, thinking: str, max_length: int, log: Path):
        self.name, self.log, self.n_ctx = path, log, max_length + 1024
        with llama_tools.quiet(log):
            try:
                self.file = llama_tools.Gguf(path, n_ctx=64)
            except (ValueError, RuntimeError) as error:
                raise common.UserError(f"model: llama.cpp cannot load {path} ({error}); see {log}") from None
            library, settings = self.file.library, self.file.library.LlamaContextParams()
            settings.n_ctx = settings.n_batch = self.n_ctx
            settings.n_seq_max, settings.kv_unified = SEQUENCES, True
            settings.n_threads = settings.n_threads_batch = os.cpu_count() or 1
            self.context = library.LlamaContext(self.file.model, settings)
        self.vocab = self.file.vocab
        tokenizer = GgufTokenizer(self.file.model)
        try:
            self.renderer = Renderer(set_template(tokenizer, template), thinking)
        except TemplateError as error:
            raise common.UserError(f"model: {path}: {error}") from None
        self.template_sha256 = text_sha256(f"{thinking}\n{tokenizer.chat_template}")
        self.precision = "gguf " + Path(path).stem
        self.prefix = []

    def text(self, messages: list[dict]) -> str:
        return self.renderer.render(messages, generate=True)

    def encode(self, messages: list[dict]) -> list[int]:
        return self.renderer.encode_prompt(messages)

    def option(self, text: str) -> list[int]:
        return self.file.tokenize(text, special=False)

    def _decode(self, tokens: list[tuple[int, int, list[int], bool]]) -> None:
        """Run (token, position, sequences, are its logits needed) through the model."""
        batch = self.file.library.LlamaBatch(n_tokens=len(tokens), embd=0, n_seq_max=SEQUENCES)
        for token in tokens:
            batch.add(*token)
        self.context.decode(batch)

    def _log_probabilities(self, index: int):
        """log softmax of the logits at batch position `index`, numpy float64 [vocabulary]."""
        import numpy

        logits = numpy.asarray(self.context.get_logits_ith(index), dtype=numpy.float64)
        top = logits.max()
        return logits - top - numpy.log(numpy.exp(logits - top).sum())

    def share_prefix(self, prompts: list[list[int]]) -> None:
        """Keep what all prompts begin with in the cache."""
        self.prefix = shared_beginning(prompts)
        with llama_tools.quiet(self.log):
            self.context.kv_cache_clear()
            if self.prefix:
                self._decode([(t, i, list(range(SEQUENCES)), False) for i, t in enumerate(self.prefix)])

    def log_likelihoods(self, requests):
        """Summed log-probability (nats) of each option after its prompt."""
        with llama_tools.quiet(self.log):
            return [
                [score for at in range(0, len(options), SEQUENCES) for score in self._row(prompt, options[at : at + SEQUENCES])]
                for prompt, options in requests
            ]

    def _row(self, prompt, options):
        start, everyone = len(self.prefix), list(range(SEQUENCES))
        for sequence in everyone:
            self.context.memory_seq_rm(sequence, start, -1)
        tokens = [(t, start + i, everyone, False) for i, t in enumerate(prompt[start:])]
        last = len(tokens) - 1
        tokens[-1] = (*tokens[-1][:3], True)
        spots = []
        for sequence, option in enumerate(options):
            spots.append([last, *range(len(tokens), len(tokens) + len(option) - 1)])
            tokens += [(t, len(prompt) + i, [sequence], True) for i, t in enumerate(option[:-1])]
        self._decode(tokens)
        needed = {i: self._log_probabilities(i) for i in {i for spot in spots for i in spot}}
        return [
            float(sum(needed[i][t] for i, t in zip(spot, option, strict=True)))
            for spot, option in zip(spots, options, strict=True)
        ]

    def generate(self, prompts, max_new_tokens):
        """Greedy continuation: (text without control tokens, whether it ended by itself)."""
        answers = []
        with llama_tools.quiet(self.log):
            for prompt in prompts:
                self.context.kv_cache_clear()
                self._decode([(t, i, [0], i == len(prompt) - 1) for i, t in enumerate(prompt)])
                said, index, ended = [], len(prompt) - 1, False
                while len(said) < max_new_tokens and not ended:
                    token = int(self._log_probabilities(index).argmax())
                    ended = self.vocab.is_eog(token)
                    if not ended:
                        said.append(token)
                        self._decode([(token, len(prompt) + len(said) - 1, [0], True)])
                        index = 0
                answers.append((self.decode(said), ended))
        return answers

    def decode(self, ids: list[int]) -> str:
        return (
            b"".join(p if isinstance(p, bytes) else p.encode() for p in (self.vocab.detokenize(ids),)).decode("utf-8", "replace")
            if ids
            else ""
        )

    def token_nats(self, ids: list[int]) -> list[float]:
        """-log p of each token but the first, given those before it."""
        with llama_tools.quiet(self.log):
            self.context.kv_cache_clear()
            self._decode([(t, i, [0], True) for i, t in enumerate(ids)])
            return [-float(self._log_probabilities(i)[ids[i + 1]]) for i in range(len(ids) - 1)]

    @property
    def first_token(self) -> int:
        return self.vocab.token_bos() if self.vocab.token_bos() >= 0 else self.vocab.token_eos()


class Url:
    """A server that speaks OpenAI's chat completions. `name` is the model's name there; the key is $OPENAI_API_KEY."""

    template_sha256, precision, prefix = "the server's own", "as served", ()

    def __init__(self, url: str, name: str):
        self.name, self.served = url, name
        self.renderer = types.SimpleNamespace(tokenizer=None)
        self.address = url.rstrip("/") + ("" if url.rstrip("/").endswith("/chat/completions") else "/chat/completions")

    def text(self, messages: list[dict]) -> str:
        return "\n\n".join(f"{m['role']}: {m['content']}" for m in messages)

    def encode(self, messages: list[dict]) -> list[dict]:
        return messages  # what is sent; its length in tokens is the server's affair

    def generate(self, prompts: list[list[dict]], max_new_tokens: int) -> list[tuple[str, bool]]:
        """Greedy answers, four requests at a time."""
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda messages: self._ask(messages, max_new_tokens), prompts))

    def _ask(self, messages, max_new_tokens):
        body = {"model": self.served, "messages": messages, "temperature": 0, "max_tokens": max_new_tokens}
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get("OPENAI_API_KEY"):
            headers["Authorization"] = f"Bearer {key}"
        for attempt in range(TRIES):
            try:
                call = urllib.request.Request(self.address, json.dumps(body).encode(), headers)
                with urllib.request.urlopen(call, timeout=300) as answer:
                    choice = json.load(answer)["choices"][0]
                return choice["message"].get("content") or "", choice.get("finish_reason") == "stop"
            except urllib.error.HTTPError as error:
                reason, lasting = (
                    f"{error.code} {error.read()[:200].decode(errors='replace')}",
                    error.code in (400, 401, 403, 404, 422),
                )
            except (OSError, ValueError, KeyError, IndexError) as error:
                reason, lasting = f"{type(error).__name__}: {error}", False
            if lasting:
                break
            time.sleep(2**attempt / 4)
        raise common.UserError(
            f"model: {self.address} does not answer ({reason}); what was scored is kept: start the same command again to go on"
        )
