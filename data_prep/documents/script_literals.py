"""Lists and objects as a script writes them: names without quotes, other quotes, comments, a comma before the end.

What is more than a literal (a call, a name of another value, a template with `${}`) raises ValueError: nothing is run here.
Our own, for JSON5's readers know neither back quotes nor texts that are added up, and those that read all of a script make
texts of what they do not know.
"""

import json
import re

# Comments are bounded: one that never ends would be looked for from every list.
GAP = re.compile(r"(?:\s+|//[^\n]{0,2000}(?=\n|$)|/\*.{0,2000}?\*/)*", re.S)
NAME = re.compile(r"[^\W\d][\w$]*|\$[\w$]*")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?![\w.])")
TEXT = re.compile(r"\"((?:[^\"\\\n]|\\.)*)\"|'((?:[^'\\\n]|\\.)*)'|`((?:[^`\\]|\\.)*)`", re.S)
ESCAPE = re.compile(r"\\(u\{[0-9a-fA-F]{1,6}\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|\r?\n|.)", re.S)
SAID = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
WORDS = {"true": True, "false": False, "null": None, "undefined": None}
DEEPEST = 20


def literal_at(code: str, at: int, depth: int = 0):
    """(value, where it ends) of the literal that begins at a place of a script."""
    at = _past(code, at)
    if depth > DEEPEST:
        raise ValueError("nested too deep")
    if code[at : at + 1] == "[":
        return _list(code, at + 1, depth)
    if code[at : at + 1] == "{":
        return _object(code, at + 1, depth)
    if TEXT.match(code, at):
        return _text(code, at)
    if hit := NUMBER.match(code, at):
        return json.loads(hit[0]) if not re.match(r"-?0\d", hit[0]) else hit[0], hit.end()
    if (hit := NAME.match(code, at)) and hit[0] in WORDS:
        return WORDS[hit[0]], hit.end()
    raise ValueError(f"no literal at {at}")


def _past(code: str, at: int) -> int:
    return GAP.match(code, at).end()


def _list(code: str, at: int, depth: int) -> tuple[list, int]:
    found = []
    while code[(at := _past(code, at)) : at + 1] != "]":
        value, at = literal_at(code, at, depth + 1)
        found.append(value)
        at = _after(code, at, "]")
    return found, at + 1


def _object(code: str, at: int, depth: int) -> tuple[dict, int]:
    found: dict = {}
    while code[(at := _past(code, at)) : at + 1] != "}":
        if TEXT.match(code, at):
            name, at = _text(code, at)
        elif hit := NAME.match(code, at) or NUMBER.match(code, at):
            name, at = hit[0], hit.end()
        else:
            raise ValueError(f"no name at {at}")
        at = _past(code, at)
        if code[at : at + 1] != ":" or name in found:
            raise ValueError(f"no value, or a second one, of {name!r}")
        found[name], at = literal_at(code, at + 1, depth + 1)
        at = _after(code, at, "}")
    return found, at + 1


def _after(code: str, at: int, end: str) -> int:
    """Where the next item or the end stands."""
    at = _past(code, at)
    if code[at : at + 1] == ",":
        return at + 1
    if code[at : at + 1] != end:
        raise ValueError(f"neither a comma nor {end} at {at}")
    return at


def _text(code: str, at: int) -> tuple[str, int]:
    """A text, or several that are added up."""
    parts = []
    while hit := TEXT.match(code, at):
        if hit[3] is not None and "${" in hit[3]:
            raise ValueError("a template")
        parts.append(ESCAPE.sub(_unescaped, next(g for g in hit.groups() if g is not None)))
        at = _past(code, hit.end())
        if code[at : at + 1] != "+":  # a sign beyond 16 bits may be written as two
            return "".join(parts).encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass"), hit.end()
        at = _past(code, at + 1)
    raise ValueError(f"a text and something else at {at}")


def _unescaped(hit: re.Match) -> str:
    said = hit[1]
    if said[0] in "ux" and len(said) > 1:
        return chr(int(said.strip("ux{}"), 16))
    return "" if said in ("\n", "\r\n") else SAID.get(said, said)
