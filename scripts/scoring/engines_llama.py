"""A GGUF file in llama.cpp's library, with the calls of scoring/engines.py.

It reads the file's own chat template and vocabulary, so that Renderer asks it as it asks a Hugging Face model; all options
of a row run in one batch, the prompt's tokens belonging to every option's sequence.
"""

import array
import itertools
import re
from pathlib import Path

from common.errors import UserError
from common.files import reading
from common.hashes import text_sha256
from common.machine import cores, quiet
from llamacpp import library
from scoring.evaluations import model_name
from scoring.packing import BATCH_TOKENS, shared_beginning
from tokenizers import AddedToken

from data_prep.chat_template import Renderer, TemplateError, set_template

SEQUENCES = 16  # options a batch


ADDED = 1 << 3 | 1 << 4  # llama.h: LLAMA_TOKEN_ATTR_CONTROL, LLAMA_TOKEN_ATTR_USER_DEFINED
RSTRIP = 1 << 8  # LLAMA_TOKEN_ATTR_RSTRIP: takes the spaces after it along (Phi-3)


class GgufTokenizer:
    """What Renderer needs of a tokenizer, from the vocabulary and the template inside a GGUF file."""

    def __init__(self, model):
        self.vocab = model.get_vocab()
        self.chat_template = model.get_default_chat_template()
        # llama.cpp finds both in any text: control tokens where it is asked to, user-defined ones (<think>) always.
        attributes = {i: of for i in range(self.vocab.n_vocab) if (of := int(self.vocab.get_attr(i))) & ADDED}
        texts = {i: self.vocab.get_text(i) for i in attributes}
        self.added_tokens_decoder = {i: AddedToken(text, rstrip=bool(attributes[i] & RSTRIP)) for i, text in texts.items()}
        self.all_special_tokens = [text for i, text in texts.items() if self.vocab.is_control(i)]
        self.ids = {text: i for i, text in texts.items()}
        self.byte_level = self.vocab.vocab_type == 2  # llama.cpp's LLAMA_VOCAB_TYPE_BPE
        self.names = {"bos_token": self.vocab.token_bos(), "eos_token": self.vocab.token_eos()}

    def convert_tokens_to_ids(self, token: str) -> int:
        return self.ids[token]

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
        return {"input_ids": ids, "offset_mapping": self._offsets(text, ids) if return_offsets_mapping else None}

    def _offsets(self, text: str, ids: list[int]) -> list[tuple[int, int]]:
        """Characters (start, end) of the text that each token begins and ends in, from the tokens' lengths in bytes."""
        lengths = [self._bytes(i) for i in ids]
        size = len(text.encode())
        if ids and sum(lengths) == size + 1:
            lengths[0] -= 1  # sentencepiece begins with a space of its own
        if sum(lengths) != size:
            raise UserError(
                "model: this file's tokens do not spell out the text again, so the answers in `conversations` cannot be "
                "told from the rest; score the Hugging Face folder, or rows with `text`"
            )
        character = [n for n, char in enumerate(text) for _ in char.encode()] + [len(text)]  # of each byte
        ends = list(itertools.accumulate(lengths))
        return [(character[end - length], character[end]) for end, length in zip(ends, lengths, strict=True)]

    def _bytes(self, token: int) -> int:
        """Length in bytes of what a token stands for."""
        piece = self.vocab.get_text(token)
        if self.vocab.is_control(token):
            return len(piece.encode())
        if re.fullmatch("<0x[0-9A-F]{2}>", piece):
            return 1
        if self.byte_level:  # one character for each byte; an added token such as <think> stands as it is
            return len(piece)
        return len(piece.replace("▁", " ").encode())


