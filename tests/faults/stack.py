"""Everything that a run passes through, as real processes that can be killed one by one and started again.

One PostgreSQL server of its own, `elruso serve`, `elruso runner run`, a proxy between the runner and whatever it speaks
to, a wrapper around the runner's git, and an operator's repository with work in progress.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import asyncpg
import httpx
import msgspec
import psutil

from ops.errors import OperatorError
from ops.postgres.control import use
from ops.postgres.place import free_port
from ops.postgres.postmaster import postmaster_pid
from ops.postgres.server import Server
from tests.support.fault_proxy import FaultProxy, counts_commands, counts_requests, fault_proxy
from tests.support.git_wrapper import GitWrapper
from tests.support.operator_repository import prepare_project
from tests.support.postgres import MAJOR, scratch_folder
from tests.support.processes import is_alive, kill
from tests.support.waiting import eventually

ROOT = Path(__file__).parent.parent.parent
LEASE_SECONDS = 3.0
LEASE = {"ELRUSO_HEARTBEAT_SECONDS": "0.6", "ELRUSO_LEASE_SECONDS": str(LEASE_SECONDS)}
START_SECONDS = 120.0
# A failed attempt waits ten seconds and more before the next: nothing that these tests are about.
QUICK_BACKOFF = """
CREATE OR REPLACE FUNCTION log.backoff(attempt integer) RETURNS interval LANGUAGE sql VOLATILE
RETURN interval '50 milliseconds'
"""

Link = Literal["postgres", "http"]
LINKS: tuple[Link, ...] = ("postgres", "http")


class Stack:
    """Open it with `stack`. `project` is the operator's repository, `home` the runner's ELRUSO_HOME."""

    def __init__(self, link: Link, folder: Path, resources: AsyncExitStack) -> None:
        self.link: Link = link
        self.home = folder / "home"
        self.project = folder / "project"
        self.gates = folder / "gates"
        self.git = GitWrapper(folder / "wrapper")
        self.proxy: FaultProxy
        self._cluster = folder / "cluster"
        self._folder = folder
        self._resources = resources
        self._server: Server
        self._api_port = 0
        self._api: asyncio.subprocess.Process | None = None
        self._runner: asyncio.subprocess.Process | None = None
        self._relief: asyncio.subprocess.Process | None = None
        self._reader: asyncpg.Connection | None = None

    # ------------------------------------------------------------------ start and stop

    async def open(self) -> None:
        """Start all of it."""
        for folder in (self.home, self.gates, self._cluster):
            folder.mkdir()
        self._cluster.chmod(0o711)
        self._api_port = free_port()
        await self.start_postgres()
        await self.start_api()
        await self._execute(QUICK_BACKOFF)
        target, counts = (
            (self._server.port, counts_commands) if self.link == "postgres" else (self._api_port, counts_requests)
        )
        self.proxy = await self._resources.enter_async_context(fault_proxy(target, counts))
        await self.start_runner()

    async def close(self) -> None:
        """Kill the processes; PostgreSQL is stopped by the folder's owner."""
        for process in (self._runner, self._relief, self._api):
            if process is not None and process.returncode is None:
                process.kill()
                await process.wait()
        if self._reader is not None:
            self._reader.terminate()

    async def start_postgres(self) -> None:
        """Start the server, or start it again; durable, unlike those of other tests: it will be killed."""

        async def start() -> Server | None:
            try:
                return await asyncio.to_thread(self._resources.enter_context, use(self._cluster, MAJOR))
            except OperatorError:
                return None  # the dead postmaster is not buried yet, and its socket's lock file names it

        self._server = await eventually(start, START_SECONDS, "a server that starts")
        if self.link == "postgres" and hasattr(self, "proxy"):
            self.proxy.target = self._server.port

    async def start_api(self) -> None:
        """Start the API, and wait until it answers."""
        command = ("serve", "--port", str(self._api_port))
        self._api = await self._spawn("api.log", *command, DATABASE_URL=self._database_url)
        await eventually(self._api_answers, START_SECONDS, "an API that answers")

    async def start_runner(self) -> None:
        """Start a runner behind the proxy, with the wrapped git, and wait until the engine knows of it."""
        self._runner = await self._start_runner(self.proxy.port, PATH=self.git.path)

    async def start_relief(self) -> None:
        """Start a second runner that no fault reaches."""
        self._relief = await self._start_runner(self._server.port if self.link == "postgres" else self._api_port)

    async def stop_relief(self) -> None:
        """Stop it in an orderly way."""
        if self._relief is not None and self._relief.returncode is None:
            self._relief.terminate()
            await self._relief.wait()
        self._relief = None

    async def _start_runner(self, port: int, **variables: str) -> asyncio.subprocess.Process:
        options = ("--workspace", str(self.project), "--concurrency", "2")
        address = (
            {"DATABASE_URL": f"{self._database_url_at(port)}?sslmode=disable"}
            if self.link == "postgres"
            else {"ELRUSO_API": f"http://127.0.0.1:{port}"}
        )
        runner = await self._spawn("runner.log", "runner", "run", *options, **address, **variables)

        async def is_known() -> bool:
            assert runner.returncode is None, self.log_of("runner")
            return bool(await self._fetch("SELECT id FROM view.runners WHERE strpos(id, $1) > 0", f"-{runner.pid}-"))

        await eventually(is_known, START_SECONDS, "a runner that the engine knows")
        return runner

    async def ensure_running(self) -> None:
        """Start again what does not run."""
        if not self._postmaster_lives():
            await self.start_postgres()
        if self._api is None or self._api.returncode is not None:
            await self.start_api()
        if self._runner is None or self._runner.returncode is not None:
            await self.start_runner()

    # ------------------------------------------------------------------ kill

    async def kill_runner(self) -> None:
        """SIGKILL to the process that the operator started."""
        assert self._runner is not None
        self._runner.kill()
        await self._runner.wait()

    async def kill_api(self) -> None:
        """SIGKILL."""
        assert self._api is not None
        self._api.kill()
        await self._api.wait()

    async def kill_postmaster(self) -> None:
        """SIGKILL to the postmaster; its backends notice and end by themselves."""
        postmaster = postmaster_pid(self._server.data)
        family = [postmaster, *(child.pid for child in psutil.Process(postmaster).children(recursive=True))]
        kill(postmaster)
        await eventually(lambda: not any(map(is_alive, family)), START_SECONDS, "the end of every backend")

    # ------------------------------------------------------------------ ask

    async def create_task(self, definition: dict[str, Any]) -> None:
        """POST /ops/tasks."""
        async with httpx.AsyncClient(base_url=self._api_url, timeout=30) as client:
            answer = await client.post("/ops/tasks", json=definition)
        assert answer.is_success, answer.text

    async def events(self, *task_ids: str) -> list[tuple[str, str, dict[str, Any]]]:
        """The events of these tasks in order: task, type without its prefix, data."""
        query = "SELECT id, substr(type, 6), data FROM log.events WHERE kind = 'task' AND id = ANY($1) ORDER BY seq"
        return [(row[0], row[1], row[2]) for row in await self._fetch(query, list(task_ids))]

    async def statuses(self, *task_ids: str) -> dict[str, str]:
        """The tasks' statuses."""
        rows = await self._fetch("SELECT id, status FROM view.tasks WHERE id = ANY($1)", list(task_ids))
        return {row[0]: row[1] for row in rows}

    async def runs(self, *task_ids: str) -> list[int]:
        """The run ids of these tasks, in order."""
        query = "SELECT seq FROM log.events WHERE kind = 'task' AND id = ANY($1) AND type = 'task.claimed' ORDER BY seq"
        return [row[0] for row in await self._fetch(query, list(task_ids))]

    async def audit(self) -> str:
        """What `elruso audit` prints; "" when it finds the views identical to the log."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ops", "audit"),
            env=self._environment(DATABASE_URL=self._database_url),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed, _ = await process.communicate()
        return "" if process.returncode == 0 else printed.decode()

    def log_of(self, name: str) -> str:
        """What "runner" or "api" logged."""
        return (self._folder / f"{name}.log").read_text(errors="replace")

    # ------------------------------------------------------------------ parts

    @property
    def _database_url(self) -> str:
        return self._server.tcp_url()

    def _database_url_at(self, port: int) -> str:
        return self._database_url.replace(f":{self._server.port}/", f":{port}/")

    @property
    def _api_url(self) -> str:
        return f"http://127.0.0.1:{self._api_port}"

    async def _spawn(self, log: str, *arguments: str, **variables: str) -> asyncio.subprocess.Process:
        with (self._folder / log).open("ab") as file:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "ops", *arguments),
                env=self._environment(**variables),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )

    def _environment(self, **variables: str) -> dict[str, str]:
        fixed = {"ELRUSO_HOME": str(self.home), "PYTHONPATH": str(ROOT), "ELRUSO_LOG_FORMAT": "json"}
        return os.environ | LEASE | fixed | variables

    async def _api_answers(self) -> bool:
        assert self._api is not None
        assert self._api.returncode is None, self.log_of("api")
        try:
            async with httpx.AsyncClient(base_url=self._api_url, timeout=5) as client:
                return (await client.get("/health")).is_success
        except httpx.TransportError:
            return False

    def _postmaster_lives(self) -> bool:
        try:
            return is_alive(postmaster_pid(self._server.data))
        except OSError:
            return False

    async def _execute(self, statement: str) -> None:
        await (await self._connected()).execute(statement)

    async def _fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Ask on a connection that is opened again when the server has been away."""
        try:
            return list(await (await self._connected()).fetch(query, *arguments))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            if self._reader is not None:
                self._reader.terminate()
            self._reader = None
            return []

    async def _connected(self) -> asyncpg.Connection:
        if self._reader is None:
            self._reader = await asyncpg.connect(self._database_url, timeout=10)
            await self._reader.set_type_codec("json", encoder=str, decoder=msgspec.json.decode, schema="pg_catalog")
        return self._reader


@asynccontextmanager
async def open_stack(link: Link) -> AsyncIterator[Stack]:
    """A running stack in a folder of its own; nothing of it remains."""
    async with AsyncExitStack() as resources:
        folder = resources.enter_context(scratch_folder())
        opened = Stack(link, folder, resources)
        resources.push_async_callback(opened.close)
        prepare_project(opened.project)
        await opened.open()
        yield opened
