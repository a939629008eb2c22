"""A pool of connections whose release takes no longer than a second.

A query that is given up has its cancellation sent over another connection, and asyncpg's release waits until the
server confirms it. A server that has fallen silent confirms nothing: the caller would wait for minutes, whatever its
own deadline.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from asyncpg import Connection, Pool, Record

RELEASE_SECONDS = 1.0  # then the connection is ended
CLOSE_SECONDS = 5.0
MAX_QUERIES = 50_000  # asyncpg's own defaults
IDLE_SECONDS = 300.0


class BoundedPool(Pool):  # type: ignore[misc]
    """As asyncpg's."""

    async def release(self, connection: Any, *, timeout: float | None = None) -> None:
        """Give the connection back. Raises TimeoutError: the server confirms nothing, and the connection was ended."""
        await super().release(connection, timeout=RELEASE_SECONDS if timeout is None else timeout)


async def open_pool(url: str, size: int, arguments: Mapping[str, Any]) -> Pool:
    """A pool of at most `size` connections; `arguments` are asyncpg's. Raises what asyncpg raises."""
    pool = BoundedPool(
        url,
        min_size=1,
        max_size=size,
        max_queries=MAX_QUERIES,
        max_inactive_connection_lifetime=IDLE_SECONDS,
        reset=_keep,
        loop=None,
        **({"connection_class": Connection, "record_class": Record} | dict(arguments)),
    )
    return await pool


async def close_pool(pool: Pool) -> None:
    """Close it once its connections are back, or end them after some seconds."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await pool.close()
    except TimeoutError:
        pool.terminate()


async def _keep(_connection: Connection) -> None:
    """No reset query on release: one round trip less per use."""
