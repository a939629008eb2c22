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


ROUNDS = 3  # an ANALYZE of the catalogs may hold back one


async def test_transitions_are_hot(database: str, connection: Connection) -> None:
    """Over 2000 lives, at least 90 of 100 updates of tasks and of runs in flight touch no index."""
    await connection.execute(NO_AUTOVACUUM)
    async with Commands(Database(database)) as commands:
        seen = {"tasks": (0, 0), "running": (0, 0)}
        shares = []
        for _ in range(ROUNDS):
            await _live(commands)
            for table, each in (("tasks", 3), ("running", 1)):
                before, seen[table] = seen[table], await _updates(connection, table, seen[table][0] + each * TASKS)
                shares.append((seen[table][1] - before[1]) / (seen[table][0] - before[0]))
            if min(shares[-2:]) >= 0.9:
                return
    raise AssertionError(shares)


async def _live(commands: Commands) -> None:
    await commands.create_tasks([(None, TaskCreated("t")) for _ in range(TASKS)], "gpt")
    while claimed := (await commands.claim("r", 100, "runner:r")).tasks:
        for event in (TaskStarted, TaskDone):
            reports = [Report(each.task_id, each.run_id, event(each.run_id), "runner:r") for each in claimed]
            await commands.report(reports)


async def _updates(connection: Connection, table: str, least: int) -> tuple[int, int]:
    """How many updates of a table there were, and how many of them were HOT, once `least` are counted."""

    async def counted() -> tuple[int, int] | None:
        row = await connection.fetchrow(UPDATES, table)
        return (row["updates"], row["hot"]) if row is not None and row["updates"] >= least else None

    return await eventually(counted, describe=f"{least} updates of {table} are counted")
