"""The one place that turns conversations into text, token ids and a mask of what is trained.

Preparing, training, scoring, chatting and exporting all call this file, so that a model is asked exactly as it was taught.
It imports neither torch nor transformers: the caller hands in the tokenizer. Templates are anyone's code: only transformers'
sandbox renders them.

    messages = to_messages(row)                            # ShareGPT -> [{"role", "content"}, ...]
    renderer = Renderer(set_template(tokenizer), enable_thinking=False)
    renderer.encode(messages)                              # input_ids and labels, -100 = not trained
    renderer.encode_prompt(messages)                       # [...], ends where the model begins to answer

What is trained of an assistant's turn is what the model would generate there: the text begins with the very prompt that
inference gives (`add_generation_prompt`), and the labels are what follows it, up to and including the token that ends the
turn. That is checked in each conversation, text against text; a template that fails the check on a probe of two turns is
refused. TRL's `{% generation %}` marks are not read for this: they take in a line end of the header (qwen2_5), the prompt's
think block (qwen3) or what follows the end of the turn (gemma3, phi3).

Thinking off: thoughts in the rows are left out, counted, and the empty think block belongs to each turn's prompt. Thinking
on: thoughts are trained as the template writes them, and earlier ones go or stay by the template's own rule; an answer that
it then shows otherwise than the model wrote it is not trained there, counted (`encode_turns` trains it in a row of its own).

Added tokens written as text inside a message (`<|im_end|>`, `</think>`) stay text: the template sees stand-ins, and text
between its control tokens is cut wherever it would become one.
"""

import bisect
import itertools
import warnings
from dataclasses import dataclass, fields

from data_prep.templates.messages import (  # what scripts import from here
    INSTRUCTIONS,
    TemplateError,
    answer_text,
    prompt_messages,
    scoring_prompt,
    to_messages,
)
from data_prep.templates.sources import TEMPLATES, template_source
from data_prep.templates.text import Guarded, Template, set_template, with_literals

__all__ = [
    "IGNORED",
    "INSTRUCTIONS",
    "TEMPLATES",
    "Encoded",
    "Renderer",
    "TemplateError",
    "answer_text",
    "encode_prompt",
    "prompt_messages",
    "scoring_prompt",
    "set_template",
    "template_source",
    "to_messages",
]

IGNORED = -100  # the label that PyTorch's cross entropy leaves out


@dataclass(slots=True)
class Encoded:
    """A conversation as token ids and labels (-100 where nothing is trained), and what was left out of it.

    `answers_left_out`: earlier answers that the template shows otherwise than the model writes them. `thoughts_left_out`:
    thoughts that thinking off, or a template without a place for them, leaves out.
    """

    input_ids: list[int]
    labels: list[int]
    truncated: bool = False
    answers_left_out: int = 0
    thoughts_left_out: int = 0

    def __getitem__(self, name: str):
        if name not in {f.name for f in fields(self)}:
            raise KeyError(name)
        return getattr(self, name)


