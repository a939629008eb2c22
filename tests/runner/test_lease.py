"""Runners that die, go silent or hang: their tasks go to others, and nothing is done twice."""

import asyncio
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from events.connect import Database
from events.errors import LeaseLost
from events.reports import Report
from events.task import TaskDone
from ops.postgres.server import Server
from runner.handlers import Handlers, Task
from runner.postgres_link import PostgresLink
from runner.settings import Settings
from tests.runner.working import Ledger, is_alive, runner_process, working, working_on
from tests.support.proxy import proxy_before
from tests.support.waiting import eventually


async def test_killed_runner_loses_its_tasks(database: str, tasks: Ledger, tmp_path: Path) -> None:
    """After kill -9 of a runner that holds 20 tasks all 20 are done by another, and its late reports refused."""
    await tasks.shell(20, f"[ -e {tmp_path}/go ] || exec sleep 60")
    async with runner_process(database, tmp_path / "home") as process:
        await eventually(lambda: _holds_twenty(tasks), deadline=20)
        runs = await tasks.connection.fetch("SELECT id, run_id FROM view.running")
        process.kill()
        await process.wait()
    (tmp_path / "go").touch()
    async with working_on(database):
        await eventually(lambda: _done(tasks, 20), deadline=30)
    late = [Report(run["id"], run["run_id"], TaskDone(run["run_id"]), "runner:dead") for run in runs]
    assert {LeaseLost} == {type(answer) for answer in await tasks.commands.report(late)}
    assert [] == await tasks.ended_twice()


@pytest.mark.soak
async def test_killed_runner_on_default_settings(database: str, tasks: Ledger, tmp_path: Path) -> None:
    """With the default lease and heartbeats all 20 are done by another runner within 30 s of the kill."""
    await tasks.shell(20, f"[ -e {tmp_path}/go ] || exec sleep 60")
    async with runner_process(database, tmp_path / "home", lease={}) as process:
        await eventually(lambda: _holds_twenty(tasks), deadline=20)
        (tmp_path / "go").touch()
        chosen = Settings()
        async with PostgresLink(Database(database), chosen) as link, working(link, None, chosen):
            process.kill()
            await process.wait()
            await eventually(lambda: _done(tasks, 20), deadline=30)
    assert [] == await tasks.ended_twice()


async def _holds_twenty(tasks: Ledger) -> bool:
    return 20 in (await tasks.holders()).values()


async def _done(tasks: Ledger, number: int) -> bool:
    return {"done": number} == await tasks.statuses()


async def test_blocked_loop_keeps_its_lease(database: str, tasks: Ledger) -> None:
    """A handler that blocks the event loop for longer than the lease does not cost the runner its task."""
    handlers, calls, begun = Handlers(), list[int](), threading.Event()

    @handlers.task("block")
    async def block(task: Task) -> None:
        calls.append(task.run_id)
        begun.set()
        until = time.monotonic() + 4
        while time.monotonic() < until:
            pass

    await tasks.python(1, "block")
    async with working_on(database, handlers):
        sweeping = asyncio.to_thread(_sweep_meanwhile, database, begun)
        await asyncio.gather(eventually(lambda: _done(tasks, 1), deadline=20), sweeping)
    assert 1 == len(calls)
    assert ["created", "claimed", "started", "done"] == await tasks.types("t1")


def _sweep_meanwhile(url: str, begun: threading.Event) -> None:
    """Another runner, in a thread of its own, with nothing to do but to take stuck tasks back."""

    async def watch() -> None:
        async with working_on(url, Handlers(), concurrency=1):
            until = time.monotonic() + 3
            await eventually(lambda: time.monotonic() > until)

    begun.wait(20)
    asyncio.run(watch())


async def test_silent_runner_stops_its_runs(postgres: Server, database: str, tasks: Ledger, tmp_path: Path) -> None:
    """A runner that cannot reach the database for the time of its lease stops its runs, and goes on afterwards."""
    await tasks.shell(2, f"echo $$ >> {tmp_path}/pids; [ -e {tmp_path}/go ] || exec sleep 60")
    address = postgres.tcp_url(urlsplit(database).path.removeprefix("/"))
    async with proxy_before(address) as proxy, working_on(proxy.url, lease_seconds=1.0):
        await eventually(lambda: _pids(tmp_path, 2))
        proxy.cut()
        await eventually(lambda: not any(is_alive(pid) for pid in _pids(tmp_path, 2)), deadline=20)
        (tmp_path / "go").touch()
        proxy.mend()
        await eventually(lambda: _done(tasks, 2), deadline=30)


def _pids(folder: Path, number: int) -> list[int]:
    path = folder / "pids"
    pids = [int(line) for line in path.read_text().split()] if path.exists() else []
    return pids[:number] if len(pids) >= number else []
