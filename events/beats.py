"""Heartbeats: one event, and in the same statement everything an idle runner needs to know."""

from collections.abc import Sequence

from asyncpg import Connection
from msgspec import Struct

from events import catalog
from events.looks import Looks
from events.runner import RunnerStarted
from events.statements import load_statements

SQL = load_statements("events", "commands.sql")


class Life(Struct, frozen=True):
    """A sign of life of a runner: the event (started, heartbeat or stopped) and how long its lease is.

    `keeps_drain`: a RunnerStarted does not end a drain. `client_lease_seconds`: the lease of runners that send no
    heartbeats while they work; None: the same.
    """

    runner: str
    event: Struct
    actor: str
    lease_seconds: float
    keeps_drain: bool = False
    client_lease_seconds: float | None = None


class Beat(Struct, frozen=True):
    """What a heartbeat answers: is there work, when does some fall due, is anything stuck, is the system paused?

    `held`: the runs that are the runner's, as the log has it; None: nobody looked, because looking has become dear, and
    `ready` and `stuck` are False for the same reason. `seq`: the heartbeat's own place in the log. `draining`: the
    runner shall claim no more.
    """

    ready: bool
    paused: bool
    due_seconds: float | None
    stuck: bool
    held: list[int] | None = []
    seq: int = 0
    draining: bool = False


class BeatDesk:
    """The heartbeats that one process writes. Each looks at the queue and at what runs, as long as looking is cheap."""

    def __init__(self) -> None:
        self._looks = Looks()

    async def write(self, connection: Connection, life: Life) -> Beat:
        """One statement. Raises asyncpg's errors."""
        data = catalog.encode(life.event).decode()
        event_type = catalog.type_name(life.event)
        looks = not self._looks.rest_seconds
        keeps_drain = life.keeps_drain and isinstance(life.event, RunnerStarted)
        with self._looks.one(looks):
            [row] = await connection.fetch(
                SQL["beat"],
                life.runner,
                event_type,
                data,
                life.actor,
                life.lease_seconds,
                looks,
                keeps_drain,
                life.client_lease_seconds or life.lease_seconds,
            )
        return Beat(**row)

    async def write_all(self, connection: Connection, lives: Sequence[Life], _resent: bool) -> list[Beat]:
        """The same for a group committer."""
        return [await self.write(connection, life) for life in lives]
