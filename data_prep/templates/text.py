"""What a chat template makes of messages, as text: how it writes an answer after its prompt, and where answers stand.

Characters only; `chat_template.Renderer` makes token ids and labels of it.
"""

import itertools
import re
from dataclasses import dataclass, field

from data_prep.templates.messages import Answer, TemplateError, split_thought
from data_prep.templates.sources import template_source, training_twins, without_marks

USER, ANSWER, THOUGHT = "qzxuser", "qzxanswer", "qzxthought"  # texts of the probes
OTHER_THOUGHTS = re.compile(r"<\|channel|\[THINK\]|<\|begin_of_thought")
STRIPS = (str, str.strip, str.lstrip, str.rstrip, lambda text: text.lstrip("\n"))  # what templates do to an answer's ends


@dataclass(slots=True)
class Guarded:
    """Messages whose text holds no added token, and the characters that stand in for them (character -> literal)."""

    messages: list[dict]
    stand_ins: dict[str, str]
    answers: list[tuple[int, Answer]] = field(default_factory=list)  # of assistants: place among the messages, what it says
    thoughts_left_out: int = 0


def own_template(tokenizer) -> str:
    """The tokenizer's template; of several named ones `default`. Raises TemplateError where there is none."""
    source = tokenizer.chat_template
    source = source.get("default") if isinstance(source, dict) else source
    if not source:
        raise TemplateError("this tokenizer has no chat template; pass --template qwen3 (or another by name)")
    return source


def apply(tokenizer, messages: list[dict], generate: bool, enable_thinking: bool) -> str:
    """`apply_chat_template` as text. Raises TemplateError with what the template says against the conversation."""
    try:
        return tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=generate, enable_thinking=enable_thinking
        )
    except Exception as error:  # jinja's own class, told by its module so that jinja2 is not imported for it
        if not type(error).__module__.startswith("jinja2"):
            raise
        raise TemplateError(f"the chat template refuses this conversation: {error}") from None


