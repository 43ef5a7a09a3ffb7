"""Calls of OpenAI-compatible models: every finished one is kept, none is paid for twice, and a budget of tokens stops them.

A call is one line of calls.jsonl, written and synced when its answer is there; its key is the SHA-256 of everything that was
sent, so a run that is started again takes what it has already paid for from the file.
"""

import collections
import hashlib
import json
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from data_prep.common.errors import UserError
from data_prep.common.files import flush_to_disk, json_line


class Model(NamedTuple):
    """A served model: base URL (.../v1) and its name there."""

    url: str
    name: str


def client(url: str):
    """The openai client of an address."""
    import openai

    return openai.OpenAI(base_url=url, api_key=os.environ.get("OPENAI_API_KEY") or "none", max_retries=5, timeout=600)


def served_name(url: str, field: str) -> str:
    """The name of the one model that is served at an address. Raises UserError where there are none or several."""
    import openai

    try:
        found = [model.id for model in client(url).models.list()]
    except openai.OpenAIError as error:
        raise UserError(f"{field}: {url} does not say what it serves ({' '.join(str(error).split())[:200]})") from None
    if len(found) != 1:
        raise UserError(f"{field}: {url} serves {len(found)} models; name one of them: {', '.join(found[:20])}")
    return found[0]


class BudgetSpent(Exception):
    """The next call could exceed the budget of tokens."""


class Usage(NamedTuple):
    """What calls took: how many there were, of these taken from the file, tokens sent and received."""

    calls: int
    reused: int
    prompt_tokens: int
    completion_tokens: int


class Caller:
    """Asks models; answers come from calls.jsonl where they stand there.

    Args:
        path: the file of calls.
        budget_tokens: sent and received tokens of all calls in the file together; 0: no limit.
        parallel: calls under way at once.
    """

    def __init__(self, path: Path, budget_tokens: int = 0, parallel: int = 4):
        self.path, self.budget, self.parallel = path, budget_tokens, parallel
        self.lock, self.clients = threading.Lock(), {}
        self.done, self.reused, self.reserved, self.spent = {}, 0, 0, [0, 0]
        self.under_way: dict[str, Future] = {}
        self.silent = collections.Counter()  # who was asked ("judge", "base") and said nothing
        written = path.read_bytes() if path.is_file() else b""
        whole = written[: written.rfind(b"\n") + 1]  # the last line of a killed run may be cut
        for number, line in enumerate(whole.splitlines(), 1):  # of bytes: a text's own U+2028 ends no line
            try:
                self._keep(json.loads(line))
            except (ValueError, KeyError, TypeError, RecursionError):
                raise UserError(
                    f"{path}:{number}: is no call as this script keeps them; take that line out (its call is made and paid again)"
                ) from None
        if whole != written:
            os.truncate(path, len(whole))
        self.file = open(path, "ab")
        self.before = set(self.done)

    def usage(self) -> Usage:
        return Usage(len(self.done), self.reused, *self.spent)

    def _keep(self, record: dict) -> None:
        self.done[record["key"]] = record
        self.spent[0] += record["prompt_tokens"]
        self.spent[1] += record["completion_tokens"]

    def ask(self, model: Model, prompt: str, temperature: float = 0.0, max_tokens: int = 1024, seed: int = 0) -> str:
        """The answer to one user message. Raises BudgetSpent, or UserError where the server does not answer."""
        sent = [model.url, model.name, prompt, temperature, max_tokens, seed]
        key = hashlib.sha256(json.dumps(sent).encode()).hexdigest()
        with self.lock:
            if key in self.done:
                self.reused += key in self.before
                return self.done[key]["text"]
            other = self.under_way.get(key)
            if other is None:
                most = len(prompt) // 2 + max_tokens  # text takes three to five characters a token
                if self.budget and sum(self.spent) + self.reserved + most > self.budget:
                    raise BudgetSpent
                self.reserved += most
                mine = self.under_way[key] = Future()
        if other is not None:  # two candidates may ask the same at once
            return other.result()
        try:
            mine.set_result(self._paid(key, model, prompt, temperature, max_tokens, seed))
        except BaseException as error:
            mine.set_exception(error)
        finally:
            with self.lock:
                self.reserved -= most
                del self.under_way[key]
        return mine.result()

    def _paid(self, key: str, model: Model, prompt: str, temperature: float, max_tokens: int, seed: int) -> str:
        """The answer of a call that is made, and kept."""
        text, prompt_tokens, completion_tokens, counted = self._call(model, prompt, temperature, max_tokens, seed)
        record = {"key": key, "model": model.name, "text": text, "prompt_tokens": prompt_tokens}
        record |= {"completion_tokens": completion_tokens, "counted_by": "server" if counted else "estimate"}
        with self.lock:
            self.file.write(json_line(record))
            flush_to_disk(self.file)
            self._keep(record)
        return text

    def _call(self, model: Model, prompt: str, temperature: float, max_tokens: int, seed: int):
        import openai

        with self.lock:
            if model.url not in self.clients:
                self.clients[model.url] = client(model.url)
        try:
            answer = self.clients[model.url].chat.completions.create(
                model=model.name,
                messages=[{"role": "user", "content": prompt}],
                temperature=temperature,
                max_tokens=max_tokens,
                seed=seed,
            )
        except openai.OpenAIError as error:
            said = " ".join(str(error).split())[:200]
            raise UserError(f"generator: {model.url} does not answer ({said}); finished calls are kept: start again") from None
        except ValueError as error:  # bytes that are no JSON
            raise UserError(
                f"generator: {model.url} answered with no JSON ({error}); is it an OpenAI-compatible server?"
            ) from None
        choices = getattr(answer, "choices", None)  # a page is a text, an error has none
        message = getattr(choices[0], "message", None) if choices else None
        if message is None:
            raise UserError(
                f"generator: {model.url} answered without a choice ({' '.join(str(answer).split())[:120]}); is it an "
                "OpenAI-compatible server?"
            )
        text = message.content or ""
        if not isinstance(text, str):
            raise UserError(f"generator: {model.url} answered with parts in the place of a text ({str(text)[:120]})")
        counts = [getattr(answer.usage, name, None) for name in ("prompt_tokens", "completion_tokens")]
        if not all(isinstance(count, int) and count >= 0 for count in counts):  # a server that does not count
            return text, len(prompt) // 4, len(text) // 4, False  # four characters a token
        return text, *counts, True

    def map(self, function, items: list) -> list:
        """function(item) of all items, several at once, in their order; None where the budget ended before it was done."""

        def one(item):
            try:
                return function(item)
            except BudgetSpent:
                return None

        with ThreadPoolExecutor(self.parallel) as pool:
            return list(pool.map(one, items))

    def close(self) -> None:
        self.file.close()
