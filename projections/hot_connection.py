"""A connection of a pool that is kept while it is used again and again.

To take one and to give it back costs more than a short question does; under load that is most of what is asked.
"""

import asyncio
from typing import Any

from asyncpg import Pool

KEEP_SECONDS = 0.01  # unused for so long it goes back; a pool that closes waits for it


class HotConnection:
    """Asks over a connection that it has just used, or over another one of the pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._kept: Any = None
        self._is_used = False
        self._watch: asyncio.TimerHandle | None = None
        self._returning: asyncio.Task[None] | None = None

    async def fetchval(self, statement: str, *arguments: object) -> Any:
        """The first value of the first row. Raises asyncpg's errors, after which the connection is the pool's again."""
        connection, self._kept = self._kept, None
        if connection is None or connection.is_closed():
            if connection is not None:
                await self._pool.release(connection)
            connection = await self._pool.acquire()
        try:
            value = await connection.fetchval(statement, *arguments)
        except BaseException:
            await self._pool.release(connection)
            raise
        if self._kept is None:
            self._keep(connection)
        else:
            await self._pool.release(connection)
        return value

    def _keep(self, connection: Any) -> None:
        self._kept, self._is_used = connection, True
        if self._watch is None:
            self._watch = asyncio.get_running_loop().call_later(KEEP_SECONDS, self._look)

    def _look(self) -> None:
        """Has it been used of late?"""
        self._watch = None
        if self._kept is None:  # in use; it is watched again when it comes back
            return
        connection = self._kept
        if self._is_used:
            self._keep(connection)
            self._is_used = False
        else:
            self._kept = None
            self._returning = asyncio.get_running_loop().create_task(self._pool.release(connection))
