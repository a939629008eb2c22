"""The log: append events, read them back.

Reading in `seq` order here is for lists and pages. Whoever must not miss an event follows the log with
`events.follower`: seqs are drawn before the commit, so a lower one may appear after a higher one.
"""

from collections.abc import Container, Sequence
from uuid import UUID

from asyncpg import Connection, Record
from msgspec import Raw, Struct

from events.catalog import EVENT_TYPES, encode, kind_of, type_name
from events.database_errors import DRIVER_ERRORS, from_database
from events.errors import BeyondTheLog, Conflict
from events.event import Event
from events.statements import load_statements

LIMIT = 1000
PAGE_BYTES = 8 << 20
"""Bytes of a page of any list, about: it ends early with the row that exceeds them."""
WINDOW = 20_000
"""Events that are looked at, at most, for one page of a kind."""
OFTEN = frozenset({"task.created", "task.claimed", "task.started", "task.step", "task.done", "runner.heartbeat"})
"""What nearly all events are. All others are found by an index of their own (schema.sql, events_seldom)."""
KINDS = sorted({kind_of(event_type) for event_type in EVENT_TYPES})

_sql = load_statements("events", "log.sql")


class NewEvent(Struct, frozen=True, kw_only=True):
    """An event to be appended as `version` of its stream (kind, id): one more than the stream has.

    `data` are the bytes to keep. `command_id` makes a second append of the same event a no-op with the same answer.
    """

    kind: str
    id: str
    version: int
    type: str
    data: Raw
    actor: str
    cause: int | None = None
    command_id: UUID | None = None

    @classmethod
    def of(cls, data: Struct, id: str, version: int, actor: str, command_id: UUID | None = None) -> "NewEvent":  # noqa: A002
        """The event behind one of our Structs, which knows its type and its kind."""
        event_type = type_name(data)
        return cls(
            kind=kind_of(event_type),
            id=id,
            version=version,
            type=event_type,
            data=Raw(encode(data)),
            actor=actor,
            command_id=command_id,
        )


async def append(connection: Connection, *events: NewEvent) -> list[Event]:
    """Append all of the events or none; what was written, in the order given.

    Raises:
        WrongVersion: another writer came first; read the stream again. IllegalTransition, LeaseLost,
        UnknownDependency, InvalidInput: the log refuses the event. Conflict: a command id was used for another event.
        Unavailable: the connection is lost; with command ids it is safe to append again.
    """
    try:
        async with connection.transaction():  # a command id used for another event takes back the rest
            rows = await connection.fetch(_sql["append_events"], *_columns(events))
            if len(rows) < len(events):
                rows += await connection.fetch(_sql["read_commands"], [event.command_id for event in events])
            written = {(event.kind, event.id, event.version): event for event in map(event_of, rows)}
            return [_answer(new, written) for new in events]
    except DRIVER_ERRORS as error:
        raise from_database(error) from error


async def read_stream(
    connection: Connection,
    kind: str,
    id: str,  # noqa: A002
    after_version: int = 0,
    limit: int = LIMIT,
) -> list[Event]:
    """One stream's events in order of version, from after_version + 1 on, at most `limit`."""
    return [event_of(row) for row in await connection.fetch(_sql["read_stream"], kind, id, after_version, limit)]


async def read_after(
    connection: Connection,
    seq: int,
    limit: int = LIMIT,
    kind: str | None = None,
    id: str | None = None,  # noqa: A002
) -> list[Event]:
    """The visible events after `seq` in seq order, at most `limit`; of one kind, or of the streams called `id`.

    It ends early with the event whose data exceeds PAGE_BYTES, all together. Of a high-volume kind the next WINDOW
    events are looked at, and no more.
    """
    if id is not None:
        kinds = KINDS if kind is None else [kind]
        rows = await connection.fetch(_sql["read_log_of_stream"], seq, limit, PAGE_BYTES, kinds, id)
    elif kind is None:
        rows = await connection.fetch(_sql["read_log"], seq, limit, PAGE_BYTES)
    elif types := seldom_types(kind):
        rows = await connection.fetch(_sql["read_log_of_types"], seq, limit, PAGE_BYTES, types)
    else:
        rows = await connection.fetch(_sql["read_log_of_kind"], seq, limit, PAGE_BYTES, kind, WINDOW)
    return [event_of(row) for row in rows]


async def read_page(
    connection: Connection,
    seq: int,
    limit: int = LIMIT,
    kind: str | None = None,
    id: str | None = None,  # noqa: A002
) -> tuple[list[Event], int | None]:
    """As read_after, and the seq behind which it goes on; None: there is no more. A page may be short and yet go on."""
    events = await read_after(connection, seq, limit, kind, id)
    if len(events) == limit or sum(len(bytes(event.data)) for event in events) >= PAGE_BYTES:
        return events, events[-1].seq
    if id is not None or kind is None or seldom_types(kind):
        return events, None
    last: int | None = await connection.fetchval(_sql["last_of_log"], seq, WINDOW)
    return events, last


def seldom_types(
    kind: str | None = None, event_type: str | None = None, without: Container[str] = ()
) -> list[str] | None:
    """The types that are asked for, if all of them happen seldom and can be found by them; else None."""
    if kind is None and event_type is None:
        return None
    named = EVENT_TYPES if event_type is None else [event_type]
    types = [name for name in named if name not in without and kind in (None, kind_of(name))]
    return None if OFTEN.intersection(types) else types


async def last_seq(connection: Connection) -> int:
    """The highest visible seq; 0 when the log is empty. Lower ones may still appear."""
    seq: int = await connection.fetchval(_sql["last_seq"])
    return seq


async def check_within(connection: Connection, seq: int) -> None:
    """Raises BeyondTheLog when the log ends before `seq`, as after a backup was restored: waiting there would silently
    leave out all that is written until then."""
    last = await last_seq(connection)
    if seq > last:
        raise BeyondTheLog(
            f"the log ends at {last}, before {seq}: it is not the log that was read before, or a backup was restored; "
            "read it again from the beginning (after=0), or go on from its end",
            last_seq=last,
        )


def event_of(row: Record) -> Event:
    """The envelope behind a row with the columns of log.events."""
    return Event(
        seq=row["seq"],
        kind=row["kind"],
        id=row["id"],
        version=row["version"],
        type=row["type"],
        data=Raw(row["data"]),
        actor=row["actor"],
        at=row["at"],
        cause=row["cause"],
        command_id=row["command_id"],
    )


def _columns(events: Sequence[NewEvent]) -> tuple[list[object], ...]:
    return (
        [event.kind for event in events],
        [event.id for event in events],
        [event.version for event in events],
        [event.type for event in events],
        [bytes(event.data).decode() for event in events],
        [event.actor for event in events],
        [event.cause for event in events],
        [event.command_id for event in events],
    )


def _answer(new: NewEvent, written: dict[tuple[str, str, int], Event]) -> Event:
    event = written.get((new.kind, new.id, new.version))
    if event is None or (event.command_id, event.type, event.data) != (new.command_id, new.type, new.data):
        raise Conflict(f"command {new.command_id} was used for another event; a new event needs a new command id")
    return event
