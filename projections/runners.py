"""Runners: who executes, and who is there."""

from asyncpg import Pool

from events.statements import load_statements
from projections.ask import ask

ONLINE_SECONDS = 60.0
"""A runner that was seen within this time is online."""

_sql = load_statements("projections", "runners.sql")


async def list_runners(pool: Pool, online_seconds: float = ONLINE_SECONDS) -> bytes:
    """The runners, the one seen last first, at most 1000, as a JSON array."""
    return await ask(pool, _sql["list_runners"], online_seconds, None)


async def find_runner(pool: Pool, runner_id: str, online_seconds: float = ONLINE_SECONDS) -> bytes | None:
    """One runner, or None."""
    return (await ask(pool, _sql["list_runners"], online_seconds, runner_id))[1:-1] or None
