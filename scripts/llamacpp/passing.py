"""An answer of llama.cpp's on its way to a client; ended there where the client no longer takes it."""

import asyncio

import httpx
from starlette.responses import StreamingResponse


class Passed(StreamingResponse):
    """`answer`: what llama.cpp streams. `patience`: seconds that a client has to take the next piece; one that takes none would
    hold one of llama.cpp's connections for good."""

    def __init__(self, answer: httpx.Response, headers: dict[str, str], patience: float):
        super().__init__(answer.aiter_raw(), answer.status_code, headers)
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
