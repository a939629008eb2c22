"""Directives that several decide about at the same moment: once, wholly, and never half."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest
from asyncpg import Connection

from events.commands import Commands
from events.connect import Database
from events.directive import PlannedTask, RequiredRequest
from events.directives import Decision, PlannerReport, Proposals, Proposed, _propose
from events.draft import Draft, DraftTask
from events.errors import DuplicateDirective, NotEligible
from events.planner import PlannerCompleted
from events.reports import Report
from events.request import RequestProvided
from events.task import TaskCreated, TaskDone
from tests.support.waiting import eventually

BOTH = 2
DONE = """
    INSERT INTO log.events (kind, id, version, type, actor, data)
    SELECT 'task', id, version + 1, 'task.done', 'runner:r', json_build_object('run_id', run_id)
    FROM view.tasks WHERE id = $1
"""
DONE_AND_CANCELLED = """
    INSERT INTO log.events (kind, id, version, type, actor, data)
    SELECT 'task', id, version + 1, CASE id WHEN $1 THEN 'task.done' ELSE 'task.cancelled' END, 'runner:r',
           json_build_object('run_id', run_id)
    FROM view.tasks WHERE id IN ($1, $2) ORDER BY id
"""
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = $1"
TYPES = "SELECT type FROM log.events WHERE kind = 'directive' ORDER BY seq"
TASKS = "SELECT id, status FROM view.tasks ORDER BY id"


def draft(name: str, *titles: str, requires: tuple[str, ...] = ()) -> Draft:
    """A directive with tasks that depend on nothing."""
    tasks = [DraftTask(PlannedTask(id="", title=title), number) for number, title in enumerate(titles, 1)]
    return Draft(name, name, None, [], [], [RequiredRequest(each) for each in requires], tasks)


@pytest.fixture
async def desks(database: str) -> AsyncIterator[list[Commands]]:
    """Two processes' commands."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Commands(Database(database))) for _ in range(BOTH)]


async def types(connection: Connection) -> list[str]:
    """The types of all events of directives, without their prefix."""
    return [row["type"].removeprefix("directive.") for row in await connection.fetch(TYPES)]


async def statuses(connection: Connection) -> dict[str, str]:
    """Ids and statuses of all tasks."""
    return {row["id"]: row["status"] for row in await connection.fetch(TASKS)}


async def test_applied_by_two_at_once(desks: list[Commands], connection: Connection) -> None:
    """One event, each task once, and both are told that it is so."""
    for number in range(10):
        name = f"d{number}"
        await desks[0].directives.propose(Proposals([draft(name, "a", "b")], "gpt", "manual"))
        await asyncio.gather(*(desk.directives.apply(Decision(name, "human:ana")) for desk in desks))

    assert 10 == (await types(connection)).count("applied")
    assert 20 == len(await statuses(connection))


async def test_proposed_by_two_at_once(desks: list[Commands], connection: Connection) -> None:
    """The same content: one is proposed, the other hears of it."""
    proposals = [Proposals([Draft("", "same", None, [], [], [], [])], "human:ana", "auto") for _ in desks]
    answers: list[Any] = await asyncio.gather(
        *(desk.directives.propose(each) for desk, each in zip(desks, proposals, strict=True)), return_exceptions=True
    )

    assert ["proposed"] == await types(connection)
    [refusal] = [answer for answer in answers if isinstance(answer, Exception)]
    assert isinstance(refusal, DuplicateDirective)


async def test_the_last_two_tasks_end_at_once(database: str, desks: list[Commands], connection: Connection) -> None:
    """Neither transaction sees the other's end, and yet it is applied, once: the second waits for the first."""
    await desks[0].directives.propose(Proposals([draft("d", "a", "b")], "gpt", "auto"))
    await desks[0].claim("r", 2, "runner:r")
    other = await asyncpg.connect(database)
    first = connection.transaction()
    await first.start()
    await connection.execute(DONE, "d-1")
    second = asyncio.create_task(other.execute(DONE, "d-2"))
    await eventually(lambda: connection.fetchval(WAITING, other.get_server_pid()), describe="the second waits")
    await first.commit()
    await second
    await other.close()

    assert ["proposed", "applied"] == await types(connection)


