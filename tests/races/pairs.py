"""Every two commands at the same moment: the first is written and not committed, the second comes, the first commits.

Many worlds in one database, one for each pair; the audit at the end names the world that is wrong, and so the pair.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import asyncpg
from asyncpg import Connection
from msgspec import field

from events.commands import Commands
from events.connect import Database
from events.errors import ElRusoError
from projections.audit import AuditReport, audit
from tests.races.stage import WAITING, RememberingDatabase
from tests.support.waiting import eventually

Command = Callable[[Commands, str, dict[str, int]], Awaitable[Any]]
"""What is done in a world, by the prefix of its ids; the runs in flight, by task."""
RUNS = "SELECT id, run_id FROM view.tasks WHERE run_id IS NOT NULL"


class HeldDatabase(Database, frozen=True):
    """What its commands write stays uncommitted while it is held."""

    connections: list[Connection] = field(default_factory=list)

    async def connect_writer(self) -> Connection:
        """As production's."""
        connection = await Database.connect_writer(self)
        self.connections.append(connection)
        return connection

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Everything until the end of the block is one transaction."""
        transactions = [connection.transaction() for connection in self.connections]
        for transaction in transactions:
            await transaction.start()
        yield
        for transaction in transactions:
            await transaction.commit()


async def play(url: str, worlds: Sequence[str], first: Command, seconds: Sequence[Command]) -> AuditReport:
    """Stages `first` against each of `seconds`, each in its world; what the audit says of it all."""
    held, database = HeldDatabase(url), RememberingDatabase(url)
    async with AsyncExitStack() as stack:
        early = await stack.enter_async_context(Commands(held))
        late = await stack.enter_async_context(Commands(database))
        observer = await asyncpg.connect(url)
        stack.push_async_callback(observer.close)
        runs = {row["id"]: row["run_id"] for row in await observer.fetch(RUNS)}
        for world, second in zip(worlds, seconds, strict=True):
            async with held.held():
                await _refusable(first(early, world, runs))
                coming = asyncio.create_task(_refusable(second(late, world, runs)))

                async def is_decided(coming: "asyncio.Task[None]" = coming) -> bool:
                    return coming.done() or bool(await observer.fetchval(WAITING, database.pids))

                await eventually(is_decided, describe="the second ends or waits", poll_seconds=0.002)  # type: ignore[arg-type]
            await coming
    return await audit(lambda: asyncpg.connect(url), lambda *_: None)


async def _refusable(doing: Awaitable[Any]) -> None:
    """Whichever comes second may be refused."""
    with suppress(ElRusoError):
        await doing
