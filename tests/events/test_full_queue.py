"""The server's queue of notifications is full: work is written all the same, and found by polling."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import structlog
from asyncpg import Connection

from events.commands import Commands
from events.connect import Database
from events.hint import Hint
from events.listener import Intervals, Listener
from events.notifier import QUEUE_FULL, Notifier
from events.task import TaskCreated
from ops.postgres.control import use
from ops.postgres.server import SUPERUSER, Server
from tests.support.postgres import MAJOR, create_database, ensure_template, scratch_folder
from tests.support.waiting import eventually

SMALLEST = "ALTER SYSTEM SET max_notify_queue_pages = 64"
FILL = """
    CREATE PROCEDURE fill() LANGUAGE plpgsql AS $$ BEGIN
        LOOP PERFORM pg_notify('other', repeat('x', 7000) || n) FROM generate_series(1, 20) AS n; COMMIT; END LOOP;
    END $$
"""
INSERT = """
    INSERT INTO log.events (kind, id, version, type, actor, data)
    VALUES ('task', 'foreign', 1, 'task.created', 'human:ana', '{"title": "A"}')
"""
TOKEN = "INSERT INTO log.tokens (name, role, digest) VALUES ('t', 'viewer', 'x')"

pytestmark = pytest.mark.skipif(MAJOR < 17, reason="the queue's size cannot be set")


@pytest.fixture
async def small_server() -> AsyncIterator[Server]:
    """A server with the smallest queue there is."""
    with scratch_folder() as folder:
        with use(folder, MAJOR, unsafe=True) as server:
            admin = await asyncpg.connect(server.url("postgres", SUPERUSER))
            await admin.execute(SMALLEST)
            await admin.close()
        with use(folder, MAJOR, unsafe=True) as server:
            await ensure_template(server)
            yield server


async def fill(url: str, sleeper: Connection) -> None:
    """`sleeper` listens in an open transaction, so nothing of what is sent can be forgotten."""
    await sleeper.add_listener("other", lambda *_: None)
    await sleeper.execute("BEGIN; SELECT 1")
    sender = await asyncpg.connect(url)
    await sender.execute(FILL)
    with pytest.raises(asyncpg.ProgramLimitExceededError):
        await sender.execute("CALL fill()")
    await sender.close()


async def test_a_full_queue_costs_no_write(small_server: Server) -> None:
    """Foreign writers, tokens and lone creations are written; the notifier says so once, the listener polls; with room
    in the queue both recover."""
    url = small_server.url(await create_database(small_server))
    sleeper, foreign = await asyncpg.connect(url), await asyncpg.connect(url)
    heard: list[Hint] = []
    database = Database(url)
    notifier = Notifier(database)
    listener = Listener(database, notifier, Intervals(ping=0.2, ping_deadline=0.5, poll=0.05, idle_poll=0.1))
    listener.subscribe(heard.append)
    async with notifier, Commands(database, notifier=notifier) as commands:
        listener.start()
        await eventually(lambda: listener.mode == "listening", describe="it listens")
        await fill(url, sleeper)
        with structlog.testing.capture_logs() as lines:
            await foreign.execute(INSERT)
            await foreign.execute(TOKEN)
            [created] = await commands.create_tasks([("lone", TaskCreated("a"))], "human:ana")
            assert created.created
            await eventually(lambda: listener.mode == "polling", describe="it polls")
            heard.clear()
            await eventually(lambda: Hint.everything in heard, describe="work is looked for")
            await commands.create_tasks([("a", TaskCreated("a")), ("b", TaskCreated("b"))], "human:ana")
            await eventually(lambda: not notifier.working, describe="the notifier knows")
            await sleeper.close()
            await eventually(lambda: listener.mode == "listening", describe="it listens again")
            await eventually(lambda: notifier.working, describe="hints leave again")
        listening = [line for line in lines if line["event"] == "notifier.failing"]
        assert [QUEUE_FULL] == [line["error"] for line in listening]
        await listener.stop()
    assert 4 == await foreign.fetchval("SELECT count(*) FROM view.ready")
    await foreign.close()
