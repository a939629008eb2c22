"""Hints leave after the commit, at once when idle, together in a burst, and again after a failure."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from asyncpg import Connection

from events.connect import Database
from events.hint import CHANNEL, NOTHING, Hint
from events.log import NewEvent, append
from events.notifier import Notifier
from events.runner import RunnerHeartbeat
from tests.events.conftest import Connect
from tests.support.proxy import proxy_before
from tests.support.waiting import eventually

BURST = 10_000
WAITING_FOR_NOTIFY = """
    SELECT count(*) FROM pg_locks
    WHERE locktype = 'object' AND classid = 'pg_database'::regclass AND objid = 0 AND NOT granted
"""


@pytest.fixture
async def notifier(database: str) -> AsyncIterator[Notifier]:
    """A notifier that runs."""
    async with Notifier(Database(database, application="notifier")) as notifier:
        yield notifier


class Ear:
    """What arrives on the channel, merged and counted."""

    def __init__(self) -> None:
        self.hint = NOTHING
        self.count = 0

    def hear(self, _connection: object, _process_id: int, _channel: str, payload: object) -> None:
        self.hint |= Hint.parse(str(payload))
        self.count += 1


@pytest.fixture
async def ear(stranger: Connection) -> Ear:
    """Somebody who listens."""
    ear = Ear()
    await stranger.add_listener(CHANNEL, ear.hear)
    return ear


async def test_a_hint_arrives(notifier: Notifier, ear: Ear) -> None:
    """A wake-up reaches other sessions as it was said, in words or as a Hint."""
    notifier.wake("r:100:4711")
    notifier.wake(Hint(events=5))
    await eventually(lambda: ear.hint == Hint(ready=(100, 4711), events=5))


async def test_a_burst_costs_a_handful_of_notifications(notifier: Notifier, ear: Ear) -> None:
    """Ten thousand wake-ups in a row become a few notifications that say the most urgent and the latest."""
    for number in range(BURST):
        notifier.wake(Hint(ready=(100, BURST - number), events=number))
    await eventually(lambda: ear.hint == Hint(ready=(100, 1), events=BURST - 1))
    await eventually(lambda: ear.count == notifier.sent, describe="what was heard is what was sent")
    assert notifier.sent <= 3


async def test_what_gathers_during_a_round_trip_goes_with_the_next(notifier: Notifier, ear: Ear) -> None:
    """Wake-ups that never stop are sent one notification per round trip, and the last one is not forgotten."""
    for number in range(2000):
        notifier.wake(Hint(ready=(100, 2000 - number)))
        await asyncio.sleep(0)
    await eventually(lambda: ear.hint == Hint(ready=(100, 1)))
    assert 1 < notifier.sent < 1000


async def test_news_of_events_may_gather(notifier: Notifier, ear: Ear) -> None:
    """Hints that wake nobody but followers are not sent one by one, and the last one is not forgotten."""
    for number in range(2000):
        notifier.wake(Hint(events=number))
        await asyncio.sleep(0)
    await eventually(lambda: ear.hint == Hint(events=1999))
    assert notifier.sent < 20


async def test_waiters_of_the_same_process_are_told_directly(database: str) -> None:
    """A subscriber of the notifier hears the hint before wake returns, without any database."""
    notifier = Notifier(Database(database))
    heard: list[Hint] = []
    forget = notifier.subscribers.add(heard.append)
    notifier.wake("p")
    assert [Hint(pause=True)] == heard
    forget()
    forget()
    notifier.wake("p")
    assert 1 == len(heard)


async def test_a_subscriber_that_fails_disturbs_nobody(database: str) -> None:
    """An error in one callback reaches neither the writer nor the next callback."""
    notifier = Notifier(Database(database))
    heard: list[Hint] = []
    notifier.subscribers.add(lambda hint: heard.remove(hint))
    notifier.subscribers.add(heard.append)
    notifier.wake("p")
    assert [Hint(pause=True)] == heard


async def test_start_and_stop_may_be_repeated(database: str, ear: Ear) -> None:
    """What was said before the start is sent by it, what is pending at the stop is sent by that; twice is once."""
    notifier = Notifier(Database(database))
    notifier.wake("e:1")
    notifier.start()
    notifier.start()
    await eventually(lambda: ear.hint.events == 1)
    notifier.wake("e:2")
    await notifier.stop()
    await notifier.stop()
    await eventually(lambda: ear.hint.events == 2)
    notifier.start()
    notifier.wake("e:3")
    await eventually(lambda: ear.hint.events == 3)
    await notifier.stop()


async def test_a_stop_does_not_wait_for_a_database_that_is_gone() -> None:
    """With nobody to tell, the notifier gives up after its grace of a second."""
    notifier = Notifier(Database("postgresql://nobody@127.0.0.1:1/nothing"))
    notifier.start()
    notifier.wake("*")
    await eventually(lambda: not notifier.working)
    async with asyncio.timeout(5):
        await notifier.stop()


async def test_a_killed_connection_is_replaced(notifier: Notifier, ear: Ear, stranger: Connection) -> None:
    """After its backend was terminated the notifier sends the hint over a new one."""
    notifier.wake("e:1")
    await eventually(lambda: ear.hint.events == 1)
    assert await stranger.fetchval("SELECT pg_terminate_backend($1, 5000)", notifier.process_id)
    notifier.wake("e:2")
    await eventually(lambda: ear.hint.events == 2)
    assert notifier.working


async def test_a_connection_that_fell_silent_is_replaced(tcp_database: str, ear: Ear) -> None:
    """A hint that gets no answer in time is sent again over a new connection."""
    async with proxy_before(tcp_database) as proxy:
        notifier = Notifier(Database(proxy.url), send_seconds=0.3)
        notifier.start()
        notifier.wake("e:1")
        await eventually(lambda: ear.hint.events == 1)
        proxy.freeze()
        notifier.wake("e:2")
        await eventually(lambda: ear.hint.events == 2)
        await notifier.stop()


async def test_our_own_sessions_do_not_notify_by_writing(connect: Connect, notifier: Notifier, ear: Ear) -> None:
    """An append of ours sends nothing by itself: a NOTIFY in it would line up every commit of the server."""
    connection = await connect()
    await append(connection, NewEvent.of(RunnerHeartbeat(), "one", 1, "system"))
    notifier.wake("p")
    await eventually(lambda: ear.hint)
    assert Hint(pause=True) == ear.hint


async def test_writers_never_queue_up_behind_a_notification(
    connect: Connect, notifier: Notifier, stranger: Connection
) -> None:
    """While many sessions append and every commit is announced, none waits for the lock that a NOTIFY takes."""

    async def write(number: int) -> None:
        connection = await connect()
        for version in range(1, 41):
            [event] = await append(connection, NewEvent.of(RunnerHeartbeat(), f"r{number}", version, "system"))
            notifier.wake(Hint(events=event.seq))

    writing = asyncio.gather(*(write(number) for number in range(8)))
    waiting: list[int] = []

    async def nobody_waits() -> bool:
        waiting.append(await stranger.fetchval(WAITING_FOR_NOTIFY))
        return writing.done()

    await eventually(nobody_waits, deadline=30)
    await writing
    assert {0} == set(waiting)
