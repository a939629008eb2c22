"""The log: what is appended is what is read."""

import re
from uuid import uuid4

import pytest
from msgspec import Raw

from events import catalog
from events.errors import Conflict, IllegalTransition, InvalidInput, Unavailable, WrongVersion
from events.log import OFTEN, NewEvent, append, last_seq, read_after, read_page, read_stream, seldom_types
from events.runner import RunnerHeartbeat, RunnerStarted, RunnerStopped
from events.system import SystemPaused, SystemResumed
from events.task import TaskCreated
from tests.events.conftest import Connect

ACTOR = "human:tester"


def heartbeat(id: str, version: int) -> NewEvent:  # noqa: A002
    """An event that is legal as any version of a runner's stream."""
    return NewEvent.of(RunnerHeartbeat(), id, version, ACTOR)


async def test_what_is_appended_is_what_is_read(connect: Connect) -> None:
    """Events come back whole, in the order given, with ascending seqs."""
    connection = await connect()
    started = RunnerStarted(meta={"host": "añil", "pid": 7})

    written = await append(
        connection,
        NewEvent.of(started, "one", 1, ACTOR, command_id=uuid4()),
        heartbeat("two", 1),
        heartbeat("one", 2),
    )

    assert written == await read_after(connection, 0)
    assert [("one", 1), ("two", 1), ("one", 2)] == [(event.id, event.version) for event in written]
    assert sorted(event.seq for event in written) == [event.seq for event in written]
    assert started == catalog.decode(written[0].type, written[0].data)
    assert written[-1].seq == await last_seq(connection)


async def test_the_exact_bytes_are_kept(connect: Connect) -> None:
    """Data written by somebody else's encoder is not written anew."""
    connection = await connect()
    data = b'{ "reason" : "caf\\u00e9",  "reason" : "lunch" }'
    event = NewEvent(kind="system", id="main", version=1, type="system.paused", data=Raw(data), actor=ACTOR)
    await append(connection, event)
    [stored] = await read_after(connection, 0)
    assert data == bytes(stored.data)


async def test_the_log_starts_empty(connect: Connect) -> None:
    """Before the first event the last seq is 0 and there is nothing to read."""
    connection = await connect()
    assert 0 == await last_seq(connection)
    assert [] == await read_after(connection, 0)


async def test_reading_is_bounded_and_narrowed(connect: Connect) -> None:
    """A page ends at its limit and goes on after a seq; it can be of one kind or of one stream."""
    connection = await connect()
    created = await append(connection, *(NewEvent.of(TaskCreated(title="x"), f"t{n}", 1, ACTOR) for n in range(4)))
    others = await append(
        connection, heartbeat("t1", 1), NewEvent.of(SystemPaused(), "main", 1, ACTOR), heartbeat("t1", 2)
    )

    assert created[:2] == await read_after(connection, 0, limit=2)
    assert created[2:] == await read_after(connection, created[1].seq, limit=2)
    assert created == await read_after(connection, 0, kind="task")
    assert [others[0], others[2]] == await read_after(connection, 0, kind="runner", id="t1")
    assert [created[1], others[0], others[2]] == await read_after(connection, 0, id="t1")
    assert [others[2]] == await read_stream(connection, "runner", "t1", after_version=1)
    assert [others[0]] == await read_stream(connection, "runner", "t1", limit=1)


async def test_a_stream_is_read_from_any_place(connect: Connect) -> None:
    """Whatever seq one names, the streams of that id go on with their first event behind it; the page says where."""
    connection = await connect()
    written = []
    for version in range(1, 24):
        written += await append(connection, heartbeat("x", version), heartbeat("other", version))
        if version % 5 == 0:
            written += await append(connection, NewEvent.of(TaskCreated(title="x"), f"t{version}", 1, ACTOR))
    written += await append(connection, NewEvent.of(TaskCreated(title="x"), "x", 1, ACTOR))
    for seq in range(written[-1].seq + 2):
        for kinds, kind in ((("task", "runner"), None), (("runner",), "runner"), (("system",), "system")):
            behind = [event for event in written if event.seq > seq and event.id == "x" and event.kind in kinds]
            assert behind[:7] == await read_after(connection, seq, limit=7, kind=kind, id="x")
    assert (written[:3], written[2].seq) == await read_page(connection, 0, limit=3)
    assert (written[-1:], None) == await read_page(connection, written[-2].seq, limit=3)


