"""The follower delivers every event exactly once, in order, whatever the writers do; a naive cursor does not."""

import asyncio
import random
from collections import defaultdict
from contextlib import suppress

import asyncpg
import pytest
from asyncpg import Connection

from events.database_errors import LOST_CONNECTION
from events.event import Event
from events.follower import Follower
from events.log import NewEvent, append, read_after
from events.runner import RunnerHeartbeat
from tests.events.conftest import Connect
from tests.support.waiting import eventually

WRITERS = 8
ROUNDS = 30


async def write(connection: Connection, stream: str, version: int = 1) -> int:
    """Append one event; its seq."""
    [event] = await append(connection, NewEvent.of(RunnerHeartbeat(), stream, version, "system"))
    return event.seq


async def begin(connection: Connection) -> asyncpg.transaction.Transaction:
    """An open transaction, to be ended by hand."""
    transaction = connection.transaction()
    await transaction.start()
    return transaction


def seqs(events: list[Event]) -> list[int]:
    """The places in the log."""
    return [event.seq for event in events]


class NaiveCursor:
    """What one would write first."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._position = 0

    async def advance(self) -> list[Event]:
        events = await read_after(self._connection, self._position)
        self._position = events[-1].seq if events else self._position
        return events


async def test_a_naive_cursor_loses_what_commits_late(connect: Connect) -> None:
    """Asking for seqs after the last one seen walks past an event drawn earlier and committed later; we do not."""
    slow, quick, reader = await connect(), await connect(), await connect()
    naive, follower = NaiveCursor(reader), Follower(reader, 0)
    transaction = await begin(slow)
    late = await write(slow, "slow")
    early = await write(quick, "quick")
    assert late < early

    assert [early] == seqs(await naive.advance())
    assert [] == await follower.advance()
    await transaction.commit()

    assert [] == await naive.advance()
    assert [late, early] == seqs(await follower.advance())


async def test_the_follower_waits_at_a_gap_and_not_longer(connect: Connect) -> None:
    """It delivers what lies before an open transaction's seq, and the rest in the first read after its rollback."""
    slow, quick, reader = await connect(), await connect(), await connect()
    follower = Follower(reader, 0)
    before = await write(quick, "quick", 1)
    transaction = await begin(slow)
    lost = await write(slow, "slow")
    after = await write(quick, "quick", 2)

    assert [before] == seqs(await follower.advance())
    for _ in range(3):
        assert follower.blocked
        assert [] == await follower.advance()
    assert before == follower.position
    await transaction.rollback()

    assert [after] == seqs(await follower.advance())
    assert not follower.blocked
    assert before < lost < after == follower.position


async def test_a_killed_writer_leaves_a_gap_that_is_passed(connect: Connect) -> None:
    """A backend that is terminated in its transaction holds nobody up."""
    victim, quick, reader = await connect(), await connect(), await connect()
    follower = Follower(reader, 0)
    await begin(victim)
    await write(victim, "victim")
    after = await write(quick, "quick")
    assert [] == await follower.advance()

    assert await quick.fetchval("SELECT pg_terminate_backend($1, 5000)", victim.get_server_pid())

    assert [after] == seqs(await follower.advance())


async def test_a_rolled_back_savepoint_is_no_reason_to_wait(connect: Connect) -> None:
    """An event that was undone within an open transaction can never appear, so nobody waits for it."""
    undecided, quick, reader = await connect(), await connect(), await connect()
    await begin(undecided)
    savepoint = await begin(undecided)
    await write(undecided, "undecided")
    await savepoint.rollback()
    after = await write(quick, "quick")

    assert [after] == seqs(await Follower(reader, 0).advance())


async def test_a_long_transaction_that_does_not_append_holds_nobody_up(connect: Connect) -> None:
    """Neither somebody else's long write transaction nor a reader of the log delays the follower at a gap."""
    unrelated, looking, quick, reader = await connect(), await connect(), await connect(), await connect()
    await begin(unrelated)
    await unrelated.execute("INSERT INTO log.output (run_id, chunk, step, stream, data) VALUES (1, 1, 1, 'stdout', '')")
    await begin(looking)
    await read_after(looking, 0)
    gap = await begin(quick)
    await write(quick, "quick")
    await gap.rollback()
    after = await write(quick, "quick")

    follower = Follower(reader, 0)
    assert [after] == seqs(await follower.advance())
    assert not follower.blocked


