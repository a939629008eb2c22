"""A runner without a database, over the API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from events.errors import LeaseLost
from events.reports import Report
from events.task import Step, TaskCreated, TaskDone, TaskStarted
from runner.http_link import HttpLink
from tests.api.serving import serving
from tests.runner.conftest import GitCommand
from tests.runner.working import Ledger, Working, runner_process, settings, working
from tests.support.proxy import proxy_before
from tests.support.waiting import eventually


@asynccontextmanager
async def working_over(address: str, **more: Any) -> AsyncIterator[Working]:
    """A runner over the API at `address`."""
    chosen = settings(**more)
    async with HttpLink(address, None, chosen) as link, working(link, None, chosen) as work:
        yield work


async def test_task_is_done_over_http(database: str, tasks: Ledger) -> None:
    """Claim, start, steps with their output, and the end: everything a runner does works over HTTP."""
    steps = [Step("one", "echo hello; touch made.txt"), Step("two", "echo there >&2")]
    async with serving(database) as api, working_over(api.url):
        await tasks.add(("t-1", TaskCreated("a task", body="do it", steps=steps, params={"x": [1]})))
        await eventually(lambda: tasks.count("done"))
        [run] = await api.get("/runs")
        told = await api.get(f"/runs/{run['id']}")
        output = await api.get(f"/runs/{run['id']}/output")
    assert ["created", "claimed", "started", "step", "step", "done"] == await tasks.types("t-1")
    assert [("one", 0), ("two", 0)] == [(step["name"], step["exit_code"]) for step in told["steps"]]
    assert ["made.txt"] == [change["path"] for change in told["file_changes"]]
    assert [("stdout", "hello\n"), ("stderr", "there\n")] == [(piece["stream"], piece["data"]) for piece in output]


async def test_three_steps_in_a_workspace(
    database: str, tasks: Ledger, repository: Path, git: GitCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is posted is done in the git workspace: a run, three steps with exit codes and output, the lines changed."""
    monkeypatch.setenv("ELRUSO_WORKSPACE", str(repository))
    commands = {"one": "echo hello", "two": "printf 'a\\nb\\n' > new; sed -i 1d README.md", "three": "cat new"}
    steps = [{"name": name, "cmd": command} for name, command in commands.items()]
    async with serving(database) as api, runner_process(database, tmp_path / "home"):
        await api.post("/ops/tasks", {"id": "t1", "title": "three steps", "steps": steps})
        await eventually(lambda: tasks.count("done"))
        [run] = await api.get("/runs")
        told = await api.get(f"/runs/{run['id']}")
    assert [("one", 0, "hello\n"), ("two", 0, ""), ("three", 0, "a\nb\n")] == [
        (step["name"], step["exit_code"], step["output_excerpt"]) for step in told["steps"]
    ]
    assert [("README.md", 0, 1), ("new", 2, 0)] == sorted(
        (change["path"], change["added"], change["removed"]) for change in told["file_changes"]
    )
    assert "a\nb" == git("show", "task/t1:new").strip()


async def test_sleeping_claim_is_woken(database: str, tasks: Ledger) -> None:
    """A task that comes while the runner waits in its long poll is executed at once, and the next one too."""
    async with serving(database) as api, working_over(api.url, heartbeat_seconds=30, lease_seconds=90):
        for number in (1, 2, 3):
            await eventually(lambda: _is_known(tasks))
            await tasks.shell(1, "true", prefix=f"round{number}-")
            await eventually(lambda number=number: _done(tasks, number), deadline=5)


async def _is_known(tasks: Ledger) -> bool:
    return bool(await tasks.connection.fetchval("SELECT count(*) FROM view.runners"))


async def _done(tasks: Ledger, number: int) -> bool:
    return {"done": number} == await tasks.statuses()


async def test_drain_over_http(database: str, tasks: Ledger, tmp_path: Path) -> None:
    """A stopping runner gives its tasks back over HTTP, without a lost attempt."""
    await tasks.shell(4, f"touch {tmp_path}/begun; exec sleep 60")
    async with serving(database) as api, working_over(api.url, concurrency=4) as work:
        await eventually((tmp_path / "begun").exists)
        await work.stop()
    assert {"ready": 4} == await tasks.statuses()
    assert 0 == await tasks.connection.fetchval("SELECT max(attempts) FROM view.tasks")


async def test_paused_then_resumed(database: str, tasks: Ledger) -> None:
    """A paused system hands out nothing over HTTP either; after the resume the runner goes on."""
    await tasks.commands.pause(None, "human:test")
    await tasks.shell(2, "true")
    async with serving(database) as api, working_over(api.url):
        await eventually(lambda: _is_known(tasks))
        assert {"ready": 2} == await tasks.statuses()
        await tasks.commands.resume("human:test")
        await eventually(lambda: _done(tasks, 2))


async def test_api_that_was_away(database: str, tasks: Ledger, tmp_path: Path) -> None:
    """What a run reports while the API cannot be reached arrives when it can be again."""
    await tasks.shell(1, f"touch {tmp_path}/begun; until [ -e {tmp_path}/go ]; do sleep 0.02; done; echo end")
    async with (
        serving(database) as api,
        proxy_before(f"{api.url}/") as proxy,
        working_over(proxy.url.rstrip("/"), heartbeat_seconds=5, lease_seconds=30),
    ):
        await eventually((tmp_path / "begun").exists)
        proxy.cut()
        (tmp_path / "go").touch()
        proxy.mend()
        await eventually(lambda: _done(tasks, 1), deadline=20)
    assert ["created", "claimed", "started", "step", "done"] == await tasks.types("t1")


async def test_late_report_is_refused(database: str, tasks: Ledger) -> None:
    """A report of a run that was taken away is answered with LeaseLost over HTTP too."""
    await tasks.shell(1, "true")
    chosen = settings(runner_id="late")
    async with serving(database) as api, HttpLink(api.url, None, chosen) as link:
        [claimed] = (await link.claim(1)).tasks
        await tasks.commands.requeue("t1", actor="human:test")
        await tasks.commands.claim("late", 1, "runner:late")
        answers: list[object] = []
        for event in (TaskStarted(claimed.run_id), TaskDone(claimed.run_id)):
            link.report(Report("t1", claimed.run_id, event, link.actor), lambda *answer: answers.append(answer))
        await eventually(lambda: len(answers) == 2, describe="both reports are answered")
        for refusal, error in answers:
            assert isinstance(refusal, LeaseLost), error
