"""Tells other processes, after a commit, where to look.

A NOTIFY inside a writing transaction makes all such commits of the whole server queue up behind one another, disk and
replica included. So hints leave on a connection of their own, self-clocked: at once when none is under way, and what
gathers during a round trip goes with the next one. A hint that is lost with a crash costs its readers one poll.
"""

import asyncio

import structlog
from asyncpg import Connection

from events.backoff import Backoff
from events.connect import Database
from events.hint import CHANNEL, NOTHING, Hint
from events.session import hang_up, keep_alive
from events.statements import load_statements
from events.subscribers import Subscribers

SEND_SECONDS = 5.0
FLUSH_SECONDS = 1.0

_sql = load_statements("events", "notifier.sql")
log = structlog.get_logger(__name__)


class Notifier:
    """One connection for hints, one task that sends them, and the waiters of this process, who are told directly.

    `sent` counts notifications; `working` is False while the last try to send one failed.
    """

    def __init__(self, database: Database) -> None:
        self.subscribers: Subscribers[Hint] = Subscribers()
        self.sent = 0
        self.working = False
        self._database = database
        self._connection: Connection | None = None
        self._pending = NOTHING
        self._kick = asyncio.Event()
        self._backoff = Backoff()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to send, what was said before included. Does nothing when it runs already."""
        if self._task is None:
            self.working = True
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
        self.working = False
        if self._connection is not None:
            await hang_up(self._connection)
            self._connection = None

    def wake(self, hint: Hint | str) -> None:
        """Say where to look: to this process now, to others within a round trip or two. Cheap; from the loop only."""
        if isinstance(hint, str):
            hint = Hint.parse(hint)
        self.subscribers.tell(hint)
        self.send(hint)

    def send(self, hint: Hint) -> None:
        """Say it to the other processes only."""
        self._pending |= hint
        self._kick.set()

    @property
    def process_id(self) -> int | None:
        """The server process from which our own notifications come; None while unknown, and behind a pooler."""
        if self._connection is None or self._database.direct_url is None:
            return None
        process_id: int = self._connection.get_server_pid()
        return process_id

    async def _run(self) -> None:
        while self._task is not None or self._pending:
            await self._kick.wait()
            self._kick.clear()
            while self._pending:
                await self._send_pending()

    async def _send_pending(self) -> None:
        hint, self._pending = self._pending, NOTHING
        try:
            async with asyncio.timeout(SEND_SECONDS):
                connection = await self._connect()
                await connection.execute(_sql["send_hint"], CHANNEL, hint.encode())
        except Exception as error:  # whatever it was: hints must not end with one that failed
            self._pending |= hint  # said twice does no harm
            self.working = False
            await self._recover(error)
        else:
            self.working = True
            self.sent += 1
            self._backoff.reset()

    async def _connect(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            direct = self._database.direct_url is not None
            self._connection = await (self._database.connect_direct() if direct else self._database.connect())
            keep_alive(self._connection)
        return self._connection

    async def _recover(self, error: Exception) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
        delay = self._backoff.next_delay()
        log.warning("notifier.failed", error=str(error) or type(error).__name__, retry_seconds=round(delay, 3))
        await asyncio.sleep(delay)
