"""Runners at work, in this process and in processes of their own, and what the log says of them."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO

import asyncpg
from msgspec import Struct

from events.commands import Commands
from events.connect import Database
from events.task import Step, TaskCreated
from runner.handlers import Handlers
from runner.link import Link
from runner.postgres_link import PostgresLink
from runner.redact import Redactor
from runner.run import Context
from runner.settings import Settings
from runner.worker import Worker
from runner.workspace import Workspaces

ROOT = Path(__file__).parent.parent.parent
LEASE = {"ELRUSO_HEARTBEAT_SECONDS": "0.4", "ELRUSO_LEASE_SECONDS": "1.5"}


class Working(Struct):
    """A runner at work in this process."""

    worker: Worker
    run: "asyncio.Task[None]"

    async def stop(self, hard: bool = False) -> None:
        """Stop it and see it end."""
        self.worker.stop(hard)
        await self.run


def settings(**more: Any) -> Settings:
    """Settings with a short lease."""
    return Settings(**({"heartbeat_seconds": 0.3, "lease_seconds": 1.5, "concurrency": 8} | more))


def context(handlers: Handlers | None = None) -> Context:
    """What runs need, below a new folder."""
    return Context(
        workspaces=Workspaces(Path(tempfile.mkdtemp(prefix="elruso-home-")) / "runs"),
        redactor=Redactor([]),
        handlers=handlers or Handlers(),
        environment=dict(os.environ),
    )


@asynccontextmanager
async def working(link: Link, handlers: Handlers | None, chosen: Settings) -> AsyncIterator[Working]:
    """A runner over any link, stopped with the block if it was not before."""
    worker = Worker(link, context(handlers), chosen)
    work = Working(worker, asyncio.create_task(worker.run()))
    try:
        yield work
    finally:
        await work.stop()


@asynccontextmanager
async def working_on(url: str, handlers: Handlers | None = None, **more: Any) -> AsyncIterator[Working]:
    """A runner over the database."""
    chosen = settings(**more)
    async with PostgresLink(Database(url), chosen) as link, working(link, handlers, chosen) as work:
        yield work


class Ledger:
    """Creates tasks and reads what became of them."""

    def __init__(self, url: str, commands: Commands, connection: asyncpg.Connection) -> None:
        self.url = url
        self.commands = commands
        self.connection = connection

    async def add(self, *tasks: tuple[str, TaskCreated]) -> None:
        """Create tasks."""
        await self.commands.create_tasks(tasks, "human:test")

    async def shell(self, number: int, command: str, prefix: str = "t") -> None:
        """Create shell tasks t1, t2, … of one step."""
        await self.add(
            *[(f"{prefix}{n}", TaskCreated("a task", steps=[Step("one", command)])) for n in range(1, number + 1)]
        )

    async def python(self, number: int, handler: str, **definition: Any) -> None:
        """Create python tasks t1, t2, …"""
        task = TaskCreated("a task", task_type="python", params={"handler": handler}, **definition)
        await self.add(*[(f"t{n}", task) for n in range(1, number + 1)])

    async def count(self, status: str) -> int:
        """How many tasks have that status."""
        query = "SELECT count(*) FROM view.tasks WHERE status = $1"
        return int(await self.connection.fetchval(query, status))

    async def statuses(self) -> dict[str, int]:
        """How many tasks have which status."""
        rows = await self.connection.fetch("SELECT status, count(*) AS tasks FROM view.tasks GROUP BY status")
        return {row["status"]: row["tasks"] for row in rows}

    async def types(self, task_id: str) -> list[str]:
        """The types of a task's events, without their prefix, in order."""
        query = "SELECT substr(type, 6) FROM log.events WHERE kind = 'task' AND id = $1 ORDER BY version"
        return [row[0] for row in await self.connection.fetch(query, task_id)]

    async def ended_twice(self) -> list[str]:
        """The tasks with more than one task.done."""
        query = "SELECT id FROM log.events WHERE type = 'task.done' GROUP BY id HAVING count(*) > 1"
        return [row[0] for row in await self.connection.fetch(query)]

    async def holders(self) -> dict[str, int]:
        """Which runner holds how many tasks."""
        rows = await self.connection.fetch("SELECT runner, count(*) AS tasks FROM view.running GROUP BY runner")
        return {row["runner"]: row["tasks"] for row in rows}


@asynccontextmanager
async def ledger(url: str) -> AsyncIterator[Ledger]:
    """A Ledger of the database. Its commands wake nobody: a test that needs that uses a notifier."""
    connection = await asyncpg.connect(url)
    try:
        async with Commands(Database(url)) as commands:
            yield Ledger(url, commands, connection)
    finally:
        await connection.close()


@asynccontextmanager
async def runner_process(
    url: str, home: Path, drain: str = "0", lease: Mapping[str, str] = LEASE
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`elruso runner run` in a process of its own, with 20 slots and a short lease; killed with the block.

    Its log is home/log. `lease`: other settings of its lease.
    """
    place = {"DATABASE_URL": url, "ELRUSO_HOME": str(home), "PYTHONPATH": str(ROOT)}
    environment = os.environ | dict(lease) | place | {"ELRUSO_DRAIN_SECONDS": drain}
    log = _open_log(home)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ops", "runner", "run", "--concurrency", "20"),
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )
    log.close()
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def is_alive(pid: int) -> bool:
    """True while a process runs; one that nobody has buried yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _open_log(home: Path) -> BinaryIO:
    home.mkdir(exist_ok=True)
    return (home / "log").open("wb")
