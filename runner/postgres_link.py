"""A runner that speaks to the database itself."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Self

from asyncpg import Connection

from events.beats import Beat, BeatDesk, Life
from events.claims import ClaimAnswer
from events.commands import Commands, OutputChunk
from events.committer import Answered
from events.connect import Database
from events.database_errors import from_database
from events.errors import ElRusoError
from events.hint import Hint
from events.listener import Intervals, Listener
from events.locks import limit_lock_waits
from events.notifier import Notifier
from events.reports import Report
from events.run_state import RunState
from events.runner import RunnerHeartbeat
from events.session import hang_up
from runner.settings import Settings

LOCK_SECONDS = 2.0  # or the server would go on waiting after the runner has given the heartbeat up
FIRST_MODE_SECONDS = 1.0  # a server that answers has it proved in a few milliseconds


class PostgresLink:
    """Use as `async with PostgresLink(database, settings) as link`; two connections for commands, two for hints."""

    def __init__(self, database: Database, settings: Settings, intervals: Intervals | None = None) -> None:
        self.actor = f"runner:{settings.runner_id}"
        self._database = database
        self._settings = settings
        self._notifier = Notifier(database)
        self._listener = Listener(database, self._notifier, intervals)
        self._commands = Commands(database, self._notifier.wake, patient=True)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Raises Unavailable."""
        await self._stack.enter_async_context(self._commands)
        self._listener.subscribe(self._commands.hear)
        self._notifier.start()
        self._stack.push_async_callback(self._notifier.stop)
        self._listener.start()
        self._stack.push_async_callback(self._listener.stop)
        await self._listener.first_mode(
            FIRST_MODE_SECONDS
        )  # or the runner would be said to poll for its first heartbeat
        return self

    async def __aexit__(self, *exception: Any) -> None:
        await self._stack.__aexit__(*exception)

    @property
    def mode(self) -> str:
        """Whether it is woken ("listening") or has to look ("polling")."""
        return self._listener.mode

    def subscribe(self, callback: Callable[[Hint], None]) -> Callable[[], None]:
        """See Link."""
        return self._listener.subscribe(callback)

    @asynccontextmanager
    async def pulse(self) -> AsyncIterator["PostgresPulse"]:
        """See Link."""
        pulse = PostgresPulse(self._database, self._settings, self.actor)
        try:
            yield pulse
        finally:
            await pulse.close()

    async def started(self, meta: dict[str, Any]) -> Beat:
        """See Link."""
        settings = self._settings
        await self._commands.runners.register(settings.runner_id)
        return await self._commands.runner_started(settings.runner_id, meta, self.actor, settings.lease_seconds)

    async def stopped(self, reason: str) -> None:
        """See Link."""
        settings = self._settings
        await self._commands.runner_stopped(settings.runner_id, reason, self.actor, settings.lease_seconds)

    async def claim(self, limit: int) -> ClaimAnswer:
        """See Link."""
        return await self._commands.claim(self._settings.runner_id, limit, self.actor)

    def report(self, report: Report, answered: Answered[ElRusoError | None]) -> None:
        """See Link."""
        self._commands.post(report, answered)

    async def run_state(self, run_id: int) -> RunState | None:
        """See Link."""
        return await self._commands.run_state(run_id)

    async def output(self, chunks: Sequence[OutputChunk]) -> None:
        """See Link."""
        await self._commands.append_output(chunks)

    async def save_artifact(self, run_id: int, kind: str, content: str) -> None:
        """See Link."""
        await self._commands.save_artifact(run_id, kind, content)

    async def release(self, runs: Sequence[int] | None, reason: str) -> None:
        """See Link."""
        await self._commands.release(self._settings.runner_id, runs, reason, self.actor)

    async def sweep(self) -> None:
        """See Link."""
        settings = self._settings
        await self._commands.sweep(settings.lease_seconds, client_lease=settings.client_lease_seconds)


class PostgresPulse:
    """Heartbeats over a connection of their own, opened when it is needed."""

    def __init__(self, database: Database, settings: Settings, actor: str) -> None:
        self._database = database
        self._settings = settings
        self._actor = actor
        self._desk = BeatDesk()
        self._connection: Connection | None = None

    async def beat(self, meta: dict[str, Any] | None) -> Beat:
        """See Pulse."""
        settings, event = self._settings, RunnerHeartbeat(meta=meta)
        client_lease = settings.client_lease_seconds
        life = Life(settings.runner_id, event, self._actor, settings.lease_seconds, client_lease_seconds=client_lease)
        try:
            beat = await self._desk.write(await self._connected(), life)
        except BaseException as error:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.terminate()
            if isinstance(error, Exception):
                raise from_database(error) from error
            raise
        return beat

    async def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = await self._database.connect()
            await limit_lock_waits(self._connection, LOCK_SECONDS)
        return self._connection

    async def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            await hang_up(self._connection)
