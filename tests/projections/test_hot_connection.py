"""A connection that is kept goes back to its pool when nobody uses it, and never broken to the next who asks."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from asyncpg import Pool

from events.connect import Database
from projections.hot_connection import HotConnection
from tests.support.waiting import eventually


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """A pool of two."""
    async with Database(database).pool(2) as pool:
        yield pool


async def test_it_is_used_again_and_then_given_back(pool: Pool) -> None:
    """Questions one after the other go over one connection; a while later the pool has it again."""
    hot = HotConnection(pool)
    assert 1 == len({await hot.fetchval("SELECT pg_backend_pid()") for _ in range(5)})
    assert 1 == pool.get_size() - pool.get_idle_size()
    await eventually(lambda: pool.get_size() == pool.get_idle_size())
    assert await hot.fetchval("SELECT 1")


async def test_questions_of_one_moment_do_not_wait(pool: Pool) -> None:
    """Each takes a connection of the pool, and all of them go back."""
    hot = HotConnection(pool)
    question = "SELECT pg_backend_pid(), pg_sleep(0.05)"
    assert 2 == len(set(await asyncio.gather(hot.fetchval(question), hot.fetchval(question))))
    await eventually(lambda: pool.get_size() == pool.get_idle_size())


async def test_after_an_error_it_asks_over_a_whole_one(pool: Pool) -> None:
    """A refused statement, a caller that gives up, a session that is ended: the next one is answered."""
    hot = HotConnection(pool)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await hot.fetchval("SELECT 1 / 0")
    asking = asyncio.create_task(hot.fetchval("SELECT pg_sleep(60)"))
    await eventually(lambda: pool.get_size() > pool.get_idle_size())
    asking.cancel()
    await asyncio.wait([asking])
    assert 1 == await hot.fetchval("SELECT 1")
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
        await hot.fetchval("SELECT pg_terminate_backend(pg_backend_pid())")
    assert 1 == await hot.fetchval("SELECT 1")


async def test_a_session_that_ends_while_it_is_kept_costs_one_answer(pool: Pool, database: str) -> None:
    """As with a pool: whoever finds it dead hears of it, and the next one is answered."""
    hot = HotConnection(pool)
    pid = await hot.fetchval("SELECT pg_backend_pid()")
    other = await asyncpg.connect(database)
    await other.fetch("SELECT pg_terminate_backend($1, 5000)", pid)
    await other.close()
    await asyncio.wait([asyncio.create_task(hot.fetchval("SELECT 1"))])
    assert 1 == await hot.fetchval("SELECT 1")
