"""Tasks, runs and directives as one line of a list: what fits there, and nothing that could be long."""

from collections.abc import Sequence
from datetime import datetime

from asyncpg import Pool
from msgspec import Struct

from events.statements import load_statements
from projections.page import FROM_THE_NEWEST

_sql = load_statements("projections", "briefs.sql")
_directives = load_statements("projections", "directives.sql")


class TaskBrief(Struct, frozen=True):
    """A task in a list. Long texts are cut."""

    id: str
    title: str
    status: str
    phase: str | None
    directive_id: str | None
    task_type: str
    priority: int
    attempts: int
    max_attempts: int
    waiting_on: int
    created_at: datetime
    ready_at: datetime
    claimed_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    next_run_at: datetime | None
    claimed_by: str | None
    run_id: int | None
    last_error: str | None


class RunBrief(Struct, frozen=True):
    """A run in a list, with the title of its task. `duration_ms` of one that runs is how long it has been at it."""

    id: int
    task_id: str
    title: str | None
    runner: str
    attempt: int
    status: str
    claimed_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    duration_ms: int
    branch: str | None
    summary: str | None
    error: str | None


class DirectiveBrief(Struct, frozen=True):
    """A directive in a list. `planned` tasks, of which so many exist; `stopped`: failed, blocked or cancelled."""

    id: str
    title: str
    status: str
    approval: str
    required: list[str]
    proposed_at: datetime
    proposed_by: str
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None
    planned: int
    created: int
    done: int
    stopped: int
    running: int


async def brief_tasks(pool: Pool, ids: Sequence[str]) -> list[TaskBrief]:
    """These tasks, in that order; those unknown are left out."""
    return [TaskBrief(*row.values()) for row in await pool.fetch(_sql["briefs_of_tasks"], ids)] if ids else []


async def count_statuses(pool: Pool, ids: Sequence[str]) -> dict[str, int]:
    """How many of these tasks are in which status."""
    return {row["status"]: row["tasks"] for row in await pool.fetch(_sql["count_statuses"], ids)}


async def brief_runs(pool: Pool, ids: Sequence[int]) -> list[RunBrief]:
    """These runs, in that order; those unknown are left out."""
    return [RunBrief(*row.values()) for row in await pool.fetch(_sql["briefs_of_runs"], ids)] if ids else []


async def count_undecided(pool: Pool, most: int) -> int:
    """How many of the newest `most` pending directives wait for somebody's decision."""
    count: int = await pool.fetchval(_directives["count_undecided"], most)
    return count


async def list_directives(
    pool: Pool, statuses: Sequence[str], limit: int, before: int | None = None
) -> tuple[list[DirectiveBrief], int | None]:
    """The directives in these statuses, newest first, and what to pass as `before` for those after them."""
    start = FROM_THE_NEWEST if before is None else before
    rows = await pool.fetch(_directives["list_directives"], start, statuses, limit + 1)
    ids = [row["id"] for row in rows[:limit]]
    briefs = (
        [DirectiveBrief(*row.values()) for row in await pool.fetch(_sql["briefs_of_directives"], ids)] if ids else []
    )
    return briefs, rows[limit - 1]["proposed_seq"] if len(rows) > limit else None