class Gguf:
    """A GGUF file on llama.cpp's library, on the processor. `log` takes what the library prints."""

    def __init__(self, path: str, template: str, enable_thinking: bool, max_length: int, log: Path):
        self.name, self.log = path, log
        with quiet(log):
            try:
                self.file = library.Gguf(path, n_ctx=64)
            except (ValueError, RuntimeError) as error:
                raise UserError(f"model: llama.cpp cannot load {path} ({error}); see {log}") from None
        self.context = None  # made by `reserve`, when it is known how much is needed
        self.window = self.file.model.n_ctx_train or float("inf")
        self.vocab = self.file.vocab
        with reading(path):  # texts that are no UTF-8
            tokenizer = GgufTokenizer(self.file.model)
        try:
            self.renderer = Renderer(set_template(tokenizer, template), enable_thinking)
        except TemplateError as error:
            raise UserError(f"model: {path}: {error}") from None
        self.template_sha256 = text_sha256(f"{'on' if enable_thinking else 'off'}\n{tokenizer.chat_template}")
        self.precision = "gguf " + Path(model_name(path)).stem
        self.prefix = []

    def reserve(self, tokens: int) -> None:
        """Room in the cache for so many tokens: a prompt and all its options, or a prompt and its answer."""
        library, settings = self.file.library, self.file.library.LlamaContextParams()
        self.room = max(tokens, BATCH_TOKENS)  # several answers are written at a time
        settings.n_ctx = settings.n_batch = self.room + 64
        settings.n_seq_max, settings.kv_unified = SEQUENCES, True
        settings.n_threads = settings.n_threads_batch = cores()
        with quiet(self.log):
            try:
                self.context = library.LlamaContext(self.file.model, settings)
            except (ValueError, RuntimeError) as error:
                raise UserError(
                    f"model: llama.cpp has no room for {tokens} tokens ({error}); lower --max_length; see {self.log}"
                ) from None

    def close(self) -> None:
        """Give the memory back now, while what llama.cpp prints of it goes to the log."""
        with quiet(self.log):
            self.context = self.file.context = None

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

    def _logits(self, index: int):
        """The logits at batch position `index`, numpy float64 [vocabulary]."""
        import numpy

        # cyllama gives a list; array reads it four times as fast as numpy.
        return numpy.frombuffer(array.array("f", self.context.get_logits_ith(index)), numpy.float32).astype(numpy.float64)

    def _log_probabilities(self, index: int):
        """log softmax of the logits at batch position `index`, numpy float64 [vocabulary]."""
        import numpy

        logits = self._logits(index)
        top = logits.max()
        return logits - top - numpy.log(numpy.exp(logits - top).sum())

    def share_prefix(self, prompts: list[list[int]]) -> None:
        """Keep what all prompts begin with in the cache."""
        self.prefix = shared_beginning(prompts)
        with quiet(self.log):
            self.context.kv_cache_clear()
            if self.prefix:
                self._decode([(t, i, list(range(SEQUENCES)), False) for i, t in enumerate(self.prefix)])

    def log_likelihoods(self, requests):
        """Summed log-probability (nats) of each option after its prompt."""
        with quiet(self.log):
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

    def generate(self, prompts, max_new_tokens, temperature=0.0, seed=0):
        """Continuation, greedy at temperature 0: (text without control tokens, whether it ended by itself)."""
        import numpy

        generator = numpy.random.default_rng(seed)

        def draw(logits) -> int:
            if temperature > 0:  # the largest of scores with Gumbel noise is a draw from their softmax
                logits = logits / temperature + generator.gumbel(size=len(logits))
            return int(logits.argmax())

        with quiet(self.log):
            groups = self._groups(prompts, max_new_tokens)
            return [answer for group in groups for answer in self._write(group, max_new_tokens, draw)]

    def _groups(self, prompts, max_new_tokens: int):
        """The prompts in their order, as many at a time as the cache has sequences and room for."""
        group, taken = [], 0
        for prompt in prompts:
            needed = len(prompt) + max_new_tokens
            if group and (len(group) == SEQUENCES or taken + needed > self.room):
                yield group
                group, taken = [], 0
            group.append(prompt)
            taken += needed
        yield group

    def _write(self, prompts, max_new_tokens: int, draw) -> list[tuple[str, bool]]:
        """Answers to these prompts, a token of each at a time: one pass over the weights serves them all.

        Which prompts stand together sways the last digits, as it does in torch; the same batch writes the same.
        """
        self.context.kv_cache_clear()
        said, ended = [[] for _ in prompts], [False] * len(prompts)
        tokens = [(t, i, [s], i == len(prompt) - 1) for s, prompt in enumerate(prompts) for i, t in enumerate(prompt)]
        places = {s: end - 1 for s, end in enumerate(itertools.accumulate(map(len, prompts)))}  # of each one's last logits
        while tokens:
            self._decode(tokens)
            tokens, chosen = [], {s: draw(self._logits(place)) for s, place in places.items()}
            for s, token in chosen.items():
                ended[s] = self.vocab.is_eog(token)
                if not ended[s]:
                    said[s].append(token)
                if not ended[s] and len(said[s]) < max_new_tokens:
                    tokens.append((token, len(prompts[s]) + len(said[s]) - 1, [s], True))
            places = {sequences[0]: place for place, (_, _, sequences, _) in enumerate(tokens)}
        return [(self.decode(ids), done) for ids, done in zip(said, ended, strict=True)]

    def decode(self, ids: list[int]) -> str:
        return (
            b"".join(p if isinstance(p, bytes) else p.encode() for p in (self.vocab.detokenize(ids),)).decode("utf-8", "replace")
            if ids
            else ""
        )

    def token_nats(self, ids: list[int]) -> list[float]:
        """-log p of each token but the first, given those before it."""
        with quiet(self.log):
            self.context.kv_cache_clear()
            self._decode([(t, i, [0], True) for i, t in enumerate(ids)])
            return [-float(self._log_probabilities(i)[ids[i + 1]]) for i in range(len(ids) - 1)]

    @property
    def first_token(self) -> int:
        return self.vocab.token_bos() if self.vocab.token_bos() >= 0 else self.vocab.token_eos()
