"""A connection to the test's own database, and the view part of the schema."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from asyncpg import Connection

from events.connect import Database
from ops.migrate import read_schema
from projections.views import Views
from tests.projections.history import connect


@pytest.fixture
def opens(database: str) -> Callable[[], Awaitable[Connection]]:
    """What the rebuild and the audit open their connections with."""
    return lambda: connect(database)


@pytest.fixture
async def views(database: str) -> AsyncIterator[Views]:
    """The read side of a new database."""
    async with Database(database).pool(2) as pool:
        yield Views(pool)


@pytest.fixture(scope="session")
def view_sql() -> str:
    """The view part of schema.sql."""
    return read_schema().view
