"""A database is created, updated and its views renewed, whoever starts at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import msgspec
import pytest

from ops.errors import OperatorError
from ops.migrate import Connect, Migration, Outcome, Progress, Schema, migrate, read_schema

SCHEMA = Schema(
    log="CREATE SCHEMA log; CREATE TABLE log.events (seq bigint); CREATE TABLE log.attached (target text, folds text);"
    "CREATE FUNCTION log.attach_folds(target regclass, view_schema name) RETURNS void LANGUAGE sql AS "
    "'INSERT INTO log.attached VALUES (target, view_schema)'",
    view="CREATE TABLE tasks (id text); CREATE FUNCTION here() RETURNS text LANGUAGE sql "
    "SET search_path FROM CURRENT RETURN current_schema()",
)
ADD_ACTOR = Migration("0001_add_actor", "ALTER TABLE log.events ADD COLUMN actor text")
ADD_CAUSE = Migration("0002_add_cause", "ALTER TABLE log.events ADD COLUMN cause bigint")


WHAT_THE_LOG_IS = (
    "SELECT * FROM log.transitions ORDER BY type",
    """SELECT c.relname, a.attname, a.atttypid, a.attnotnull, pg_get_expr(d.adbin, d.adrelid) FROM pg_class c
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
       LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
       WHERE c.relnamespace = 'log'::regnamespace ORDER BY c.relname, a.attname""",
    "SELECT proname, prosrc, proconfig FROM pg_proc WHERE pronamespace = 'log'::regnamespace ORDER BY proname",
    "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgname",
)
BEFORE_THE_FIRST_MIGRATION = """
    DELETE FROM log.transitions WHERE kind NOT IN ('task', 'runner', 'system')
        OR type IN ('task.prioritized', 'runner.draining', 'runner.resumed');
    UPDATE log.transitions SET sources = '{running}' WHERE type IN ('task.done', 'task.failed');
    DROP TABLE log.planner_progress;
    DROP INDEX log.events_seldom;
    DROP TRIGGER append_3_directives ON log.events;
    DROP FUNCTION log.react_directives(), log.planned_tasks(text, bigint), log.note_types();
    DROP PROCEDURE log.create_and_tell;
    DROP FUNCTION log.create_and_claim;
    ALTER FUNCTION log.guard_append() RESET ALL;
    DROP TABLE log.rules;
    DROP FUNCTION log.broken_rule, log.is_moment, log.undecodable;
    DROP FUNCTION log.mark_append() CASCADE;
    DROP TABLE log.runner_ids, log.sessions;
    DROP FUNCTION log.announce_credentials() CASCADE;
    DROP FUNCTION log.store_artifact, log.seal_artifacts, log.rfc3339;
    ALTER TABLE log.artifacts DROP COLUMN sha256, DROP COLUMN before_sha, DROP COLUMN after_sha, DROP COLUMN late;
    ALTER TABLE log.tokens DROP COLUMN expires_at;
