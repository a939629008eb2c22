"""The system: paused or not, since when, why, by whom; and whether anything has happened at all."""

from asyncpg import Pool

from events.statements import load_statements
from projections.ask import Asked, ask

_sql = load_statements("projections", "system.sql")


async def show_system(pool: Pool) -> bytes:
    """`{status, paused, reason, changed_at, changed_by}`."""
    return await ask(pool, _sql["show_system"])


async def show_state(asked: Asked) -> str:
    """Two equal answers mean that every question about what the database holds is answered alike."""
    return str(await asked.fetchval(_sql["show_state"]))
