"""Batches take their streams in order of id, so two of them never wait for each other."""

import asyncio
from typing import Any

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