"""


def connector(url: str) -> Connect:
    """A function that opens connections to `url`."""
    return lambda: asyncpg.connect(url)


async def columns(url: str) -> list[str]:
    """The columns of log.events."""
    connection = await asyncpg.connect(url)
    rows = await connection.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'log.events'::regclass AND attnum > 0"
    )
    await connection.close()
    return [row["attname"] for row in rows]


def recorder(calls: list[str]) -> Callable[[Connect, str, Progress], Awaitable[None]]:
    """A rebuild that only notes what it was asked to build."""

    async def rebuild(connect: Connect, view_sql: str, progress: Progress) -> None:
        calls.append(view_sql)

    return rebuild


async def test_empty_database_gets_the_schema(empty_database: str) -> None:
    """An empty database gets both parts; the view part is bound to schema view, and its folds hang on the log."""
    outcome = await migrate(connector(empty_database), schema=SCHEMA)
    connection = await asyncpg.connect(empty_database)
    assert Outcome(created=True) == outcome
    assert "view" == await connection.fetchval("SELECT view.here()")
    assert [("log.events", "view")] == [tuple(row) for row in await connection.fetch("SELECT * FROM log.attached")]
    await connection.close()


async def test_second_time_does_nothing(empty_database: str) -> None:
    """Migrating an up-to-date database changes nothing."""
    await migrate(connector(empty_database), schema=SCHEMA)
    assert Outcome() == await migrate(connector(empty_database), schema=SCHEMA)


async def test_ten_at_once(empty_database: str) -> None:
    """Of ten processes that start at once, one creates the schema and nine find it there."""
    outcomes = await asyncio.gather(*(migrate(connector(empty_database), schema=SCHEMA) for _ in range(10)))
    assert 1 == sum(outcome.created for outcome in outcomes)


async def test_pending_migrations_apply_in_order_once(empty_database: str) -> None:
    """Files that are not yet applied are applied in order, and not again."""
    await migrate(connector(empty_database), schema=SCHEMA)
    newer = msgspec.structs.replace(SCHEMA, migrations=(ADD_ACTOR, ADD_CAUSE))
    first = await migrate(connector(empty_database), schema=newer)
    second = await migrate(connector(empty_database), schema=newer)
    assert ("0001_add_actor", "0002_add_cause") == first.applied
    assert () == second.applied
    assert ["seq", "actor", "cause"] == await columns(empty_database)


async def test_new_database_counts_migrations_as_applied(empty_database: str) -> None:
    """A new database has everything from schema.sql, so no migration runs on it."""
    schema = msgspec.structs.replace(SCHEMA, migrations=(Migration("0001_wrong", "SELECT 1/0"),))
    await migrate(connector(empty_database), schema=schema)
    assert () == (await migrate(connector(empty_database), schema=schema)).applied


async def test_failing_migration_leaves_nothing(empty_database: str) -> None:
    """When one pending migration fails, none of them is applied."""
    await migrate(connector(empty_database), schema=SCHEMA)
    broken = Migration("0002_broken", "SELECT 1/0")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(connector(empty_database), schema=msgspec.structs.replace(SCHEMA, migrations=(ADD_ACTOR, broken)))
    assert ["seq"] == await columns(empty_database)


async def test_edited_migration_is_refused(empty_database: str) -> None:
    """A migration whose text changed after it was applied is refused by name."""
    await migrate(connector(empty_database), schema=msgspec.structs.replace(SCHEMA, migrations=(ADD_ACTOR,)))
    edited = msgspec.structs.replace(ADD_ACTOR, text="SELECT 2")
    with pytest.raises(OperatorError, match="0001_add_actor"):
        await migrate(connector(empty_database), schema=msgspec.structs.replace(SCHEMA, migrations=(edited,)))


async def test_newer_database_is_refused(empty_database: str) -> None:
    """A program older than its database stops instead of guessing."""
    await migrate(connector(empty_database), schema=msgspec.structs.replace(SCHEMA, migrations=(ADD_ACTOR,)))
    with pytest.raises(OperatorError, match="newer than this program"):
        await migrate(connector(empty_database), schema=SCHEMA)


async def test_foreign_log_schema_is_refused(empty_database: str) -> None:
    """A schema `log` that is not ours is left alone."""
    connection = await asyncpg.connect(empty_database)
    await connection.execute("CREATE SCHEMA log")
    await connection.close()
    with pytest.raises(OperatorError, match="not El Ruso's"):
        await migrate(connector(empty_database), schema=SCHEMA)


async def test_changed_views_are_rebuilt_once(empty_database: str) -> None:
    """A changed view part is handed to rebuild once, even when five processes notice it at the same time."""
    calls: list[str] = []
    changed = msgspec.structs.replace(SCHEMA, view=SCHEMA.view + " -- changed")
    await migrate(connector(empty_database), schema=SCHEMA)
    rebuilds = [migrate(connector(empty_database), schema=changed, rebuild=recorder(calls)) for _ in range(5)]
    outcomes = await asyncio.gather(*rebuilds)
    assert [changed.view] == calls
    assert 1 == sum(outcome.rebuilt for outcome in outcomes)


async def test_changed_views_without_rebuild_are_refused(empty_database: str) -> None:
    """Without a rebuild function, changed views are an error that names the command."""
    await migrate(connector(empty_database), schema=SCHEMA)
    with pytest.raises(OperatorError, match="db rebuild"):
        await migrate(connector(empty_database), schema=msgspec.structs.replace(SCHEMA, view="SELECT 1"))


async def test_failed_rebuild_is_tried_again(empty_database: str) -> None:
    """A rebuild that fails is not recorded: the next start tries again."""

    async def failing(connect: Connect, view_sql: str, progress: Progress) -> Any:
        raise RuntimeError("planted")

    calls: list[str] = []
    changed = msgspec.structs.replace(SCHEMA, view="SELECT 1")
    await migrate(connector(empty_database), schema=SCHEMA)
    with pytest.raises(RuntimeError, match="planted"):
        await migrate(connector(empty_database), schema=changed, rebuild=failing)
    await migrate(connector(empty_database), schema=changed, rebuild=recorder(calls))
    assert ["SELECT 1"] == calls


async def test_the_real_schema(database: str) -> None:
    """A test's database has this checkout's schema."""
    assert Outcome() == await migrate(connector(database), schema=read_schema())


async def test_the_real_migrations(empty_database: str) -> None:
    """A database of before the first migration gets all that a new one has in its durable part."""
    connection = await asyncpg.connect(empty_database)
    schema = read_schema()
    await connection.execute(schema.log)
    everything = [await connection.fetch(query) for query in WHAT_THE_LOG_IS]
    await connection.execute(BEFORE_THE_FIRST_MIGRATION)
    assert everything != [await connection.fetch(query) for query in WHAT_THE_LOG_IS]
    for migration in schema.migrations:
        await connection.execute(migration.text)
    assert everything == [await connection.fetch(query) for query in WHAT_THE_LOG_IS]
    await connection.close()
