"""The views anew, from the log, beside the live ones, while everybody goes on working.

    create      an empty schema `rebuild`, made by the view part of schema.sql, with three intakes (rebuild.sql)
    feed        slices of the log go into the intakes; the folds' triggers do the rest. Of each slice the tasks' events
                go in two strands over two connections, then what is left. It is fed up to a seq below which nothing
                can appear any more, again and again until little is left
    swap        one short transaction: writers wait, the rest is folded, the schemas change names
    drop        the retired views, once nobody reads them

Killed at any moment it leaves at most a schema that the next rebuild removes. Statements that were prepared before
the swap go on working: PostgreSQL analyses them again when a schema is renamed.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
from asyncpg import Connection
from msgspec import Struct

from events.errors import Unavailable
from events.log import last_seq
from events.statements import load_statements

Connect = Callable[[], Awaitable[Connection]]
Progress = Callable[[int, int], None]
"""Called with how many events are done, and of how many."""

SLICE = 50_000  # events; measured on a log of 430 000: 50 000 and 100 000 are alike, 250 000 costs a fifth more
STRANDS = (0, 1)  # feed_strand_0, feed_strand_1
LITTLE = 2_000  # events that may be left for the swap, which holds up writers for as long as it folds them
CATCH_UPS = 20  # then the swap is tried anyway: writers outrun the feeding
ATTEMPTS = 100  # for a lock that others hold
PAUSE_SECONDS = 0.1
FENCE_PAUSE_SECONDS = 0.005

_sql = load_statements("projections", "rebuild.sql")
_probe_gap = load_statements("events", "follower.sql")["probe_gap"]


class RebuildReport(Struct, frozen=True):
    """What a rebuild did. `held_seconds` is how long writers waited for the swap; `dropped` is False when somebody
    still reads the retired views, which then lie there until the next rebuild."""

    events: int
    seconds: float
    held_seconds: float
    dropped: bool


async def rebuild(connect: Connect, view_sql: str, progress: Progress) -> RebuildReport:
    """Fold the whole log into new views, defined by `view_sql`, and put them in the place of the live ones.

    Raises:
        Unavailable: somebody held a lock on the log or on an abandoned rebuild for too long; nothing has changed.
    """
    begun = time.monotonic()
    async with alone(connect), _Feed(connect, progress) as feed:
        if not await _drop_leftovers(feed.connection):
            raise Unavailable(
                "the remains of an earlier rebuild are in use; end the session that reads schema `retired`"
            )
        await _create(feed.connection, view_sql)
        await feed.catch_up()
        await feed.upkeep()
        held = await _swap(feed)
        dropped = await _drop_leftovers(feed.connection)
        return RebuildReport(feed.events, time.monotonic() - begun, held, dropped)


@asynccontextmanager
async def alone(connect: Connect) -> AsyncIterator[None]:
    """While this lasts no rebuild swaps the views; waits for one that is under way. Works through a pooler."""
    connection = await connect()
    try:
        async with connection.transaction():
            await connection.execute(_sql["hold_lock"])
            yield
    finally:
        await connection.close()


class _Feed:
    """Moves the log into the new schema over a connection for each strand, and knows how far it has come."""

    def __init__(self, connect: Connect, progress: Progress) -> None:
        self._connect = connect
        self._progress = progress
        self.position = 0
        self.events = 0

    async def __aenter__(self) -> "_Feed":
        self._connections = [await self._connect() for _ in STRANDS]
        self.connection = self._connections[0]
        return self

    async def __aexit__(self, error: type[BaseException] | None, *_: object) -> None:
        for connection in self._connections:
            if error is None:
                await connection.close()
            else:
                connection.terminate()  # its statement may still be under way

    async def catch_up(self) -> None:
        """Fold until little is left. Nothing below the position can appear any more."""
        for _ in range(CATCH_UPS):
            horizon = await last_seq(self.connection)
            await self._wait_for_appends()
            little = horizon - self.position <= LITTLE
            while self.position < horizon:
                await self._feed_slice(min(self.position + SLICE, horizon))
                self._progress(self.position, horizon)
            if little:
                return

    async def upkeep(self) -> None:
        """Give the new tables their statistics, and clear what the feeding left dead in them."""
        statements = iter([row[0] for row in await self.connection.fetch(_sql["list_upkeep"])])

        async def work(connection: Connection) -> None:
            for statement in statements:
                await connection.execute(statement)

        await asyncio.gather(*(work(connection) for connection in self._connections))

    async def finish(self) -> None:
        """Fold the rest within the open transaction that stops the writers."""
        horizon = await last_seq(self.connection)
        for strand in STRANDS:
            await self._feed_strand(strand, self.connection, horizon)
        await self._feed_others(horizon)

    async def _feed_slice(self, horizon: int) -> None:
        await asyncio.gather(
            *(self._feed_alone(strand, self._connections[strand], horizon) for strand in STRANDS),
        )
        async with _feeding(self.connection):
            await self._feed_others(horizon)
        self.position = horizon

    async def _feed_alone(self, strand: int, connection: Connection, horizon: int) -> None:
        async with _feeding(connection):
            await self._feed_strand(strand, connection, horizon)

    async def _feed_strand(self, strand: int, connection: Connection, horizon: int) -> None:
        await connection.execute(_sql["take_shard"], strand)
        status = await connection.execute(_sql[f"feed_strand_{strand}"], self.position, horizon)
        await connection.execute(_sql[f"empty_strand_{strand}"])
        self.events += _count(status)

    async def _feed_others(self, horizon: int) -> None:
        self.events += await self.connection.fetchval(_sql["feed_others"], self.position, horizon)
        await self.connection.execute(_sql["empty_intake"])

    async def _wait_for_appends(self) -> None:
        """Wait for all who may have drawn a seq and not shown it yet (events/follower.py has the argument)."""
        holders: list[str] | None = None
        while holders is None or holders:
            if holders:
                await asyncio.sleep(FENCE_PAUSE_SECONDS)
            holders = (await self.connection.fetchrow(_probe_gap, holders, 0))["holders"]


@asynccontextmanager
async def _feeding(connection: Connection) -> AsyncIterator[None]:
    async with connection.transaction():
        await connection.execute(_sql["tune_feeding"])
        yield


async def _create(connection: Connection, view_sql: str) -> None:
    async with connection.transaction():
        await connection.execute(_sql["create_schema"])
        await connection.execute(view_sql)
        await connection.execute(_sql["create_intakes"])


async def _swap(feed: _Feed) -> float:
    """Put the new views in the place of the live ones; how many seconds the writers were held up."""
    for _ in range(ATTEMPTS):
        await feed.catch_up()
        try:
            async with feed.connection.transaction():
                await feed.connection.execute(_sql["stop_writers"])
                stopped = time.monotonic()
                await feed.finish()
                await feed.connection.execute(_sql["swap"])
        except asyncpg.LockNotAvailableError:
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            return time.monotonic() - stopped
    raise Unavailable("the log is locked by a long transaction; end it, then rebuild again")


async def _drop_leftovers(connection: Connection) -> bool:
    """Remove the retired views, and those that were never finished. False: somebody still reads them."""
    for _ in range(ATTEMPTS):
        try:
            async with connection.transaction():
                await connection.execute(_sql["drop_leftovers"])
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            return True
    return False


def _count(status: str) -> int:
    """The rows of an INSERT, from its command tag."""
    return int(status.rpartition(" ")[2])
