"""Why is a task not running? Each reason, as data."""

from typing import Any

from events.reports import Report
from events.task import TaskCreated, TaskFailed
from tests.api.serving import Served, refusal_of


async def codes(api: Served, task_id: str) -> list[str]:
    """The codes of the reasons."""
    return [reason["code"] for reason in (await api.get(f"/ops/tasks/{task_id}/why"))["reasons"]]


async def create(api: Served, task_id: str, **definition: Any) -> None:
    """Create a task."""
    await api.commands.create_tasks([(task_id, TaskCreated(task_id, **definition))], "human:ana")


async def test_a_ready_task(api: Served) -> None:
    """No runner; then what is ahead of it; then nothing; and the pause with who and why."""
    await create(api, "a")
    await create(api, "b")
    assert ["no_runner"] == await codes(api, "a")
    await api.post("/ops/runner/heartbeat", {"runner_id": "r1"})
    assert ["next"] == await codes(api, "a")
    assert ["ahead"] == await codes(api, "b")
    await api.post("/ops/system/pause", {"reason": "deploy"})
    why = await api.get("/ops/tasks/b/why")
    assert ["paused", "ahead"] == [reason["code"] for reason in why["reasons"]]
    assert ("human:local", "deploy") == (why["reasons"][0]["facts"]["by"], why["reasons"][0]["facts"]["reason"])


async def test_a_ready_task_whose_runners_are_unfit(api: Served) -> None:
    """Which runner, what is wrong with it, and where; not once a fit one is online."""
    fault = {"code": "missing", "path": "/work", "detail": "/work is not there, or no directory"}
    await api.post("/ops/runner/heartbeat", {"runner_id": "r1", "meta": {"unfit": fault}})
    await create(api, "a")
    [reason] = (await api.get("/ops/tasks/a/why"))["reasons"]
    facts = {"count": 1, "runner": "r1", "fault": "missing", "path": "/work", "problem": fault["detail"]}
    assert ("unfit", facts) == (reason["code"], reason["facts"])
    assert "r1 is unfit, /work is not there" in reason["detail"]
    await api.post("/ops/runner/heartbeat", {"runner_id": "r2", "meta": {"unfit": None}})
    assert ["next"] == await codes(api, "a")


async def test_a_task_that_waits(api: Served) -> None:
    """For its parents, by name; for its time after a failure."""
    await api.post("/ops/runner/heartbeat", {"runner_id": "r1"})
    await create(api, "parent")
    await create(api, "child", depends_on=["parent"])
    why = await api.get("/ops/tasks/child/why")
    assert (["waiting"], ["parent"]) == (
        [reason["code"] for reason in why["reasons"]],
        [parent["id"] for parent in why["waits_for"]],
    )
    claimed = await api.commands.claim_task("r1", "parent", "runner:r1")
    assert ["running"] == await codes(api, "parent")
    await api.commands.report([Report("parent", claimed.run_id, TaskFailed(claimed.run_id, "boom"), "runner:r1")])
    assert ["resting"] == await codes(api, "parent")


async def test_a_task_that_is_to_start_later(api: Served) -> None:
    """By wish it is scheduled: no attempt, no error. After a failure it rests."""
    await api.post("/ops/runner/heartbeat", {"runner_id": "r1"})
    await api.post("/ops/tasks", {"id": "wish", "title": "W", "next_run_at": "2126-05-04T03:02:01Z"})
    [reason] = (await api.get("/ops/tasks/wish/why"))["reasons"]
    assert ("scheduled", ["until"]) == (reason["code"], list(reason["facts"]))
    assert reason["detail"].startswith("it is scheduled: it does not start before 2126-05-04T03:02:01")


async def test_a_task_that_is_stopped(api: Served) -> None:
    """Blocked with its error, blocked by its parent with the parent's name, cancelled; and one that is done."""
    await create(api, "parent")
    await create(api, "child", depends_on=["parent"])
    await create(api, "other")
    await api.commands.block("parent", "needs a key", "human:ana")
    await api.commands.cancel("other", None, "human:ana")
    why = await api.get("/ops/tasks/child/why")
    assert "blocked_by_parent" == why["reasons"][0]["code"]
    assert "parent" == why["reasons"][0]["facts"]["parent"]
    assert (
        "it is blocked: needs a key; requeue it when that is mended"
        == (await api.get("/ops/tasks/parent/why"))["reasons"][0]["detail"]
    )
    assert ["cancelled"] == await codes(api, "other")


async def test_an_unknown_task(api: Served) -> None:
    """404."""
    assert (404, "not_found") == refusal_of(await api.client.get("/ops/tasks/none/why"))[:2]
