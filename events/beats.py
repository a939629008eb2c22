"""Heartbeats: one event, and in the same statement everything an idle runner needs to know."""

from collections.abc import Sequence

from asyncpg import Connection
from msgspec import Struct

from events import catalog
from events.statements import load_statements

SQL = load_statements("events", "commands.sql")


class Life(Struct, frozen=True):
    """A sign of life of a runner: the event (started, heartbeat or stopped) and how long its lease is."""

    runner: str
    event: Struct
    actor: str
    lease_seconds: float


class Beat(Struct, frozen=True):
    """What a heartbeat answers: is there work, when does some fall due, is anything stuck, is the system paused?

    `held`: the runs that are the runner's, as the log has it. `seq`: the heartbeat's own place in the log.
    `draining`: the runner shall claim no more.
    """

    ready: bool
    paused: bool
    due_seconds: float | None
    stuck: bool
    held: list[int] = []
    seq: int = 0
    draining: bool = False


async def write_beat(connection: Connection, life: Life) -> Beat:
    """One statement. Raises asyncpg's errors."""
    data = catalog.encode(life.event).decode()
    event_type = catalog.type_name(life.event)
    [row] = await connection.fetch(SQL["beat"], life.runner, event_type, data, life.actor, life.lease_seconds)
    return Beat(**row)


async def write_beats(connection: Connection, lives: Sequence[Life], _resent: bool) -> list[Beat]:
    """The same for a group committer."""
    return [await write_beat(connection, life) for life in lives]
