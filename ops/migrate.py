"""Bring a database to this checkout's schema: create it from schema.sql, or apply what is pending, then the views.

Everything happens in one transaction that holds an advisory lock, so ten processes may start at once, a start that is
killed leaves nothing behind, and a transaction-mode pooler does no harm. Only a changed view part needs more: it is
rebuilt from the log by the function the caller passes, under the same lock.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Protocol

import asyncpg
import msgspec

from ops.errors import OperatorError
from ops.report import Line

VIEW_DIVIDER = "-- ===== view =====\n"
OLDEST_SERVER = 140_000  # server_version_num of PostgreSQL 14

Connect = Callable[[], Awaitable["asyncpg.Connection[Any]"]]
Progress = Callable[..., None]
State = Literal["missing", "behind", "current"]


class Rebuild(Protocol):
    """Folds the log into new views beside the live ones and swaps the two (projections.rebuild)."""

    async def __call__(self, connect: Connect, view_sql: str, progress: Progress) -> object:
        """`connect` opens connections of the rebuild's own; `view_sql` is the new definition."""


class Migration(msgspec.Struct, frozen=True):
    """One file of ops/migrations."""

    name: str
    text: str

    @property
    def digest(self) -> str:
        """What the database keeps of the text, to notice an edited file."""
        return _digest(self.text)


class Schema(msgspec.Struct, frozen=True):
    """The two parts of schema.sql, durable and derived, and the migrations of the durable one, in order."""

    log: str
    view: str
    migrations: tuple[Migration, ...] = ()


class Outcome(msgspec.Struct, frozen=True):
    """What `migrate` did."""

    created: bool = False
    applied: tuple[str, ...] = ()
    rebuilt: bool = False


def report(outcome: Outcome) -> Iterator[Line]:
    """What a migration did, in words."""
    if outcome.created:
        yield Line("db.created")
    yield from (Line.of("db.applied", name=name) for name in outcome.applied)
    if outcome.rebuilt:
        yield Line("db.rebuilt")
    if outcome == Outcome():
        yield Line("db.current")


async def migrate(
    connect: Connect, *, rebuild: Rebuild | None = None, schema: Schema | None = None, progress: Progress | None = None
) -> Outcome:
    """Create or update the database that `connect` opens connections to; direct ones, or through a pooler.

    Raises OperatorError if the server is older than PostgreSQL 14, the database newer than this checkout or not ours,
    an applied migration was edited, or the views must be rebuilt and no `rebuild` was given.
    """
    schema = schema or read_schema()
    connection = await connect()
    try:
        async with connection.transaction():
            await _lock(connection)
            if await connection.fetchval("SELECT to_regnamespace('log') IS NULL"):
                await _create(connection, schema)
                return Outcome(created=True)
            applied = await _apply_pending(connection, schema)
        return Outcome(applied=applied, rebuilt=await _renew_views(connection, connect, schema, rebuild, progress))
    finally:
        await connection.close()


def read_schema() -> Schema:
    """This checkout's (or this wheel's) schema and migrations."""
    log, divider, view = schema_sql().partition(VIEW_DIVIDER)
    if not divider:
        raise ValueError(f"schema.sql lacks the line {VIEW_DIVIDER.strip()!r}")
    folder = Path(str(files("ops"))) / "migrations"
    names = sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    return Schema(log, view, tuple(Migration(path.stem, path.read_text()) for path in names))


def schema_sql() -> str:
    """The text of schema.sql: inside the package in a wheel, at the top of a checkout."""
    package = Path(str(files("ops")))
    for path in (package / "schema.sql", package.parent / "schema.sql"):
        if path.exists():
            return path.read_text()
    raise FileNotFoundError("schema.sql")


async def state_of(connection: "asyncpg.Connection[Any]", schema: Schema) -> State:
    """How the database stands to this checkout's schema; changes nothing."""
    if await connection.fetchval("SELECT to_regclass('log.migrations') IS NULL"):
        return "missing"
    recorded = dict(await connection.fetch("SELECT name, digest FROM log.migrations"))
    expected = {migration.name: migration.digest for migration in schema.migrations} | {"view": _digest(schema.view)}
    return "current" if recorded == expected else "behind"


async def record_view(connection: "asyncpg.Connection[Any]", view_sql: str) -> None:
    """Note that the live views are those of `view_sql`."""
    await _record(connection, "view", _digest(view_sql))


async def _lock(connection: "asyncpg.Connection[Any]") -> None:
    """Hold the migration lock until the transaction ends, however long the process before us takes."""
    await connection.execute("SET LOCAL statement_timeout = 0")
    await connection.execute("SET LOCAL lock_timeout = 0")
    await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")  # a rebuild works on its own session
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('elruso.migrate', 0))")


async def _create(connection: "asyncpg.Connection[Any]", schema: Schema) -> None:
    version = int(await connection.fetchval("SHOW server_version_num"))
    if version < OLDEST_SERVER:
        raise OperatorError("migrate.old_server", version=version // 10_000)
    await connection.execute(schema.log)
    await connection.execute(
        "CREATE TABLE log.migrations (name text PRIMARY KEY, digest text NOT NULL, at timestamptz)"
    )
    for migration in schema.migrations:
        await _record(connection, migration.name, migration.digest)
    await connection.execute("CREATE SCHEMA view")
    await connection.execute("SET LOCAL search_path = view, pg_temp")
    await connection.execute(schema.view)
    await connection.execute("SELECT log.attach_folds('log.events', 'view')")
    await record_view(connection, schema.view)


async def _apply_pending(connection: "asyncpg.Connection[Any]", schema: Schema) -> tuple[str, ...]:
    if await connection.fetchval("SELECT to_regclass('log.migrations') IS NULL"):
        raise OperatorError("migrate.not_ours")
    rows = await connection.fetch("SELECT name, digest FROM log.migrations WHERE name <> 'view'")
    known = {migration.name: migration.digest for migration in schema.migrations}
    for name, digest in rows:
        if name not in known:
            raise OperatorError("migrate.newer_database", name=name)
        if known[name] != digest:
            raise OperatorError("migrate.edited", name=name)
    done = {name for name, _digest in rows}
    pending = [migration for migration in schema.migrations if migration.name not in done]
    for migration in pending:
        await connection.execute(migration.text)
        await _record(connection, migration.name, migration.digest)
    return tuple(migration.name for migration in pending)


async def _renew_views(
    connection: "asyncpg.Connection[Any]",
    connect: Connect,
    schema: Schema,
    rebuild: Rebuild | None,
    progress: Progress | None,
) -> bool:
    """Rebuild the views if their definition changed. The lock is held throughout, the tables are not."""
    async with connection.transaction():
        await _lock(connection)
        if await connection.fetchval("SELECT digest FROM log.migrations WHERE name = 'view'") == _digest(schema.view):
            return False
        if rebuild is None:
            raise OperatorError("migrate.rebuild_needed")
        await rebuild(connect, schema.view, progress or _silent)
        await record_view(connection, schema.view)
        return True


async def _record(connection: "asyncpg.Connection[Any]", name: str, digest: str) -> None:
    await connection.execute("DELETE FROM log.migrations WHERE name = $1", name)
    await connection.execute("INSERT INTO log.migrations VALUES ($1, $2, now())", name, digest)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _silent(*_facts: object, **_named: object) -> None:
    pass
