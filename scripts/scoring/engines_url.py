"""A model behind an OpenAI-compatible URL, with the calls of scoring/engines.py, through the openai client.

It sends messages: the template is the server's own, and what differs from other engines is said by compare.py. Likelihoods
are to be had of single tokens only (`logprobs`), so of letters, and only of those among the most likely twenty.
"""

import os
import re
from concurrent.futures import ThreadPoolExecutor

from common.errors import UserError

TOO_LONG = re.compile(r"context.{0,20}(?:length|size|window)|exceed_context|too long|maximum.{0,20}tokens", re.I)
RETRIES = 5
TOP = 20  # alternatives a token, the most that the interface allows


def is_url(model: str) -> bool:
    return model.startswith(("http://", "https://"))


class Url:
    """`name` is the model's name at the server; the key is $OPENAI_API_KEY."""

    template_sha256, precision, prefix, window = "the server's own", "as served", (), float("inf")

    def __init__(self, url: str, name: str, concurrency: int = 8, quiet: bool = False):
        import openai

        self.name, self.served, self.concurrency = url, name, concurrency
        base = url.rstrip("/").removesuffix("/chat/completions")
        key = os.environ.get("OPENAI_API_KEY") or "none"
        self.client = openai.OpenAI(base_url=base, api_key=key, max_retries=RETRIES, timeout=300)
        self.address = base
        if not quiet:
            print("note: the template is the server's own; --template and --enable_thinking change nothing here")

    def reserve(self, tokens: int) -> None:
        """The server's affair."""

    def share_prefix(self, prompts: list) -> None:
        """The server's affair as well."""

    def close(self) -> None:
        self.client.close()

    def text(self, messages: list[dict]) -> str:
        return "\n\n".join(f"{m['role']}: {m['content']}" for m in messages)

    def encode(self, messages: list[dict]) -> list[dict]:
        return messages  # what is sent; its length in tokens is the server's affair

    def option(self, text: str) -> list[str]:
        return [text]

    def generate(
        self, prompts: list[list[dict]], max_new_tokens: int, temperature: float = 0.0, seed: int = 0
    ) -> list[tuple[str | None, bool]]:
        """Answers, `concurrency` at a time; None for a prompt longer than the server's context."""

        def ask(numbered) -> tuple[str | None, bool]:
            number, messages = numbered
            choice = self.ask(messages, max_tokens=max_new_tokens, temperature=temperature, seed=(seed + number) % 2**31)
            if choice is None:
                return None, False
            if not isinstance(choice.message.content, str | None):
                raise UserError(f"model: {self.address} answers with a {type(choice.message.content).__name__}, not with text")
            return choice.message.content or "", choice.finish_reason == "stop"

        with ThreadPoolExecutor(self.concurrency) as pool:
            return list(pool.map(ask, enumerate(prompts)))

    def log_likelihoods(self, requests: list[tuple[list[dict], list[list[str]]]]) -> list[list[float | None]]:
        """Log-probability of each letter as the first token; one that is not among the most likely gets less than those.

        None is a number where no letter is among them: a thinking model, or one that begins with a word.
        """

        def ask(request) -> list[float | None]:
            messages, options = request
            choice = self.ask(messages, max_tokens=1, temperature=0, logprobs=True, top_logprobs=TOP)
            if choice is None:
                return [None] * len(options)
            top = choice.logprobs.content[0].top_logprobs if choice.logprobs and choice.logprobs.content else []
            if not top:
                raise UserError(f"model: {self.address} gives no logprobs; use --protocol generate")
            given: dict[str, float] = {}
            for one in top:
                given.setdefault(one.token.strip(), one.logprob)
            letters = [option[0].strip() for option in options]
            if not any(letter in given for letter in letters):
                return [float("nan")] * len(letters)  # it would say something else first: no letter is likelier than another
            less = min(one.logprob for one in top) - 0.01  # or the least likely letter that is there would be no likelier
            return [given.get(letter, less) for letter in letters]

        with ThreadPoolExecutor(self.concurrency) as pool:
            return list(pool.map(ask, requests))

    def ask(self, messages: list[dict], **how):
        """The first choice of one request; None where the prompt is too long for the server."""
        import openai

        try:
            answer = self.client.chat.completions.create(model=self.served, messages=messages, **how)
            if not getattr(answer, "choices", None):  # a page, an error with status 200
                raise ValueError(f"no answer, but {str(answer)[:120]!r}")
            if getattr(answer.choices[0], "message", None) is None:
                raise ValueError(f"a choice without a message: {str(answer.choices[0])[:120]!r}")
            return answer.choices[0]
        except openai.APIStatusError as error:
            if error.status_code in (400, 413) and TOO_LONG.search(str(error)):
                return None
            reason = f"HTTP {error.status_code} {' '.join(str(error).split())[:200]}"
        except (openai.OpenAIError, TypeError, ValueError) as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise UserError(
            f"model: {self.address} does not answer ({reason}); what was scored is kept: start the same command again to go on"
        ) from None
