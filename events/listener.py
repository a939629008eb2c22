"""Hears where to look, and knows when it is deaf.

One LISTEN connection per process, whatever it serves. After every LISTEN everybody looks everywhere, since what was
said before is lost. The mode is "listening" once hearing is proved (events/hearing.py). Until then, and whenever it
fails, it is "polling": everybody looks everywhere now and then, while a new connection is sought.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Literal

import structlog
from asyncpg import Connection
from msgspec import Struct

from events.backoff import Backoff, jittered
from events.connect import Database
from events.errors import explain
from events.hearing import Hearing
from events.hint import Hint
from events.notifier import Notifier
from events.session import hang_up, keep_alive
from events.subscribers import Subscribers

POOLER = "DATABASE_URL leads through a transaction pooler, which passes no notifications; set ELRUSO_LISTEN_URL"
POLL_GROWTH = 1.5

Mode = Literal["listening", "polling"]

log = structlog.get_logger(__name__)


class Intervals(Struct, frozen=True):
    """Seconds. A ping follows that much silence and must come back by its deadline; while deaf, polls come at `poll`
    right after activity and slow down to `idle_poll`.
    """

    ping: float = 30.0
    ping_deadline: float = 5.0
    poll: float = 1.0
    idle_poll: float = 5.0


class Listener:
    """Tells its subscribers what this process and others say; while it cannot hear, tells them to look now and then."""

    def __init__(self, database: Database, notifier: Notifier, intervals: Intervals | None = None) -> None:
        self._database = database
        self._notifier = notifier
        self._intervals = intervals or Intervals()
        self._hints: Subscribers[Hint] = Subscribers()
        self._modes: Subscribers[Mode] = Subscribers()
        self._mode: Mode | None = None
        self._since = datetime.now(UTC)
        self._decided = asyncio.Event()
        self._deaf = asyncio.Event()
        self._deaf.set()
        self._poll_seconds = self._intervals.poll
        self._forget_notifier: Callable[[], None] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def mode(self) -> Mode:
        """How this process learns of work at present."""
        return self._mode or "polling"

    @property
    def since(self) -> datetime:
        """When the mode began."""
        return self._since

    def subscribe(self, callback: Callable[[Hint], None]) -> Callable[[], None]:
        """Have `callback` told every hint; it must return at once. Call what this returns to end that."""
        return self._hints.add(callback)

    def on_change(self, callback: Callable[[Mode], None]) -> Callable[[], None]:
        """Have `callback` told every new mode. Call what this returns to end that."""
        return self._modes.add(callback)

    async def first_mode(self, within: float) -> Mode:
        """The mode once the first try to listen has come to something, or after so many seconds without."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._decided.wait()
        return self.mode

    def stay_alert(self) -> None:
        """There was something to do: should we be deaf, the next polls come soon."""
        self._poll_seconds = self._intervals.poll

    def start(self) -> None:
        """Begin, in the background. Does nothing when it runs already."""
        if self._task is None:
            self._forget_notifier = self._notifier.subscribers.add(self._pass_on)
            self._task = asyncio.create_task(self._run(), name="listener")

    async def stop(self) -> None:
        """Hang up. Does nothing when it does not run."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
            self._mode, self._since = None, datetime.now(UTC)
            self._decided.clear()
            self._deaf.set()
        if self._forget_notifier is not None:
            self._forget_notifier()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._poll_while_deaf())
            if self._database.direct_url is None:
                self._become("polling", reason=POOLER)
            else:
                tasks.create_task(self._keep_listening())

    async def _keep_listening(self) -> None:
        backoff = Backoff()
        while True:
            try:
                async with self._connected() as connection:
                    await self._listen(connection, backoff)
            except Exception as error:  # whatever it was: being deaf for good would be worse
                self._become("polling", reason=explain(error))
            await asyncio.sleep(backoff.next_delay())

    async def _listen(self, connection: Connection, backoff: Backoff) -> None:
        hearing = Hearing(connection, self._notifier, self._pass_on)
        await hearing.begin(self._intervals.ping_deadline)
        self._hints.tell(Hint.everything)
        await hearing.prove(self._intervals.ping_deadline)
        backoff.reset()
        self._become("listening")
        await hearing.watch(self._intervals.ping, self._intervals.ping_deadline)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        connection = await self._database.connect_direct()
        try:
            keep_alive(connection)
            yield connection
        except Exception:
            connection.terminate()  # it is deaf or dead: no farewell
            raise
        finally:
            await hang_up(connection)

    async def _poll_while_deaf(self) -> None:
        while True:
            await self._deaf.wait()
            await asyncio.sleep(jittered(self._poll_seconds))
            if self._deaf.is_set():
                self._poll_seconds = min(self._intervals.idle_poll, self._poll_seconds * POLL_GROWTH)
                self._hints.tell(Hint.everything)

    def _pass_on(self, hint: Hint) -> None:
        self.stay_alert()
        self._hints.tell(hint)

    def _become(self, mode: Mode, reason: str | None = None) -> None:
        if mode == self._mode:
            return
        self._mode, self._since = mode, datetime.now(UTC)
        self._decided.set()
        if mode == "polling":
            self._deaf.set()
            log.warning("listener.polling", reason=reason)
        else:
            self._deaf.clear()
            log.info("listener.listening")
        self._modes.tell(mode)
