"""A log from before its events had limits is rebuilt and audited, and stops no claim and no reader."""

import asyncpg
from asyncpg import Connection

from events.commands import Commands
from events.connect import Database
from events.limits import MOMENT_MAX
from ops.postgres.server import SUPERUSER, Server
from projections.audit import audit
from projections.rebuild import rebuild
from projections.tasks import TaskQuery, list_tasks
from projections.why import explain_task
from tests.projections.test_rebuild import Opens, silent

INSERT = """
    INSERT INTO log.events (kind, id, version, type, actor, data, at)
    VALUES ('task', $1, $2, $3, 'human:eve', $4, '2026-01-01 00:00:00+00')
"""
OLD = [
    (
        *("late", 1, "task.created"),
        '{"title":"t","priority":-1,"timeout_seconds":1e300,"max_attempts":0,"next_run_at":"9999-12-31T23:59:59-14:00"}',
    ),
    ("worn", 1, "task.created", '{"title":"t","priority":-32768,"timeout_seconds":1e300,"max_attempts":2147483647}'),
    ("worn", 2, "task.claimed", '{"runner":"r","attempt":1}'),
    ("worn", 3, "task.failed", '{"run_id":3,"error":"boom"}'),
    ("worn", 4, "task.requeued", '{"reason":"again","attempts":2147483647,"next_run_at":"2026-01-01T00:00:00"}'),
    ("plain", 1, "task.created", '{"title":"t"}'),
]


async def _write(postgres: Server, connection: Connection) -> None:
    """As superuser, for whom no trigger fires."""
    name = await connection.fetchval("SELECT current_database()")
    superuser = await asyncpg.connect(postgres.url(name, SUPERUSER))
    await superuser.execute("SET session_replication_role = replica")
    for event in OLD:
        await superuser.execute(INSERT, *event)
    await superuser.close()


async def test_an_old_log_is_bearable(
    postgres: Server, database: str, connection: Connection, opens: Opens, view_sql: str
) -> None:
    """After the rebuild tasks are claimed, swept, listed and explained; the audit agrees before and afterwards."""
    await _write(postgres, connection)
    await rebuild(opens, view_sql, silent)
    assert (await audit(opens, silent)).identical

    async with Commands(Database(database)) as commands, Database(database).pool(1) as pool:
        claimed = await commands.claim("r", 10, "runner:r")
        await commands.sweep(15.0)
        assert MOMENT_MAX == await connection.fetchval("SELECT next_run_at FROM view.tasks WHERE id = 'late'")
        assert b'"worn"' in (await list_tasks(pool, TaskQuery(), 10, None)).data
        assert await explain_task(pool, "late") is not None
    assert ["worn", "plain"] == [task.task_id for task in claimed.tasks]
    assert 1_000_000 == await connection.fetchval("SELECT attempts FROM view.tasks WHERE id = 'worn'")
    assert (await audit(opens, silent)).identical
