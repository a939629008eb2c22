"""The database's clock is set back: during a statement, and by an hour."""

from datetime import UTC, datetime, timedelta

import pytest
from asyncpg import Connection

from events.commands import Commands
from events.connect import Database
from events.errors import Unavailable
from events.task import TaskCreated
from projections.views import Views

STEPPED = """
    CREATE SEQUENCE public.readings;
    CREATE FUNCTION public.stepped() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
        SELECT clock_timestamp() + (nextval('public.readings') <= {often})::integer * interval '1 second' $$;
    ALTER TABLE log.events ALTER at SET DEFAULT public.stepped();
"""
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LEASE = 15.0


async def test_a_step_during_a_statement_is_survived(database: str, connection: Connection) -> None:
    """The event was dated before the clock was set back, and the guard looks afterwards: it is written again."""
    await connection.execute(STEPPED.format(often=2))
    async with Commands(Database(database)) as commands:
        [created] = await commands.create_tasks([("a", TaskCreated("a"))], "human:ana")
    assert created.created
    assert 1 == await connection.fetchval("SELECT count(*) FROM log.events")


async def test_a_clock_that_never_agrees_is_no_fault_of_the_request(
    database: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller is asked to send it again; the request is not called wrong."""
    monkeypatch.setattr("events.committer.GIVE_UP_SECONDS", 1.0)
    await connection.execute(STEPPED.format(often=1000))
    async with Commands(Database(database)) as commands:
        with pytest.raises(Unavailable, match="the time is the database's"):
            await commands.create_tasks([("a", TaskCreated("a"))], "human:ana")


class SteeredDatabase(Database, frozen=True):
    """Its clock stands at `now`."""

    now: datetime = NOON

    async def connect_writer(self) -> Connection:
        """As production's, but for the time."""
        connection = await Database.connect_writer(self)
        await connection.execute("SELECT set_config('elruso.now', $1, false)", self.now.isoformat())
        return connection


@pytest.mark.parametrize("beats", [True, False], ids=["runner", "client without heartbeats"])
async def test_a_runner_that_died_before_the_step_loses_its_tasks(
    database: str, connection: Connection, beats: bool
) -> None:
    """Its last sign of life lies an hour ahead; what counts is how long ago others wrote after it."""

    def commands_after(**after: float) -> Commands:
        return Commands(SteeredDatabase(database, now=NOON + timedelta(**after)))

    async with commands_after(hours=1) as commands:
        await commands.create_tasks([("dead", TaskCreated("a")), ("alive", TaskCreated("b"))], "human:ana")
        if beats:
            await commands.heartbeat("dead", None, "runner:dead", LEASE)
        await commands.claim_task("dead", "dead", "runner:dead")
        await commands.heartbeat("alive", None, "runner:alive", LEASE)
        await commands.claim_task("alive", "alive", "runner:alive")
    async with commands_after(hours=0) as commands:
        assert not (await commands.heartbeat("alive", None, "runner:alive", LEASE)).stuck
        assert 0 == (await commands.sweep(LEASE)).requeued
    async with commands_after(seconds=LEASE + 1) as commands:
        assert (await commands.heartbeat("alive", None, "runner:alive", LEASE)).stuck
        assert 1 == (await commands.sweep(LEASE)).requeued
        assert not (await commands.heartbeat("alive", None, "runner:alive", LEASE)).stuck
    assert {"dead": "ready", "alive": "running"} == dict(await connection.fetch("SELECT id, status FROM view.tasks"))


async def test_a_runner_seen_in_the_future_is_not_online(database: str) -> None:
    """It has not been seen since the clock was set back."""
    async with Commands(SteeredDatabase(database, now=datetime.now(UTC) + timedelta(hours=1))) as commands:
        await commands.heartbeat("r", None, "runner:r", LEASE)
    async with Database(database).pool(1) as pool:
        views = Views(pool)
        assert b'"status":"offline"' in bytes(await views.runners())
        assert b'"online":0' in bytes(await views.metrics()).replace(b" ", b"")
