"""A bash runner with curl and jq, which reports a run and its task separately (runner.sh)."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.api.serving import Served
from tests.api.test_auth import bearer

RUNNER = Path(__file__).parent / "runner.sh"
FAILS = {"title": "F", "steps": [{"name": "s", "cmd": "echo no; exit 3"}]}
FOLLOW_UPS = ("retry", "requeue", "failed", "blocked", "retry-first", "requeue-first", "failed-first", "blocked-first")


async def one_round(api: Served, *arguments: str) -> Any:
    """Let the runner claim and execute one task; the answer that it printed last."""
    environment = {"PATH": os.environ["PATH"], "API_BASE_URL": api.url}
    pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}
    process = await asyncio.create_subprocess_exec("bash", str(RUNNER), *arguments, env=environment, **pipes)
    printed, complaints = await process.communicate()
    assert (0, "") == (process.returncode, complaints.decode())
    answer = json.loads(printed)
    return answer and answer["data"]


async def types_of(api: Served, task_id: str) -> list[str]:
    """The types of the events of a task."""
    return [event["type"].removeprefix("task.") for event in await api.get(f"/ops/events?kind=task&id={task_id}")]


async def test_a_task_that_succeeds(api: Served) -> None:
    """Run, steps and file changes are there; the second word about the end changes nothing."""
    await api.post("/ops/tasks", {"id": "t", "title": "T", "steps": [{"name": "s", "cmd": "echo hi"}]})

    task = await one_round(api, "old-1")
    assert ("done", "old-1") == (task["status"], task["claimed_by"])
    assert ["created", "claimed", "started", "step", "done"] == await types_of(api, "t")
    [run] = await api.get("/runs")
    shown = await api.get(f"/runs/{run['id']}")
    assert ("hi", 0) == (shown["steps"][0]["output_excerpt"], shown["steps"][0]["exit_code"])
    assert "README.md" == shown["file_changes"][0]["path"]
    assert await one_round(api, "old-1") is None


async def test_a_failure_is_decided_once(api: Served) -> None:
    """Whatever the runner says of the task, before its run ends or after: one failure, followed by the log's backoff.

    With an attempt left the task rests; without one it is blocked, and no word of a runner undoes that.
    """
    cases = [(word, 2) for word in FOLLOW_UPS] + [(word, 1) for word in ("retry", "requeue", "blocked")]
    for follow_up, max_attempts in cases:
        task_id = f"{follow_up}-{max_attempts}"
        await api.post("/ops/tasks", {"id": task_id, "max_attempts": max_attempts, **FAILS})
        task = await one_round(api, "old-1", follow_up)
        status, decision = ("ready", "requeued") if max_attempts == 2 else ("blocked", "blocked")
        assert (task_id, status, 1) == (task["id"], task["status"], task["attempts"])
        assert (max_attempts == 2) == (task["next_run_at"] is not None)
        assert ["created", "claimed", "started", "step", "failed", decision] == await types_of(api, task_id)
        await api.post(f"/ops/tasks/{task_id}/cancel")


@pytest.mark.parametrize("named", [True, False])
async def test_a_requeue_of_a_runner_gives_no_attempts(api: Served, named: bool) -> None:
    """With `last_error`, or from a runner, attempts stay as they are; an operator's plain requeue resets them."""
    await api.post("/ops/tasks", {"id": "t", "title": "T", "max_attempts": 1})
    run_id = (await api.claim("old-1"))["run_id"]
    await api.patch(f"/runs/{run_id}", {"status": "failed", "summary": "boom"})
    if named:
        again = {"status": "ready", "worker_id": "old-1", "attempts": 0}
        assert "blocked" == (await api.patch("/ops/tasks/t", again))["status"]
    else:
        assert "blocked" == (await api.post("/ops/tasks/t/requeue", {"last_error": "boom"}))["status"]
    task = await api.post("/ops/tasks/t/requeue", {"backoff_seconds": 10})
    assert ("ready", 0) == (task["status"], task["attempts"])


async def test_a_task_given_up_without_an_error_keeps_its_attempts(api: Served) -> None:
    """Handed back, it may be tried again as often as is left; on its last attempt that is its failure."""
    await api.post("/ops/tasks", {"id": "t", "title": "T", "max_attempts": 2})
    headers = bearer(await api.tokens.create_token("vm", "runner"))
    for status in ("ready", "blocked"):
        await api.post("/ops/tasks/claim", {"runner_id": "vm-1"}, headers=headers)
        task = await api.post("/ops/tasks/t/requeue", {}, headers=headers)
        assert status == task["status"]
    assert 2 == task["attempts"]
    assert "blocked" == (await api.post("/ops/tasks/t/requeue", {"last_error": "e"}, headers=headers))["status"]


async def test_a_failure_of_a_run_that_is_over_is_not_charged(api: Served) -> None:
    """A task that was handed back is ready for others: what its runner tells later neither fails nor blocks it."""
    await api.post("/ops/tasks", {"id": "t", "title": "T", "max_attempts": 2})
    await api.claim("old-1")
    await api.post("/ops/runner/release", {"runner_id": "old-1"})
    for status in ("failed", "blocked"):
        word = {"status": status, "worker_id": "old-1", "last_error": "boom", "attempts": 1}
        assert "ready" == (await api.patch("/ops/tasks/t", word))["status"]
    assert ["created", "claimed", "requeued"] == await types_of(api, "t")


async def test_an_operator_still_decides(api: Served) -> None:
    """Without a runner's marks `failed` and `blocked` are orders, and a task that never failed takes them."""
    await api.post("/ops/tasks", [{"id": "a", "title": "A"}, {"id": "b", "title": "B"}])
    await api.claim("old-1", task_id="a")
    assert "failed" == (await api.patch("/ops/tasks/a", {"status": "failed", "last_error": "by hand"}))["status"]
    assert "blocked" == (await api.patch("/ops/tasks/b", {"status": "blocked", "last_error": "wait"}))["status"]
