"""What a run printed, in pieces, and what it made: a patch, a diffstat."""

from asyncpg import Pool

from events.statements import load_statements
from projections.page import Page

_sql = load_statements("projections", "output.sql")


async def list_output(pool: Pool, run_id: int, step: int | None, after: int, limit: int) -> Page:
    """The pieces `{number, step, stream, at, data}` after the piece `after`; `next` is the number to go on after."""
    rows = await pool.fetch(_sql["list_output"], run_id, step, after, limit + 1)
    data = ",".join(row["data"] for row in rows[:limit])
    return Page(f"[{data}]".encode(), next=str(rows[limit - 1]["chunk"]) if len(rows) > limit else None)


async def find_artifact(pool: Pool, run_id: int, kind: str) -> str | None:
    """A run's "patch" or "diffstat", or None."""
    content: str | None = await pool.fetchval(_sql["find_artifact"], run_id, kind)
    return content