class Renderer:
    """Renders and masks for one tokenizer; what it derives from the template is computed once.

    Args:
        tokenizer: a fast Hugging Face tokenizer with a chat template (`set_template` gives it one).
        enable_thinking: as transformers and vLLM pass it to the template ("on" and "off" are taken too).

    Raises TemplateError where what is trained cannot be told from the template, or would not be what inference prompts for.
    """

    def __init__(self, tokenizer, enable_thinking: bool | str = False):
        if enable_thinking not in (True, False, "on", "off"):
            raise TemplateError(f"enable_thinking: {enable_thinking!r} is neither true nor false")
        self.tokenizer = tokenizer
        self.enable_thinking = enable_thinking in (True, "on")
        self.template = Template(tokenizer, self.enable_thinking)
        self.end = self.template.end
        self.control_pattern = self.template.control_pattern
        self.control_ids = {tokenizer.convert_tokens_to_ids(t) for t in self.template.control}
        self._takes_spaces = {t.content for t in tokenizer.added_tokens_decoder.values() if t.rstrip}  # Phi-3's
        self._space_first = self._puts_space_first_only()
        self._warned = False

    # -------------------------------------------------------------------------------------------------- text to tokens

    def render(self, messages: list[dict], generate: bool = False) -> str:
        """The text of a conversation, as `tokenizer.apply_chat_template` gives it."""
        guarded = self.template.guard(messages)
        return with_literals(self.template.apply(guarded.messages, generate), guarded.stand_ins)

    def pieces(self, messages: list[dict], generate: bool = True) -> list[tuple[str, bool]]:
        """The text cut at the template's own control tokens: (piece, is it a control token), with the spaces that it takes."""
        guarded = self.template.guard(messages)
        return self._pieces(self.template.apply(guarded.messages, generate), guarded.stand_ins)

    def _pieces(self, text: str, stand_ins: dict[str, str]) -> list[tuple[str, bool]]:
        found = []
        for part in filter(None, self.control_pattern.split(text)):
            control = bool(self.control_pattern.fullmatch(part))
            if not control and found and found[-1][0] in self._takes_spaces:
                spaces = part[: len(part) - len(part.lstrip())]
                found[-1], part = (found[-1][0] + spaces, True), part[len(spaces) :]
            if part:
                found.append((part if control else with_literals(part, stand_ins), control))
        return found

    def _plain_ids(self, text: str, before: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Ids and offsets of plain text after the character `before` (or none): where a control token comes out of it, the text
        is cut inside the literal."""
        inside = self._inside(text, before) if before else None
        if inside is None:
            out = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, split_special_tokens=True)
            inside = list(out["input_ids"]), list(out["offset_mapping"])
        ids, offsets = inside
        cuts = [0]
        for i, (start, end) in zip(ids, offsets, strict=True):
            if i in self.control_ids and end - start > 1:  # a token may take the spaces before it along
                cuts.append(end - len(text[start:end].lstrip()) + 1)
        if len(cuts) == 1:
            return ids, offsets
        ids, offsets = [], []
        for start, end in itertools.pairwise([*cuts, len(text)]):
            some = self._plain_ids(text[start:end], before if not start else "\n" if self._space_first else "")
            ids += some[0]
            offsets += [(start + a, start + b) for a, b in some[1]]
        return ids, offsets

    def _inside(self, text: str, before: str) -> tuple[list[int], list[tuple[int, int]]] | None:
        """Ids and offsets of plain text as they are after the character `before`; None where a token spans both.

        SentencePiece tokenizers put a space before whatever stands first: a text tokenised alone would get one too many.
        """
        out = self.tokenizer(before + text, add_special_tokens=False, return_offsets_mapping=True, split_special_tokens=True)
        kept = [(i, a - 1, b - 1) for i, (a, b) in zip(out["input_ids"], out["offset_mapping"], strict=True) if b > 1 or a > 0]
        if any(a < 0 for _, a, _ in kept):
            return None
        return [i for i, _, _ in kept], [(a, b) for _, a, b in kept]

    def _puts_space_first_only(self) -> bool:
        """Whether text after a control token is tokenised otherwise than the same text alone (SentencePiece's newer way)."""
        ids = lambda text: self.tokenizer(text, add_special_tokens=False)["input_ids"]  # noqa: E731
        return ids(f"{self.end}word") != ids(self.end) + ids("word")

    def _tokenize(self, text: str, stand_ins: dict[str, str]) -> tuple[list[int], list[tuple[int, int]]]:
        """Token ids and the characters (start, end) of the rendered text, literals back, that each stands for."""
        if not stand_ins:
            out = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, split_special_tokens=False)
            # A normaliser can make a control token of what is none (full-width letters): then the slow way.
            if sum(i in self.control_ids for i in out["input_ids"]) <= len(self.control_pattern.findall(text)):
                return list(out["input_ids"]), list(out["offset_mapping"])
        ids, offsets, at = [], [], 0
        for piece, control in self._pieces(text, stand_ins):
            if control:
                out = self.tokenizer(piece, add_special_tokens=False, return_offsets_mapping=True, split_special_tokens=False)
                some = out["input_ids"], out["offset_mapping"]
            else:
                some = self._plain_ids(piece, "\n" if at and self._space_first else "")
            ids += some[0]
            offsets += [(at + a, at + b) for a, b in some[1]]
            at += len(piece)
        return ids, offsets

    # ------------------------------------------------------------------------------------------------------- encoding

    def encode(self, messages: list[dict], max_length: int | None = None) -> Encoded:
        """Token ids and labels of a conversation; longer than `max_length` tokens is cut on the right.

        Raises TemplateError where the template would show the last answer otherwise than a model generates it.
        """
        encoded = self._encode(self.template.guard(messages), max_length)
        if encoded.answers_left_out and not self._warned:
            self._warned = True
            say = "this template shows earlier answers otherwise than the model writes them, so of a conversation only the last "
            warnings.warn(
                f"enable_thinking {self.enable_thinking}: {say}answers are trained; `Renderer.encode_turns` trains each",
                stacklevel=2,
            )
        return encoded

    def encode_turns(self, messages: list[dict], max_length: int | None = None) -> list[Encoded]:
        """The conversation so that every answer is trained once: one row where the template shows all as they were written,
        else one more for each earlier answer, which ends with it."""
        guarded = self.template.guard(messages)
        whole = self._encode(guarded, max_length)
        rows = [whole]
        for place in self._left_out(guarded) if whole.answers_left_out else ():
            answers = [(p, said) for p, said in guarded.answers if p == place]
            shorter = Guarded(guarded.messages[: place + 1], guarded.stand_ins, answers)
            rows.append(self._encode(shorter, max_length))
        whole.answers_left_out = 0
        return rows

    def _left_out(self, guarded: Guarded) -> list[int]:
        text = self.template.apply(guarded.messages)
        return [p for p, said in guarded.answers if self.template.span(text, guarded.messages, p, said) is None]

    def _encode(self, guarded: Guarded, max_length: int | None) -> Encoded:
        text = self.template.apply(guarded.messages)
        found = [self.template.span(text, guarded.messages, place, said) for place, said in guarded.answers]
        if found and found[-1] is None:
            thoughtless = self.template.plain is None and not guarded.answers[-1][1].thought
            raise TemplateError(
                "thinking is on, and this template has no form for an answer without a thought: give the row reasoning_content"
                if thoughtless
                else "the chat template shows the last answer here otherwise than a model would write it after its prompt"
            )
        spans = [span for span in found if span]
        if guarded.stand_ins:  # the stand-ins are one character each: measure spans in the text with the literals back
            lengths = [0]
            for char in text:
                lengths.append(lengths[-1] + len(guarded.stand_ins.get(char, char)))
            spans = [(lengths[a], lengths[b]) for a, b in spans]
        ids, offsets = self._tokenize(text, guarded.stand_ins)
        labels = [IGNORED] * len(ids)
        starts = [a for a, _ in offsets]
        for begin, stop in spans:
            for i in range(bisect.bisect_left(starts, begin), bisect.bisect_left(starts, stop)):
                labels[i] = ids[i]
        truncated = max_length is not None and len(ids) > max_length
        left_out = len(found) - len(spans)
        return Encoded(ids[:max_length], labels[:max_length], truncated, left_out, guarded.thoughts_left_out)

    def encode_prompt(self, messages: list[dict]) -> list[int]:
        """Token ids of a conversation that ends with the generation prompt: what the model continues."""
        guarded = self.template.guard(messages)
        return self._tokenize(self.template.apply(guarded.messages, generate=True), guarded.stand_ins)[0]

    def encode_answer(self, messages: list[dict], answer: str) -> list[int]:
        """Token ids of an answer after `encode_prompt(messages)`, with the token that ends the turn."""
        prompt = self.encode_prompt(messages)
        whole = self.encode([*messages, {"role": "assistant", "content": answer}])
        end = max((i for i, label in enumerate(whole.labels) if label != IGNORED), default=-1) + 1
        if whole.input_ids[: len(prompt)] == prompt and end > len(prompt):
            return whole.input_ids[len(prompt) : end]
        # The answer's first characters merge with the header's last token: a model that generates cannot do that.
        return [*self.decode_text(answer), *self.tokenizer(self.template.closing, add_special_tokens=False)["input_ids"]]

    def decode_text(self, text: str) -> list[int]:
        """Token ids of plain text that follows the prompt (an option to be scored); never control tokens."""
        return self._plain_ids(self.template.lead + text, self.template.anchor)[0]


def encode_prompt(messages: list[dict], tokenizer, enable_thinking: bool | str = False) -> list[int]:
    """`Renderer.encode_prompt` for one conversation."""
    return Renderer(tokenizer, enable_thinking).encode_prompt(messages)
