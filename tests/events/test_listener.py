"""The listener hears what others say, notices when it is deaf, polls meanwhile, and comes back by itself."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import pairwise

import asyncpg
import pytest
from asyncpg import Connection
from structlog.testing import capture_logs

from events.connect import Database
from events.hint import CHANNEL, Hint
from events.listener import Intervals, Listener, Mode
from events.log import NewEvent, append
from events.notifier import Notifier
from events.runner import RunnerHeartbeat
from events.session import keep_alive
from tests.support.proxy import proxy_before
from tests.support.waiting import eventually

QUICK = Intervals(ping=0.2, ping_deadline=1.0, poll=0.05, idle_poll=0.2)
NAME = "listener under test"
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


class Heard:
    """A subscriber that remembers."""

    def __init__(self, listener: Listener) -> None:
        self.hints: list[Hint] = []
        self.modes: list[Mode] = []
        self.forget = listener.subscribe(self.hints.append)
        listener.on_change(self.modes.append)


Listen = Callable[..., Awaitable[tuple[Listener, Notifier, Heard]]]


@pytest.fixture
async def listen() -> AsyncIterator[Listen]:
    """Starts a notifier and a listener with a subscriber; the test's end stops them."""
    async with AsyncExitStack() as running:

        async def start(database: Database, intervals: Intervals = QUICK) -> tuple[Listener, Notifier, Heard]:
            notifier = Notifier(database)
            listener = Listener(database, notifier, intervals)
            heard = Heard(listener)
            notifier.start()
            running.push_async_callback(notifier.stop)
            listener.start()
            running.push_async_callback(listener.stop)
            return listener, notifier, heard

        yield start


@pytest.fixture
def here(database: str) -> Database:
    """The test's database, for sessions that can be told from others."""
    return Database(database, application=NAME)


async def is_listening(listener: Listener) -> None:
    """Wait until hearing is proved."""
    await eventually(lambda: listener.mode == "listening", describe="listening")


async def listening_process(connection: Connection) -> int:
    """The server process behind the listener's connection."""
    process_id: int = await connection.fetchval(
        "SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND query LIKE 'LISTEN%'", NAME
    )
    return process_id


async def test_everybody_looks_everywhere_before_the_first_hint(here: Database, listen: Listen) -> None:
    """What was said before LISTEN is lost, so subscribers are told to look everywhere; then the mode is listening."""
    listener, _, heard = await listen(here, Intervals())
    assert "polling" == listener.mode
    began = listener.since
    await is_listening(listener)
    assert [Hint.everything] == heard.hints
    assert ["listening"] == heard.modes
    assert listener.since > began


async def test_a_strangers_insert_wakes(here: Database, listen: Listen, stranger: Connection) -> None:
    """An INSERT from a session that is not ours, such as psql, reaches the subscribers."""
    listener, _, heard = await listen(here, Intervals())
    await is_listening(listener)
    heard.hints.clear()
    await append(stranger, NewEvent.of(RunnerHeartbeat(), "one", 1, "human:psql"))
    await eventually(lambda: heard.hints == [Hint.everything])


async def test_a_hint_of_this_process_is_heard_once(here: Database, listen: Listen, stranger: Connection) -> None:
    """What this process says is told at once, and not again when it comes back from the server."""
    listener, notifier, heard = await listen(here, Intervals())
    await is_listening(listener)
    heard.hints.clear()
    sent = notifier.sent

    notifier.wake("r:5:7")
    assert [Hint(ready=(5, 7))] == heard.hints
    await eventually(lambda: notifier.sent > sent)
    await stranger.execute("SELECT pg_notify($1, 'p')", CHANNEL)
    await eventually(lambda: heard.hints[-1] == Hint(pause=True))
    assert [Hint(ready=(5, 7)), Hint(pause=True)] == heard.hints


async def test_a_killed_connection_comes_back(here: Database, listen: Listen, stranger: Connection) -> None:
    """When its backend is terminated the listener listens again by itself, and everybody looks everywhere."""
    listener, _, heard = await listen(here, Intervals())
    await is_listening(listener)
    heard.hints.clear()
    heard.modes.clear()

    await stranger.execute("SELECT pg_terminate_backend($1, 5000)", await listening_process(stranger))

    await eventually(lambda: heard.modes == ["polling", "listening"])
    assert Hint.everything in heard.hints
    await stranger.execute("SELECT pg_notify($1, 'e:7')", CHANNEL)
    await eventually(lambda: heard.hints[-1] == Hint(events=7))


async def test_a_connection_that_fell_silent_is_noticed(
    tcp_database: str, listen: Listen, stranger: Connection
) -> None:
    """A half-open connection, on which nothing arrives and nothing fails, is found out by the ping that is missing."""
    async with proxy_before(tcp_database) as proxy:
        listener, _, heard = await listen(Database(proxy.url, application=NAME))
        await is_listening(listener)
        heard.modes.clear()
        heard.hints.clear()

        proxy.freeze()

        await eventually(lambda: heard.modes[:1] == ["polling"] and heard.modes[-1] == "listening")
        assert Hint.everything in heard.hints
        await stranger.execute("SELECT pg_notify($1, 'e:7')", CHANNEL)
        await eventually(lambda: Hint(events=7) in heard.hints)
        await listener.stop()


