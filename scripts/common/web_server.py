"""Uvicorn for our two servers, with limits of time for a request, which uvicorn lacks. Used by serve.py, annotate.py.

A client that sends half a request holds a file descriptor here for as long as it likes; enough of them keep all others out.
"""

import asyncio

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 60.0


class Timed(H11Protocol):
    """Closes a connection whose next request has no whole header after HEADER_SECONDS."""

    late: asyncio.TimerHandle | None = None

    def connection_made(self, transport) -> None:
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._done()

    def _watch(self) -> None:
        if self.conn.their_state is not h11.IDLE:  # the header is read
            self._done()
        elif self.late is None:
            self.late = asyncio.get_running_loop().call_later(HEADER_SECONDS, self.transport.close)

    def _done(self) -> None:
        if self.late:
            self.late.cancel()
        self.late = None


async def body_of(request, most: int, seconds: float) -> bytes | int:
    """A request's body, or the HTTP status that refuses it: 413 for more bytes than `most`, 408 after so many seconds."""

    async def read() -> bytes | int:
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > most:  # whatever its header says
                return 413
        return body

    try:
        return await asyncio.wait_for(read(), seconds)
    except TimeoutError:
        return 408


def server_of(app, **settings) -> uvicorn.Server:
    """A server of this ASGI application; `settings` are uvicorn's."""
    return uvicorn.Server(uvicorn.Config(app, http=Timed, server_header=False, **settings))
