"""Limits on connections: their number, and the time that they wait for a client."""

from __future__ import annotations

import asyncio
import resource
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

IDLE = 10.0  # seconds from the connection or the previous answer until the head of a request must have arrived
STALLED = 30.0  # seconds in which a client must receive some of the bytes sent to it
LOOK = 1.0  # seconds between checks of a connection
CONNECTIONS = 256  # concurrent connections


def most_connections() -> int:
    """The maximum number of connections: CONNECTIONS, or a quarter of the files that this process may open."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS if files == resource.RLIM_INFINITY else max(8, min(CONNECTIONS, files // 4))


class Connection(H11Protocol):
    """A connection that is closed if its client is slow, or if a new connection needs its place while it is idle.

    uvicorn's own limit for the time between requests ends with the first byte of the next one.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.since = self.loop.time()  # start of waiting for a request, or the last check at which bytes were sent
        self._unsent = 0  # bytes at that check
        self._look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes a place; if all are taken, that of the connection that has been idle longest."""
        super().connection_made(transport)  # type: ignore[arg-type]  # a transport of sockets, as uvicorn expects
        if len(self.connections) > most_connections():
            waiting = [other for other in self.connections if isinstance(other, Connection) and other.is_waiting]
            min(waiting, key=lambda other: other.since, default=self).end()
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the checks of the connection."""
        if self._look:
            self._look.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Starts waiting for the next request."""
        self.since = self.loop.time()
        super().on_response_complete()

    @property
    def is_waiting(self) -> bool:
        """Whether no request is pending: no complete head has arrived since the last answer."""
        cycle = getattr(self, "cycle", None)  # uvicorn's is None at first, whatever its type says
        return cycle is None or cycle.response_complete

    def end(self) -> None:
        """Closes the connection at once, without sending the rest."""
        self.connections.discard(self)
        self.transport.abort()

    def _look_later(self) -> None:
        self._look = self.loop.call_later(LOOK, self._end_if_slow)

    def _end_if_slow(self) -> None:
        """Ends the connection if its client sends no request, or receives nothing of an answer."""
        now, unsent = self.loop.time(), self.transport.get_write_buffer_size()
        if not self.is_waiting and (not unsent or unsent != self._unsent):
            self.since = now
        self._unsent = unsent
        if now - self.since > (STALLED if unsent else IDLE):
            self.end()
        else:
            self._look_later()
