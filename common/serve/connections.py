"""Connections that nobody can hold for nothing: limits on their number, and on how long they wait for a client."""

from __future__ import annotations

import asyncio
import resource
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

IDLE = 10.0  # seconds in which the head of a request must arrive, from the connection or the answer before
STALLED = 30.0  # seconds in which a client must take something of what is sent to it
LOOK = 1.0  # seconds between looks at a connection
CONNECTIONS = 256  # at once


def most_connections() -> int:
    """How many connections there may be: CONNECTIONS, or a quarter of the files that this process may open."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS if files == resource.RLIM_INFINITY else max(8, min(CONNECTIONS, files // 4))


class Connection(H11Protocol):
    """A connection that is closed when its client is slow, and when a new one needs its place while it has no request.

    uvicorn has a limit of its own for the time between requests, which the first byte of the next one ends.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.since = self.loop.time()  # of waiting for a request, or of the last look at which something was sent
        self._unsent = 0  # bytes at that look
        self._look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes a place: if there is none, that of the connection that has waited longest for a request."""
        super().connection_made(transport)  # type: ignore[arg-type]  # a transport of sockets, as uvicorn expects
        if len(self.connections) > most_connections():
            waiting = [other for other in self.connections if isinstance(other, Connection) and other.is_waiting]
            min(waiting, key=lambda other: other.since, default=self).end()
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the looks at the connection."""
        if self._look:
            self._look.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """From now on the next request is waited for."""
        self.since = self.loop.time()
        super().on_response_complete()

    @property
    def is_waiting(self) -> bool:
        """Whether no request is in hand: the head of none has come whole since the last answer."""
        cycle = getattr(self, "cycle", None)  # that of uvicorn begins as None, whatever its type says
        return cycle is None or cycle.response_complete

    def end(self) -> None:
        """Closes the connection at once, whatever was to be sent."""
        self.connections.discard(self)
        self.transport.abort()

    def _look_later(self) -> None:
        self._look = self.loop.call_later(LOOK, self._end_if_slow)

    def _end_if_slow(self) -> None:
        """Ends the connection if its client sends no request, or takes nothing of an answer."""
        now, unsent = self.loop.time(), self.transport.get_write_buffer_size()
        if not self.is_waiting and (not unsent or unsent != self._unsent):
            self.since = now
        self._unsent = unsent
        if now - self.since > (STALLED if unsent else IDLE):
            self.end()
        else:
            self._look_later()