async def test_a_listener_without_a_notifier_pings_itself(here: Database) -> None:
    """When the notifier is out of order the listening connection proves itself."""
    listener = Listener(here, Notifier(Database(NOWHERE)), QUICK)
    listener.start()
    await is_listening(listener)
    await listener.stop()


async def test_what_does_not_arrive_is_not_called_listening(here: Database, empty_database: str) -> None:
    """Where LISTEN succeeds but no notification gets through, as behind some poolers, the mode stays polling."""
    notifier = Notifier(here)
    notifier.start()
    listener = Listener(Database(empty_database), notifier, QUICK)
    heard = Heard(listener)
    listener.start()
    await eventually(lambda: heard.modes and notifier.sent > 1)
    assert {"polling"} == set(heard.modes)
    await listener.stop()
    await notifier.stop()


async def test_silence_is_pinged_and_noise_is_not(here: Database, listen: Listen, stranger: Connection) -> None:
    """Pings are sent only when nothing else was heard, and no subscriber is bothered with them."""
    listener, notifier, heard = await listen(here)
    await is_listening(listener)
    heard.hints.clear()
    await eventually(lambda: notifier.sent >= 4)
    assert [] == heard.hints
    assert "listening" == listener.mode

    noisy, notifier, _ = await listen(here, Intervals(ping=1.0))
    await is_listening(noisy)
    for _ in range(30):
        await stranger.execute("SELECT pg_notify($1, 'p'), pg_sleep(0.05)", CHANNEL)
    assert 1 == notifier.sent


async def test_an_idle_listener_sends_one_statement(here: Database, listen: Listen) -> None:
    """After the ping that proved its hearing an idle listener says nothing until the next one is due."""
    listener, notifier, heard = await listen(here, Intervals())
    await is_listening(listener)
    other, _, _ = await listen(here, Intervals(ping=0.1))
    await is_listening(other)
    assert 1 == notifier.sent
    assert [Hint.everything] == heard.hints


async def test_behind_a_pooler_it_polls_and_says_so_once(database: str, listen: Listen) -> None:
    """Without an address for LISTEN the subscribers look everywhere at intervals, and the log says why, once."""
    with capture_logs() as lines:
        listener, _, heard = await listen(Database(database, pooled=True))
        await eventually(lambda: len(heard.hints) >= 3)
    assert "polling" == listener.mode
    assert {Hint.everything} == set(heard.hints)
    [line] = [line for line in lines if line["event"] == "listener.polling"]
    assert "ELRUSO_LISTEN_URL" in line["reason"]


async def test_without_a_server_it_polls_and_local_hints_arrive(listen: Listen) -> None:
    """While no server can be reached subscribers hear what their own process says; the reason is logged once."""
    with capture_logs() as lines:
        _, notifier, heard = await listen(Database(NOWHERE))
        await eventually(lambda: heard.modes == ["polling"])
        notifier.wake("r:5:7")
        assert Hint(ready=(5, 7)) in heard.hints
        await eventually(lambda: Hint.everything in heard.hints)
    assert 1 == [line["event"] for line in lines].count("listener.polling")


async def test_polls_slow_down_when_nothing_happens(database: str, listen: Listen) -> None:
    """While deaf, polls come further apart up to the idle interval, and close together again after activity."""
    intervals = Intervals(poll=0.02, idle_poll=0.5)
    listener, _, heard = await listen(Database(database, pooled=True), intervals)
    times: list[float] = []
    listener.subscribe(lambda _: times.append(asyncio.get_running_loop().time()))
    await eventually(lambda: len(times) > 1 and times[-1] - times[-2] > 0.35)
    listener.stay_alert()
    count = len(times)
    await eventually(lambda: len(times) >= count + 3)
    assert min(later - sooner for sooner, later in pairwise(times[count:])) < 0.2
    assert {Hint.everything} == set(heard.hints)


async def test_start_and_stop_may_be_repeated(here: Database, listen: Listen, stranger: Connection) -> None:
    """A second start or stop does nothing; after a stop no session is left, and a start listens again."""
    listener, _, heard = await listen(here, Intervals())
    listener.start()
    await is_listening(listener)
    await listener.stop()
    await listener.stop()

    async def nobody_listens() -> bool:
        return await listening_process(stranger) is None

    await eventually(nobody_listens)
    assert "polling" == listener.mode
    heard.hints.clear()
    listener.start()
    await eventually(lambda: Hint.everything in heard.hints)
    await is_listening(listener)


async def test_a_subscriber_can_leave(here: Database, listen: Listen, stranger: Connection) -> None:
    """Whoever ended its subscription is told nothing more."""
    listener, notifier, heard = await listen(here, Intervals())
    await is_listening(listener)
    heard.forget()
    heard.hints.clear()
    notifier.wake("p")
    assert [] == heard.hints


async def test_a_tcp_connection_is_kept_alive_by_the_client(tcp_database: str, database: str) -> None:
    """The client's own socket notices a dead peer; a unix socket has nothing to set."""
    connection = await asyncpg.connect(tcp_database)
    assert keep_alive(connection)
    sock = connection._transport.get_extra_info("socket")
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    await connection.close()
    local = await asyncpg.connect(database)
    assert not keep_alive(local)
    await local.close()
