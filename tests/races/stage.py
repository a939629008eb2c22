"""A stage for two: the first acts and does not commit yet; the second acts and is seen to wait; then the first commits.

Who waits is read from PostgreSQL, so nothing here depends on time.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
from asyncpg import Connection
from msgspec import field

from events.commands import Commands
from events.connect import Database
from events.statements import load_statements
from events.task import TaskCreated
from tests.support.waiting import eventually

SQL = load_statements("events", "commands.sql")
WAITING = "SELECT count(*) FROM unnest($1::integer[]) AS pid WHERE cardinality(pg_blocking_pids(pid)) > 0"
HUMAN = "human:ana"


class RememberingDatabase(Database, frozen=True):
    """Knows the sessions it opened, so that the stage can see which of them wait."""

    pids: list[int] = field(default_factory=list)

    async def connect_writer(self) -> Connection:
        """As production's."""
        connection = await Database.connect_writer(self)
        self.pids.append(connection.get_server_pid())
        return connection


class Stage:
    """`first` acts first, `second` or `commands` come second, `observer` looks on."""

    def __init__(self, first: Connection, second: Connection, observer: Connection, commands: Commands) -> None:
        self.first = first
        self.second = second
        self.observer = observer
        self.commands = commands
        self._seconds = [second.get_server_pid()]

    def see(self, pids: list[int]) -> None:
        """These sessions come second too."""
        self._seconds += pids

    async def create(self, *ids: str, **definition: Any) -> None:
        """Tasks, one by one."""
        for task_id in ids:
            await self.commands.create_tasks([(task_id, TaskCreated(task_id, **definition))], HUMAN)

    async def claim(self, task_id: str) -> int:
        """A claim by name; the run."""
        return (await self.commands.claim_task("r", task_id, "runner:r")).run_id

    async def do(self, connection: Connection, statement: str, *arguments: Any) -> list[Any]:
        """One of the commands' own statements."""
        return list(await connection.fetch(SQL[statement], *arguments))

    async def meanwhile(self, doing: Awaitable[Any]) -> "asyncio.Task[Any]":
        """Starts what the second does, and returns once it waits for a lock."""
        task = asyncio.ensure_future(_whole(doing))

        async def waits() -> int:
            assert not task.done(), f"nobody waited: {task.result()!r}"
            waiting: int = await self.observer.fetchval(WAITING, self._seconds)
            return waiting

        await eventually(waits, describe="the second one waits")  # type: ignore[arg-type]
        return task

    async def task(self, task_id: str) -> Any:
        """The task's row."""
        return await self.observer.fetchrow("SELECT * FROM view.tasks WHERE id = $1", task_id)

    async def ready(self) -> list[str]:
        """What the claims see, in their order."""
        return [
            row["id"] for row in await self.observer.fetch("SELECT id FROM view.ready ORDER BY priority, position, id")
        ]

    async def types(self, task_id: str) -> list[str]:
        """What happened to a task."""
        query = "SELECT type FROM log.events WHERE kind = 'task' AND id = $1 ORDER BY version"
        return [row["type"].removeprefix("task.") for row in await self.observer.fetch(query, task_id)]


async def _whole(doing: Awaitable[Any]) -> Any:
    return await doing


@asynccontextmanager
async def a_stage(url: str) -> AsyncIterator[Stage]:
    """The stage on this database."""
    database = RememberingDatabase(url)
    async with AsyncExitStack() as stack:
        commands = await stack.enter_async_context(Commands(database))
        first, second = await database.connect_writer(), await database.connect_writer()
        observer = await asyncpg.connect(url)
        for connection in (first, second, observer):
            stack.push_async_callback(connection.close)
        stage = Stage(first, second, observer, commands)
        stage.see([pid for pid in database.pids if pid != first.get_server_pid()])
        yield stage
