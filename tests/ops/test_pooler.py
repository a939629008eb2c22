"""Behind a transaction-mode pooler, where each transaction may run on another server session, everything works."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from events.commands import Commands
from events.connect import WRITER, Database
from events.errors import Unavailable
from events.reports import Report
from events.task import TaskCreated, TaskDone, TaskFailed, TaskStarted
from ops.migrate import migrate, read_schema
from ops.postgres.server import Server
from projections.audit import audit
from projections.rebuild import rebuild
from runner.handlers import Handlers, Task
from runner.postgres_link import PostgresLink
from tests.runner.working import settings, working
from tests.support.pooler import PROGRAM, SWALLOW, Pooler, pooler
from tests.support.postgres import scratch_folder
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is not installed (apt-get install pgbouncer)")

ACTOR = "runner:r"
SESSIONS = 5  # a rebuild needs four at once, and a migration holds one meanwhile


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the pooler's account can enter."""
    with scratch_folder() as created:
        yield created


@pytest.fixture
def one_session(postgres: Server, folder: Path) -> Iterator[Pooler]:
    """A pooler with a single session to the server, which all its clients take turns on."""
    with pooler(postgres, folder, 1) as running:
        yield running


@pytest.fixture
def several_sessions(postgres: Server, folder: Path) -> Iterator[Pooler]:
    """A pooler with SESSIONS sessions to the server."""
    with pooler(postgres, folder, SESSIONS) as running:
        yield running


def through(pooler: Pooler, url: str, listen_url: str | None = None, pooled: bool = True) -> Database:
    """The database of that direct address, through the pooler."""
    found = re.search(r"@/(\w+)\?", url)
    assert found
    return Database(pooler.url(found[1]), listen_url, pooled)


def silent(*_progress: int) -> None:
    """No progress is shown."""


async def test_a_whole_life(several_sessions: Pooler, empty_database: str) -> None:
    """Migrating, creating, claiming, reporting, failing, handing back, a rebuild and an audit all work."""
    database = through(several_sessions, empty_database)
    assert (await migrate(database.connect, rebuild=rebuild)).created
    async with Commands(database) as commands:
        tasks = [(f"t{number}", TaskCreated("a task")) for number in range(4)]
        await commands.create_tasks([*tasks, ("child", TaskCreated("a child", depends_on=["t0"]))], "human:test")
        first, second, third, _ = (await commands.claim("r", 4, ACTOR)).tasks
        reports = [
            Report(first.task_id, first.run_id, TaskStarted(first.run_id), ACTOR),
            Report(first.task_id, first.run_id, TaskDone(first.run_id), ACTOR),
            Report(second.task_id, second.run_id, TaskFailed(second.run_id, "planted"), ACTOR),
        ]
        assert [None] * 3 == await commands.report(reports)
        assert ["t2"] == await commands.hand_back([(third.task_id, third.run_id)], "a test", ACTOR)
        assert not (await commands.heartbeat("r", None, ACTOR, 15.0)).stuck
    await rebuild(database.connect, read_schema().view, silent)
    report = await audit(database.connect, silent)
    assert report.identical, report.differences