async def test_what_happens_seldom_is_found_at_once(connect: Connect) -> None:
    """The index over seldom types leaves out the six listed in events/log.py; a page of such a kind is whole."""
    connection = await connect()
    definition = await connection.fetchval("SELECT pg_get_indexdef('log.events_seldom'::regclass)")
    assert OFTEN == set(re.findall(r"(?:task|runner)\.\w+", definition))
    paused = await append(connection, NewEvent.of(SystemPaused(), "main", 1, ACTOR))
    beats = await append(connection, *(heartbeat("x", version) for version in range(1, 6)))
    assert (paused, None) == await read_page(connection, 0, kind="system")
    assert (beats, None) == await read_page(connection, 0, kind="runner")
    assert (["system.paused"], None, []) == (
        seldom_types("system", "system.paused"),
        seldom_types("task"),
        seldom_types("task", "system.paused"),
    )


async def test_a_version_that_is_taken_is_refused(connect: Connect) -> None:
    """Of two writers with the same expected version one is told so, and the driver's error is the cause."""
    connection = await connect()
    await append(connection, heartbeat("one", 1))
    with pytest.raises(WrongVersion) as refusal:
        await append(connection, heartbeat("one", 1))
    assert refusal.value.__cause__ is not None
    with pytest.raises(WrongVersion):
        await append(connection, heartbeat("one", 3))


@pytest.mark.parametrize(
    ("event", "refusal"),
    [
        (NewEvent.of(SystemResumed(), "main", 1, ACTOR), IllegalTransition),
        (NewEvent.of(RunnerStopped(), "never started", 1, ACTOR), IllegalTransition),
        (NewEvent(kind="task", id="t", version=1, type="task.sung", data=Raw(b"{}"), actor=ACTOR), InvalidInput),
        (NewEvent(kind="system", id="m", version=1, type="system.paused", data=Raw(b"{"), actor=ACTOR), InvalidInput),
    ],
)
async def test_what_cannot_happen_is_refused(connect: Connect, event: NewEvent, refusal: type[Exception]) -> None:
    """An illegal event takes its whole append with it."""
    connection = await connect()
    with pytest.raises(refusal):
        await append(connection, heartbeat("bystander", 1), event)
    assert [] == await read_after(connection, 0)


async def test_a_repeated_command_gets_the_first_answer(connect: Connect) -> None:
    """An append that is sent again with its command ids writes nothing and answers what was written."""
    connection = await connect()
    events = [NewEvent.of(RunnerStarted(meta={"n": n}), f"r{n}", 1, ACTOR, command_id=uuid4()) for n in range(3)]
    first = await append(connection, *events[:2])

    assert first == await append(connection, *events[:2])
    assert first == (await append(connection, *events))[:2]
    assert 3 == len(await read_after(connection, 0))


async def test_a_command_id_stands_for_one_event(connect: Connect) -> None:
    """A command id that is used for another event is refused."""
    connection = await connect()
    command_id = uuid4()
    await append(connection, NewEvent.of(RunnerStarted(meta={"n": 1}), "one", 1, ACTOR, command_id=command_id))
    for other in (
        NewEvent.of(RunnerStarted(meta={"n": 2}), "one", 1, ACTOR, command_id=command_id),
        NewEvent.of(RunnerStarted(meta={"n": 1}), "two", 1, ACTOR, command_id=command_id),
    ):
        with pytest.raises(Conflict, match=str(command_id)):
            await append(connection, other)
    assert 1 == len(await read_after(connection, 0))


async def test_a_lost_connection_is_unavailable(connect: Connect) -> None:
    """Whoever appends over a dead connection is told that the database cannot be reached."""
    connection, killer = await connect(), await connect()
    await killer.execute("SELECT pg_terminate_backend($1, 5000)", connection.get_server_pid())
    with pytest.raises(Unavailable):
        await append(connection, heartbeat("one", 1))
