"""Locks are taken in one order (schema.sql), so that no two writers wait for each other."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from events.commands import Commands
from events.directive import PlannedTask
from events.directives import Decision, Proposals
from events.draft import Draft, DraftTask
from tests.races.stage import HUMAN, Stage


def done(*runs: tuple[str, int]) -> tuple[Any, ...]:
    """The arguments of report_runs for some successes."""
    ids = [task_id for task_id, _ in runs]
    data = [f'{{"run_id": {run}}}' for _, run in runs]
    return ids, [run for _, run in runs], [1] * len(runs), ["task.done"] * len(runs), data, ["runner:r"] * len(runs)


async def test_versions_are_taken_in_order(stage: Stage) -> None:
    """A batch that is stuck on its first task's version has taken no other's, in whatever order it came."""
    await stage.create("a", "b")
    runs = [("b", await stage.claim("b")), ("a", await stage.claim("a"))]
    async with stage.first.transaction():
        await stage.do(stage.first, "stop_task", "a", "task.blocked", "x", HUMAN)
        late = await stage.meanwhile(stage.do(stage.second, "report_runs", *done(*runs)))
        await asyncio.wait_for(stage.commands.cancel("b", None, HUMAN), 5)
    await asyncio.gather(late, return_exceptions=True)
    assert ["created", "claimed", "cancelled"] == await stage.types("b")


async def test_rows_are_locked_in_order(stage: Stage) -> None:
    """A batch that is stuck on the row of its first task has locked no other."""
    await stage.create("a", "b")
    runs = [("b", await stage.claim("b")), ("a", await stage.claim("a"))]
    async with stage.first.transaction():
        await stage.first.execute("SELECT FROM view.tasks WHERE id = 'a' FOR UPDATE")
        late = await stage.meanwhile(stage.do(stage.second, "report_runs", *done(*runs)))
        await stage.observer.execute("SELECT FROM view.tasks WHERE id = 'b' FOR UPDATE NOWAIT")
    assert {"a", "b"} == {row["id"] for row in await late}


async def test_opposite_batches_end(stage: Stage) -> None:
    """Hand-backs and reports of the same runs in opposite order, again and again: each run ends once, nobody hangs."""
    ids = [f"t{number}" for number in range(20)]
    await stage.create(*ids)
    for _ in range(10):
        claimed = await stage.do(stage.first, "claim_tasks", 0, 0, 20, '"r"', "runner:r", False)
        runs = sorted((row["id"], row["seq"]) for row in claimed)
        assert 20 == len(runs)
        backwards = list(reversed(runs))
        fails = [json_failure(run) for _, run in backwards]
        columns = [task_id for task_id, _ in backwards], [run for _, run in backwards]
        await asyncio.gather(
            stage.commands.hand_back(runs, "drain", "runner:r"),
            stage.do(stage.second, "fail_runs", *columns, [1] * 20, fails, [False] * 20, ["runner:r"] * 20),
            return_exceptions=True,
        )
        for task_id in ids:
            await stage.commands.requeue(task_id, actor=HUMAN)
    ended = await stage.observer.fetchval("SELECT count(*) FROM view.runs WHERE status <> 'running'")
    assert 200 == ended


def json_failure(run: int) -> str:
    """The data of a failure."""
    return f'{{"run_id": {run}, "error": "boom"}}'


CLAIMED = """
    INSERT INTO log.events (kind, id, version, type, actor, data)
    SELECT 'task', id, version + 1, 'task.claimed', 'runner:r', '{"runner": "r", "attempt": 1}'
    FROM view.tasks WHERE id = 'b'
