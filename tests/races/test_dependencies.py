"""A parent's end against whatever its children do at that moment."""

from typing import Any

import pytest

from events.task import TaskCreated
from tests.races.stage import HUMAN, Stage


def done(task_id: str, run: int) -> tuple[Any, ...]:
    """The arguments of report_runs for one success."""
    return [task_id], [run], [1], ["task.done"], [f'{{"run_id": {run}}}'], ["runner:r"]


def child(*parents: str) -> list[tuple[str | None, TaskCreated]]:
    """A request for the task `child`."""
    return [("child", TaskCreated("child", depends_on=list(parents)))]


async def create_child(stage: Stage, *parents: str) -> None:
    """The first creates the child, and does not commit."""
    definition = f'{{"title": "child", "depends_on": ["{parents[0]}"]}}'
    await stage.do(stage.first, "create_tasks", f'[{{"id": "child", "actor": "{HUMAN}", "data": {definition}}}]')


async def test_child_created_while_parent_ends(stage: Stage) -> None:
    """A child that is created while its parent is ending waits for that end, and then for nobody."""
    await stage.create("p")
    run = await stage.claim("p")
    async with stage.first.transaction():
        await stage.do(stage.first, "report_runs", *done("p", run))
        late = await stage.meanwhile(stage.commands.create_tasks(child("p"), HUMAN))
    await late
    assert (0, ["child"]) == ((await stage.task("child"))["waiting_on"], await stage.ready())


async def test_parent_ends_while_child_is_created(stage: Stage) -> None:
    """A parent's end that meets the creation of a child waits for it, and frees the child."""
    await stage.create("p")
    run = await stage.claim("p")
    async with stage.first.transaction():
        await create_child(stage, "p")
        late = await stage.meanwhile(stage.do(stage.second, "report_runs", *done("p", run)))
    await late
    assert (0, ["child"]) == ((await stage.task("child"))["waiting_on"], await stage.ready())


@pytest.mark.parametrize("event_type", ["task.cancelled", "task.blocked"])
async def test_child_created_while_parent_falls(stage: Stage, event_type: str) -> None:
    """A child that is created while its parent is falling is blocked, with the reason."""
    await stage.create("p")
    async with stage.first.transaction():
        await stage.do(stage.first, "stop_task", "p", event_type, "no", HUMAN)
        late = await stage.meanwhile(stage.commands.create_tasks(child("p"), HUMAN))
    await late
    row = await stage.task("child")
    assert ("blocked", "p") == (row["status"], row["blocked_parent"])
    assert row["last_error"].startswith(f"parent p is {event_type.removeprefix('task.')}")


async def test_parent_falls_while_child_is_created(stage: Stage) -> None:
    """A parent's fall that meets the creation of a child waits for it, and blocks the child."""
    await stage.create("p")
    async with stage.first.transaction():
        await create_child(stage, "p")
        late = await stage.meanwhile(stage.commands.cancel("p", "no", HUMAN))
    await late
    row = await stage.task("child")
    assert ("blocked", "p", []) == (row["status"], row["blocked_parent"], await stage.ready())


async def test_two_parents_end_at_once(stage: Stage) -> None:
    """Two parents that end at the same moment free their child, once."""
    await stage.create("p", "q")
    await stage.create("child", depends_on=["p", "q"])
    p, q = await stage.claim("p"), await stage.claim("q")
    async with stage.first.transaction():
        await stage.do(stage.first, "report_runs", *done("p", p))
        late = await stage.meanwhile(stage.do(stage.second, "report_runs", *done("q", q)))
    await late
    assert (0, ["child"]) == ((await stage.task("child"))["waiting_on"], await stage.ready())


async def test_one_parent_ends_while_another_falls(stage: Stage) -> None:
    """When one parent succeeds and another falls at the same moment, the child is blocked by the fallen one."""
    await stage.create("p", "q")
    await stage.create("child", depends_on=["p", "q"])
    run = await stage.claim("p")
    async with stage.first.transaction():
        await stage.do(stage.first, "report_runs", *done("p", run))
        late = await stage.meanwhile(stage.commands.cancel("q", "no", HUMAN))
    await late
    row = await stage.task("child")
    assert ("blocked", "q", 1, []) == (row["status"], row["blocked_parent"], row["waiting_on"], await stage.ready())


async def test_child_is_cancelled_while_parent_ends(stage: Stage) -> None:
    """A child that is cancelled while its parent's end frees it is not left among the claimable."""
    await stage.create("p")
    await stage.create("child", depends_on=["p"])
    run = await stage.claim("p")
    async with stage.first.transaction():
        await stage.do(stage.first, "report_runs", *done("p", run))
        late = await stage.meanwhile(stage.commands.cancel("child", None, HUMAN))
    await late
    row = await stage.task("child")
    assert ("cancelled", 0, []) == (row["status"], row["waiting_on"], await stage.ready())


async def test_parent_ends_while_child_is_cancelled(stage: Stage) -> None:
    """Nor is one whose parent ends while it is being cancelled."""
    await stage.create("p")
    await stage.create("child", depends_on=["p"])
    run = await stage.claim("p")
    async with stage.first.transaction():
        await stage.do(stage.first, "stop_task", "child", "task.cancelled", None, HUMAN)
        late = await stage.meanwhile(stage.do(stage.second, "report_runs", *done("p", run)))
    await late
    row = await stage.task("child")
    assert ("cancelled", 0, []) == (row["status"], row["waiting_on"], await stage.ready())
