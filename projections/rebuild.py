"""The views anew, from the log, beside the live ones, while everybody goes on working.

    create      an empty schema `rebuild`, made by the view part of schema.sql, with doors for the log (rebuild.sql)
    recall      what was there when it began: the tasks by id, a range of whole lives at a time, over two connections at
                once, into tables without indexes; these are made when every row is there. Then what is no task's, and
                what ties tasks together, by seq
    catch up    what was appended meanwhile, through all the folds, up to a seq below which nothing can appear any more,
                again and again until little is left
    swap        one short transaction: writers wait, the rest is folded, the schemas change names
    drop        the retired views, once nobody reads them

Killed at any moment it leaves at most a schema that the next rebuild removes. Statements that were prepared before
the swap go on working: PostgreSQL analyses them again when a schema is renamed.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from itertools import groupby
from operator import itemgetter

import asyncpg
from asyncpg import Connection
from msgspec import Struct

from events.errors import Unavailable
from events.log import last_seq
from events.statements import load_statements

Connect = Callable[[], Awaitable[Connection]]
Progress = Callable[[int, int], None]
"""Called with how many events are done, and of how many."""

SESSIONS = 2  # that recall at once
RANGE = 25_000  # events of whole lives that a session recalls at once; small enough for the two to end together
SLICE = 100_000  # events folded at once by seq; 250 000 cost a fifth more
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
        await feed.recall()
        await feed.catch_up()
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
    """Moves the log into the new schema over several connections, and knows how far it has come."""

    def __init__(self, connect: Connect, progress: Progress) -> None:
        self._connect = connect
        self._progress = progress
        self._ranges = asyncio.Lock()
        self._last_id = ""
        self.position = 0
        self.events = 0

    async def __aenter__(self) -> "_Feed":
        self._connections = [await self._connect() for _ in range(SESSIONS)]
        self.connection = self._connections[0]
        return self

    async def __aexit__(self, error: type[BaseException] | None, *_: object) -> None:
        for connection in self._connections:
            if error is None:
                await connection.close()
            else:
                connection.terminate()  # its statement may still be under way

    async def recall(self) -> None:
        """Fold what is there by now, and give the new tables their indexes and statistics."""
        horizon = await last_seq(self.connection)
        await self._wait_for_appends()
        indexes = await self._take_indexes()
        await asyncio.gather(*(self._recall_lives(session, horizon) for session in range(SESSIONS)))
        await asyncio.gather(
            self._finish_table(0, indexes["tasks"]), self._finish_table(1, indexes["ended_runs"], "settle_runs")
        )
        await asyncio.gather(self._recall_others(horizon), self._finish_table(1, (), "settle_tasks"))
        await self.connection.execute(_sql["open_intake"])
        for row in await self.connection.fetch(_sql["list_upkeep"]):
            await self.connection.execute(row["statement"])

    async def catch_up(self) -> None:
        """Fold until little is left. Nothing below the position can appear any more."""
        for _ in range(CATCH_UPS):
            horizon = await last_seq(self.connection)
            await self._wait_for_appends()
            little = horizon - self.position <= LITTLE
            while self.position < horizon:
                upto = min(self.position + SLICE, horizon)
                async with _feeding(self.connection):
                    await self._feed_all(upto)
                self.position = upto
            self._progress(self.position, horizon)
            if little:
                return

    async def finish(self) -> None:
        """Fold the rest within the open transaction that stops the writers."""
        await self._feed_all(await last_seq(self.connection))

    async def _recall_lives(self, session: int, horizon: int) -> None:
        connection = self._connections[session]
        while ids := await self._take_range(connection):
            async with _feeding(connection):
                await connection.execute(_sql["take_shard"], session, horizon)
                events, turning, detailed = await connection.fetchrow(_sql["recall_lives"], *ids, horizon)
                for bell, lives in (("ring_lives", turning), ("ring_details", turning + detailed)):
                    if lives:
                        await connection.execute(_sql["show_lives"], lives)
                        await connection.execute(_sql[bell])
            self.events += events or 0
            self._progress(self.events, horizon)

    async def _take_range(self, connection: Connection) -> tuple[str, str] | None:
        """The next range of ids: after the first, up to the second."""
        async with self._ranges:
            begin = self._last_id
            end = await connection.fetchval(_sql["find_end"], begin, RANGE)
            if end is None:
                return None
            self._last_id = end
            return begin, end

    async def _recall_others(self, horizon: int) -> None:
        while self.position < horizon:
            upto = min(self.position + SLICE, horizon)
            async with _feeding(self.connection):
                await self.connection.execute(_sql["take_shard"], 0, horizon)
                self.events += await self.connection.fetchval(_sql["feed_others"], self.position, upto)
                await self.connection.execute(_sql["feed_newcomers"], self.position, upto)
                await self.connection.execute(_sql["empty_intake"])
            self.position = upto
            self._progress(self.events, horizon)

    async def _take_indexes(self) -> dict[str, list[str]]:
        """Leave the great tables without their indexes; by table, how to make them again."""
        found = await self.connection.fetch(_sql["list_indexes"])
        await self.connection.execute(_sql["drop_indexes"])
        return {table: [row["statement"] for row in rows] for table, rows in groupby(found, itemgetter("relname"))}

    async def _finish_table(self, session: int, indexes: Iterable[str], settle: str | None = None) -> None:
        connection = self._connections[session]
        async with _feeding(connection):
            for statement in indexes:
                await connection.execute(statement)
        if settle:
            await connection.execute(_sql[settle])

    async def _feed_all(self, upto: int) -> None:
        await self.connection.execute(_sql["take_shard"], 0, upto)
        status = await self.connection.execute(_sql["feed_all"], self.position, upto)
        await self.connection.execute(_sql["empty_intake"])
        self.events += _count(status)

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
        await connection.execute(_sql["create_doors"])


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
