"""Runs: lists of them, and each with its steps and the files it changed."""

from collections.abc import Sequence

from asyncpg import Pool
from msgspec import Struct

from events.log import PAGE_BYTES
from events.statements import load_statements
from projections.ask import ask
from projections.page import FROM_THE_NEWEST, WINDOW, Cursor, Page, count_fitting

LOST = ("failed", "requeued", "blocked", "cancelled")
"""How runs end otherwise than done; those stand in a list of their own."""

_sql = load_statements("projections", "runs.sql")


class RunQuery(Struct, frozen=True):
    """Which runs: those that agree with all that is not None. Newest first, or `oldest`: the longest of those that run.

    A run's id is its place in the log, so both ways go by the key; there is no index on how long runs took.
    """

    status: str | None = None
    task_id: str | None = None
    oldest: bool = False

    @property
    def section(self) -> str:
        """The narrowest list that holds all of what is asked for."""
        if self.task_id is not None:
            return "task_oldest" if self.oldest else "task"
        if self.status in LOST:
            return "lost_oldest" if self.oldest else "lost"
        if self.status == "running":
            return "longest" if self.oldest else "running"
        return "oldest" if self.oldest else "newest"


async def runs_by_id(pool: Pool, ids: Sequence[int], status: str | None = None) -> bytes:
    """These runs in the order of the ids, as a JSON array; those unknown or of another status are left out."""
    return await ask(pool, _sql["runs_by_id"], ids, status)


async def find_run(pool: Pool, run_id: int, steps: int | None = None, changes: int | None = None) -> bytes | None:
    """One run with its (last `steps`) steps, its (first `changes`) file changes, artifacts' kinds and result, or None.

    Steps and file changes take about PAGE_BYTES each; `count_traces` says how many there are.
    """
    return await ask(pool, _sql["run_with_steps"], run_id, steps, changes, PAGE_BYTES) or None


async def list_steps(pool: Pool, run_id: int, after: int, limit: int) -> bytes:
    """The `limit` steps of a run behind the one of that number, as a JSON array."""
    return await ask(pool, _sql["list_steps"], run_id, after, limit)


async def list_changes(pool: Pool, run_id: int, after: str, limit: int) -> bytes:
    """The `limit` files that a run changed whose paths come after that one, as a JSON array."""
    return await ask(pool, _sql["list_changes"], run_id, after, limit)


async def count_traces(pool: Pool, run_id: int) -> tuple[int, int]:
    """How many steps and file changes a run has."""
    steps, changes = await pool.fetchrow(_sql["count_traces"], run_id)
    return steps, changes


async def list_runs(pool: Pool, query: RunQuery, limit: int, cursor: str | None) -> Page:
    """Runs, newest first.

    A page may be short although there is a next one: it has about PAGE_BYTES, looks at WINDOW runs at most, and leaves
    out those whose status changed while it looked. Raises InvalidInput for a cursor of another list.
    """
    ids, following = await find_runs(pool, query, limit, cursor)
    fitting = await count_fitting(pool, _sql["count_fitting"], ids)
    if fitting < len(ids):
        ids, following = await find_runs(pool, query, fitting, cursor)  # for the cursor
    data = await runs_by_id(pool, ids, query.status) if ids else b"[]"
    return Page(data, next=following)


async def find_runs(
    pool: Pool, query: RunQuery, limit: int, cursor: str | None, window: int | None = None
) -> tuple[list[int], str | None]:
    """The ids of a page of runs, and the cursor of the next. `window`: another limit to how many it looks at."""
    after = None if cursor is None else Cursor.read(cursor, [query.section])
    start = after.first if after else 0 if query.oldest else FROM_THE_NEWEST
    ids, following = await _find(pool, query, limit, start, window or WINDOW)
    return ids, None if following is None else str(following)


async def _find(pool: Pool, query: RunQuery, limit: int, start: int, window: int) -> tuple[list[int], Cursor | None]:
    rows = await pool.fetch(_sql[f"list_{query.section}"], start, window, query.status, limit + 1, query.task_id)
    ids = [row["id"] for row in rows[:limit]]
    if len(rows) > limit:
        return ids, Cursor(query.section, ids[-1])
    if query.section in ("newest", "oldest") and query.status is not None:
        last = await pool.fetchval(_sql[f"last_of_{query.section}"], start, window)
        return ids, None if last is None else Cursor(query.section, last)
    return ids, None
