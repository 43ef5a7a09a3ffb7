"""An Ollama Modelfile for a GGUF: FROM, TEMPLATE, stops, context length and sampling, all said outright.

    ollama create x -f runs/x/gguf/Modelfile

Ollama writes templates in Go, the file carries Jinja; a template that Ollama guesses may be another. So the file's own
template is rendered on probes, the Go template is put together from what stands around them, and that is checked by
rendering conversations both ways. Thinking is off, as in training by default.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from llamacpp.files import read_header
from llamacpp.sampling import of_header

SYSTEM, USER, ANSWER = "qzxsystem", "qzxuser", "qzxanswer"
CONTROL = 3  # llama_token_type of llama.h


@dataclass
class Parts:
    """What a template writes around each role's text (before, after), before a conversation without a system message, and
    where the model begins to answer.
    """

    system: tuple[str, str]
    user: tuple[str, str]
    assistant: tuple[str, str]
    default: str
    generation: str

    def without_bos(self, bos: str) -> "Parts":
        """llama.cpp writes that token itself."""
        system = (self.system[0].removeprefix(bos), self.system[1])
        return dataclasses.replace(self, default=self.default.removeprefix(bos), system=system)


def render(template: str, messages: list[dict], generate: bool = True, **tokens) -> str:
    """A chat template rendered by transformers, thinking off."""
    from transformers.utils.chat_template_utils import render_jinja_template

    return render_jinja_template(
        [messages], chat_template=template, add_generation_prompt=generate, enable_thinking=False, **tokens
    )[0][0]


def parts(template: str, **tokens) -> Parts | None:
    """What the template writes around each role's text, and before a conversation without system message.

    None where it does not work that way (a system message that is folded into the user's, for one).
    """

    def write(*turns, generate=False):
        return render(template, [{"role": r, "content": c} for r, c in turns], generate, **tokens)

    try:
        one, two = write(("user", USER)), write(("user", USER), ("assistant", ANSWER), ("user", "qzxsecond"))
        with_system = write(("system", SYSTEM), ("user", USER))
        generation = write(("user", USER), generate=True)[len(one) :]
    except Exception:  # templates raise their own errors for roles that they do not take
        return None
    try:
        start, system_end_and_user = with_system.split(SYSTEM)
        user_end = one.split(USER)[1]
        middle = two.split(USER)[1].split("qzxsecond")[0]
        before_answer, after_answer = middle.split(ANSWER)
        default = one.split(USER)[0]
    except ValueError:
        return None
    between = after_answer
    # The user's opening is what stands between an answer and the next question, less the answer's end.
    opening = common_end(common_end(default, system_end_and_user.split(USER)[0]), between)
    found = Parts(
        system=(start, system_end_and_user.split(USER)[0].removesuffix(opening)),
        user=(opening, user_end),
        assistant=(before_answer.removeprefix(user_end), between.removesuffix(opening)),
        default=default.removesuffix(opening),
        generation=generation,
    )
    for turns in (
        [("user", "a")],
        [("system", "s"), ("user", "b c")],
        [("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"), ("user", "e")],
    ):
        if apply(found, turns) != write(*turns, generate=True):
            return None
    return found


def common_end(a: str, b: str) -> str:
    """The longest text that both end with."""
    n = 0
    while n < min(len(a), len(b)) and a[-1 - n] == b[-1 - n]:
        n += 1
    return a[len(a) - n :]


def apply(found: Parts, turns: list[tuple[str, str]]) -> str:
    """What Ollama makes of the Go template."""
    text = "" if turns[0][0] == "system" else found.default
    around = {"system": found.system, "user": found.user, "assistant": found.assistant}
    return text + "".join(around[role][0] + content + around[role][1] for role, content in turns) + found.generation


def stops(fields: dict, after_answer: str = "") -> list[str]:
    """Texts of the tokens that end an answer: the end token, the end of a turn where the file names one, and the control
    token that the template writes after an answer (Gemma's <end_of_turn> is no end token of its tokenizer).
    """
    tokens, types = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    keys = ("tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id")
    named = [tokens[fields[key]] for key in keys if key in fields]
    marks = [t for t, kind in zip(tokens, types, strict=False) if kind == CONTROL and t and after_answer.startswith(t)]
    written = max(marks, key=len, default=None)
    return list(dict.fromkeys([*named, *([written] if written else [])]))


def modelfile(gguf: str | Path, num_ctx: int = 4096) -> str:
    """The Modelfile's text. Where no Go template can stand for the file's own, it says so in a comment."""
    header = read_header(gguf)
    fields = header.fields
    tokens = fields["tokenizer.ggml.tokens"]
    keys = {f"{n}_token": f"tokenizer.ggml.{n}_token_id" for n in ("bos", "eos")}
    named = {name: tokens[fields[key]] for name, key in keys.items() if key in fields}
    longest = int(fields[f"{fields['general.architecture']}.context_length"])
    found = parts(fields["tokenizer.chat_template"], **named) if "tokenizer.chat_template" in fields else None
    lines = [f"FROM ./{Path(gguf).name}"]
    if found:
        if named.get("bos_token") and fields.get("tokenizer.ggml.add_bos_token") is True:
            found = found.without_bos(named["bos_token"])
        lines.append(f'TEMPLATE """{go_template(found)}"""')
    else:
        lines.append("# Ollama's templates cannot express this file's; it will use its own reading of it. Compare before use.")
    lines += [f'PARAMETER stop "{text}"' for text in stops(fields, found.assistant[1] if found else "")]
    lines += [f"PARAMETER num_ctx {min(num_ctx, longest)}"]
    lines += [f"PARAMETER {name} {value:g}" for name, value in of_header(header).settings().items()]
    return "\n".join(lines) + "\n"


def go_template(found: Parts) -> str:
    """The Go template of the parts."""
    default = '{{- if ne (index .Messages 0).Role "system" }}' + go(found.default) + "{{- end }}" if found.default else ""
    turns = ""
    for word, role, (before, after) in (
        ("if", "system", found.system),
        ("else if", "user", found.user),
        ("else if", "assistant", found.assistant),
    ):
        turns += f'{{{{- {word} eq .Role "{role}" }}}}' + go(before) + "{{- .Content }}" + go(after)
    return default + "{{- range .Messages }}" + turns + "{{- end }}{{- end }}" + go(found.generation)


def go(text: str) -> str:
    """A literal for a Go template, as an action, so that no line break or brace in it is read otherwise."""
    return "{{- " + json.dumps(text, ensure_ascii=False) + " }}" if text else ""
