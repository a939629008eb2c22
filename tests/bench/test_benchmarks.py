"""Each benchmark runs and does its work exactly once. Nothing here is about time."""

import json
from datetime import UTC, datetime
from io import StringIO

import asyncpg
import pytest
import uvloop
from rich.console import Console

from ops.postgres.server import Server
from projections.audit import audit
from tests.bench import viewers
from tests.bench.history import World
from tests.bench.lives import Extent, fill
from tests.bench.loading import load_history
from tests.bench.machine import circumstances
from tests.bench.plan import FULL, Plan, voice
from tests.bench.report import Report, Result, as_json, show_circumstances, show_result
from tests.bench.server import Bench, observe, prepared
from tests.bench.suite import BENCHMARKS, lacking

ROWS = {
    "lifecycle": ["2 runners"],
    "wakeup": ["p50", "p95", "p99", "max", "of it the call, p50"],
    "wakeup_http": ["p50", "p95", "p99", "max", "of it the call, p50"],
    "create": ["20 per request", "one by one, 32 callers", "the same, hints sent and heard"],
    "claim": [f"{batch} of {size} ready, p{share}" for batch in (1, 10) for size in (50, 100) for share in (50, 99)],
    "rebuild": ["the whole log"],
    "cost": [
        "WAL",
        "commits",
        "statements",
        "dead tuples",
        "updates not heap-only",
        "buffer accesses",
        "processor time, Python",
        "processor time, PostgreSQL",
    ],
    "redaction": [
        *(f"{text}, {count} values known" for text in ("log", "JSON and colours") for count in (0, 5, 50)),
        "commits, 5 values known",
    ],
    "viewers": ["fan-out p50", "fan-out p99", "fan-out max", "sessions that LISTEN", "memory per viewer"],
    "endurance": [
        *("full speed", "the last sixth", "held: the least window", "held: the mean", "after it: seconds to 0.95"),
        *("tasks waiting, at most", "dead rows before, at most", "dead rows held, at most"),
        *("dead rows, the last sixth, at most", "the database"),
        *(f"{batch} of 100 ready, p{share}" for batch in (1, 10) for share in (50, 99)),
    ],
    "soak": ["histories", "steps"],
    "repository": [f"{what}, {copy} working copy" for copy in ("new", "reused") for what in ("start", "end", "both")],
    "api": [
        *("GET /ops/tasks, 304, 40", "  p50", "  p99", "GET /ops/tasks, 304, 60", "  p50", "  p99"),
        "GET /ops/tasks, 304, 60 against 40",
    ],
}


@pytest.mark.parametrize("name", ROWS)
async def test_benchmark_measures_every_row_in_every_run(bench: Bench, plan: Plan, name: str) -> None:
    """Each row has a sample per run of both sides, and every check of exactly once and the like holds."""
    if name in lacking():
        pytest.skip("there is no wrk here; apt-get install wrk")
    result = await BENCHMARKS[name](bench, plan)
    assert ROWS[name] == [row.what for row in result.rows]
    assert [plan.runs] * len(result.rows) == [len(row.ours) for row in result.rows]
    assert {0, plan.runs} >= {len(row.baseline) for row in result.rows}
    assert result.well, result.checks
    await _shown(bench, plan, result)


def test_viewers_are_told_on_the_loop_that_bench_uses(postgres: Server, plan: Plan) -> None:
    """uvloop's transports are of a kind of their own."""

    async def measure() -> Result:
        async with prepared(postgres, None) as bench:
            return await viewers.run(bench, plan)

    result = uvloop.run(measure())
    assert result.well, result.checks
    assert [1.0] == result.rows[3].ours


async def test_idle_names_who_said_what(bench: Bench, plan: Plan) -> None:
    """The server's log tells the runner's statements from the API's, and nobody else speaks."""
    result = await BENCHMARKS["idle"](bench, plan)
    assert {"runner", "api"} <= {row.what for row in result.rows}
    assert result.checks["nobody else spoke"]
    await _shown(bench, plan, result)


async def test_pages_are_asked_for_one_by_one(bench: Bench, plan: Plan) -> None:
    """Every page of the panel that a reader can open is there, with its percentiles, and answers."""
    result = await BENCHMARKS["pages"](bench, plan)
    assert result.well, result.checks
    asked = {row.what.rpartition(", ")[0] for row in result.rows}
    assert 3 * len(asked) == len(result.rows)
    assert {
        "home",
        "tasks, failed",
        "bulk, all",
        "a run",
        "runners, 200 online",
        "log, system",
        "GET /runs, 50",
    } <= asked
    await _shown(bench, plan, result)


async def test_history_is_true(bench: Bench, plan: Plan) -> None:
    """The large history is one that the log could have written: both bookkeepers agree on every row of every view."""
    async with bench.database() as database:
        await load_history(database, Extent(500), plan.voice)
        report = await audit(database.connect, lambda *_: None)
        connection = await observe(database)
        counts = await connection.fetchrow(
            "SELECT sum(done) AS done, sum(ready) AS ready, sum(running) AS running FROM view.task_counts"
        )
        await connection.close()
    assert report.identical, report.differences
    assert all(counts.values()), counts


def test_history_is_the_same_each_time() -> None:
    """The same seed and the same end tell the same events, byte by byte."""

    def told() -> list[bytes]:
        world = World(7, datetime(2026, 1, 2, tzinfo=UTC))
        fill(world, Extent(100))
        return list(world.lines())

    assert told() == told()


@pytest.mark.soak
async def test_idle_minute(bench: Bench) -> None:
    """With the defaults neither an idle runner nor an idle API says more than 12 things a minute, or looks for work."""
    with voice() as silent:
        result = await BENCHMARKS["idle"](bench, Plan(1, FULL, silent))
    assert result.well, result.checks


def test_every_benchmark_is_tried() -> None:
    """No benchmark is missing from these tests."""
    assert set(ROWS) | {"idle", "pages"} == set(BENCHMARKS)


async def _shown(bench: Bench, plan: Plan, result: Result) -> None:
    """Its table and its JSON say the same as the result, and say where it was measured."""
    connection = await asyncpg.connect(bench.admin_url)
    about = await circumstances(connection, bench.own)
    await connection.close()
    console = Console(file=StringIO(), width=200)
    show_circumstances(about, plan.runs, console)
    show_result(result, console)
    assert isinstance(console.file, StringIO)
    table = console.file.getvalue()
    document = json.loads(as_json(Report(about, plan.runs, [result])))
    [told] = document["benchmarks"]
    for row, shown in zip(result.rows, told["rows"], strict=True):
        assert (row.what.rpartition(", ")[0] if result.grouped else row.what.strip()) in table
        assert row.ours == shown["samples"]["ours"]
    assert about.source.commit[:12] in table
    assert {"commit", "dirty"} == document["source"].keys()
    assert "off" == document["postgres"]["settings"]["fsync"]
    assert document["machine"]["cores"] >= 1
