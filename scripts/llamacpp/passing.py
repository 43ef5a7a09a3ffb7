"""An answer of llama.cpp's on its way to a client; ended there where the client no longer takes it."""

import asyncio
from collections.abc import AsyncIterator

import httpx
from starlette.responses import StreamingResponse


async def replaced(pieces: AsyncIterator[bytes], old: bytes, new: bytes) -> AsyncIterator[bytes]:
    """The pieces with `new` for `old`, also where `old` begins in one piece and ends in the next."""
    kept = b""
    async for piece in pieces:
        ready = (kept + piece).replace(old, new)
        begun = next((n for n in range(min(len(old) - 1, len(ready)), 0, -1) if ready.endswith(old[:n])), 0)
        ready, kept = ready[: len(ready) - begun], ready[len(ready) - begun :]
        if ready:
            yield ready
    if kept:
        yield kept


class Passed(StreamingResponse):
    """`answer`: what llama.cpp streams. `patience`: seconds that a client has to take the next piece; one that takes none would
    hold one of llama.cpp's connections for good. `renamed`: bytes of llama.cpp's, and what the client reads in their place."""

    def __init__(
        self, answer: httpx.Response, headers: dict[str, str], patience: float, renamed: tuple[bytes, bytes] | None = None
    ):
        pieces = answer.aiter_raw()
        if renamed:
            headers = {name: value for name, value in headers.items() if name != "content-length"}
            pieces = replaced(pieces, *renamed)
        super().__init__(pieces, answer.status_code, headers)
        self.answer, self.patience = answer, patience

    async def stream_response(self, send) -> None:
        async def soon(message) -> None:
            await asyncio.wait_for(send(message), self.patience)

        try:
            await super().stream_response(soon)
        except TimeoutError:
            pass  # uvicorn says that the answer is not whole, and closes the connection
        finally:
            await self.answer.aclose()
