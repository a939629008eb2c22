"""Single tasks are read for many callers in one query."""

import asyncio
from collections.abc import Sequence

import pytest

from api.lookup import TaskLookup
from events.errors import Unavailable
from projections.views import Views
from tests.api.serving import Served


class CountingViews(Views):
    """Views that remember how many tasks each query was for, and that can be told to fail."""

    queries: list[int]
    failing = False

    async def tasks_by_id(self, task_ids: Sequence[str]) -> bytes:
        """As it is, noted."""
        self.queries.append(len(task_ids))
        if self.failing:
            raise Unavailable("no database")
        return await super().tasks_by_id(task_ids)


@pytest.fixture
def views(api: Served) -> CountingViews:
    """The views of the served database."""
    views = CountingViews(api.pool)
    views.queries = []
    return views


async def test_callers_of_one_moment_share_a_query(api: Served, views: CountingViews) -> None:
    """Each gets its own task, repeated ones and unknown ones included."""
    await api.post("/ops/tasks", [{"id": str(number), "title": f"T{number}"} for number in range(20)])
    lookup = TaskLookup(views)
    wanted = [*map(str, range(20)), "ghost", "7"]
    found = await asyncio.gather(*map(lookup.find, wanted))

    assert [f'"title":"T{number}"'.encode() in row for number, row in enumerate(found[:20]) if row] == [True] * 20
    assert [None, found[7]] == found[20:]
    assert [22] == views.queries


async def test_a_failure_reaches_every_caller(api: Served, views: CountingViews) -> None:
    """And the next ones are served again."""
    lookup = TaskLookup(views)
    await api.post("/ops/tasks", {"id": "a", "title": "A"})
    views.failing = True
    outcomes = await asyncio.gather(lookup.find("a"), lookup.find("b"), return_exceptions=True)
    assert [Unavailable] * 2 == [type(outcome) for outcome in outcomes]

    views.failing = False
    assert await lookup.find("a")


async def test_a_caller_that_gives_up_disturbs_nobody(api: Served, views: CountingViews) -> None:
    """The others of its query are answered."""
    await api.post("/ops/tasks", {"id": "a", "title": "A"})
    lookup = TaskLookup(views)
    one, other = (asyncio.create_task(lookup.find("a")) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()

    assert await other
    assert one.cancelled()
