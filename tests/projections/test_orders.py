"""Lists in another order than their own: a page goes on where the one before ended, nothing twice or left out."""

import json
from collections.abc import AsyncIterator

import pytest
from asyncpg import Connection, Pool

from events.connect import Database
from events.errors import InvalidInput
from events.statements import load_statements
from projections.page import FROM_THE_NEWEST
from projections.runs import RunQuery, find_runs
from projections.tasks import Order, TaskQuery, find_tasks
from tests.projections.history import claim, connect, create, execute

# So many tasks that are created, claimed and done, each event of all of them in one statement.
LIVES = """
    DO $$ BEGIN
        INSERT INTO log.events (kind, id, version, type, actor, data)
        SELECT 'task', 't' || k, 1, 'task.created', 'x', '{"title":"t"}' FROM generate_series(1, %s) k;
        INSERT INTO log.events (kind, id, version, type, actor, data)
        SELECT 'task', id, 2, 'task.claimed', 'x', '{"runner":"r","attempt":1}' FROM view.tasks ORDER BY id;
        INSERT INTO log.events (kind, id, version, type, actor, data)
        SELECT 'task', id, 3, 'task.done', 'x', json_build_object('run_id', run_id) FROM view.tasks ORDER BY id;
    END $$
"""


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


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
async def test_runs_in_flight_stand_among_those_that_ended(connection: Connection, pool: Pool, limit: int) -> None:
    """By when they began, wherever the seam of a page falls: the first, the last, two in a row."""
    flies = [True, False, False, True, True, False, True, False, False, False, True]
    names = [f"t{number:02}" for number in range(len(flies))]
    await create(connection, *names)
    runs = [await (claim if flying else execute)(connection, name) for flying, name in zip(flies, names, strict=True)]

    assert runs == await runs_in_order(pool, limit, RunQuery(oldest=True))
    assert runs[::-1] == await runs_in_order(pool, limit, RunQuery())
    done = [run for run, flying in zip(runs, flies, strict=True) if not flying]
    assert done == await runs_in_order(pool, limit, RunQuery("done", oldest=True))


async def test_a_list_passes_no_more_dead_rows_than_it_shows(connection: Connection, database: str) -> None:
    """A forgotten transaction keeps a dead row of `running` for every run that has ended since it began."""
    forgotten = await connect(database)
    await forgotten.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
    await connection.execute(LIVES % 2_000)
    for name, start in (("list_newest", FROM_THE_NEWEST), ("list_oldest", 0)):
        statement = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {load_statements('projections', 'runs.sql')[name]}"
        [plan] = json.loads(await connection.fetchval(statement, start, 50_000, None, 10, None))
        assert 10 == plan["Plan"]["Actual Rows"]
        assert 30 >= plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"], plan
    await forgotten.close()


@pytest.mark.parametrize("query", [TaskQuery("done", order="priority"), TaskQuery(order="longest")])
async def test_an_order_that_no_index_has(pool: Pool, query: TaskQuery) -> None:
    """History is never sorted: it is refused, with the orders there are."""
    with pytest.raises(InvalidInput, match="newest and oldest"):
        await find_tasks(pool, query, 10, None)