"""
WITHOUT_WAITING = "SET LOCAL lock_timeout = '500ms'"  # half of what the server takes to notice a deadlock
TAKING: dict[str, Callable[[Commands], Awaitable[Any]]] = {
    "cancel": lambda commands: commands.cancel("b", None, HUMAN),
    "block": lambda commands: commands.block("b", "no", HUMAN),
    "close": lambda commands: commands.close("b", "by hand", HUMAN),
    "cancel many": lambda commands: commands.cancel_many(["a", "b", "c"], None, HUMAN),
    "prioritize many": lambda commands: commands.prioritize_many(["a", "b", "c"], 7, HUMAN),
    "claim by name": lambda commands: commands.claim_task("other", "b", "runner:other"),
}


@pytest.mark.parametrize("taking", TAKING)
async def test_what_leaves_the_queue_meets_a_claim(stage: Stage, taking: str) -> None:
    """A claim has locked its row of the queue and not appended yet: whoever else wants the task has appended nothing,
    so neither waits for the other; what else the claimers find, they pass by or take."""
    await stage.create("a", "b", "c")
    async with stage.first.transaction():
        await stage.first.execute("SELECT FROM view.ready WHERE id = 'b' FOR UPDATE")
        late = await stage.meanwhile(TAKING[taking](stage.commands))
        await stage.first.execute(WITHOUT_WAITING)
        await stage.first.execute(CLAIMED)
    await asyncio.gather(late, return_exceptions=True)
    assert ["created", "claimed"] == (await stage.types("b"))[:2]


async def test_a_directive_is_rejected_while_its_task_is_claimed(stage: Stage) -> None:
    """The same for the tasks that a rejection cancels."""
    tasks = [DraftTask(PlannedTask(id=name, title=name), number) for number, name in enumerate("ab", 1)]
    await stage.commands.directives.propose(Proposals([Draft("d", "d", None, [], [], [], tasks)], HUMAN, "auto"))
    async with stage.first.transaction():
        await stage.first.execute("SELECT FROM view.ready WHERE id = 'b' FOR UPDATE")
        late = await stage.meanwhile(stage.commands.directives.reject(Decision("d", HUMAN)))
        await stage.first.execute(WITHOUT_WAITING)
        await stage.first.execute(CLAIMED)
    await late
    assert (["created", "cancelled"], ["created", "claimed"]) == (await stage.types("a"), await stage.types("b"))


async def test_a_requeue_locks_parents_before_the_child(stage: Stage) -> None:
    """A parent ends while its cancelled child is requeued: the end wants the child's row, the requeue the parent's."""
    await stage.create("p")
    await stage.create("child", depends_on=["p"])
    run = await stage.claim("p")
    await stage.commands.cancel("child", None, HUMAN)
    async with stage.first.transaction():
        await stage.first.execute("SELECT FROM view.tasks WHERE id = 'p' FOR NO KEY UPDATE")
        late = await stage.meanwhile(stage.commands.requeue("child", actor=HUMAN))
        await stage.do(stage.first, "report_runs", *done(("p", run)))
    await late
    assert (0, ["child"]) == ((await stage.task("child"))["waiting_on"], await stage.ready())


@pytest.mark.parametrize("ending", ["report_runs", "fail_runs", "stop_task"])
async def test_counters_are_locked_in_one_order(stage: Stage, ending: str) -> None:
    """Whatever ends a run is counted in task_counts before it is in run_counts."""
    await stage.create("a", "b")
    await stage.second.execute("SET elruso.shard = '1'")
    await stage.do(stage.second, "report_runs", *done(("a", await stage.claim("a"))))
    run = await stage.claim("b")
    arguments: dict[str, tuple[Any, ...]] = {
        "report_runs": done(("b", run)),
        "fail_runs": (["b"], [run], [1], [json_failure(run)], [True], ["runner:r"]),
        "stop_task": ("b", "task.cancelled", None, HUMAN),
    }
    async with stage.first.transaction():
        await stage.first.execute("SELECT FROM view.task_counts WHERE shard = 1 FOR UPDATE")
        late = await stage.meanwhile(stage.do(stage.second, ending, *arguments[ending]))
        await stage.observer.execute("SELECT FROM view.run_counts WHERE shard = 1 FOR UPDATE NOWAIT")
    assert await late
