"""Stopping a runner: what it holds goes back at once, and nothing it started survives."""

import asyncio
import signal
from pathlib import Path

from tests.runner.working import Ledger, is_alive, runner_process, working_on
from tests.support.waiting import eventually


async def test_sigterm_hands_back_at_once(database: str, tasks: Ledger, tmp_path: Path) -> None:
    """After SIGTERM every task is ready again long before its step ends, no attempt is lost, its processes are gone."""
    await tasks.shell(20, f"echo $$ >> {tmp_path}/pids; exec sleep 60")
    async with runner_process(database, tmp_path / "home") as process:
        await eventually(lambda: len(_pids(tmp_path)) == 20, deadline=20)
        process.send_signal(signal.SIGTERM)
        await eventually(lambda: _ready(tasks, 20), deadline=20)
        assert 0 == await asyncio.wait_for(process.wait(), 10)
    assert not any(is_alive(pid) for pid in _pids(tmp_path))
    assert 0 == await tasks.connection.fetchval("SELECT max(attempts) FROM view.tasks")
    assert "stopped" == await tasks.connection.fetchval("SELECT status FROM view.runners")


async def test_stubborn_step_is_killed(database: str, tasks: Ledger, tmp_path: Path) -> None:
    """A step that ignores SIGTERM does not delay the drain either: it is killed."""
    await tasks.shell(1, f"trap '' TERM; echo $$ >> {tmp_path}/pids; while :; do sleep 0.1; done")
    async with working_on(database) as work:
        await eventually(lambda: len(_pids(tmp_path)) == 1)
        await asyncio.wait_for(work.stop(), 20)
        assert await _ready(tasks, 1)
    assert not is_alive(_pids(tmp_path)[0])


async def test_unbegun_tasks_go_back_first(database: str, tasks: Ledger, tmp_path: Path) -> None:
    """With time to drain, running tasks may end; a task that the runner has not begun is not begun any more."""
    await tasks.shell(1, f"until [ -e {tmp_path}/go ]; do sleep 0.02; done")
    async with working_on(database, drain_seconds=30, concurrency=1) as work:
        await eventually(lambda: _started(tasks))
        await tasks.shell(5, "true", prefix="later")
        stopping = asyncio.create_task(work.stop())
        await asyncio.sleep(0)
        (tmp_path / "go").touch()
        await stopping
    assert {"done": 1, "ready": 5} == await tasks.statuses()


async def test_second_signal_stops_hard(database: str, tasks: Ledger, tmp_path: Path) -> None:
    """With a long drain, a second signal ends the runner and everything it started at once."""
    await tasks.shell(3, f"trap '' TERM; echo $$ >> {tmp_path}/pids; while :; do sleep 0.1; done")
    async with runner_process(database, tmp_path / "home", drain="60") as process:
        await eventually(lambda: len(_pids(tmp_path)) == 3, deadline=20)
        process.send_signal(signal.SIGTERM)
        await eventually(lambda: "runner.stopping" in (tmp_path / "home" / "log").read_text())
        assert process.returncode is None
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), 5)
    await eventually(lambda: not any(is_alive(pid) for pid in _pids(tmp_path)))


async def _ready(tasks: Ledger, number: int) -> bool:
    return {"ready": number} == await tasks.statuses()


async def _started(tasks: Ledger) -> bool:
    return "started" in await tasks.types("t1")


def _pids(folder: Path) -> list[int]:
    path = folder / "pids"
    return [int(line) for line in path.read_text().split()] if path.exists() else []
