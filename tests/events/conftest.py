"""Fixtures of the tests that speak to the log."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import asyncpg
import pytest
from asyncpg import Connection

from events.commands import Commands
from events.connect import Database
from events.session import hang_up
from ops.postgres.server import Server

Connect = Callable[[], Awaitable[Connection]]


@pytest.fixture
async def connect(database: str) -> AsyncIterator[Connect]:
    """Opens sessions that declare themselves ours; the test's end closes them."""
    async with AsyncExitStack() as opened:

        async def open_one() -> Connection:
            connection = await Database(database, application="writer").connect()
            opened.push_async_callback(hang_up, connection)
            return connection

        yield open_one


@pytest.fixture
async def commands(database: str) -> AsyncIterator[Commands]:
    """All writes of one process, on the test's database."""
    async with Commands(Database(database)) as commands:
        yield commands


@pytest.fixture
async def stranger(database: str) -> AsyncIterator[Connection]:
    """A session of somebody else, as psql would open it."""
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.fixture
def tcp_database(postgres: Server, database: str) -> str:
    """The test's database at a TCP address."""
    return postgres.tcp_url(urlsplit(database).path.removeprefix("/"))
