"""A database that random histories are played on, one after another, in a time that the test sets.

A database per history would cost 150 ms, so each history wipes what the one before it wrote: a superuser's session,
for which no trigger fires, may delete even from the log. Sequence and random seed begin anew too, so that the same
commands always make the same history.

A soak plays a million steps, so a step costs two round trips, the command's own and one `look`, which reads the new
events and every view in one statement; and whatever a history needs at its ends is one statement each.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import groupby
from random import Random
from typing import Any

import asyncpg
import uvloop
from asyncpg import Connection
from msgspec import Struct, field, json

from events.claims import LOWEST
from events.commands import Commands
from events.connect import Database
from events.event import Event
from events.log import event_of
from events.looks import Looks
from events.statements import load_statements
from ops.migrate import Schema, migrate, read_schema
from ops.postgres.server import SUPERUSER, Server
from projections.audit import AuditReport, audit
from tests.support.postgres import create_database, drop_database, ensure_template

REBUILD = load_statements("projections", "rebuild.sql")
START = datetime(2026, 1, 1, tzinfo=UTC)
WIPES_PER_TRUNCATE = 50
AUDITORS = 2  # connections of the audit: one holds the lock, one reads
SLICES = (4, 16, 64)  # events that a rebuild folds at once, at most

TABLES = """
    SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
    WHERE schemaname IN ('view', 'rebuild') AND tablename <> 'task_counts'
       OR schemaname = 'log' AND tablename IN ('events', 'output', 'artifacts', 'intake')
"""

WIPE = """
    CREATE FUNCTION rebuild.wipe() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
        {deletes};
        UPDATE view.task_counts SET {no_counts};
        UPDATE rebuild.task_counts SET {no_counts};
        PERFORM setval('log.events_seq_seq', 1, false);
    END $$
"""

STATUSES = ("ready", "running", "done", "failed", "blocked", "cancelled")
COUNTS = ", ".join(f"sum({status}) AS {status}" for status in STATUSES)
NO_COUNTS = ", ".join(f"{status} = 0" for status in STATUSES)

# The views a second time, beside the live ones: a rebuild without the swap, and with the indexes left where they are.
SECOND_VIEWS = """
    BEGIN;
    {schema};
    {view};
    {doors};
    COMMIT;
    CREATE TABLE log.intake (LIKE log.events);
    SELECT log.attach_folds('log.intake', 'rebuild');
"""

# Each new event, and in a last row without one: all views.
LOOK = f"""
    SELECT e.*, NULL::text AS views FROM log.events e WHERE e.seq > $1
    UNION ALL
    SELECT (NULL::log.events).*, json_build_object(
        'next', (SELECT CASE WHEN is_called THEN last_value + 1 ELSE last_value END FROM log.events_seq_seq),
        'tasks', (SELECT json_agg(t ORDER BY t.id) FROM view.tasks t),
        'queue', (SELECT json_agg(json_build_array(r.id, r.priority, r.position) ORDER BY r) FROM view.ready r),
        'scheduled', (SELECT json_agg(s ORDER BY s.due_at, s.id) FROM view.scheduled s),
        'running', (SELECT json_agg(g ORDER BY g.id) FROM view.running g),
        'runs', (SELECT json_agg(u ORDER BY u.id) FROM view.runs u),
        'runners', (SELECT json_agg(r ORDER BY r.id) FROM view.runners r),
        'requests', (SELECT json_agg(q ORDER BY q.id) FROM view.requests q),
        'system', (SELECT json_agg(s ORDER BY s.id) FROM view.system s),
        'counts', (SELECT row_to_json(c) FROM (SELECT {COUNTS} FROM view.task_counts) c))::text
    ORDER BY seq
