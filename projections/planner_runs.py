"""Runs of the planner: what each asked, cost and created; the one under way; what was spent today."""

from asyncpg import Pool

from events.statements import load_statements
from projections.ask import ask
from projections.page import FROM_THE_NEWEST, Cursor, Page

STATUSES = ("completed", "failed")

_sql = load_statements("projections", "planner_runs.sql")


async def list_planner_runs(pool: Pool, status: str | None, limit: int, cursor: str | None) -> Page:
    """The runs that have ended, newest first. Raises InvalidInput for a cursor of another list."""
    before = FROM_THE_NEWEST if cursor is None else Cursor.read(cursor, ["planner"]).first
    statuses = STATUSES if status is None else [status]
    places = await pool.fetch(_sql["planner_run_places"], before, statuses, limit + 1)
    following = str(Cursor("planner", places[limit - 1]["seq"])) if len(places) > limit else None
    return Page(await ask(pool, _sql["list_planner_runs"], before, statuses, limit), next=following)


async def show_planner(pool: Pool) -> bytes:
    """`{running, last, spent_today}`: the run under way or null, the one that ended last or null, dollars."""
    return await ask(pool, _sql["show_planner"])


async def spent_today(pool: Pool) -> float:
    """Dollars, since midnight UTC."""
    dollars: float = await pool.fetchval(_sql["spent_today"])
    return dollars