async def test_one_process_after_the_other(one_session: Pooler, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process leaves in the pooler's sessions is not in the way of the next, whose cursors are counted anew."""
    for _process in range(2):
        monkeypatch.setattr(asyncpg.connection, "_uid", 0)
        connection = await through(one_session, database).connect()
        async with connection.transaction():
            assert [1, 2, 3] == [row[0] async for row in connection.cursor("SELECT generate_series(1, 3)")]
        connection.terminate()


async def test_statements_are_not_mixed_up(one_session: Pooler, database: str) -> None:
    """Clients that share a server session get the answers to their own statements."""
    connections = [await through(one_session, database).connect() for _ in range(8)]

    async def ask(connection: asyncpg.Connection, number: int) -> None:
        for turn in range(20):
            assert number * 100 + turn == await connection.fetchval(f"SELECT {number * 100} + $1::integer", turn)

    await asyncio.gather(*(ask(connection, number) for number, connection in enumerate(connections)))
    await asyncio.gather(*(connection.close() for connection in connections))


async def test_a_transaction_brings_its_settings(one_session: Pooler, database: str) -> None:
    """Commands are planned as over a direct connection, and nothing of it stays behind for the pooler's others."""
    pooled = through(one_session, database)
    connection, stranger = await pooled.connect_writer(), await asyncpg.connect(pooled.url, statement_cache_size=0)
    for name, value in {**WRITER, "elruso.managed": "on", "TimeZone": "UTC"}.items():
        assert value == await connection.fetchval("SELECT current_setting($1)", name)
    async with pooled.pool(1) as pool:
        assert "UTC" == await pool.fetchval("SELECT current_setting('TimeZone')")
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        assert "on" == await connection.fetchval("SELECT current_setting('elruso.managed')")
    assert "on" == await stranger.fetchval("SHOW enable_seqscan")
    assert not await stranger.fetchval("SELECT current_setting('elruso.managed', true)")
    await connection.close()
    await stranger.close()


async def test_no_hint_in_the_writing_transaction(several_sessions: Pooler, database: str) -> None:
    """A command through the pooler sends no notification of its own, as over a direct connection."""
    heard: list[str] = []
    direct = await asyncpg.connect(database)
    await direct.add_listener("elruso", lambda *notification: heard.append(str(notification[-1])))
    async with Commands(through(several_sessions, database)) as commands:
        await commands.create_tasks([("t", TaskCreated("a task"))], "human:test")
        await commands.create_tasks([(None, TaskCreated("a task")), (None, TaskCreated("a task"))], "human:test")
    await direct.execute("SELECT pg_notify('elruso', 'last')")
    await eventually(lambda: "last" in heard)
    assert ["last"] == heard
    await direct.close()


@pytest.mark.parametrize("direct", [False, True], ids=["polling", "listening"])
async def test_a_worker_gets_its_work(several_sessions: Pooler, database: str, direct: bool) -> None:
    """A runner polls every second without a direct address, is woken with one, says which, and gets its work."""
    pooled = through(several_sessions, database, listen_url=database if direct else None)
    handlers, ran = Handlers(), asyncio.Event()

    @handlers.task("run")
    async def run(task: Task) -> None:
        ran.set()

    chosen = settings()
    async with PostgresLink(pooled, chosen) as link, working(link, handlers, chosen), Commands(pooled) as commands:
        await eventually(lambda: link.mode == ("listening" if direct else "polling"))
        task = TaskCreated("a task", task_type="python", params={"handler": "run"})
        await commands.create_tasks([("t", task)], "human:test")  # nobody is told: only polling finds it
        if direct:
            await _say(database, "*")
        async with asyncio.timeout(1 if direct else 4):
            await ran.wait()

        async def told() -> bool:
            return await _told_mode(database) == link.mode

        await eventually(told, describe="the runner's status tells its mode")


async def test_a_pooler_nobody_mentioned(several_sessions: Pooler, database: str) -> None:
    """A pooler that refuses our settings is named as one, with the setting that declares it."""
    undeclared = through(several_sessions, database, pooled=False)
    with pytest.raises(Unavailable, match="ELRUSO_POOLER=1"):
        await undeclared.connect()
    with pytest.raises(Unavailable, match="ELRUSO_POOLER=1"):
        async with undeclared.pool(1):
            pass


async def test_a_pooler_that_hides(postgres: Server, folder: Path, database: str) -> None:
    """One that swallows our settings gives itself away by its sessions, and the refusal names the same setting."""
    with pooler(postgres, folder, 1, ignore_startup_parameters=SWALLOW) as hiding:
        undeclared = through(hiding, database, pooled=False)
        async with Commands(undeclared) as commands, Commands(undeclared) as others:
            await commands.create_tasks([("t", TaskCreated("a task"))], "human:test")
            direct = await asyncpg.connect(hiding.url(undeclared.url.rpartition("/")[2]), statement_cache_size=0)
            await direct.execute("DEALLOCATE ALL")
            with pytest.raises(Unavailable, match="ELRUSO_POOLER=1"):
                await commands.create_tasks([("u", TaskCreated("a task"))], "human:test")
            await others.create_tasks([("v", TaskCreated("a task"))], "human:test")
            await direct.close()


async def _told_mode(url: str) -> str | None:
    connection = await asyncpg.connect(url)
    mode: str | None = await connection.fetchval("SELECT meta->>'mode' FROM view.runners")
    await connection.close()
    return mode


async def _say(url: str, hint: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("SELECT pg_notify('elruso', $1)", hint)
    await connection.close()
