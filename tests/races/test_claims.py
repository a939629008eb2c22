"""Claims against claims, cancels, sweeps and the clock."""

import asyncio
from datetime import UTC, datetime

import asyncpg
import pytest

from events.commands import Commands
from events.connect import Database
from events.errors import LeaseLost, NotEligible
from events.reports import Report
from events.task import TaskCreated, TaskDone
from tests.races.stage import HUMAN, Stage
from tests.support.waiting import eventually

CLAIM = (0, 0, 4, '"r1"', "runner:r1", False)
INSERT = """
    INSERT INTO log.events (kind, id, version, type, actor, data) VALUES ('task', 'a', 2, $1, 'human:ana', $2)
"""
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


async def test_open_claims_share_nothing(stage: Stage) -> None:
    """While one claim is not committed, another takes the next tasks and waits for nothing."""
    await stage.create(*"abcdefgh")
    async with stage.first.transaction():
        first = await stage.do(stage.first, "claim_tasks", *CLAIM)
        async with stage.second.transaction():
            second = await asyncio.wait_for(stage.do(stage.second, "claim_tasks", *CLAIM), 5)
    assert (["a", "b", "c", "d"], ["e", "f", "g", "h"]) == ([row["id"] for row in first], [row["id"] for row in second])


async def test_many_claimers_share_nothing(stage: Stage, database: str) -> None:
    """Six processes claim until nothing is left: every task is claimed once."""
    await stage.commands.create_tasks([(f"t{number}", TaskCreated("t")) for number in range(300)], HUMAN)

    async def runner(number: int) -> list[str]:
        got: list[str] = []
        async with Commands(Database(database)) as commands:
            while answer := (await commands.claim(f"r{number}", 7, f"runner:r{number}")).tasks:
                got += [claimed.task_id for claimed in answer]
        return got

    taken = [task_id for got in await asyncio.gather(*map(runner, range(6))) for task_id in got]
    assert sorted(f"t{number}" for number in range(300)) == sorted(taken)


async def test_one_task_two_named_claims(stage: Stage) -> None:
    """Of two claims of one task by name the second waits, and hears that it came too late."""
    await stage.create("a")
    async with stage.first.transaction():
        await stage.do(stage.first, "claim_task", "a", '"r1"', "runner:r1")
        late = await stage.meanwhile(stage.commands.claim_task("r2", "a", "runner:r2"))
    with pytest.raises(NotEligible, match="running by r1"):
        await late
    assert ["created", "claimed"] == await stage.types("a")


async def test_two_writers_one_version(stage: Stage) -> None:
    """Of two appends of one version the second waits for the first, and is refused once that is committed."""
    await stage.create("a")
    async with stage.first.transaction():
        await stage.first.execute(INSERT, "task.cancelled", "{}")
        late = await stage.meanwhile(stage.second.execute(INSERT, "task.blocked", '{"reason": "x"}'))
    with pytest.raises(asyncpg.UniqueViolationError):
        await late
    assert ["created", "cancelled"] == await stage.types("a")


async def test_two_writers_the_first_gives_up(stage: Stage) -> None:
    """When the first takes its append back, the second's is written."""
    await stage.create("a")
    transaction = stage.first.transaction()
    await transaction.start()
    await stage.first.execute(INSERT, "task.cancelled", "{}")
    late = await stage.meanwhile(stage.second.execute(INSERT, "task.blocked", '{"reason": "x"}'))
    await transaction.rollback()
    await late
    assert ["created", "blocked"] == await stage.types("a")
    assert "blocked" == (await stage.task("a"))["status"]


async def test_cancel_after_claim(stage: Stage) -> None:
    """A cancel that meets a claim waits for it and takes the run away."""
    await stage.create("a")
    async with stage.first.transaction():
        [claimed] = await stage.do(stage.first, "claim_tasks", *CLAIM)
        late = await stage.meanwhile(stage.commands.cancel("a", "not wanted", HUMAN))
    await late
    [refusal] = await stage.commands.report([Report("a", claimed["seq"], TaskDone(claimed["seq"]), "runner:r1")])
    assert isinstance(refusal, LeaseLost)
    assert ["created", "claimed", "cancelled"] == await stage.types("a")
    assert 0 == await stage.observer.fetchval("SELECT count(*) FROM view.running")


