"""A runner's id belongs to the token that used it first, for good (docs/adr/0020).

An id that was used without a token, by a runner over PostgreSQL or before there were tokens, belongs to none.
"""

from collections import OrderedDict

from api.tokens import Pool
from events.statements import load_statements

SQL = load_statements("api", "runner_ids.sql")

REMEMBERED = 10_000  # ids in memory
ATTEMPTS = 2  # the second one sees what another process bound at the same moment


class RunnerIds:
    """The owners of runner ids. Each is read once: it never changes."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._owners: OrderedDict[str, str] = OrderedDict()

    async def bind(self, runner: str, token: str) -> str | None:
        """The name of the token that owns the id, which is `token` if nobody has used it yet; None: no token does."""
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
            if len(self._owners) > REMEMBERED:
                self._owners.popitem(last=False)
        return owner
