"""An Ollama Modelfile for a GGUF: FROM, TEMPLATE, stops and context length, all said outright. Used by export_gguf.py.

    python scripts/modelfile.py runs/x/gguf/x-q4_k_m.gguf > Modelfile && ollama create x -f Modelfile

Ollama writes templates in Go, the file carries Jinja; a template that Ollama guesses may be another. So the file's own
template is rendered on probes, the Go template is put together from what stands around them, and that is checked by
rendering conversations both ways. Thinking is off, as in training by default.
"""

import json
import sys
from pathlib import Path

from common.entry import run_main
from common.errors import UserError
from llamacpp.files import is_gguf, read_header

SYSTEM, USER, ANSWER = "qzxsystem", "qzxuser", "qzxanswer"


def jinja(template: str, messages: list[dict], generate: bool = True, **tokens) -> str:
    """A chat template rendered as Hugging Face does."""
    from jinja2.exceptions import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message):
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    environment.filters["tojson"] = lambda value, **_: json.dumps(value, ensure_ascii=False)
    environment.globals.update(raise_exception=refuse, strftime_now=lambda form: "")
    return environment.from_string(template).render(
        messages=messages, add_generation_prompt=generate, enable_thinking=False, tools=None, **tokens
    )


def parts(template: str, **tokens) -> dict[str, str] | None:
    """What the template writes around each role's text, and before a conversation without system message.

    None where it does not work that way (a system message that is folded into the user's, for one).
    """

    def render(*turns, generate=False):
        return jinja(template, [{"role": r, "content": c} for r, c in turns], generate, **tokens)

    try:
        one, two = render(("user", USER)), render(("user", USER), ("assistant", ANSWER), ("user", "qzxsecond"))
        with_system = render(("system", SYSTEM), ("user", USER))
        generation = render(("user", USER), generate=True)[len(one) :]
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
    found = {
        "system": (start, system_end_and_user.split(USER)[0].removesuffix(opening)),
        "user": (opening, user_end),
        "assistant": (before_answer.removeprefix(user_end), between.removesuffix(opening)),
        "default": default.removesuffix(opening),
        "generation": generation,
    }
    for turns in (
        [("user", "a")],
        [("system", "s"), ("user", "b c")],
        [("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"), ("user", "e")],
    ):
        if apply(found, turns) != render(*turns, generate=True):
            return None
    return found


def common_end(a: str, b: str) -> str:
    """The longest text that both end with."""
    n = 0
    while n < min(len(a), len(b)) and a[-1 - n] == b[-1 - n]:
        n += 1
    return a[len(a) - n :]


def apply(found: dict, turns: list[tuple[str, str]]) -> str:
    """What Ollama makes of the Go template."""
    text = "" if turns[0][0] == "system" else found["default"]
    return text + "".join(found[role][0] + content + found[role][1] for role, content in turns) + found["generation"]


def stops(metadata: dict, after_answer: str = "") -> list[str]:
    """Texts of the tokens that end an answer: the end token, the end of a turn where the file names one, and the control
    token that the template writes after an answer (Gemma's <end_of_turn> is no end token of its tokenizer).
    """
    tokens = metadata["tokenizer.ggml.tokens"]
    named = [
        tokens[int(metadata[key])] for key in ("tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id") if key in metadata
    ]
    # cyllama does not read arrays of numbers, so a control token is told by its looks, and is the longest that fits.
    marks = [text for text in tokens if text[:1] in ("<", "[") and text[-1:] in (">", "]") and after_answer.startswith(text)]
    written = max(marks, key=len, default=None)
    return list(dict.fromkeys([*named, *([written] if written else [])]))


def render(gguf: str | Path, num_ctx: int = 4096) -> str:
    """The Modelfile's text. Where no Go template can stand for the file's own, it says so in a comment."""
    metadata, _ = read_header(gguf)
    tokens = metadata["tokenizer.ggml.tokens"]
    named = {
        f"{n}_token": tokens[int(metadata[f"tokenizer.ggml.{n}_token_id"])]
        for n in ("bos", "eos")
        if f"tokenizer.ggml.{n}_token_id" in metadata
    }
    longest = int(metadata[f"{metadata['general.architecture']}.context_length"])
    found = parts(metadata["tokenizer.chat_template"], **named) if "tokenizer.chat_template" in metadata else None
    lines = [f"FROM ./{Path(gguf).name}"]
    if found:
        if named.get("bos_token") and str(metadata.get("tokenizer.ggml.add_bos_token")) == "True":  # llama.cpp adds it itself
            found["default"] = found["default"].removeprefix(named["bos_token"])
            found["system"] = (found["system"][0].removeprefix(named["bos_token"]), found["system"][1])
        lines.append(f'TEMPLATE """{go_template(found)}"""')
    else:
        lines.append("# Ollama's templates cannot express this file's; it will use its own reading of it. Compare before use.")
    lines += [f'PARAMETER stop "{text}"' for text in stops(metadata, found["assistant"][1] if found else "")]
    lines += [f"PARAMETER num_ctx {min(num_ctx, longest)}", "PARAMETER temperature 0"]
    return "\n".join(lines) + "\n"


def go_template(found: dict) -> str:
    """The Go template of the parts."""
    default = '{{- if ne (index .Messages 0).Role "system" }}' + go(found["default"]) + "{{- end }}" if found["default"] else ""
    turns = ""
    for word, role in (("if", "system"), ("else if", "user"), ("else if", "assistant")):
        before, after = found[role]
        turns += f'{{{{- {word} eq .Role "{role}" }}}}' + go(before) + "{{- .Content }}" + go(after)
    return default + "{{- range .Messages }}" + turns + "{{- end }}{{- end }}" + go(found["generation"])


def go(text: str) -> str:
    """A literal for a Go template, as an action, so that no line break or brace in it is read otherwise."""
    return "{{- " + json.dumps(text, ensure_ascii=False) + " }}" if text else ""


def main() -> None:
    if len(sys.argv) != 2 or not is_gguf(sys.argv[1]):
        raise UserError("give one GGUF file: FILE.gguf")
    print(render(sys.argv[1]), end="")


if __name__ == "__main__":
    run_main(main)