async def test_claim_after_cancel(stage: Stage) -> None:
    """A claim that meets a cancel passes by; it neither waits nor takes the task."""
    await stage.create("a", "b")
    async with stage.first.transaction():
        await stage.do(stage.first, "stop_task", "a", "task.cancelled", None, HUMAN)
        answer = await asyncio.wait_for(stage.commands.claim("r", 5, "runner:r"), 5)
    assert ["b"] == [claimed.task_id for claimed in answer.tasks]


async def test_sweep_after_finish(stage: Stage) -> None:
    """A sweep that meets a finish waits for it and leaves the task alone."""
    await stage.create("a")
    run = await stage.claim("a")
    async with stage.first.transaction():
        done = ([run], [1], ["task.done"], [f'{{"run_id": {run}}}'], ["runner:r"])
        await stage.do(stage.first, "report_runs", ["a"], *done)
        late = await stage.meanwhile(stage.commands.sweep(0))
    swept = await late
    assert (0, 0) == (swept.requeued, swept.blocked)
    assert ["created", "claimed", "done"] == await stage.types("a")


async def test_finish_after_sweep(stage: Stage) -> None:
    """A finish that meets a sweep waits for it and is refused."""
    await stage.create("a")
    run = await stage.claim("a")
    async with stage.first.transaction():
        assert 1 == len(await stage.do(stage.first, "sweep_stuck", 0, 500, 0))
        late = await stage.meanwhile(stage.commands.report([Report("a", run, TaskDone(run), "runner:r")]))
    [refusal] = await late
    assert isinstance(refusal, LeaseLost)
    assert ["created", "claimed", "requeued"] == await stage.types("a")
    assert ["a"] == await stage.ready()


async def test_claim_after_promotion(stage: Stage) -> None:
    """A task that is claimed by name while it is being moved among the ready ones is not left there."""
    await stage.create("a", next_run_at=LONG_AGO)
    async with stage.first.transaction():
        assert 1 == len(await stage.do(stage.first, "promote_due", 10))
        late = await stage.meanwhile(stage.commands.claim_task("r", "a", "runner:r"))
    await late
    assert [] == await stage.ready()
    assert [] == (await stage.commands.claim("r", 5, "runner:r")).tasks


async def test_what_fell_due_goes_first(stage: Stage, database: str) -> None:
    """By its priority, though nobody had moved it among the ready ones; not even while somebody is about to."""
    await stage.create("ready", "other")
    await stage.create("due", next_run_at=LONG_AGO, priority=1)
    async with stage.first.transaction():
        await stage.do(stage.first, "promote_due", 10)
        async with Commands(Database(database)) as rested:

            async def found() -> list[str]:  # nothing, with the word to come again, where a second passes meanwhile
                return [task.task_id for task in (await rested.claim("r", 1, "runner:r")).tasks]

            assert ["ready"] == await eventually(found, describe="something is claimed")
    await stage.create("next", next_run_at=LONG_AGO, priority=0)
    async with Commands(Database(database)) as rested:
        assert ["next", "due", "other"] == [task.task_id for task in (await rested.claim("r", 5, "runner:r")).tasks]


async def test_cancel_after_promotion(stage: Stage) -> None:
    """Nor is one that is cancelled at that moment."""
    await stage.create("a", next_run_at=LONG_AGO)
    async with stage.first.transaction():
        await stage.do(stage.first, "promote_due", 10)
        late = await stage.meanwhile(stage.commands.cancel("a", None, HUMAN))
    await late
    assert (["created", "cancelled"], []) == (await stage.types("a"), await stage.ready())
