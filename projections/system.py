"""The system: paused or not, since when, why, by whom."""

from asyncpg import Pool

from events.statements import load_statements
from projections.ask import ask

_sql = load_statements("projections", "system.sql")


async def show_system(pool: Pool) -> bytes:
    """`{status, paused, reason, changed_at, changed_by}`."""
    return await ask(pool, _sql["show_system"])