async def test_whoever_comes_after_the_fence_is_not_waited_for(connect: Connect) -> None:
    """A gap is passed when those have ended who wrote when it was seen, though others have begun since."""
    slow, newcomer, quick, reader = await connect(), await connect(), await connect(), await connect()
    follower = Follower(reader, 0)
    transaction = await begin(slow)
    await write(slow, "slow")
    after = await write(quick, "quick", 1)
    assert [] == await follower.advance()
    newer = await begin(newcomer)
    late = await write(newcomer, "newcomer")
    last = await write(quick, "quick", 2)
    await transaction.rollback()

    assert [after] == seqs(await follower.advance())
    assert follower.blocked
    assert [] == await follower.advance()
    await newer.commit()
    assert [late, last] == seqs(await follower.advance())


async def test_a_filled_gap_is_passed_before_the_fence_falls(connect: Connect) -> None:
    """Once the missing event appears the unbroken run is delivered, whoever else is still open."""
    first, second, quick, reader = await connect(), await connect(), await connect(), await connect()
    follower = Follower(reader, 0)
    filled, open_end = await begin(first), await begin(second)
    one = await write(first, "first")
    two = await write(quick, "quick", 1)
    three = await write(second, "second")
    four = await write(quick, "quick", 2)
    assert [] == await follower.advance()

    await filled.commit()
    assert [one, two] == seqs(await follower.advance())
    assert follower.blocked
    await open_end.commit()
    assert [three, four] == seqs(await follower.advance())
    assert not follower.blocked


async def test_a_follower_goes_on_where_another_stopped(connect: Connect) -> None:
    """Page by page and from one follower to the next, across empty gaps, nothing is lost and nothing comes twice."""
    writer, reader = await connect(), await connect()
    expected = []
    for version in range(1, 13):
        gap = await begin(writer)
        await write(writer, "quick", version)
        await gap.rollback()
        expected.append(await write(writer, "quick", version))

    delivered: list[int] = []
    position = 0
    for _ in expected:
        follower = Follower(reader, position)
        delivered += seqs(await follower.advance(limit=3))
        position = follower.position

    assert expected == delivered
    assert [] == await Follower(reader, position).advance()


class Writer:
    """Appends to its own stream, slowly; some transactions roll back, some are killed."""

    def __init__(self, connect: Connect, killer: Connection, number: int) -> None:
        self._connect = connect
        self._killer = killer
        self._stream = f"runner-{number}"
        self._chance = random.Random(number)
        self.committed: list[int] = []

    async def run(self) -> None:
        connection = await self._connect()
        for _ in range(ROUNDS):
            if connection.is_closed():
                connection = await self._connect()
            with suppress(asyncpg.AdminShutdownError, *LOST_CONNECTION):
                await self._round(connection)

    async def _round(self, connection: Connection) -> None:
        transaction = await begin(connection)
        if self._chance.random() < 0.3:  # its transaction id is older than its seq
            await connection.execute("SELECT pg_current_xact_id()")
        seq = await write(connection, self._stream, len(self.committed) + 1)
        await connection.execute("SELECT pg_sleep($1)", self._chance.random() * 0.005)
        fate = self._chance.random()
        if fate < 0.1:
            await transaction.rollback()
        elif fate < 0.15:
            await self._killer.execute("SELECT pg_terminate_backend($1, 5000)", connection.get_server_pid())
            await connection.execute("SELECT 1")
        else:
            await transaction.commit()
            self.committed.append(seq)


@pytest.mark.timeout(60)
async def test_exactly_what_was_committed_is_delivered_in_order(connect: Connect) -> None:
    """With many writers, delays, rollbacks and killed backends: all that was committed, strictly ascending, once."""
    reader = await connect()
    follower = Follower(reader, 0)
    killers = [await connect() for _ in range(WRITERS)]
    writers = [Writer(connect, killer, number) for number, killer in enumerate(killers)]
    writing = asyncio.gather(*(writer.run() for writer in writers))
    delivered: list[Event] = []

    async def all_is_delivered() -> bool:
        done = writing.done()
        delivered.extend(await follower.advance(limit=50))
        return done and delivered[-1:] == await read_after(reader, follower.position - 1) and not follower.blocked

    await eventually(all_is_delivered, deadline=40)
    await writing

    assert sorted(seq for writer in writers for seq in writer.committed) == seqs(delivered)
    versions: dict[str, list[int]] = defaultdict(list)
    for event in delivered:
        versions[event.id].append(event.version)
    assert all(list(range(1, len(seen) + 1)) == seen for seen in versions.values())
    assert WRITERS == len(versions)
    assert delivered[-1].seq > len(delivered), "the scenario left no gaps"
