"""The hot statements read what they need and nothing else, however much there is."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from asyncpg import Connection

from events.commands import Commands
from events.connect import Database
from events.reports import Report
from events.statements import load_statements
from events.task import TaskDone, TaskStarted
from tests.support.waiting import eventually

SQL = load_statements("events", "commands.sql")
READY = 100_000
HELD = 50
SCANS = """
    SELECT relname, seq_scan FROM pg_stat_user_tables
    WHERE schemaname IN ('log', 'view')
      AND relname IN ('events', 'tasks', 'ready', 'ended_runs', 'task_deps', 'scheduled')
"""
FILL = """
    INSERT INTO log.events (kind, id, version, type, actor, data)
    SELECT 'task', 't' || n, 1, 'task.created', 'gpt', json_build_object('title', 't', 'priority', n % 3 * 100)
    FROM generate_series(1, $1::integer) AS n
"""


@pytest.fixture
async def writer(database: str) -> AsyncIterator[Connection]:
    """A session for commands, on a database with a long queue and some runs."""
    connection = await Database(database).connect_writer()
    await connection.execute(FILL, READY)
    await connection.fetch(SQL["claim_tasks"], 0, 0, HELD, '"r"', "runner:r", False)
    await connection.execute("ANALYZE")
    yield connection
    await connection.close()


async def explain(connection: Connection, name: str, *arguments: Any) -> list[dict[str, Any]]:
    """The nodes of a statement's plan as it was carried out, and then taken back."""
    transaction = connection.transaction()
    await transaction.start()
    text = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {SQL[name]}", *arguments)
    await transaction.rollback()
    return list(_nodes(json.loads(text)[0]["Plan"]))


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def scans(nodes: list[dict[str, Any]], table: str) -> list[dict[str, Any]]:
    """The nodes that read a table; none of them reads all of it."""
    found = [node for node in nodes if node.get("Relation Name") == table and node["Node Type"] != "ModifyTable"]
    assert found, f"nobody reads {table}"
    assert all("Index" in node["Node Type"] for node in found), found
    return found


@pytest.mark.parametrize("name", ["claim_tasks", "claim_and_show"])
async def test_claim_walks_the_queue(writer: Connection, name: str) -> None:
    """A claim of 20 among 100 000 walks the key and reads 20 rows of the queue; it sorts nothing but its answer."""
    nodes = await explain(writer, name, 0, 0, 20, '"r"', "runner:r", True)
    [walk] = scans(nodes, "ready")
    assert ("ready_pkey", 20) == (walk["Index Name"], walk["Actual Rows"])
    assert all(node["Actual Rows"] <= 20 for node in nodes if node["Node Type"] == "Sort"), nodes
    for table in ("tasks", "events"):
        assert all(node["Actual Rows"] == 1 for node in scans(nodes, table))


async def test_claim_begins_where_the_hint_says(writer: Connection) -> None:
    """The hint is a bound of the walk, not a filter behind it."""
    [walk] = scans(await explain(writer, "claim_tasks", 100, 0, 20, '"r"', "runner:r", True), "ready")
    assert "ROW" in walk["Index Cond"]
    assert 20 == walk["Actual Rows"]


@pytest.mark.parametrize("name", ["report_runs", "fail_runs"])
async def test_reports_find_their_tasks_by_key(writer: Connection, name: str) -> None:
    """Each report looks up one task by its key, and the tasks behind it by theirs."""
    rows = await writer.fetch("SELECT id, run_id FROM view.running")
    ids, runs, ones = [row["id"] for row in rows], [row["run_id"] for row in rows], [1] * len(rows)
    data = [f'{{"run_id": {run}, "error": "boom"}}' for run in runs]
    more = (["task.done"] * len(rows), data) if name == "report_runs" else (data, [True] * len(rows))
    nodes = await explain(writer, name, ids, runs, ones, *more, ["runner:r"] * len(rows))
    lookups = scans(nodes, "tasks")
    assert {"tasks_pkey"} == {lookup["Index Name"] for lookup in lookups}
    assert [(1, HELD)] == [(node["Actual Rows"], node["Actual Loops"]) for node in lookups if node["Actual Loops"]]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("beat", ("r", "runner.heartbeat", "{}", "runner:r", 15.0, True, False, 900.0)),
        ("sweep_stuck", (0.0, 500, 900.0)),
    ],
)
async def test_upkeep_reads_what_is_in_flight(writer: Connection, name: str, arguments: tuple[Any, ...]) -> None:
    """A heartbeat and a sweep look at the tasks that are running, one by one, not at those that wait."""
    nodes = await explain(writer, name, *arguments)
    for node in scans(nodes, "tasks"):
        assert ("tasks_pkey", True) == (node["Index Name"], node["Actual Loops"] <= HELD)
    assert all(node["Actual Rows"] <= HELD for node in nodes if node.get("Relation Name")), nodes


async def test_folds_scan_no_table(writer: Connection, database: str) -> None:
    """In the life of a task nothing, the folds included, reads a large table from one end to the other."""
    before = {row["relname"]: row["seq_scan"] for row in await writer.fetch(SCANS)}
    async with Commands(Database(database)) as commands:
        claimed = (await commands.claim("r2", 20, "runner:r2")).tasks
        for event in (TaskStarted, TaskDone):
            reports = [Report(each.task_id, each.run_id, event(each.run_id), "runner:r2") for each in claimed]
            await commands.report(reports)
        await commands.hand_back([(claimed[0].task_id, claimed[0].run_id)], "late", "runner:r2")
        await commands.sweep(0.0)
        await commands.cancel("t99999", None, "human:ana")
        await commands.requeue("t99999", actor="human:ana")

    async def counted() -> bool:
        ended = await writer.fetchval("SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'ended_runs'")
        return bool(ended >= 20 + HELD)

    await eventually(counted, describe="the work is counted")  # type: ignore[arg-type]
    assert before == {row["relname"]: row["seq_scan"] for row in await writer.fetch(SCANS)}
