"""Creating a task for somebody who waits: it is created whatever becomes of the rest, and whoever waited is told."""

from collections.abc import AsyncIterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import asyncpg
import pytest
from asyncpg import Connection

from events.claims import ClaimDesk, Wish
from events.commands import Commands
from events.connect import Database
from events.handover import Handed
from events.hint import Hint
from events.task import TaskCreated
from tests.events.conftest import Connect

ACTOR = "human:ana"
TASK = TaskCreated(title="t", priority=7)


class Queue:
    """One that waits, or (`present` false) has just left."""

    def __init__(self, present: bool = True) -> None:
        self.wish = Wish("r", 5, "runner:r", shown=True)
        self.settled: list[Handed | None] = []
        self.any_rests = True
        self._present = present

    def call(self) -> "Queue | None":
        """See Takers."""
        return self if self._present else None

    def settle(self, handed: Handed | None) -> None:
        """See Taker."""
        self.settled.append(handed)


class Engine:
    """Commands, and what they told."""

    def __init__(self, database: Database) -> None:
        self.told: list[Hint] = []
        self.commands = Commands(
            database, lambda hint: self.told.append(Hint.parse(str(hint)) if isinstance(hint, str) else hint)
        )

    async def create(self, task_id: str, queue: Queue) -> tuple[bool, int]:
        """One task; whether it was created now, and its seq."""
        [created] = await self.commands.create_tasks([(task_id, TASK)], ACTOR, takers=queue)
        return created.created, created.seq


@pytest.fixture
async def engine(database: str) -> AsyncIterator[Engine]:
    """On a database of its own."""
    engine = Engine(Database(database))
    async with engine.commands:
        yield engine


@pytest.fixture
async def reader(connect: Connect) -> Connection:
    """Somebody who looks."""
    return await connect()


async def status_of(reader: Connection, task_id: str) -> tuple[str, str | None]:
    """A task's status and its runner."""
    return tuple(await reader.fetchrow("SELECT status, claimed_by FROM view.tasks WHERE id = $1", task_id))


async def test_it_is_handed_over_and_nobody_else_is_woken(engine: Engine, reader: Connection) -> None:
    """Whoever waits has its run; followers are told of the claim, and no runner of anything."""
    queue = Queue()
    created, seq = await engine.create("a", queue)
    [handed] = queue.settled

    assert created
    assert handed is not None
    assert ("a", 1, 2, "r") == (handed.task.task_id, handed.task.attempt, handed.task.version, handed.runner)
    assert ("running", "r") == await status_of(reader, "a")
    assert seq < handed.task.run_id
    assert [Hint(events=handed.task.run_id)] == engine.told


async def test_the_next_claim_begins_behind_it(engine: Engine, reader: Connection) -> None:
    """What comes before it later is found all the same, and so is what comes after it."""
    await engine.create("a", Queue())
    for task_id, priority in (("before", 3), ("after", 9)):
        await engine.commands.create_tasks([(task_id, TaskCreated(title="t", priority=priority))], ACTOR)
        engine.commands.hear(engine.told[-1])
    claimed = (await engine.commands.claim("s", 5, "runner:s")).tasks
    assert ["before", "after"] == [task.task_id for task in claimed]


async def test_nobody_waits_any_more(engine: Engine, reader: Connection) -> None:
    """The task is created, and runners are told."""
    _created, seq = await engine.create("a", Queue(present=False))
    assert ("ready", None) == await status_of(reader, "a")
    assert [Hint(ready=(7, seq), events=seq)] == engine.told


@contextmanager
def failing(error: Exception, written: bool) -> Any:
    """The statement fails; or (`written`) it does not, but its answer is lost."""
    real = ClaimDesk.create_and_claim

    async def fail(desk: ClaimDesk, *arguments: Any) -> Any:
        if written:
            await real(desk, *arguments)
        raise error

    with patch.object(ClaimDesk, "create_and_claim", fail):
        yield


async def test_the_server_refuses(engine: Engine, reader: Connection) -> None:
    """It is created in the ordinary way; whoever waited waits on."""
    queue = Queue()
    with failing(asyncpg.DeadlockDetectedError("deadlock"), written=False):
        created, seq = await engine.create("a", queue)
    assert (True, [None]) == (created, queue.settled)
    assert ("ready", None) == await status_of(reader, "a")
    assert [Hint(ready=(7, seq), events=seq)] == engine.told


@pytest.mark.parametrize("written", [False, True])
async def test_the_connection_is_lost(engine: Engine, reader: Connection, written: bool) -> None:
    """It is created once; a claim whose answer was lost is the runner's, who hears of it by its heartbeats."""
    queue = Queue()
    with failing(asyncpg.ConnectionDoesNotExistError("gone"), written):
        created, _seq = await engine.create("a", queue)
    assert (not written, [None]) == (created, queue.settled)
    assert ("running" if written else "ready", "r" if written else None) == await status_of(reader, "a")
    beat = await engine.commands.heartbeat("r", None, "runner:r", 15.0)
    assert written == bool(beat.held)
    released = await engine.commands.release("r", None, "it knows nothing of it", "runner:r")
    assert (["a"] if written else []) == released


async def test_a_runner_with_quotes_in_its_name(engine: Engine, reader: Connection) -> None:
    """Its name is data."""
    queue = Queue()
    queue.wish = Wish('r"\\ñ', 1, "runner:x", shown=True)
    await engine.create("a", queue)
    assert ("running", 'r"\\ñ') == await status_of(reader, "a")
