"""A report that the log refuses fails its run once, with the reason, and the run's work is kept."""

import asyncio
from pathlib import Path

import pytest
import structlog
from msgspec import Struct, structs

from events.connect import Database
from events.task import Step, TaskCreated
from runner.postgres_link import PostgresLink
from runner.worker import Worker
from runner.workspace import Workspaces
from tests.runner.conftest import GitCommand
from tests.runner.working import Ledger, Working, context, settings
from tests.support.injection import Injection, Point
from tests.support.waiting import eventually


class Case(Struct):
    """Which event is refused, with what, and what becomes of the task."""

    point: Point
    state: str
    ended: str


@pytest.mark.parametrize("case", [Case("end", "54000", "blocked"), Case("end", "XX000", "requeued"),
                                  Case("step", "22021", "blocked")], ids=repr)  # fmt: skip
async def test_work_is_kept(tasks: Ledger, repository: Path, git: GitCommand, case: Case) -> None:
    """The result of a run whose end, or a step before it, is refused lies under refs/elruso/runs; no branch moves."""
    go = repository.parent / "go"
    chosen = settings(runner_id="r", concurrency=1, lease_seconds=60.0)
    given = structs.replace(context(), workspaces=Workspaces(repository.parent / "home" / "runs", repository))
    injection = await Injection.install(tasks.url)
    await injection.fail(case.state, case.point)
    steps = [Step("one", "echo 1 > made.txt"), Step("two", f"until [ -e {go} ]; do sleep 0.02; done")]
    await tasks.add(("t1", TaskCreated("a task", steps=steps)))
    with structlog.testing.capture_logs() as lines:
        async with PostgresLink(Database(tasks.url), chosen) as link:
            worker = Worker(link, given, chosen)
            work = Working(worker, asyncio.create_task(worker.run()))
            if case.point == "step":
                await eventually(lambda: "report.refused" in {line["event"] for line in lines}, describe="a refusal")
                await injection.mend()
            go.touch()
            await eventually(lambda: _has_ended(tasks, case.ended))
            await eventually(lambda: git("for-each-ref", "refs/elruso/runs"), describe="the result is kept")
            await work.stop()
    await injection.close()
    row = await tasks.connection.fetchrow("SELECT attempts, last_error FROM view.tasks")
    [claim] = await tasks.connection.fetch("SELECT seq FROM log.events WHERE type = 'task.claimed'")
    assert 1 == row["attempts"]
    assert f"injected at {case.point}" in row["last_error"]
    assert "1" == git("show", f"refs/elruso/runs/{claim['seq']}:made.txt").strip()
    assert "" == git("for-each-ref", "refs/heads/task")
    assert 1 == len([line for line in lines if line["event"] == "report.refused"])


async def _has_ended(tasks: Ledger, ended: str) -> bool:
    return (await tasks.types("t1"))[-1] == ended
