"""A connection through a transaction-mode pooler, which may use another server session for every transaction.

What a session is told there is lost, or told to others. So every transaction begins with our settings, sent along with
its BEGIN, and a statement that is not within one gets a transaction of its own: two round trips more than over a
direct connection, for the same plans, times in UTC, and no NOTIFY in the writing transaction.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from asyncpg import Connection


class PooledConnection(Connection):  # type: ignore[misc]
    """`settings` are each transaction's. What has no arguments `execute` sends as it is: VACUUM remains possible."""

    settings: Mapping[str, str] = {}

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """As the driver's; a BEGIN brings the settings with it."""
        if not args and query.startswith("BEGIN"):
            query += "".join(f" SET LOCAL {name} = '{value}';" for name, value in self.settings.items())
        status: str = await super().execute(query, *args, timeout=timeout)
        return status

    async def _execute(self, query: str, args: Sequence[Any], *rest: Any, **options: Any) -> Any:
        """Private, but what every way to send a statement with arguments leads through."""
        if self.is_in_transaction():
            return await super()._execute(query, args, *rest, **options)
        async with self.transaction():
            return await super()._execute(query, args, *rest, **options)

    def _get_unique_id(self, prefix: str) -> str:
        """A cursor's statement stays in the pooler's session, where another process would meet its name again."""
        return f"elruso_{prefix}_{uuid4().hex}"


def is_pooled(connection: Connection) -> bool:
    """Whether it leads through a pooler. For asyncpg every connection is an instance of each class of connections."""
    return PooledConnection in type(connection).__mro__
