"""A runner at work: claims, reports, sleeps, stops."""

import asyncio
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from events.releases import UNKNOWN_RUN
from events.task import Step, TaskCreated
from runner import runs
from runner.handlers import Handlers, Task
from tests.runner.working import Ledger, working_on
from tests.support.waiting import eventually


async def test_shell_task_is_done(database: str, tasks: Ledger) -> None:
    """A task with a step is claimed, started, its step reported with its output, and done."""
    await tasks.shell(1, "echo hello")
    async with working_on(database):
        await eventually(lambda: tasks.count("done"), describe="the task is done")
    assert ["created", "claimed", "started", "step", "done"] == await tasks.types("t1")
    assert "hello\n" == await tasks.connection.fetchval("SELECT string_agg(data, '') FROM log.output")


async def test_each_task_runs_exactly_once(database: str, tasks: Ledger) -> None:
    """Of 2000 tasks each is executed and done exactly once, and nothing stays behind."""
    handlers, calls = Handlers(), Counter[str]()

    @handlers.task("count")
    async def count(task: Task) -> None:
        calls[task.id] += 1

    await tasks.python(2000, "count")
    async with working_on(database, handlers, concurrency=100):
        await eventually(lambda: len(calls) == 2000, deadline=60)
        await eventually(lambda: _all_done(tasks, 2000), deadline=30)
    assert {1} == set(calls.values())
    assert [] == await tasks.ended_twice()
    assert {} == await tasks.holders()


async def _all_done(tasks: Ledger, number: int) -> bool:
    return {"done": number} == await tasks.statuses()


async def test_two_runners_share(database: str, tasks: Ledger) -> None:
    """Two runners on one queue execute nothing twice."""
    handlers, calls = Handlers(), Counter[str]()

    @handlers.task("count")
    async def count(task: Task) -> None:
        calls[task.id] += 1
        await asyncio.sleep(0)

    await tasks.python(600, "count")
    async with working_on(database, handlers), working_on(database, handlers):
        await eventually(lambda: _all_done(tasks, 600), deadline=30)
    assert {1} == set(calls.values())


async def test_diamond(database: str, tasks: Ledger) -> None:
    """One task before 1000, and one after them: they end in that order."""
    handlers, order = Handlers(), list[str]()

    @handlers.task("note")
    async def note(task: Task) -> None:
        order.append(task.id)

    def task(*parents: str) -> TaskCreated:
        return TaskCreated("a task", task_type="python", params={"handler": "note"}, depends_on=list(parents))

    middle = [(f"m{number}", task("first")) for number in range(1000)]
    await tasks.add(("first", task()), *middle, ("last", task(*(name for name, _ in middle))))
    async with working_on(database, handlers, concurrency=100):
        await eventually(lambda: _all_done(tasks, 1002), deadline=60)
    assert "first" == order[0]
    assert "last" == order[-1]
    assert 1002 == len(set(order)) == len(order)


async def test_first_word_tells_the_mode(database: str, tasks: Ledger) -> None:
    """What a runner says when it starts is true: it listens already."""
    async with working_on(database) as work:
        await work.worker.started.wait()
    query = "SELECT data->'meta'->>'mode' FROM log.events WHERE type = 'runner.started'"
    assert ["listening"] == [row[0] for row in await tasks.connection.fetch(query)]


async def test_sleeping_runner_is_woken(database: str, tasks: Ledger) -> None:
    """A task that is created while the runner sleeps is executed long before its next heartbeat."""
    async with working_on(database, heartbeat_seconds=30, lease_seconds=90):
        await eventually(lambda: _listens(tasks), describe="the runner listens")
        await tasks.shell(1, "true")
        await eventually(lambda: tasks.count("done"), deadline=20)


async def _listens(tasks: Ledger) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
    return bool(await tasks.connection.fetchval(query))


async def test_scheduled_task_runs_when_due(database: str, tasks: Ledger) -> None:
    """A runner that sleeps wakes by its own clock for a task that falls due."""
    await tasks.shell(1, "true")
    async with working_on(database, heartbeat_seconds=30, lease_seconds=90):
        await eventually(lambda: tasks.count("done"))
        await tasks.shell(1, "true", prefix="later")
        await eventually(lambda: _all_done(tasks, 2))
        await tasks.commands.create_tasks([("due", await _due_soon(tasks))], "human:test")
        await eventually(lambda: _all_done(tasks, 3), deadline=5)


async def _due_soon(tasks: Ledger) -> TaskCreated:
    due = await tasks.connection.fetchval("SELECT clock_timestamp() + interval '0.7 s'")
    return TaskCreated("due", task_type="echo", next_run_at=due)


async def test_failing_task_rests(database: str, tasks: Ledger) -> None:
    """A failed attempt is requeued with a rest, its error kept."""
    await tasks.shell(1, "exit 3")
    async with working_on(database):
        await eventually(lambda: _has(tasks, "t1", "requeued"))
    row = await tasks.connection.fetchrow(
        "SELECT status, attempts, last_error, next_run_at > now() AS rests FROM view.tasks"
    )
    assert ("ready", 1, True) == (row["status"], row["attempts"], row["rests"])
    assert "exit code 3" in row["last_error"]


async def test_paused_system_hands_out_nothing(database: str, tasks: Ledger) -> None:
    """While the system is paused tasks stay ready; after the resume they run at once."""
    await tasks.commands.pause("maintenance", "human:test")
    async with working_on(database, heartbeat_seconds=30, lease_seconds=90):
        await eventually(lambda: _listens(tasks))
        await tasks.shell(3, "true")
        assert {"ready": 3} == await tasks.statuses()
        await tasks.commands.resume("human:test")
        await eventually(lambda: _all_done(tasks, 3))