async def test_the_last_two_requests_are_provided_at_once(desks: list[Commands], connection: Connection) -> None:
    """The tasks that waited for both are created, once."""
    for number in range(10):
        needs = (f"A{number}", f"B{number}")
        await desks[0].directives.propose(Proposals([draft(f"d{number}", "a", requires=needs)], "gpt", "auto"))
        await asyncio.gather(
            *(
                desk.requests.provide(name, RequestProvided(), "human:ana")
                for desk, name in zip(desks, needs, strict=True)
            )
        )

    assert {f"d{number}-1": "ready" for number in range(10)} == await statuses(connection)


async def test_rejected_while_a_runner_claims(desks: list[Commands], connection: Connection) -> None:
    """Either the runner has the task, which goes on, or it is cancelled; the directive is rejected either way."""
    for number in range(20):
        name = f"d{number}"
        await desks[0].directives.propose(Proposals([draft(name, "a")], "gpt", "auto"))
        rejected, claimed = await asyncio.gather(
            desks[0].directives.reject(Decision(name, "human:ana")),
            desks[1].claim_task("r", f"{name}-1", "runner:r"),
            return_exceptions=True,
        )
        assert rejected is None
        assert not isinstance(claimed, Exception) or isinstance(claimed, NotEligible)
        expected = "cancelled" if isinstance(claimed, Exception) else "running"
        assert expected == (await statuses(connection))[f"{name}-1"]

    assert 20 == (await types(connection)).count("rejected")


async def test_the_operator_applies_while_the_last_task_ends(desks: list[Commands], connection: Connection) -> None:
    """One of the two is first; the other finds it so."""
    for number in range(20):
        name = f"d{number}"
        await desks[0].directives.propose(Proposals([draft(name, "a")], "gpt", "auto"))
        run = await desks[1].claim_task("r", f"{name}-1", "runner:r")
        applied, reported = await asyncio.gather(
            desks[0].directives.apply(Decision(name, "human:ana")),
            desks[1].report([Report(f"{name}-1", run.run_id, TaskDone(run.run_id), "runner:r")]),
        )
        assert ([None], True) == (reported, not applied.created)

    assert 20 == (await types(connection)).count("applied")
    assert {"done"} == set((await statuses(connection)).values())


async def test_an_answer_that_was_lost_is_given_again(database: str, connection: Connection) -> None:
    """A run whose commit was not acknowledged finds what it wrote, and writes nothing again."""
    writer = await Database(database).connect_writer()
    run = PlannerReport("p-1", PlannerCompleted(model="m", prompt_hash="x"), "human:ana")
    asked = [Proposals([draft("d", "a", "b")], "gpt", "auto", run=run)]
    [(first, rows)] = await _propose(writer, asked, False)
    [(again, no_rows)] = await _propose(writer, asked, True)
    await writer.close()

    assert (["d"], ["d-1", "d-2"], 2, 0) == (first.directives, first.tasks, len(rows), len(no_rows))
    assert Proposed(["d"], ["d-1", "d-2"]) == again
    assert 2 == len(await statuses(connection))


async def test_reactions_do_not_hide_each_other(desks: list[Commands], connection: Connection) -> None:
    """One statement ends a directive's last task and fails another's parent: both have their consequences."""
    [desk, _] = desks
    await desk.directives.propose(Proposals([draft("d", "a")], "gpt", "auto"))
    await desk.create_tasks([("p", TaskCreated("p", max_attempts=1)), ("c", TaskCreated("c", depends_on=["p"]))], "gpt")
    await desk.claim("r", 5, "runner:r")
    await connection.execute(DONE_AND_CANCELLED, "d-1", "p")

    assert ["proposed", "applied"] == await types(connection)
    assert {"c": "blocked", "d-1": "done", "p": "cancelled"} == await statuses(connection)
