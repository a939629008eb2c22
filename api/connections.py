"""Time limits of connections, and which ones are closed when there are too many (docs/adr/0029).

A connection is in one of four phases. The server waits for the client in `head`, `body` and `idle`; in `answer` the
client waits for the server. Only connections that the server waits for are closed to make room, never one whose request
is complete: a client that sends its request at once is served, however many others send nothing.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, Protocol

import structlog
from msgspec import Struct

Phase = Literal["head", "body", "answer", "idle"]

EVICTED_PART = 20  # one connection in 20 is closed at a time, so that a flood costs one scan per batch
LOG_SECONDS = 60.0  # between two lines about closed connections

log = structlog.get_logger(__name__)


class ConnectionLimits(Struct, frozen=True):
    """How many connections, and how long the server waits for a client."""

    connections: int = 2000
    head_seconds: float = 10.0
    """For the whole head of a request, from the connection or its first byte on."""
    body_seconds: float = 20.0
    """For a body, besides the time it takes at `body_bytes_per_second`."""
    body_bytes_per_second: float = 4096.0
    idle_seconds: float = 75.0
    """Between two requests."""
    unread_seconds: float = 60.0
    """Without the client reading any of an answer that is under way."""


class Connection(Protocol):
    """A connection as this module sees it. `since`: loop time at which its phase began."""

    phase: Phase
    since: float

    @property
    def client_address(self) -> str:
        """The client's address, without its port."""

    def check_time(self, now: float) -> None:
        """Close the connection if its client is too slow."""

    def evict(self) -> None:
        """Close the connection at once."""


class ConnectionTable:
    """The open connections of one server."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._open: set[Any] = set()
        self._closed: Counter[str] = Counter()
        self._logged_at = float("-inf")

    def use(self, connections: "set[Any]") -> None:
        """Keep the connections in this set, which is uvicorn's own."""
        self._open = connections

    def make_room(self, newest: Connection) -> None:
        """Close some of the connections that the server waits for, if there are more than the limit with this one."""
        if len(self._open) <= self.limits.connections:
            return
        waiting = [one for one in self._open if one.phase != "answer" and one is not newest]
        for connection in _oldest_of_largest_group(waiting, 1 + self.limits.connections // EVICTED_PART):
            self._open.discard(connection)
            connection.evict()
            self.count_closed("evicted")

    def count_closed(self, reason: str) -> None:
        """Count a connection that was closed because of its client, for the log."""
        self._closed[reason] += 1

    def check_times(self, now: float) -> None:
        """Close the connections whose clients are too slow. `now`: the loop's time."""
        for connection in tuple(self._open):
            connection.check_time(now)
        if self._closed and now - self._logged_at >= LOG_SECONDS:
            log.warning("http.connections_closed", limit=self.limits.connections, **self._closed)
            self._closed.clear()
            self._logged_at = now


def _oldest_of_largest_group(connections: Sequence[Connection], count: int) -> list[Connection]:
    """Of the client address and phase that most connections have, the `count` oldest."""
    groups = Counter((one.client_address, one.phase) for one in connections)
    largest = max(groups, key=groups.__getitem__, default=None)
    members = [one for one in connections if (one.client_address, one.phase) == largest]
    return sorted(members, key=lambda one: one.since)[:count]