"""


# A task that fell due may have been moved from `scheduled` to `ready` already; counters are compared without shards.
COMPARED = {
    name: f"SELECT * FROM {{0}}.{name}"
    for name in ("tasks", "running", "task_deps", "runs", "steps", "file_changes", "runners", "requests", "system")
} | {
    "queue": "SELECT id, priority, position FROM {0}.ready UNION ALL SELECT id, priority, position FROM {0}.scheduled",
    "task_counts": f"SELECT {COUNTS} FROM {{0}}.task_counts",
    "run_counts": "SELECT bucket, sum(ended), sum(failed) FROM {0}.run_counts GROUP BY bucket",
}
ALL_ROWS = "(SELECT json_agg(x ORDER BY x::text)::text FROM ({}) x)"
DIFFERENCES = "SELECT * FROM (VALUES {}) AS sides (name, live, again) WHERE live IS DISTINCT FROM again".format(
    ", ".join(
        f"('{name}', {ALL_ROWS.format(rows.format('view'))}, {ALL_ROWS.format(rows.format('rebuild'))})"
        for name, rows in COMPARED.items()
    )
)


class SteeredDatabase(Database, frozen=True):
    """Its sessions live at a time that the test sets."""

    sessions: list[Connection] = field(default_factory=list)

    async def connect_writer(self) -> Connection:
        """A session as production opens it; `tell` reaches it from now on."""
        connection = await Database.connect_writer(self)
        self.sessions.append(connection)
        return connection

    async def tell(self, statements: str) -> None:
        """Has every session carry them out."""
        await asyncio.gather(*(session.execute(statements) for session in self.sessions))


class Tireless(Looks):
    """Looks that are made whatever they take."""

    @property
    def rest_seconds(self) -> float:
        """No rest."""
        return 0.0


class Look(Struct, frozen=True):
    """What one statement sees: the events after a seq, every view, and the seq that the next event will have."""

    events: list[Event]
    views: dict[str, Any]
    next_seq: int


class Lent:
    """A connection that its borrower cannot close: to open one costs as much as what the audit does with it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def close(self) -> None:
        """Stays open."""


