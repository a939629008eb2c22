"""Forgotten transactions: while one is open, no row that has died since is cleaned up, and queues get slow."""

from typing import Any, Protocol

from asyncpg import Record
from msgspec import Struct

from events.statements import load_statements

_sql = load_statements("projections", "horizon.sql")

FORGOTTEN_SECONDS = 300.0
"""How long an honest transaction lasts at most."""


class Holder(Struct, frozen=True):
    """A transaction that keeps dead rows. `pid` is None for one that was prepared for a two-phase commit: `name` is its
    gid then, otherwise that of the application or the role. `is_idle`: nothing goes on in it."""

    pid: int | None
    name: str
    is_idle: bool
    seconds: float

    @property
    def remedy(self) -> str:
        """The statement that ends it."""
        if self.pid is None:
            return "ROLLBACK PREPARED '{}'".format(self.name.replace("'", "''"))
        return f"SELECT pg_terminate_backend({self.pid})"


class Asked(Protocol):
    """A pool, or a connection."""

    async def fetch(self, query: str, *arguments: Any) -> list[Record]:
        """All rows."""


async def list_holders(asked: Asked, seconds: float) -> list[Holder]:
    """Those that have been open for longer than so many seconds, the oldest first."""
    return [Holder(**row) for row in await asked.fetch(_sql["list_holders"], seconds)]
