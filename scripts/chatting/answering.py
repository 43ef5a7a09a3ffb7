"""Who answers in a chat: a GGUF file in llama.cpp, or a Hugging Face folder, adapter folder or hub id."""

import contextlib
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from common import card, models
from common.errors import UserError
from common.machine import quiet
from common.models import find_model, has_cuda, is_adapter, load_tokenizer
from export.adapter_folder import base_of
from export.proof.float32 import load_16bit
from llamacpp.files import has_template, is_gguf
from llamacpp.sampling import Sampling, sampling_of
from llamacpp.server import start_server, stream_chat

from data_prep.chat_template import Renderer


@dataclass(frozen=True)
class Settings:
    """Lengths in tokens. `log`: file for what llama.cpp prints; needed for a GGUF."""

    max_new_tokens: int
    max_length: int
    seed: int
    load_in_4bit: bool = False
    log: Path | None = None


@dataclass(frozen=True)
class Question:
    """What is asked, how it is sampled, and by which adapter: a number, None for all that there are, -1 for the base alone."""

    messages: list[dict]
    sampling: Sampling
    enable_thinking: bool = False
    adapter: int | None = None


@dataclass(frozen=True)
class Answer:
    """`cut`: it reached its longest before the model ended it."""

    text: str
    cut: bool


class GgufModel:
    """A GGUF file, with adapter GGUFs beside it, in llama.cpp (xllamacpp), inside this process; what it prints goes to a log."""

    def __init__(self, path: str, settings: Settings, loras: Sequence[str] = ()):
        self.settings, self.names = settings, [Path(lora).stem for lora in loras]
        self.sampling, self.compares = sampling_of(path), bool(loras)
        if not has_template(path):
            print(f"warning: {path} holds no chat template; llama.cpp takes ChatML", file=sys.stderr)
        self.quiet = contextlib.ExitStack()
        self.quiet.enter_context(quiet(settings.log))
        try:
            self.server = start_server(path, n_ctx=settings.max_length, loras=loras)
        except Exception as error:
            self.quiet.close()
            raise UserError(f"model: llama.cpp cannot load {path} ({error}); what it said: {settings.log}") from None

    def answer(self, question: Question, on_text: Callable[[str], None]) -> Answer:
        thought = []

        def think(piece: str) -> None:
            on_text(piece if thought else f"<think>\n{piece}")
            thought.append(piece)

        def write(piece: str) -> None:
            if thought and thought[-1] is not None:
                on_text("\n</think>\n\n")
                thought.append(None)
            on_text(piece)

        settings = question.sampling.settings() | {"max_tokens": self.settings.max_new_tokens, "seed": self.settings.seed}
        if self.names:
            used = range(len(self.names)) if question.adapter is None else [question.adapter]
            settings["lora"] = [{"id": i, "scale": float(i in used)} for i in range(len(self.names))]
        try:
            said = stream_chat(self.server, question.messages, write, question.enable_thinking, think, **settings)
        except RuntimeError as error:
            raise UserError(f"llama.cpp does not answer: {error} (max_length is {self.settings.max_length}; /reset)") from None
        return Answer(said["text"], said["finish_reason"] == "length")

    def close(self) -> None:
        self.server = None
        # After Ctrl-C in an answer they hold the server, whose last words are the log's.
        traceback.clear_frames(sys.exc_info()[2])
        self.quiet.close()


class FolderModel:
    """A Hugging Face folder, adapter folder or hub id; on a CUDA GPU through Unsloth."""

    def __init__(self, model: str, settings: Settings):
        import warnings

        warnings.filterwarnings("ignore")
        self.settings, self.names = settings, []
        if has_cuda():
            from unsloth import FastLanguageModel

            self.model, self.tokenizer = models.load_model(model, settings.max_length, settings.load_in_4bit)
            FastLanguageModel.for_inference(self.model)
        else:
            self.tokenizer = load_tokenizer(model)
            if not self.tokenizer.chat_template:
                raise UserError(f"model: {model} has no chat template, so how to ask it cannot be told")
            self.model = load_16bit(base_of(model) if is_adapter(model) else model)
            if is_adapter(model):
                if len(self.tokenizer) > self.model.get_input_embeddings().num_embeddings:
                    self.model.resize_token_embeddings(len(self.tokenizer))
                self.model = models.with_adapter(self.model, model)
            self.model.eval()
        folder = models.local_folder((base_of(model) or model) if is_adapter(model) else model)
        self.sampling, self.compares = sampling_of(folder or model), hasattr(self.model, "disable_adapter")

    def answer(self, question: Question, on_text: Callable[[str], None]) -> Answer:
        if question.adapter == -1:
            with self.model.disable_adapter():
                return self._answer(question, on_text)
        return self._answer(question, on_text)

    def _answer(self, question: Question, on_text: Callable[[str], None]) -> Answer:
        import threading

        import torch
        from transformers import TextIteratorStreamer

        ids = Renderer(self.tokenizer, question.enable_thinking).encode_prompt(question.messages)
        room = min(self.settings.max_new_tokens, self.settings.max_length - len(ids))
        if room < 1:
            raise UserError(f"the conversation is {len(ids)} tokens long, max_length is {self.settings.max_length}; /reset")
        prompt = torch.tensor([ids], device=card.device_of(self.model))
        streamer = TextIteratorStreamer(self.tokenizer, skip_prompt=True, skip_special_tokens=True)
        stop, failed, made = threading.Event(), [], []
        torch.manual_seed(self.settings.seed)

        def generate():
            try:
                out = self.model.generate(
                    input_ids=prompt,
                    attention_mask=torch.ones_like(prompt),
                    streamer=streamer,
                    max_new_tokens=room,
                    pad_token_id=self.tokenizer.pad_token_id,
                    eos_token_id=self.ends(),
                    stopping_criteria=[lambda *_, **__: stop.is_set()],
                    **generation_settings(question.sampling),
                )
                made.append(out[0, prompt.shape[1] :].tolist())
            except Exception as error:
                failed.append(error)
                streamer.end()

        thread = threading.Thread(target=generate, daemon=True)
        thread.start()
        text = ""
        try:
            for piece in streamer:
                text += piece
                on_text(piece)
        finally:
            stop.set()
            thread.join()
        if failed:
            raise failed[0]
        return Answer(text, len(made[0]) >= room and made[0][-1] not in self.ends())

    def ends(self) -> list[int]:
        """Ids that end an answer: the tokenizer's, and those of the generation config."""
        configured = self.model.generation_config.eos_token_id
        return sorted({self.tokenizer.eos_token_id, *([configured] if isinstance(configured, int) else configured or [])})

    def close(self) -> None:
        pass


def generation_settings(sampling: Sampling) -> dict:
    """The sampling by transformers' names."""
    if not sampling.temperature:
        return {"do_sample": False}
    said = sampling.settings()
    if "repeat_penalty" in said:
        said["repetition_penalty"] = said.pop("repeat_penalty")
    return {"do_sample": True, **said}


def load(name: str, settings: Settings, loras: Sequence[str] = ()) -> GgufModel | FolderModel:
    """Whoever answers for this name."""
    if is_gguf(name):
        return GgufModel(name, settings, loras)
    find_model(name)
    return FolderModel(name, settings)
