"""Two small promises: ids stand in order of time, and a task rests as long as the runbook says."""

import itertools
import time

import pytest
from asyncpg import Connection
from hypothesis import given
from hypothesis import strategies as st

from events.ids import new_task_id
from tests.projections.history import connect


def test_ids_are_short_and_differ() -> None:
    """Ten thousand ids, made at once, differ, and fit where ids must fit."""
    ids = [new_task_id() for _ in range(10_000)]
    assert len(ids) == len(set(ids))
    assert {len(ids[0])} == {len(task_id) for task_id in ids}
    assert all(1 <= len(task_id) <= 200 and task_id.startswith("t-") for task_id in ids)


@given(st.lists(st.integers(1_600_000_000_000, 2_500_000_000_000), min_size=2, max_size=20, unique=True))
def test_ids_are_in_order_of_time(milliseconds: list[int]) -> None:
    """Of two ids the one made in a later millisecond is the greater, byte by byte, until the year 2049 and beyond."""
    clock = iter(milliseconds)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time_ns", lambda: next(clock) * 1_000_000)
        ids = [new_task_id().encode() for _ in milliseconds]
    for (earlier, first), (later, second) in itertools.pairwise(sorted(zip(milliseconds, ids, strict=True))):
        assert earlier < later
        assert first < second


async def test_rests_grow_as_the_runbook_says(database: str) -> None:
    """After the first failure 10 s, after the second 30 s, then 120 s, each within 15 %, and never twice the same."""
    connection: Connection = await connect(database)
    for attempt, seconds in ((-1, 10), (0, 10), (1, 10), (2, 30), (3, 120), (4, 120), (1000, 120)):
        query = "SELECT extract(epoch FROM log.backoff($1))::float8 FROM generate_series(1, 500)"
        rests = [row[0] for row in await connection.fetch(query, attempt)]
        assert 0.85 * seconds <= min(rests) < 0.9 * seconds, (attempt, min(rests))
        assert 1.1 * seconds < max(rests) <= 1.15 * seconds, (attempt, max(rests))
    await connection.close()
