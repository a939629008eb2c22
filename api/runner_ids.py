"""The tokens that own runner ids. An id belongs permanently to the token that used it first (docs/adr/0020).

An id that was used without a token, by a runner over PostgreSQL or before there were tokens, belongs to no token.
"""

from collections import OrderedDict

from api.tokens import Pool
from events.statements import load_statements

SQL = load_statements("api", "runner_ids.sql")

CACHED_IDS = 10_000
ATTEMPTS = 2  # the second sees a row that another process inserted concurrently


class RunnerIds:
    """Finds and binds the owners of runner ids. Caches them: an owner never changes."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._owners: OrderedDict[str, str] = OrderedDict()

    async def bind(self, runner: str, token: str) -> str | None:
        """The name of the token that owns the id; binds an unused id to `token`. None: it was used without a token."""
        if runner in self._owners:
            return self._owners[runner]
        for _ in range(ATTEMPTS):
            if rows := await self._pool.fetch(SQL["bind_runner_id"], runner, token):
                return self._remember(runner, rows[0]["token"])
        return None

    async def find(self, runner: str) -> str | None:
        """The name of the token that the id belongs to, or None."""
        if runner in self._owners:
            return self._owners[runner]
        rows = await self._pool.fetch(SQL["find_runner_id"], runner)
        return self._remember(runner, rows[0]["token"]) if rows else None

    def _remember(self, runner: str, owner: str | None) -> str | None:
        if owner is not None:
            self._owners[runner] = owner
            if len(self._owners) > CACHED_IDS:
                self._owners.popitem(last=False)
        return owner