class Template:
    """A tokenizer's chat template, thinking on or off; what it does is found once, on probes.

    Attributes:
        closing: what ends an assistant's turn, `end` its last token. lead: the space that an answer begins with (Llama 2).
        anchor: the last character of the prompt. trains_every_turn: whether earlier answers stand as the model writes them.
    Raises TemplateError where what is trained cannot be told from the template, or would not be what inference prompts for.
    """

    def __init__(self, tokenizer, enable_thinking: bool):
        own_template(tokenizer)
        self.tokenizer, self.enable_thinking = tokenizer, enable_thinking
        added = {str(t) for t in tokenizer.added_tokens_decoder.values()} | {str(t) for t in tokenizer.all_special_tokens}
        # Runs of spaces and line ends are added tokens too (Gemma): they are text, and mean nothing to a template.
        self.control = sorted((t for t in added if t.strip(" \t\r\n▁")), key=len, reverse=True)
        if not self.control:
            raise TemplateError("this tokenizer has no added tokens, so no turn can end with one")
        self.control_pattern = re.compile("(" + "|".join(map(re.escape, self.control)) + ")")
        self._probe()

    def apply(self, messages, generate: bool = False) -> str:
        return apply(self.tokenizer, messages, generate, self.enable_thinking)

    def _probe(self) -> None:
        """How this template writes an answer after its prompt, and how it ends a turn; refuses what cannot be told."""
        user, answer = {"role": "user", "content": USER}, {"role": "assistant", "content": ANSWER}
        prompt, two = self.apply([user], generate=True), self.apply([user, answer, user, {**answer, "content": ANSWER + "2"}])
        if two.count(ANSWER) != 2:
            raise TemplateError(
                "this chat template does not show an assistant's text given as a string, so nothing can be trained"
            )
        if prompt == self.apply([user]) and not prompt.partition(USER)[2].strip():
            raise TemplateError(
                "this chat template has no generation prompt: it does not say where the model begins to answer, so what is "
                "trained cannot be told; pass --template qwen3 (or another by name)"
            )
        self.anchor = prompt[-1]
        self.closing = self._closing(two)
        self.end = self.control_pattern.findall(self.closing)[-1]
        self._thought_keys, self.plain, self._around = (), self._lead_in(prompt, [user, answer]), None
        if self.enable_thinking:
            forms = [("reasoning_content", "thinking"), ("reasoning_content",), ("thinking",), ()]
            if OTHER_THOUGHTS.search(own_template(self.tokenizer)):
                forms.pop()  # Gemma 4 thinks in a channel: where it shows none, a think block would be another language
            for keys in forms:
                self._thought_keys = keys
                said = self._lead_in(prompt, [user, self.message(Answer(THOUGHT, ANSWER))])
                if said is not None and said.count(THOUGHT) == 1:
                    before, _, after = said.partition(THOUGHT)
                    self._around = (before, after)
                    break
        if self.plain is None and self._around is None:
            raise TemplateError(
                f"what this chat template shows of an answer does not begin with what it prompts for ({prompt[-40:]!r}), so "
                "training would teach another place to answer; "
                + ("give it thoughts that it shows, or " if self.enable_thinking else "turn thinking on, or ")
                + "pass --template qwen3 (or another by name)"
            )
        self.lead = self.plain if self.plain and not self.plain.strip() else ""
        said = [Answer(THOUGHT if self.plain is None else "", text) for text in ("qzxone", "qzxtwo")]
        messages = [m for a in said for m in (user, self.message(a))]
        text = self.apply(messages)
        spans = [self.span(text, messages, place, a) for place, a in zip((1, 3), said, strict=True)]
        if spans[1] is None:
            raise TemplateError(
                "this chat template shows the last of two answers otherwise than the first; what is trained cannot be told"
            )
        self.trains_every_turn = spans[0] is not None

    def _closing(self, two: str) -> str:
        """What ends a turn: what stands after the last of two answers, as far as it stands after the first as well."""
        between, after = two.split(ANSWER)[1], two.split(ANSWER + "2")[1]
        first, last = (self.control_pattern.split(text) for text in (between, after))
        pairs = zip(first, last, strict=False)
        same = "".join(a for a, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
        if not self.control_pattern.search(same):  # gpt-oss: <|return|> ends the last turn, <|end|> those before it
            same = after
            if found := self.control_pattern.search(same):
                same = same[: found.end()]
        ends = [hit.end() for hit in self.control_pattern.finditer(same)]
        if not ends:
            raise TemplateError(
                "this chat template ends no turn with a special token, so a model trained on it would not stop; "
                "pass --template qwen3 (or another by name)"
            )
        return same[: ends[-1]]

    def _lead_in(self, prompt: str, messages: list[dict]) -> str | None:
        """What stands between the prompt and the answer; None where the conversation does not begin with the prompt."""
        try:
            text = self.apply(messages)
        except TemplateError:
            return None
        lead, found, rest = text[len(prompt) :].partition(ANSWER)
        return lead if text.startswith(prompt) and found and rest.startswith(self.closing) else None

    def message(self, answer: Answer) -> dict:
        """An assistant's message as this template takes it, with its thought where thinking is on and there is a place for it."""
        if not answer.thought or not self.enable_thinking:
            return {"role": "assistant", "content": answer.content}
        if not self._thought_keys:  # the template shows what it is given: DeepSeek-R1's prompt holds the opening
            return {"role": "assistant", "content": f"<think>\n{answer.thought}\n</think>\n\n{answer.content}"}
        return {"role": "assistant", "content": answer.content, **dict.fromkeys(self._thought_keys, answer.thought)}

    def span(self, text: str, messages: list[dict], place: int, answer: Answer) -> tuple[int, int] | None:
        """Characters [start, end) of an answer that a model would generate at this place; None where it would write another."""
        prompt = self.apply(messages[:place], generate=True)
        if not text.startswith(prompt):
            return None
        for content in dict.fromkeys(strip(answer.content) for strip in STRIPS):
            if answer.thought and self._around:
                said = f"{self._around[0]}{answer.thought}{self._around[1]}{content}{self.closing}"
            elif self.plain is not None:
                said = f"{self.plain}{content}{self.closing}"
            else:
                return None
            if text.startswith(said, len(prompt)):
                return len(prompt), len(prompt) + len(said)
        return None

    def guard(self, messages: list[dict]) -> Guarded:
        """Messages as the template takes them, added tokens in their text replaced by stand-ins."""
        found = Guarded([], {})
        text = "".join(str(v) for m in messages for v in m.values())
        free = (chr(c) for c in range(0x10F000, 0x10FFFE) if chr(c) not in text)
        known: dict[str, str] = {}

        def stand_in(hit: re.Match) -> str:
            if hit.group() not in known:
                known[hit.group()] = next(free)
            return known[hit.group()]

        for place, message in enumerate(messages):
            if message["role"] != "assistant":
                found.messages.append(
                    {"role": message["role"], "content": self.control_pattern.sub(stand_in, message["content"])}
                )
                continue
            said = split_thought(message)
            if said.thought and self._around is None:
                found.thoughts_left_out += 1
                said = Answer("", said.content)
            said = Answer(*(self.control_pattern.sub(stand_in, part) for part in said))
            found.messages.append(self.message(said))
            found.answers.append((place, said))
        found.stand_ins = {char: literal for literal, char in known.items()}
        return found


def set_template(tokenizer, name: str = "auto"):
    """Give the tokenizer the named template ("auto": its own) for training and asking alike, and return it.

    Qwen3's template, thinking off, shows earlier answers without the empty think block that each was prompted with; so do
    Qwen3.5 and 3.6. Where TRL ships a version that keeps it and renders single turns alike, that one is used with thinking
    off, and is what the tokenizer is saved with. Raises TemplateError where "auto" finds no template.
    """
    if name != "auto":
        tokenizer.chat_template = template_source(name)
    source = own_template(tokenizer)
    if fault(tokenizer):
        for training in training_twins(source):
            if alike(tokenizer, source, training):
                both = "{%- if enable_thinking is defined and enable_thinking is false %}" + without_marks(training)
                tokenizer.chat_template = both + "{%- else %}" + source + "{%- endif %}"
                if not fault(tokenizer):
                    return tokenizer
        tokenizer.chat_template = source
    return tokenizer


def fault(tokenizer) -> str:
    """Why the template cannot train every answer with thinking off, "" where it can."""
    try:
        template = Template(tokenizer, enable_thinking=False)
    except TemplateError as error:
        return str(error)
    return "" if template.trains_every_turn else "earlier answers are shown otherwise than the model writes them"


def alike(tokenizer, source: str, other: str) -> bool:
    """Whether two templates prompt alike with thinking off, first answers included."""
    user, answer, system = ({"role": r, "content": f"qzx{r}"} for r in ("user", "assistant", "system"))
    probes = [([user], True), ([system, user], True), ([user, answer], False), ([system, user, answer], False)]
    try:
        for messages, generate in probes:
            texts = []
            for template in (source, other):
                tokenizer.chat_template = template
                texts.append(apply(tokenizer, messages, generate, False))
            if texts[0] != texts[1]:
                return False
    except TemplateError:
        return False
    finally:
        tokenizer.chat_template = source
    return True


def with_literals(text: str, stand_ins: dict[str, str]) -> str:
    return re.sub("[" + "".join(stand_ins) + "]", lambda hit: stand_ins[hit.group()], text) if stand_ins else text
