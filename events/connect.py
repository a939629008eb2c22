"""How a connection to PostgreSQL is opened: TLS, poolers, session settings.

Three kinds per process: one LISTEN connection and one for hints (`direct`), one or two behind the group committer, and
a small pool for queries. Through a transaction-mode pooler (`pooled`) there are no prepared statements and no LISTEN,
and settings last for a transaction (events/pooled.py); then `listen_url` names a direct address for the listener, or
the process polls and says so.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import asyncpg
from asyncpg import Connection, Pool
from msgspec import Struct

from events.database_errors import DRIVER_ERRORS, unavailable
from events.errors import Unavailable
from events.pool import close_pool, open_pool
from events.pooled import PooledConnection

# Our sessions declare themselves (schema.sql: wake_foreign), and let the server notice a client that is gone.
SESSION = {
    "application_name": "elruso",
    "elruso.managed": "on",
    "timezone": "UTC",
    "jit": "off",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "idle_in_transaction_session_timeout": "10000",
}
# The commands' statements are written so that one plan serves any size of table (schema.sql: OFFSET 0). Planning
# them anew for each call would cost more than running them.
WRITER = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
# Between a pooler and the server the sockets are not ours, and the name goes with the connection.
NOT_A_TRANSACTIONS = {"application_name", "tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count"}
NONE: Mapping[str, str] = {}
CONNECT_TIMEOUT_SECONDS = 10.0


class PooledSession(PooledConnection):
    """For queries, through a pooler."""

    settings: Mapping[str, str] = {name: value for name, value in SESSION.items() if name not in NOT_A_TRANSACTIONS}


class PooledWriter(PooledSession):
    """For commands, through a pooler."""

    settings: Mapping[str, str] = {**PooledSession.settings, **WRITER}


class Database(Struct, frozen=True):
    """Where the database is and how it is reached. `url` may carry sslmode and every other libpq option."""

    url: str
    listen_url: str | None = None
    pooled: bool = False
    application: str = "elruso"

    @property
    def direct_url(self) -> str | None:
        """An address where LISTEN works, or None: then the process polls."""
        return self.listen_url or (None if self.pooled else self.url)

    async def connect(self) -> Connection:
        """A connection for statements, through the pooler if there is one. Raises Unavailable."""
        return await _open(self.url, _arguments(self.application, self.pooled))

    async def connect_writer(self) -> Connection:
        """A connection for commands: statements planned once, for ever. Raises Unavailable."""
        return await _open(self.url, _arguments(self.application, self.pooled, WRITER))

    async def connect_direct(self) -> Connection:
        """A session of its own, for LISTEN, hints, advisory locks. Raises Unavailable."""
        if self.direct_url is None:
            raise Unavailable(
                "DATABASE_URL goes through a transaction pooler; set ELRUSO_LISTEN_URL to a direct address"
            )
        return await _open(self.direct_url, _arguments(self.application, pooled=False))

    @asynccontextmanager
    async def pool(self, size: int, query_seconds: float | None = None) -> AsyncIterator[Pool]:
        """A small pool for queries, each of which may take `query_seconds`. Raises Unavailable.

        Its sessions keep no state, so nothing is reset on release.
        """
        arguments = _arguments(self.application, self.pooled) | {"command_timeout": query_seconds}
        try:
            pool = await open_pool(self.url, size, arguments)
        except DRIVER_ERRORS as error:
            raise unavailable(error) from error
        try:
            yield pool
        finally:
            await close_pool(pool)


async def _open(url: str, arguments: Mapping[str, object]) -> Connection:
    try:
        return await asyncpg.connect(url, **arguments)
    except DRIVER_ERRORS as error:
        raise unavailable(error) from error


def _arguments(application: str, pooled: bool, settings: Mapping[str, str] = NONE) -> dict[str, object]:
    arguments: dict[str, object] = {"timeout": CONNECT_TIMEOUT_SECONDS}
    if pooled:  # a pooler refuses most start-up settings, and its sessions are not ours to prepare in
        session = PooledWriter if settings else PooledSession
        named = {"server_settings": {"application_name": application}}
        return arguments | named | {"statement_cache_size": 0, "connection_class": session}
    return arguments | {"server_settings": SESSION | {"application_name": application} | dict(settings)}
