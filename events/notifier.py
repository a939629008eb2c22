"""Tells other processes, after a commit, where to look.

A NOTIFY inside a writing transaction makes all such commits of the whole server queue up behind one another, disk and
replica included. So hints leave on a connection of their own, self-clocked: at once when none is under way, and what
gathers during a round trip goes with the next one. A hint that is lost with a crash costs its readers one poll.
"""

import asyncio
from contextlib import suppress
from typing import Any, Self

import structlog
from asyncpg import Connection

from events.backoff import Backoff
from events.connect import Database
from events.errors import explain
from events.hint import CHANNEL, NOTHING, Hint
from events.session import hang_up, keep_alive
from events.statements import load_statements
from events.subscribers import Subscribers

SEND_SECONDS = 5.0  # a connection on which a hint takes longer is given up
PATIENCE_SECONDS = 1.0
FLUSH_SECONDS = 1.0
NEWS_SECONDS = 0.05  # a busy process would otherwise notify after every commit, for the sake of followers
QUEUE_FULL = (
    "the server's queue of notifications is full, so work is found by polling; "
    "end the session that listens in an open transaction: SELECT * FROM pg_stat_activity ORDER BY xact_start"
)

_sql = load_statements("events", "notifier.sql")
log = structlog.get_logger(__name__)


class QueueFullError(Exception):
    """The server takes no notifications at present; the connection is sound."""


class Notifier:
    """One connection for hints, one task that sends them, and the waiters of this process, who are told directly.

    `sent` counts notifications. Use as `async with Notifier(database) as notifier`, or start it and stop it.
    """

    def __init__(self, database: Database, send_seconds: float = SEND_SECONDS) -> None:
        self.subscribers: Subscribers[Hint] = Subscribers()
        self.sent = 0
        self._database = database
        self._send_seconds = send_seconds
        self._connection: Connection | None = None
        self._writer: Connection | None = None
        self._pending = NOTHING
        self._kick = asyncio.Event()
        self._backoff = Backoff()
        self._task: asyncio.Task[None] | None = None
        self._waiting_since: float | None = None
        self._failing = False

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *exception: Any) -> None:
        await self.stop()

    def start(self) -> None:
        """Begin to send, what was said before included. Does nothing when it runs already."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="notifier")

    async def stop(self) -> None:
        """Send what is pending, for at most a second, and close. Does nothing when it does not run."""
        task, self._task = self._task, None
        if task is None:
            return
        self._kick.set()
        await asyncio.wait([task], timeout=FLUSH_SECONDS)
        task.cancel()
        await asyncio.wait([task])
        if self._connection is not None:
            await hang_up(self._connection)
            self._connection = None

    def wake(self, hint: Hint | str) -> None:
        """Say where to look: to this process now, to others within a round trip or two. Cheap; from the loop only."""
        if isinstance(hint, str):
            hint = Hint.parse(hint)
        self.subscribers.tell(hint)
        self.send(hint)

    def share_voice(self, writer: Connection) -> None:
        """Statements of `writer` will notify as well; `tell` says here what they say to others."""
        self._writer = writer

    def tell(self, hint: Hint) -> None:
        """Say it to this process only: the others have been told."""
        self.subscribers.tell(hint)

    def send(self, hint: Hint) -> None:
        """Say it to the other processes only."""
        self._pending |= hint
        self._kick.set()

    @property
    def working(self) -> bool:
        """False while it does not run, and while a hint has been trying to get out for more than a second."""
        waiting = self._waiting_since
        now = asyncio.get_running_loop().time()
        return self._task is not None and (waiting is None or now - waiting < PATIENCE_SECONDS)

    @property
    def process_id(self) -> int | None:
        """The server process from which our hints come; None while there is none, and behind a pooler."""
        return None if self._database.direct_url is None else _process_of(self._connection)

    def is_ours(self, process_id: int) -> bool:
        """Whether notifications of this server process say what was said here already."""
        return process_id in (self.process_id, _process_of(self._writer))

    async def _run(self) -> None:
        while self._task is not None or self._pending:
            await self._kick.wait()
            self._kick.clear()
            while self._pending:
                if not self._pending.is_urgent:
                    await self._wait_while_patient()
                await self._send_pending()

    async def _wait_while_patient(self) -> None:
        """News for followers may gather for a moment; whatever wakes a runner may not."""
        with suppress(TimeoutError):
            async with asyncio.timeout(NEWS_SECONDS):
                while not self._pending.is_urgent and self._task is not None:
                    await self._kick.wait()
                    self._kick.clear()

    async def _send_pending(self) -> None:
        hint, self._pending = self._pending, NOTHING
        self._waiting_since = self._waiting_since or asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self._send_seconds):
                connection = await self._connect()
                if not await connection.fetchval(_sql["send_hint"], CHANNEL, hint.encode()):
                    raise QueueFullError(QUEUE_FULL)
        except Exception as error:  # whatever it was: hints must not end with one that failed
            self._pending |= hint  # said twice does no harm
            await self._recover(error)
        else:
            self._succeed()

    async def _connect(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            direct = self._database.direct_url is not None
            self._connection = await (self._database.connect_direct() if direct else self._database.connect())
            keep_alive(self._connection)
        return self._connection

    async def _recover(self, error: Exception) -> None:
        if not self._failing:
            self._failing = True
            log.warning("notifier.failing", error=explain(error))
        if self._connection is not None and not isinstance(error, QueueFullError):
            self._connection.terminate()
            self._connection = None
        await asyncio.sleep(self._backoff.next_delay())

    def _succeed(self) -> None:
        self.sent += 1
        self._waiting_since = None
        if self._failing:
            self._failing = False
            self._backoff.reset()
            log.info("notifier.recovered")


def _process_of(connection: Connection | None) -> int | None:
    if connection is None or connection.is_closed():
        return None
    process_id: int = connection.get_server_pid()
    return process_id
