"""Transitions are heap-only updates: no index has to learn of them."""

from asyncpg import Connection

from events.commands import Commands
from events.connect import Database
from events.reports import Report
from events.task import TaskCreated, TaskDone, TaskStarted
from tests.support.waiting import eventually

TASKS = 2000
# An ANALYZE that happens to run holds back what may be pruned; this is about the layout of the tables, not about luck.
NO_AUTOVACUUM = """
    DO $$
    DECLARE
        each regclass;
    BEGIN
        FOR each IN SELECT oid FROM pg_class
                    WHERE relkind = 'r' AND relnamespace IN ('log'::regnamespace, 'view'::regnamespace) LOOP
            EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', each);
        END LOOP;
    END $$
"""
UPDATES = """
    SELECT n_tup_upd AS updates, n_tup_hot_upd AS hot FROM pg_stat_user_tables
    WHERE schemaname = 'view' AND relname = $1
"""


async def test_transitions_are_hot(database: str, connection: Connection) -> None:
    """Over 2000 lives, at least 90 of 100 updates of tasks and of runs in flight touch no index."""
    await connection.execute(NO_AUTOVACUUM)
    async with Commands(Database(database)) as commands:
        await commands.create_tasks([(None, TaskCreated("t")) for _ in range(TASKS)], "gpt")
        while claimed := (await commands.claim("r", 100, "runner:r")).tasks:
            for event in (TaskStarted, TaskDone):
                reports = [Report(each.task_id, each.run_id, event(each.run_id), "runner:r") for each in claimed]
                await commands.report(reports)
    for table, least in (("tasks", 3 * TASKS), ("running", TASKS)):

        async def told(table: str = table, least: int = least) -> bool:
            row = await connection.fetchrow(UPDATES, table)
            assert row is not None
            return bool(row["updates"] >= least)

        await eventually(told, describe=f"{least} updates of {table} are counted")  # type: ignore[arg-type]
        row = await connection.fetchrow(UPDATES, table)
        assert row is not None
        assert row["hot"] >= 0.9 * row["updates"], (table, dict(row))