class World:
    """One database, the commands on it, a session for the test's own questions, and a superuser's to wipe it all."""

    def __init__(self, url: str, superuser_url: str, run: asyncio.Runner) -> None:
        self.database = SteeredDatabase(url)
        self.commands = Commands(self.database)
        self.commands._desk._looks = Tireless()  # a machine with much to do makes any look dear
        self.run = run.get_loop().run_until_complete  # Runner.run describes each result, for a signal that never comes
        self._superuser_url = superuser_url
        self._wipes = 0
        self._auditors: deque[Connection] = deque()

    async def open(self, view: str) -> None:
        """Connects; `view` is the view part of the schema, for the second set of views."""
        await self.commands.__aenter__()
        self.connection = await self.database.connect_writer()
        for _ in range(AUDITORS):
            self._auditors.append(await Database.connect(self.database))
        self.database.sessions.extend(self._auditors)
        self._superuser = await asyncpg.connect(self._superuser_url)
        await self.connection.execute(
            SECOND_VIEWS.format(schema=REBUILD["create_schema"], view=view, doors=REBUILD["create_doors"])
        )
        self._tables = [row[0] for row in await self.connection.fetch(TABLES)]
        await self._superuser.execute(
            WIPE.format(deletes="; ".join(f"DELETE FROM {table}" for table in self._tables), no_counts=NO_COUNTS)
        )
        await self._superuser.execute("SET session_replication_role = replica")

    async def close(self) -> None:
        """Disconnects."""
        await self.commands.__aexit__(None, None, None)
        for connection in (self.connection, self._superuser, *self._auditors):
            await connection.close()

    async def wipe(self) -> None:
        """An empty world at START."""
        self._wipes += 1
        if self._wipes % WIPES_PER_TRUNCATE == 0:
            await self._superuser.execute(f"TRUNCATE {', '.join(self._tables)}")
        await self._superuser.execute("SELECT rebuild.wipe()")
        self.commands._desk.lower_floor(*LOWEST)  # it remembers the history before
        await self.database.tell(f"SELECT setseed(0.5); SET elruso.now = '{START.isoformat()}'")

    async def steer(self, now: datetime) -> None:
        """From here on it is `now`, for the commands too."""
        await self.database.tell(f"SET elruso.now = '{now.isoformat()}'")

    async def look(self, after: int) -> Look:
        """The log after a seq, and the views as plain values; a view without rows is an empty list."""
        *rows, last = await self.connection.fetch(LOOK, after)
        views = json.decode(last["views"])
        next_seq = views.pop("next")
        return Look([event_of(row) for row in rows], {name: rows or [] for name, rows in views.items()}, next_seq)

    async def audit(self) -> AuditReport:
        """The second bookkeeper's word on the views."""
        return await audit(self._lend_auditor, _silent)

    async def _lend_auditor(self) -> Lent:
        """One that is free: the audit borrows no more than AUDITORS at a time."""
        self._auditors.rotate()
        return Lent(self._auditors[0])

    async def rebuild_beside(self, chance: Random) -> list[str]:
        """Folds the log into the second views; what differs from the live views then. What lies before a seq by chance
        is recalled by whole lives, the rest comes in slices."""
        last = await self.connection.fetchval("SELECT coalesce(max(seq), 0) FROM log.events")
        horizon = chance.choice([0, last, chance.randint(0, last)])
        if horizon:
            async with self.connection.transaction():
                await self._recall(chance, horizon)
        await self._catch_up(chance, horizon)
        differing = await self._auditors[0].fetch(DIFFERENCES)
        return [f"{name}: live {live}, rebuilt {again}" for name, live, again in differing]

    async def _recall(self, chance: Random, horizon: int) -> None:
        """As projections/rebuild.py does, in ranges by chance."""
        ask = self.connection
        await ask.execute(REBUILD["take_shard"], 0, horizon)
        begin, events_max = "", chance.choice(SLICES)
        while (end := await ask.fetchval(REBUILD["find_end"], begin, events_max)) is not None:
            _, turning, detailed = await ask.fetchrow(REBUILD["recall_lives"], begin, end, horizon)
            for bell, lives in (("ring_lives", turning), ("ring_details", turning + detailed)):
                if lives:
                    await ask.execute(REBUILD["show_lives"], lives)
                    await ask.execute(REBUILD[bell])
            begin = end
        await ask.fetchval(REBUILD["feed_others"], 0, horizon)
        await ask.execute(REBUILD["feed_newcomers"], 0, horizon)

    async def _catch_up(self, chance: Random, horizon: int) -> None:
        """The streams interleaved in some other way, each still in its own order."""
        rows = await self.connection.fetch(
            "SELECT seq, kind || id FROM log.events WHERE seq > $1 ORDER BY kind, id, version", horizon
        )
        streams = [deque(row[0] for row in stream) for _, stream in groupby(rows, key=lambda row: row[1])]
        slice_max = chance.choice(SLICES)
        batches = []
        while streams:
            batch = []
            for _ in range(chance.randint(1, slice_max)):
                stream = chance.choice(streams)
                batch.append(stream.popleft())
                streams = [stream for stream in streams if stream]
                if not streams:
                    break
            batches.append((batch,))
        feed = "INSERT INTO log.intake SELECT * FROM log.events WHERE seq = ANY ($1::bigint[])"
        await self.connection.executemany(feed, batches)  # one round trip


@contextmanager
def a_world(server: Server, schema: Schema | None = None) -> Iterator[World]:
    """A world of its own: a copy of the template, or a database made by another `schema`."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as run:
        name = run.run(_create(server, schema))
        world = World(server.url(name), server.url(name, SUPERUSER), run)
        try:
            run.run(world.open((schema or read_schema()).view))
            yield world
        finally:
            run.run(world.close())
            run.run(drop_database(server, name))


async def _create(server: Server, schema: Schema | None) -> str:
    if schema is None:
        await ensure_template(server)
        name = await create_database(server)
    else:
        name = await create_database(server, "template0")
        await migrate(lambda: asyncpg.connect(server.url(name)), schema=schema)
    admin = await asyncpg.connect(server.url(name, SUPERUSER))
    await admin.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")  # the bench's server has fsync
    await admin.close()
    return name


def _silent(_done: int, _all: int) -> None:
    pass
