"""Fixtures of every test: a PostgreSQL server per run, a database of one's own per test."""

from collections.abc import AsyncIterator, Iterator

import pytest
from asyncpg import Connection

from events.connect import Database
from ops.postgres.server import Server
from tests.support.postgres import create_database, drop_database, ensure_template, test_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """The run's PostgreSQL server; `postgres.url(name, "postgres")` is the superuser's address."""
    with test_server() as server:
        yield server


@pytest.fixture
async def empty_database(postgres: Server) -> AsyncIterator[str]:
    """The address of a new database with nothing in it."""
    name = await create_database(postgres, "template0")
    yield postgres.url(name)
    await drop_database(postgres, name)


@pytest.fixture
async def database(postgres: Server) -> AsyncIterator[str]:
    """The address of a new, migrated database."""
    await ensure_template(postgres)
    name = await create_database(postgres)
    yield postgres.url(name)
    await drop_database(postgres, name)


@pytest.fixture
async def connection(database: str) -> AsyncIterator[Connection]:
    """A session on the test's database, opened as the product opens its own."""
    connection = await Database(database).connect()
    yield connection
    await connection.close()
