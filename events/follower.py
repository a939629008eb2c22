"""The log in seq order, without ever missing an event.

A seq is drawn before its transaction commits: a reader that asks for `seq > last` walks past those still to appear.
This one delivers the unbroken run of seqs after its position, and stops at a gap until it is known what the gap is:

    Each seq is used once (identity, CACHE 1), so if position+1 … k can all be seen, nothing can appear below k.

    Whoever drew a seq below one that can be seen, M, took its lock on log.events before it drew, and keeps it until
    its events can be seen. So: read up to M; *then* ask who holds that lock. When all of those are gone, a read that
    begins afterwards sees every event up to M that will ever exist: the gaps left were aborted, and stay empty.

No clock is involved, nothing is asked of writers, and a long transaction that does not append holds nobody up.

Whoever follows from now on wants whatever is committed after that, whatever its seq: those that are missing below the
last one at that moment are asked for again, once their writers are gone.
"""

from collections.abc import Sequence

from asyncpg import Connection

from events.event import Event
from events.log import event_of, read_after
from events.statements import load_statements

RECENT = 10_000  # seqs below the last one, among which a transaction under way may have drawn

_sql = load_statements("events", "follower.sql")


class Follower:
    """Reads the log onward from `after`, over a connection to the primary that is in no transaction of its own.

    `missing`: seqs up to there that are delivered too, should they still appear.
    """

    def __init__(self, connection: Connection, after: int, missing: Sequence[int] = ()) -> None:
        self._connection = connection
        self._position = after
        self._missing = list(missing)
        self._writers: list[str] | None = None  # who may have drawn these
        self._final = 0  # gaps up to here are empty for good
        self._horizon = 0  # they will be up to here, once …
        self._fence: list[str] = []  # … these transactions have ended
        self._blocked = False

    @classmethod
    async def from_now(cls, connection: Connection) -> "Follower":
        """Delivers what was not committed yet when this is called."""
        row = await connection.fetchrow(_sql["begin_now"], RECENT)
        return cls(connection, row["last"], row["missing"])

    @property
    def position(self) -> int:
        """Seq of the last event delivered; begin there again after a restart."""
        return self._position

    @property
    def blocked(self) -> bool:
        """True while events can be seen behind a gap that may still be filled: ask again in a moment."""
        return self._blocked

    async def advance(self, limit: int = 5000) -> list[Event]:
        """Everything that can safely be delivered now, in seq order, at most `limit` events (but for those that were
        missing at the start); possibly nothing.

        Raises what asyncpg raises; the position has not moved then.
        """
        if self._missing:
            late = await self._read_missing()
            if late or self._missing:
                return late
        if self._fence and not await self._has_moved():
            return []
        events = await read_after(self._connection, self._position, limit)
        safe = self._safe(events)
        if safe < len(events) and not self._fence and await self._raise_fence(events[-1].seq):
            events = await read_after(self._connection, self._position, limit)  # seen after the fence fell: final
            safe = self._safe(events)
        if safe:
            self._position = events[safe - 1].seq
        if self._position >= self._horizon:
            self._fence = []  # a gap beyond gets a fence of its own
        self._blocked = safe < len(events)
        return events[:safe]

    async def _read_missing(self) -> list[Event]:
        """Those that appeared, once no more can; until then nothing."""
        self._writers, _ = await self._probe(self._writers)
        self._blocked = bool(self._writers)
        if self._blocked:
            return []
        rows = await self._connection.fetch(_sql["read_seqs"], self._missing)
        self._missing = []
        return [event_of(row) for row in rows]

    def _safe(self, events: list[Event]) -> int:
        """How many of the events, from the first, have nothing before them that could still appear."""
        expected = self._position + 1
        for number, event in enumerate(events):
            if event.seq != expected and event.seq > self._final:
                return number
            expected = event.seq + 1
        return len(events)

    async def _has_moved(self) -> bool:
        """Did the fence fall, or the next event appear?"""
        self._fence, filled = await self._probe(self._fence)
        if not self._fence:
            self._final = self._horizon
        return filled or not self._fence

    async def _raise_fence(self, horizon: int) -> bool:
        """Wait for all who may still append below `horizon`; True when there is nobody to wait for."""
        self._horizon = horizon
        self._fence, _ = await self._probe(None)
        if not self._fence:
            self._final = horizon
        return not self._fence

    async def _probe(self, fence: list[str] | None) -> tuple[list[str], bool]:
        row = await self._connection.fetchrow(_sql["probe_gap"], fence, self._position + 1)
        return row["holders"], row["filled"]
