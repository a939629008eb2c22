"""Tasks that are created alone bring their hint along; many at once have connections of their own."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from asyncpg import Connection

from events.commands import Commands
from events.connect import Database
from events.errors import DuplicateId
from events.hint import CHANNEL, Hint
from events.listener import Intervals, Listener
from events.notifier import Notifier
from events.task import TaskCreated
from tests.events.conftest import Connect
from tests.support.waiting import eventually

ACTOR = "human:ana"
TASK = TaskCreated(title="t", priority=7)


class Engine:
    """What a process has that creates tasks and listens: the hints it acts on, and those that others hear."""

    def __init__(self, database: Database) -> None:
        self.notifier = Notifier(database)
        self.listener = Listener(database, self.notifier, Intervals())
        self.commands = Commands(database, notifier=self.notifier)
        self.told: list[Hint] = []
        self.heard: list[Hint] = []
        self.listener.subscribe(self.told.append)

    def hear(self, _connection: object, _process_id: int, _channel: str, payload: object) -> None:
        """Somebody else's ear."""
        self.heard.append(Hint.parse(str(payload)))


@pytest.fixture
async def engine(database: str, stranger: Connection) -> AsyncIterator[Engine]:
    """One that listens; a stranger listens too."""
    engine = Engine(Database(database, application="creation"))
    async with engine.commands:
        engine.notifier.start()
        engine.listener.start()
        await eventually(lambda: engine.listener.mode == "listening")
        await stranger.add_listener(CHANNEL, engine.hear)
        engine.told.clear()
        yield engine
        await engine.listener.stop()
        await engine.notifier.stop()


async def test_a_process_of_before_creates_lone_tasks(stranger: Connection) -> None:
    """It knows nothing of the time in the answer, and takes what comes first."""
    data = '{"title":"t"}'
    seq = await stranger.fetchval(
        "CALL log.create_and_tell($1, $2, $3, $4, $5, $6, NULL)", "a", ACTOR, None, data, 100, CHANNEL
    )
    assert seq == await stranger.fetchval("SELECT seq FROM log.events WHERE id = 'a'")


async def test_a_lone_task_tells_everybody_once(engine: Engine, stranger: Connection) -> None:
    """Creating one task wakes other processes without a notification of the notifier, and its own process once."""
    sent = engine.notifier.sent
    for _ in range(3):
        [created] = await engine.commands.create_tasks([(None, TASK)], ACTOR)
        hint = Hint(ready=(7, created.seq), events=created.seq)
        assert hint == engine.told[-1]
        await eventually(lambda hint=hint: hint in engine.heard)
    assert sent == engine.notifier.sent
    await stranger.execute("SELECT pg_notify($1, 'p')", CHANNEL)
    await eventually(lambda: engine.told[-1] == Hint(pause=True))
    assert 4 == len(engine.told)


async def test_its_hint_comes_after_its_commit(engine: Engine, connect: Connect) -> None:
    """Whoever is woken by a task's hint finds the task."""
    reader = await connect()
    found: list[int] = []
    for _ in range(20):
        engine.heard.clear()
        [created] = await engine.commands.create_tasks([(None, TASK)], ACTOR)
        await eventually(lambda: bool(engine.heard))
        found.append(await reader.fetchval("SELECT count(*) FROM view.ready WHERE id = $1", created.id))
    assert [1] * 20 == found


async def test_a_lone_task_may_exist_already(engine: Engine) -> None:
    """The same again is answered with what exists and wakes nobody; other content under its id is refused."""
    [first] = await engine.commands.create_tasks([("x", TASK)], ACTOR)
    told = len(engine.told)
    [again] = await engine.commands.create_tasks([("x", TASK)], ACTOR)
    assert (first.seq, False) == (again.seq, again.created)
    with pytest.raises(DuplicateId):
        await engine.commands.create_tasks([("x", TaskCreated(title="other"))], ACTOR)
    assert told == len(engine.told)


async def test_a_child_waits_for_its_parent(engine: Engine, stranger: Connection) -> None:
    """A lone task with a parent is created as any other child: it waits."""
    await engine.commands.create_tasks([("parent", TASK)], ACTOR)
    await engine.commands.create_tasks([("child", TaskCreated(title="c", depends_on=["parent"]))], ACTOR)
    assert ["parent"] == [row["id"] for row in await stranger.fetch("SELECT id FROM view.ready")]
    assert 1 == await stranger.fetchval("SELECT waiting_on FROM view.tasks WHERE id = 'child'")


async def test_many_at_once_have_connections_of_their_own(
    engine: Engine, stranger: Connection, connect: Connect
) -> None:
    """A big request holds up nothing else: others are answered while it waits; its connection opens when it comes."""
    connections = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'creation'"
    observer = await connect()
    before = await observer.fetchval(connections)
    await stranger.execute("BEGIN")
    await stranger.execute(
        "INSERT INTO log.events (kind, id, version, type, actor, data) "
        """VALUES ('task', 'held', 1, 'task.created', 'human:eve', '{"title": "t"}')"""
    )
    big = asyncio.create_task(engine.commands.create_tasks([("a", TASK), ("held", TASK)], ACTOR))
    blocked = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'creation' AND wait_event_type = 'Lock'"
    await eventually(lambda: observer.fetchval(blocked))
    [small] = await engine.commands.create_tasks([("small", TASK)], ACTOR)
    assert small.created
    assert not big.done()
    assert before + 1 == await observer.fetchval(connections)
    await stranger.execute("ROLLBACK")
    assert ["a", "held"] == [task.id for task in await big]
