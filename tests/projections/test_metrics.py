"""The numbers of /ops/metrics, against a scenario counted by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from asyncpg import Connection

from events.rfc3339 import rfc3339
from events.runner import RunnerHeartbeat, RunnerStopped
from events.task import TaskCancelled, TaskDone, TaskFailed, TaskRequeued
from projections.metrics import Metrics
from projections.views import Views
from tests.projections.history import append, claim, create, execute


async def numbers(views: Views) -> Any:
    """The metrics, decoded."""
    return msgspec.json.decode(await views.metrics())


async def steer(connection: Connection, moment: datetime | None) -> None:
    """Set the database's clock for this connection; None lets it run again."""
    await connection.execute("SELECT set_config('elruso.now', $1, false)", "" if moment is None else moment.isoformat())


async def test_an_empty_system_has_nothing_to_measure(views: Views) -> None:
    """Counts are 0, averages and ages null."""
    assert {
        "tasks": {"ready": 0, "running": 0, "blocked": 0, "failed": 0, "done": 0, "cancelled": 0},
        "runners": {"online": 0, "draining": 0, "total": 0},
        "runs": {
            "last_run_at": None,
            "fail_rate_last_20": None,
            "avg_ready_to_done_seconds_last_20": None,
            "last_24h": 0,
            "fails_last_24h": 0,
        },
        "backlog": {"oldest_ready_age_seconds": None},
    } == await numbers(views)


async def test_the_numbers_are_those_counted_by_hand(connection: Connection, views: Views) -> None:
    """One task in each status, runs that failed today and two days ago, two runners of which one is seen."""
    now = datetime.now(UTC)
    await steer(connection, now - timedelta(days=2))
    await create(connection, "old")
    await execute(connection, "old", fails=True)  # counted in the rate, not in the day
    await steer(connection, now - timedelta(hours=1))
    await create(connection, "done", "cancelled", "running", "parent", "ready")
    await append(connection, "late", RunnerHeartbeat())
    run = await claim(connection, "done")
    await steer(connection, now - timedelta(minutes=50))
    await append(connection, "done", TaskDone(run))  # ten minutes after it was ready
    await append(connection, "cancelled", TaskCancelled())
    await create(connection, "child", depends_on=["parent"])
    run = await claim(connection, "parent")
    await append(connection, "parent", TaskFailed(run, "no"))  # and its child is blocked
    run = await claim(connection, "running")
    await append(connection, "running", TaskRequeued("lost", run))  # an end, but no failure
    await claim(connection, "running", attempt=2)
    await append(connection, "r1", RunnerHeartbeat(), RunnerStopped(), RunnerHeartbeat())
    await steer(connection, None)
    await append(connection, "r1", RunnerHeartbeat())

    found = await numbers(views)

    assert {"ready": 1, "running": 1, "blocked": 1, "failed": 2, "done": 1, "cancelled": 1} == found["tasks"]
    assert {"online": 1, "draining": 0, "total": 2} == found["runners"]
    assert (3, 1) == (found["runs"]["last_24h"], found["runs"]["fails_last_24h"])
    assert 0.5 == found["runs"]["fail_rate_last_20"]  # old and parent, of old, done, parent and running's first
    assert 600 == pytest.approx(found["runs"]["avg_ready_to_done_seconds_last_20"])
    assert rfc3339(now - timedelta(minutes=50)) == found["runs"]["last_run_at"]
    assert 3600 == pytest.approx(found["backlog"]["oldest_ready_age_seconds"], abs=60)


async def test_only_the_last_twenty_ends_make_the_rate(connection: Connection, views: Views) -> None:
    """Of 25 runs the first five failed: a rate of zero. A failure since makes it one in twenty."""
    for number in range(25):
        await create(connection, f"t{number}")
        await execute(connection, f"t{number}", fails=number < 5)
    await create(connection, "claimed", "last")
    await claim(connection, "claimed")  # has not ended: does not count
    assert 0 == (await numbers(views))["runs"]["fail_rate_last_20"]

    await execute(connection, "last", fails=True)

    assert 0.05 == (await numbers(views))["runs"]["fail_rate_last_20"]


async def test_the_oldest_ready_task_may_be_the_least_urgent(connection: Connection, views: Views) -> None:
    """The backlog's age is that of the oldest claimable task over all priorities; those that wait do not count."""
    now = datetime.now(UTC)
    for minutes, id, definition in (  # noqa: A001
        (90, "due later", {"next_run_at": now + timedelta(hours=1)}),
        (60, "idle", {"priority": 900}),
        (50, "waiting", {"priority": 0, "depends_on": ["idle"]}),
        (40, "normal", {}),
        (30, "urgent", {"priority": 0}),
    ):
        await steer(connection, now - timedelta(minutes=minutes))
        await create(connection, id, **definition)

    assert 3600 == pytest.approx((await numbers(views))["backlog"]["oldest_ready_age_seconds"], abs=60)


class Wire:
    """A connection that notes what it is asked; `state`: what is told of the database's, if not its own."""

    def __init__(self, connection: Connection, state: str | None = None) -> None:
        self._connection = connection
        self._state = state
        self.asked: list[str] = []

    async def fetchval(self, query: str, *arguments: Any) -> Any:
        """The connection's answer."""
        self.asked.append("numbers" if "json_build_object" in query else "moment")
        state, *rest = await self._connection.fetchval(query, *arguments)
        return (self._state or state, *rest)


async def test_nobody_is_told_what_has_passed(connection: Connection) -> None:
    """While nothing is committed the age grows, runners go offline and runs leave the day, each at its time."""
    start = datetime.now(UTC)
    await steer(connection, start)
    await create(connection, "done", "ready")
    await execute(connection, "done")
    await append(connection, "r1", RunnerHeartbeat())
    await steer(connection, start + timedelta(seconds=20))
    await append(connection, "r2", RunnerHeartbeat())
    wire = Wire(connection, "nobody commits, not even the server itself")
    kept = Metrics(wire, online_seconds=60)
    seen = []
    for seconds in (21, 21, 59.9, 60, 79, 80, 3600, 86_000, 86_800, 30):  # the last one: the clock was set back
        await steer(connection, start + timedelta(seconds=seconds))
        told = await kept.show()
        assert told == await Metrics(connection, online_seconds=60).show(), seconds
        seen.append(msgspec.json.decode(told))

    assert [2, 2, 2, 1, 1, 0, 0, 0, 0, 2] == [told["runners"]["online"] for told in seen]
    assert [1, 1, 1, 1, 1, 1, 1, 1, 0, 1] == [told["runs"]["last_24h"] for told in seen]
    assert [21, 59.9, 3600] == [seen[place]["backlog"]["oldest_ready_age_seconds"] for place in (1, 2, 6)]
    assert [*"nnmmn"] == [asked[0] for asked in wire.asked[:5]], "kept until the first one is offline"


async def test_what_was_committed_is_told_at_once(connection: Connection) -> None:
    """Also after a time in which the numbers were kept."""
    kept = Metrics(connection)
    for number in range(1, 4):
        for _ in range(3):
            await kept.show()
        await create(connection, f"t{number}")
        assert number == msgspec.json.decode(await kept.show())["tasks"]["ready"]


async def test_where_much_is_committed_the_numbers_are_asked_for_at_once(connection: Connection) -> None:
    """One statement for each answer, as if nothing were ever kept."""
    wire = Wire(connection)
    kept = Metrics(wire)
    for number in range(5):
        await create(connection, f"t{number}")
        await kept.show()
    assert ["numbers"] * 5 == wire.asked
