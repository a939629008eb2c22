"""The owner's and the superuser's session on a new, migrated database."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from asyncpg import Connection

from ops.postgres.server import SUPERUSER, Server


@pytest.fixture
async def superuser(postgres: Server, connection: Connection) -> AsyncIterator[Connection]:
    """The superuser's session on the same database."""
    name = await connection.fetchval("SELECT current_database()")
    superuser = await asyncpg.connect(postgres.url(name, SUPERUSER))
    yield superuser
    await superuser.close()
