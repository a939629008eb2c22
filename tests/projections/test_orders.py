"""Lists in another order than their own: a page goes on where the one before ended, nothing twice or left out."""

from collections.abc import AsyncIterator

import pytest
from asyncpg import Connection, Pool

from events.connect import Database
from events.errors import InvalidInput
from projections.runs import RunQuery, find_runs
from projections.tasks import Order, TaskQuery, find_tasks
from tests.projections.history import claim, create, execute


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """What the read side asks over."""
    async with Database(database).pool(2) as pool:
        yield pool


async def tasks_in_order(pool: Pool, limit: int, query: TaskQuery) -> list[str]:
    """The ids of a whole list, read page by page."""
    found = await find_tasks(pool, query, limit, None)
    ids = list(found.ids)
    while found.next is not None:
        found = await find_tasks(pool, query, limit, found.next)
        ids += found.ids
    return ids


async def runs_in_order(pool: Pool, limit: int, query: RunQuery) -> list[int]:
    """The same of runs."""
    ids, following = await find_runs(pool, query, limit, None)
    while following is not None:
        more, following = await find_runs(pool, query, limit, following)
        ids += more
    return ids


@pytest.mark.parametrize("limit", [1, 2, 100])
@pytest.mark.parametrize(
    ("order", "expected"),
    [("", "dcba"), ("longest", "abcd"), ("priority", "bdac"), ("oldest", "abcd"), ("newest", "dcba")],
)
async def test_running_tasks(connection: Connection, pool: Pool, order: Order, expected: str, limit: int) -> None:
    """By claim, either way, and by priority with the longest first among equals."""
    for id, priority in (("a", 100), ("b", 5), ("c", 100), ("d", 50)):  # noqa: A001
        await create(connection, id, priority=priority)
        await claim(connection, id)
    await create(connection, "waits")
    assert list(expected) == await tasks_in_order(pool, limit, TaskQuery("running", order=order))


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_other_tasks(connection: Connection, pool: Pool, limit: int) -> None:
    """Ready ones as they will be claimed or by creation, either way; those of a directive by creation, either way."""
    await create(connection, "a", priority=100, directive_id="d")
    await create(connection, "b", priority=5)
    await create(connection, "c", priority=100, directive_id="d")
    for query, expected in [
        (TaskQuery("ready"), "bac"),
        (TaskQuery("ready", order="newest"), "cba"),
        (TaskQuery("ready", order="oldest"), "abc"),
        (TaskQuery(order="oldest"), "abc"),
        (TaskQuery(directive_id="d"), "ca"),
        (TaskQuery(directive_id="d", order="oldest"), "ac"),
    ]:
        assert list(expected) == await tasks_in_order(pool, limit, query), query


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_runs(connection: Connection, pool: Pool, limit: int) -> None:
    """Newest or oldest first: all, those of a status, those that run, those of a task."""
    await create(connection, "a", "b", "c", "d", max_attempts=9)
    runs = [await execute(connection, "a"), await execute(connection, "b", fails=True)]
    runs += [await claim(connection, "c"), await claim(connection, "d")]
    for query, expected in [
        (RunQuery(), runs),
        (RunQuery("failed"), runs[1:2]),
        (RunQuery("running"), runs[2:]),
        (RunQuery(task_id="b"), runs[1:2]),
    ]:
        assert expected[::-1] == await runs_in_order(pool, limit, query), query
        oldest = RunQuery(query.status, query.task_id, oldest=True)
        assert expected == await runs_in_order(pool, limit, oldest), oldest


@pytest.mark.parametrize("query", [TaskQuery("done", order="priority"), TaskQuery(order="longest")])
async def test_an_order_that_no_index_has(pool: Pool, query: TaskQuery) -> None:
    """History is never sorted: it is refused, with the orders there are."""
    with pytest.raises(InvalidInput, match="newest and oldest"):
        await find_tasks(pool, query, 10, None)
