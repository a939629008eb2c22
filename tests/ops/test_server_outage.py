"""The embedded server is killed while El Ruso uses it, and is back in seconds."""

import asyncio
import ctypes
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import asyncpg
import httpx
import psutil
import pytest

from ops.postgres import control
from ops.postgres.cluster import Cluster
from ops.postgres.place import free_port
from ops.postgres.postmaster import postmaster_pid
from tests.support.postgres import MAJOR, scratch_folder
from tests.support.processes import is_alive, kill
from tests.support.waiting import eventually, eventually_now

ROOT = Path(__file__).parent.parent.parent
TASKS = 12
BECOME_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)


class Installation:
    """A home with an embedded server, and `elruso` in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.server = home / f"postgres-{MAJOR}"
        self.api = f"http://127.0.0.1:{free_port()}"
        self.log = home / "up.log"
        own = {"ELRUSO_HOME": str(home), "PYTHONPATH": str(ROOT), "ELRUSO_LANG": "en", "ELRUSO_API": self.api}
        own |= {"ELRUSO_POSTGRES_MAJOR": str(MAJOR), "ELRUSO_HEARTBEAT_SECONDS": "1", "ELRUSO_LEASE_SECONDS": "3"}
        self.environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | own

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """One command to its end."""
        command = [sys.executable, "-P", "-m", "ops", *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=100)

    def up(self) -> "subprocess.Popen[bytes]":
        """`elruso up`, with a runner of three slots."""
        port = self.api.rpartition(":")[2]
        command = [sys.executable, "-P", "-m", "ops", "up", "--port", port, "--concurrency", "3"]
        with self.log.open("ab") as log:
            return subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    async def statuses(self) -> list[str]:
        """Of every task; nothing while the API does not answer."""
        try:
            async with httpx.AsyncClient(base_url=self.api, timeout=5) as client:
                return [task["status"] for task in (await client.get("/ops/tasks")).raise_for_status().json()["data"]]
        except httpx.HTTPError:
            return []

    def kill_postmaster(self) -> int:
        """SIGKILL; its pid."""
        running = control.find_running(self.server, MAJOR)
        assert running is not None
        killed = postmaster_pid(running.data)
        kill(killed)
        return killed


@pytest.fixture
def installation() -> Iterator[Installation]:
    """An empty home."""
    with scratch_folder() as folder:
        yield Installation(folder)
        control.stop(folder / f"postgres-{MAJOR}", MAJOR, force=True)


@pytest.fixture
async def up(installation: Installation) -> AsyncIterator["subprocess.Popen[bytes]"]:
    """A running `elruso up`, with its runner; ended afterwards."""
    process = installation.up()

    async def answers() -> bool:
        assert process.poll() is None, installation.log.read_text()
        try:
            async with httpx.AsyncClient(base_url=installation.api, timeout=5) as client:
                metrics = (await client.get("/ops/metrics")).json()["data"]
                return bool(metrics["runners"]["online"])
        except httpx.HTTPError:
            return False

    await eventually(answers, 60, "an API with a runner")
    yield process
    process.terminate()
    process.wait(60)


async def test_a_killed_postmaster_is_back_and_nothing_is_lost(
    installation: Installation, up: "subprocess.Popen[bytes]"
) -> None:
    """Killed twice while tasks run, the server comes back without anybody's doing, and every task is done once."""
    steps = [{"name": "work", "cmd": "sleep 0.3"}]
    tasks = [{"id": f"t{number}", "title": "t", "steps": steps} for number in range(TASKS)]
    async with httpx.AsyncClient(base_url=installation.api, timeout=30) as client:
        for task in tasks:
            (await client.post("/ops/tasks", json=task)).raise_for_status()
    for done in (1, TASKS // 2):
        await eventually(partial(_count_done, installation, done), 60, "some tasks that are done")
        killed = installation.kill_postmaster()
        await eventually(partial(_has_other_postmaster, installation, killed), 30, "another postmaster")
    await eventually(partial(_count_done, installation, TASKS), 90, "all tasks done")
    assert "Identical" in installation.run("audit").stdout
    assert 2 == installation.log.read_text().count("it is running again"), installation.log.read_text()
    assert up.poll() is None


async def _count_done(installation: Installation, least: int) -> bool:
    return (await installation.statuses()).count("done") >= least


def _has_other_postmaster(installation: Installation, killed: int) -> bool:
    running = control.find_running(installation.server, MAJOR)
    return running is not None and postmaster_pid(running.data) != killed


async def test_a_server_that_was_stopped_on_purpose_stays_down(
    installation: Installation, up: "subprocess.Popen[bytes]"
) -> None:
    """`db stop --force` is obeyed; doctor and the next command that needs the server know what to do."""
    assert 0 == installation.run("db", "stop", "--force").returncode
    assert control.find_running(installation.server, MAJOR) is None
    assert not Cluster(installation.server, MAJOR).is_gone()
    assert not control.has_died(installation.server, MAJOR)
    assert 0 == installation.run("db", "migrate").returncode
    await eventually(partial(_answers, installation), 30, "an API that answers")


async def _answers(installation: Installation) -> bool:
    async with httpx.AsyncClient(base_url=installation.api, timeout=5) as client:
        return (await client.get("/ops/tasks")).is_success


HOLDER = f"""
import ctypes, sys
from pathlib import Path
from ops.postgres.control import use
ctypes.CDLL(None).prctl({BECOME_SUBREAPER}, 1)
with use(Path(sys.argv[1]), int(sys.argv[2]), unsafe=True):
    print("ready", flush=True)
    sys.stdin.read()
"""


def _start_holder(folder: Path) -> "subprocess.Popen[bytes]":
    """A process that uses the server, and reaps nothing."""
    command = [sys.executable, "-c", HOLDER, str(folder), str(MAJOR)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"ready\n"
    return holder


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "prctl"), reason="only Linux has subreapers")
async def test_a_zombie_and_its_backends_do_not_stand_in_the_way(installation: Installation) -> None:
    """Where nobody reaps a killed postmaster, and one of its backends computes on, the next start succeeds."""
    folder = installation.server
    holder = _start_holder(folder)
    try:
        running = control.find_running(folder, MAJOR)
        assert running is not None
        client = await asyncpg.connect(running.url())
        backend = await client.fetchval("SELECT pg_backend_pid()")
        query = asyncio.create_task(client.fetchval("SELECT count(*) FROM generate_series(1, 1e12)"))
        await eventually(lambda: psutil.Process(backend).cpu_percent(0.05) > 0, 20, "a backend that computes")
        killed = installation.kill_postmaster()
        eventually_now(lambda: psutil.Process(killed).status() == psutil.STATUS_ZOMBIE)
        assert is_alive(backend)
        assert control.has_died(folder, MAJOR)
        with control.use(folder, MAJOR, unsafe=True) as again:
            assert running.port == again.port
            assert not is_alive(backend)
        client.terminate()
        with pytest.raises(asyncpg.PostgresError):
            await query
    finally:
        holder.communicate(timeout=60)
