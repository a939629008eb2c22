"""The checks notice what they are there for."""

from functools import partial

import pytest

from events.connect import Database
from events.statements import load_statements
from tests.bench import api, idle
from tests.bench.adapter import AdapterError
from tests.bench.command import serving
from tests.bench.measure import Row, Spread, by_turns, percentile
from tests.bench.plan import Plan
from tests.bench.server import Bench, in_database, observe
from tests.bench.statement_log import Statement, StatementLog, parse
from tests.bench.workloads import BASELINE, drain, ours

CLAIM = load_statements("events", "commands.sql")["claim_tasks"]


class Meddler(StatementLog):
    """Makes one more task, which nobody asked for."""

    async def prepare(self, database: Database) -> None:
        """Before the workers connect."""
        connection = await observe(database)
        await connection.execute('INSERT INTO job (payload) VALUES (\'{"i": 0, "t": 0}\')')
        await connection.close()


def test_an_idle_claim_is_found() -> None:
    """A claim in the log of an idle minute fails the benchmark and is named."""
    beats = [Statement("elruso-runner", "beat", "")] * 10
    assert idle.judge(beats, 60).well
    judged = idle.judge([*beats, Statement("elruso-runner", "claim_tasks", CLAIM)], 60)
    assert [check for check, held in judged.checks.items() if not held] == ["nobody looked for work, but claim_tasks"]


def test_a_talkative_runner_is_found() -> None:
    """Thirteen statements a minute are one too many."""
    judged = idle.judge([Statement("elruso-runner", "beat", "")] * 13, 60)
    assert not judged.checks["runner: at most 12 statements a minute"]
    assert judged.checks["api: at most 12 statements a minute"]


def test_statements_of_the_log_have_the_names_of_their_files() -> None:
    """An entry that goes on over several lines is recognised; what is no statement is passed over."""
    told = CLAIM.replace("\n", "\n\t")
    text = (
        "2026-01-02 03:04:05.678 UTC [17] elruso-runner LOG:  connection authorized\n"
        f"2026-01-02 03:04:05.679 UTC [17] elruso-runner LOG:  execute __asyncpg_stmt_1__: {told}\n"
        "2026-01-02 03:04:05.679 UTC [17] elruso-runner DETAIL:  Parameters: $1 = '0'\n"
        "2026-01-02 03:04:05.680 UTC [18] elruso-api LOG:  statement: LISTEN elruso;\n"
    )
    assert [("elruso-runner", "claim_tasks"), ("elruso-api", "LISTEN elruso;")] == [
        (statement.application, statement.name) for statement in parse(text)
    ]


async def test_the_log_is_of_one_database(bench: Bench) -> None:
    """What other databases and mere observers are sent is left out."""
    async with bench.database() as database, bench.database() as other:
        log = StatementLog(bench)
        await log.prepare(database)
        await log.start()
        for each in (database, other):
            connection = await each.connect()
            await connection.execute("SELECT 1")
            await connection.close()
        observer = await observe(database)
        await observer.execute("SELECT 2")
        await observer.close()
        await log.stop()
    assert ["SELECT 1"] == [statement.text for statement in log.statements if statement.text.startswith("SELECT")]


async def test_a_task_too_many_is_found(bench: Bench) -> None:
    """A workload whose handlers ran another set of tasks than was asked for is not exactly once."""
    assert (await drain(bench, BASELINE, 20)).exactly_once
    assert not (await drain(bench, BASELINE, 20, meter=Meddler(bench))).exactly_once


async def test_a_worker_that_dies_ends_the_benchmark(bench: Bench) -> None:
    """A worker that cannot start is an error at once, not a wait."""
    with pytest.raises(AdapterError):
        await drain(bench, ours(concurrency="many"), 1)


async def test_every_kind_of_request_is_answered(bench: Bench, plan: Plan) -> None:
    """What the API is loaded with is what it answers well, the pages with as many tasks as were asked for."""
    async with bench.database() as database:
        run_id = await api.fill(database, 100, plan)
        token = await api.make_token(database)
        async with serving(database) as address:
            for kind in api.kinds(run_id, token):
                answer, request = await api.ask(address, kind)
                assert kind.status == answer.status, kind
                assert bool(answer.content) == (kind.status != 304), kind
                assert kind.known == ("If-None-Match" in request.headers)


def test_numbers() -> None:
    """Percentiles are values that occurred; the ratio is taken run by run."""
    assert (2, 4, 4) == (percentile([4, 2, 1, 3], 50), percentile([4, 2, 1, 3], 99), percentile([4], 50))
    assert [2.0, 0.5] == Row("x", "1/s", [2.0, 2.0], [1.0, 4.0]).ratios
    assert Spread(2, 1, 9) == Spread.of([9, 1, 2])
    assert Spread.of([]) is None


async def test_sides_are_measured_by_turns() -> None:
    """Ours, the baseline, ours, the baseline: so that a slow minute hits both."""
    turns: list[str] = []

    async def measure(side: str) -> int:
        turns.append(side)
        return len(turns)

    sides = {side: partial(measure, side) for side in ("ours", "baseline")}
    samples = await by_turns(2, sides)
    assert ["ours", "baseline"] * 2 == turns
    assert [0.5, 0.75] == Row.of("x", "ms", samples, float).ratios


def test_another_database_of_a_server() -> None:
    """Options of an address are kept when the database changes."""
    assert "postgresql://me@host:1/b?sslmode=require" == in_database("postgresql://me@host:1/a?sslmode=require", "b")