async def test_taken_run_is_cancelled_at_its_next_report(database: str, tasks: Ledger, tmp_path: Path) -> None:
    """When a run reports after its task was taken, it is stopped: its processes end, and its slot is free."""
    steps = [Step("wait", f"until [ -e {tmp_path}/go ]; do sleep 0.02; done"), Step("on", "exec sleep 60")]
    await tasks.add(("t1", TaskCreated("a task", steps=steps)))
    async with working_on(database, concurrency=1, heartbeat_seconds=30, lease_seconds=90):
        await eventually(lambda: _has(tasks, "t1", "started"))
        await tasks.commands.cancel("t1", "not wanted", "human:test")
        (tmp_path / "go").touch()
        await tasks.shell(1, "true", prefix="next")
        await eventually(lambda: tasks.count("done"))
    assert ["created", "claimed", "started", "cancelled"] == await tasks.types("t1")


async def test_taken_run_is_cancelled_while_it_is_silent(database: str, tasks: Ledger) -> None:
    """A run that reports nothing is stopped after a heartbeat or two when its task was taken."""
    await tasks.shell(1, "exec sleep 60")
    async with working_on(database, concurrency=1):
        await eventually(lambda: _has(tasks, "t1", "started"))
        await tasks.commands.cancel("t1", "not wanted", "human:test")
        await tasks.shell(1, "true", prefix="next")
        await eventually(lambda: tasks.count("done"))


async def test_a_taken_run_that_ignores_its_cancellation_gives_up_its_slot(
    database: str, tasks: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only slot goes to the next task after a while, although the handler of a cancelled task works on."""
    monkeypatch.setattr(runs, "LOST_SECONDS", 0.2)
    handlers, stop = Handlers(), asyncio.Event()

    @handlers.task("stubborn")
    async def stubborn(task: Task) -> None:
        while not stop.is_set():
            with suppress(asyncio.CancelledError):
                await stop.wait()

    await tasks.python(1, "stubborn")
    async with working_on(database, handlers, concurrency=1):
        await eventually(lambda: _has(tasks, "t1", "started"))
        await tasks.commands.cancel("t1", "not wanted", "human:test")
        await tasks.shell(1, "true", prefix="next")
        await eventually(lambda: tasks.count("done"))
        stop.set()
    assert ["created", "claimed", "started", "cancelled"] == await tasks.types("t1")


async def test_claim_nobody_heard_of_is_given_back(database: str, tasks: Ledger, tmp_path: Path) -> None:
    """A task that the log gives to a runner which never heard of it is given back, and executed."""
    await tasks.shell(1, f"until [ -e {tmp_path}/go ]; do sleep 0.02; done", prefix="busy")
    async with working_on(database, concurrency=1, runner_id="forgetful"):
        await eventually(lambda: _has(tasks, "busy1", "started"))
        await tasks.shell(1, "true")
        assert (await tasks.commands.claim("forgetful", 1, "runner:forgetful")).tasks
        (tmp_path / "go").touch()
        await eventually(lambda: _all_done(tasks, 2))
    assert ["created", "claimed", "requeued", "claimed", "started", "step", "done"] == await tasks.types("t1")


async def test_claim_nobody_heard_of_counts_the_second_time(database: str, tasks: Ledger) -> None:
    """A task that its runner loses again and again uses up its attempts, and does not go round for ever."""
    await tasks.shell(1, "true")
    await tasks.commands.runner_started("forgetful", {}, "runner:forgetful", 60)
    for _ in range(3):
        await tasks.connection.execute("UPDATE view.scheduled SET due_at = now()")
        [claimed] = (await tasks.commands.claim("forgetful", 1, "runner:forgetful")).tasks
        await tasks.commands.release("forgetful", [claimed.run_id], UNKNOWN_RUN, "runner:forgetful")
    rows = await tasks.connection.fetch(
        "SELECT data->>'attempts' AS attempts, data->>'next_run_at' IS NULL AS at_once FROM log.events "
        "WHERE type = 'task.requeued' ORDER BY seq"
    )
    assert [("0", True), (None, False), (None, False)] == [tuple(row) for row in rows]


async def _has(tasks: Ledger, task_id: str, event: str) -> bool:
    return event in await tasks.types(task_id)


async def test_unwritable_result_fails_its_task_only(database: str, tasks: Ledger) -> None:
    """A report that the database refuses ends its task as failed, and the tasks beside it are done."""
    handlers = Handlers()

    @handlers.task("big")
    async def big(task: Task) -> Any:
        return {"number": 10**5000} if task.id == "t7" else None

    await tasks.python(20, "big", max_attempts=1)
    async with working_on(database, handlers):
        await eventually(lambda: _nineteen(tasks))


async def _nineteen(tasks: Ledger) -> bool:
    return {"done": 19, "blocked": 1} == await tasks.statuses()


async def test_runner_that_breaks_down_over_a_run_goes_on(database: str, tasks: Ledger) -> None:
    """An error of the runner's own fails the run that met it; the slot goes on with the next task."""
    handlers = Handlers()

    class Strange(dict[str, Any]):
        def items(self) -> Any:
            raise MemoryError("strange")

    @handlers.task("strange")
    async def strange(task: Task) -> Any:
        return Strange(a=1) if task.id == "t1" else None

    await tasks.python(3, "strange", max_attempts=1)
    async with working_on(database, handlers, concurrency=1):
        await eventually(lambda: _ended(tasks, 3))


async def _ended(tasks: Ledger, number: int) -> bool:
    return await tasks.count("done") + await tasks.count("blocked") == number
