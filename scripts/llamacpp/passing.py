"""An answer of llama.cpp's on its way to a client; ended there where the client no longer takes it."""

import asyncio
import json

import httpx
from starlette.responses import StreamingResponse


class Passed(StreamingResponse):
    """`answer`: what llama.cpp streams. `patience`: seconds that a client has to take the next piece; one that takes none would
    hold one of llama.cpp's connections for good. `renamed`: what llama.cpp calls the model, and what its clients call it."""

    def __init__(self, answer: httpx.Response, headers: dict[str, str], patience: float, renamed: tuple[str, str] | None = None):
        pieces = answer.aiter_raw()
        if renamed:
            headers = {name: value for name, value in headers.items() if name != "content-length"}
            old, new = (f'"model":{json.dumps(name)}'.encode() for name in renamed)
            pieces = (piece.replace(old, new) async for piece in answer.aiter_raw())
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
