"""What an operation costs the database, counted: statements, round trips, commits, rows, bytes of WAL."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from asyncpg import Connection, Pool
from msgspec import Struct, field
from msgspec.structs import replace

from events.connect import SESSION, Database
from tests.bench.statement_log import statement_names
from tests.support.proxy import Proxy, proxy_before

TRIES = 8
ROWS = """
    SELECT schemaname || '.' || relname AS name, n_tup_ins AS inserted, n_tup_upd AS updated, n_tup_hot_upd AS hot,
           n_tup_del AS deleted
    FROM pg_stat_user_tables WHERE schemaname IN ('log', 'view')
"""
FLUSH = "SELECT pg_stat_force_next_flush() FROM pg_class LIMIT 1"  # a session that has read no table tells nothing
COMMITS = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
WAL = """
    SELECT coalesce(sum(w.wal_bytes), 0)::bigint
    FROM unnest($1::integer[]) AS s (pid), pg_stat_get_backend_wal(s.pid) AS w
"""
Rows = dict[str, dict[str, int]]
Operation = Callable[[], Awaitable[Any]]


class Cost(Struct, frozen=True):
    """Of one operation: `statements` by name, `rows` per table."""

    statements: Counter[str]
    round_trips: int
    commits: int
    rows: Rows
    wal_bytes: int

    def of_rows(self, what: str) -> int:
        """In all tables; see `of_table`."""
        return sum(self.of_table(table, what) for table in self.rows)

    def of_table(self, table: str, what: str) -> int:
        """Rows `inserted`; versions left behind (`dead`); updates that an index had to learn of (`cold`)."""
        counts = self.rows[table]
        match what:
            case "inserted":
                return counts["inserted"]
            case "dead":
                return counts["updated"] + counts["deleted"]
            case _:
                return counts["updated"] - counts["hot"]


class Counts(Struct, frozen=True):
    """What the server has counted so far."""

    rows: Rows
    commits: int
    wal_bytes: int


class Counted(Database, frozen=True):
    """A database whose connections note what they are asked."""

    asked: list[str] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)

    async def connect_writer(self) -> Connection:
        """As it is, noted."""
        connection = await super().connect_writer()
        await self.note(connection)
        return connection

    async def note(self, connection: Connection) -> None:
        """Note from now on what goes over this connection."""
        connection.add_query_logger(lambda query: self.asked.append(query.query))
        self.connections.append(connection)


class Meter:
    """Measures operations on `database` and `pool`."""

    def __init__(self, database: Counted, pool: Pool, observer: Connection, proxy: Proxy) -> None:
        self.database = database
        self.pool = pool
        self._observer = observer
        self._proxy = proxy

    async def measure(
        self, operation: Operation, prepare: Operation | None, suffices: Callable[[Cost], bool] = bool
    ) -> Cost:
        """The cost of one more; it has been carried out before, so that every statement is prepared.

        `prepare` comes before each, unmeasured. Luck only ever adds (a checkpoint puts whole pages into the WAL, a page
        is pruned just now, or cannot be): what does not suffice is measured again, some times.
        """
        for turn in range(1 + TRIES):
            if prepare is not None:
                await prepare()
            cost = await self._measure_once(operation)
            if turn and suffices(cost):
                break
        return cost

    async def _measure_once(self, operation: Operation) -> Cost:
        own = await self._measure_raw(_nothing)
        cost = await self._measure_raw(operation)
        return replace(cost, commits=cost.commits - own.commits)

    async def _measure_raw(self, operation: Operation) -> Cost:
        """With the commits of asking the server what it has counted."""
        before = await self._counted()
        self.database.asked.clear()
        turns = self._proxy.turns
        await operation()
        await asyncio.sleep(0)  # the driver tells its listeners a moment later
        turns = self._proxy.turns - turns
        names = Counter(_name(text) for text in self.database.asked)
        after = await self._counted()
        rows = {
            table: {what: count - before.rows.get(table, {}).get(what, 0) for what, count in counts.items()}
            for table, counts in after.rows.items()
        }
        touched = {table: counts for table, counts in rows.items() if any(counts.values())}
        return Cost(names, turns, after.commits - before.commits, touched, after.wal_bytes - before.wal_bytes)

    async def _counted(self) -> "Counts":
        """What the server has counted, after every session has told it what it did."""
        living = [connection for connection in self.database.connections if not connection.is_closed()]
        for connection in (*living, self._observer):
            await connection.fetch(FLUSH)
        found = await self._observer.fetch(ROWS)
        rows = {row["name"]: {what: row[what] for what in ("inserted", "updated", "hot", "deleted")} for row in found}
        commits = await self._observer.fetchval(COMMITS)
        wal_bytes = 0
        if self._observer.get_server_version().major >= 18:  # before, no server says which session wrote what
            wal_bytes = await self._observer.fetchval(WAL, [connection.get_server_pid() for connection in living])
        return Counts(rows, commits, wal_bytes)


@asynccontextmanager
async def metered(address: str, observer: Connection) -> AsyncIterator[Meter]:
    """A meter of the database at an address that TCP leads to."""
    async with proxy_before(address) as proxy:
        database = Counted(proxy.url)
        async with asyncpg.create_pool(
            proxy.url, min_size=1, max_size=1, init=database.note, server_settings=SESSION, reset=_keep
        ) as pool:
            yield Meter(database, pool, observer, proxy)


async def _nothing() -> None:
    """No operation."""


async def _keep(_connection: Connection) -> None:
    """As events/connect.py."""


def _name(text: str) -> str:
    plain = " ".join(text.split())
    return statement_names().get(plain) or " ".join(plain.split()[:4])
