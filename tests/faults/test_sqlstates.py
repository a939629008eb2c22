"""Every class of SQLSTATE, met by claims, reports, heartbeats and queries: runners over PostgreSQL and HTTP, the API.

Afterwards work goes on, nothing is lost, nothing happened twice, and no log holds a traceback (docs/adr/0031).
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from itertools import count

import pytest
import pytest_asyncio
import structlog
from msgspec import Struct

from events.connect import Database
from events.task import TaskCreated
from ops.postgres.server import Server
from runner.handlers import Handlers, Task
from runner.http_link import HttpLink
from runner.postgres_link import PostgresLink
from tests.api.serving import Served, serving
from tests.runner.working import Ledger, Working, ledger, settings, working
from tests.support.injection import Injection, Point
from tests.support.postgres import create_database, drop_database, ensure_template
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

TRANSIENT = ("08006", "25006", "40003", "53100", "55P03", "57014", "57P01", "58030")
DATA = ("22021", "54000")
FAULTS = ("42501", "XX000")
TASKS = 3
numbers = count(1)


class Stack(Struct, eq=False):
    """A runner at work on a database that fails on demand, and an API on the same database."""

    work: Working
    api: Served
    injection: Injection
    tasks: Ledger

    async def add(self) -> list[str]:
        """New tasks, and a wake-up for the runner."""
        ids = [f"t{next(numbers)}" for _ in range(TASKS)]
        definition = TaskCreated("a task", task_type="python", params={"handler": "work"})
        await self.api.commands.create_tasks([(task_id, definition) for task_id in ids], "human:t")
        return ids

    async def hit(self, at_least: int = 2) -> None:
        """Until so many statements have failed."""
        await eventually(lambda: self._has_hit(at_least), describe="statements fail")

    async def _has_hit(self, at_least: int) -> bool:
        assert not self.work.run.done(), "the runner has ended"
        return await self.injection.hits() >= at_least

    async def are(self, status: str, ids: Sequence[str]) -> bool:
        """Whether all of the tasks have that status."""
        assert not self.work.run.done(), "the runner has ended"
        query = "SELECT count(*) FROM view.tasks WHERE id = ANY ($1) AND status = $2"
        found = await self.tasks.connection.fetchval(query, list(ids), status)
        return bool(found == len(ids))


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["postgres", "http"])
async def stack(request: pytest.FixtureRequest, postgres: Server) -> AsyncIterator[Stack]:
    """A stack for all tests of this module, with the runner on this link."""
    await ensure_template(postgres)
    name = await create_database(postgres)
    url = postgres.url(name)
    chosen = settings(runner_id="r", lease_seconds=60.0, concurrency=TASKS)
    async with AsyncExitStack() as opened:
        patched = opened.enter_context(pytest.MonkeyPatch.context())
        patched.setattr("runner.http_client.FAILED_SECONDS", 0.05)
        opened.push_async_callback(drop_database, postgres, name)
        injection = await Injection.install(url)
        opened.push_async_callback(injection.close)
        api = await opened.enter_async_context(serving(url))
        link = HttpLink(api.url, None, chosen) if request.param == "http" else PostgresLink(Database(url), chosen)
        work = await opened.enter_async_context(working(await opened.enter_async_context(link), _handlers(), chosen))
        yield Stack(work, api, injection, await opened.enter_async_context(ledger(url)))


def _handlers() -> Handlers:
    handlers = Handlers()

    @handlers.task("work")
    async def work(_task: Task) -> str:
        return "done"

    return handlers


@pytest.mark.parametrize("state", TRANSIENT)
async def test_transient_conditions_delay_work_and_nothing_else(stack: Stack, state: str) -> None:
    """Claims, reports, ends and heartbeats meet it, each several times; every task is done once, at attempt 1."""
    points: Sequence[Sequence[Point]] = [("claim", "heartbeat"), ("report", "heartbeat"), ("end", "query")]
    with structlog.testing.capture_logs() as lines:
        await stack.injection.fail(state, *points[0])
        ids = await stack.add()
        for each in points[1:]:
            await stack.hit()
            await stack.injection.fail(state, *each)
        await stack.hit()
        response = await stack.api.client.get("/runs/1")
        await stack.injection.mend()
        await eventually(lambda: stack.are("done", ids))
    for task_id in ids:
        assert ["created", "claimed", "started", "done"] == await stack.tasks.types(task_id)
    assert (503, "unavailable", "1") == (
        response.status_code, response.json()["error"], response.headers["retry-after"]
    )  # fmt: skip
    assert [] == [line for line in lines if "exc_info" in line or line["log_level"] == "error"]


@pytest.mark.parametrize("state", DATA + FAULTS)
async def test_other_errors_fail_one_call(stack: Stack, state: str) -> None:
    """A claim that meets one is made again; a run whose end is refused fails, once, with the reason."""
    expected = ["created", "claimed", "started", "failed", "blocked" if state in DATA else "requeued"]

    async def have_failed() -> bool:
        return [expected] * TASKS == [await stack.tasks.types(task_id) for task_id in ids]

    with structlog.testing.capture_logs() as lines:
        await stack.injection.fail(state, "claim", "heartbeat")
        ids = await stack.add()
        await stack.hit()
        await stack.injection.fail(state, "end")
        await eventually(have_failed, describe="each run has failed")
        await stack.injection.fail(state, "query")
        response = await stack.api.client.get("/runs/1")
        await stack.injection.mend()
        more = await stack.add()
        await eventually(lambda: stack.are("done", more))
    errors = await stack.tasks.connection.fetch("SELECT last_error FROM view.tasks WHERE id = ANY ($1)", ids)
    assert all("injected at end" in row["last_error"] or "status 500" in row["last_error"] for row in errors), errors
    assert (400 if state in DATA else 500) == response.status_code
    assert [] == [line for line in lines if "exc_info" in line]
    assert TASKS == len([line for line in lines if line["event"] == "report.refused"])


async def test_api_answers_unavailable_in_the_contracts_shape(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A creation that meets a transient condition for long is refused; the same, sent again, creates one task."""
    monkeypatch.setattr("events.committer.GIVE_UP_SECONDS", 3.0)  # longer than the longest delay
    task = {"id": f"t{next(numbers)}", "title": "a task", "task_type": "python", "params": {"handler": "work"}}
    with structlog.testing.capture_logs() as lines:
        await stack.injection.fail("53100", "create")
        response = await stack.api.client.post("/ops/tasks", json=task)
        await stack.injection.mend()
        await stack.api.post("/ops/tasks", task)
        await stack.api.post("/ops/tasks", task)
        await eventually(lambda: stack.are("done", [task["id"]]))
    body = response.json()
    assert (503, "unavailable") == (response.status_code, body["error"])
    assert "53100: injected at create" in body["detail"]
    assert response.headers["retry-after"] == "1"
    assert ["created", "claimed", "started", "done"] == await stack.tasks.types(task["id"])
    names = [line["event"] for line in lines if line["event"].startswith("database.") and "reads" not in line["event"]]
    assert ["database.unavailable", "database.available"] == names
