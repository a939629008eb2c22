"""What the panel asks: small answers as Structs, each bounded, none of them growing with the history."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from asyncpg import Pool

from projections import (
    activity,
    briefs,
    directives,
    horizon,
    neighbours,
    output,
    plan,
    runners,
    runs,
    story,
    tasks,
    why,
)
from projections.activity import Activity
from projections.briefs import DirectiveBrief, RunBrief, TaskBrief
from projections.horizon import Holder
from projections.neighbours import Neighbours
from projections.output import Artifact, Piece
from projections.plan import PlanPage
from projections.runners import Glance
from projections.runs import RunQuery
from projections.story import EventBrief, EventDetail, StoryQuery
from projections.tasks import Found, TaskQuery
from projections.views import Views
from projections.why import Why

WINDOW = 20_000
"""Rows that a filtered list looks at for one page: what fits into a fraction of a second."""


class Board:
    """Asks over `pool`, whose connections need no state."""

    def __init__(self, pool: Pool, views: Views) -> None:
        self._pool = pool
        self._views = views

    async def metrics(self) -> dict[str, Any]:
        """The numbers of GET /ops/metrics."""
        return _plain(await self._views.metrics())

    async def system(self) -> dict[str, Any]:
        """Paused or not, since when, why, by whom."""
        return _plain(await self._views.system())

    async def runners(self, *, past: bool = False) -> list[dict[str, Any]]:
        """The runners; `past`: also those of past starts."""
        found: list[dict[str, Any]] = msgspec.json.decode(await self._views.runners(past=past))
        return found

    async def glance_at_runners(self, limit: int) -> Glance:
        """The first runners that are online, and how many are lost with what they hold."""
        return await runners.glance_at_runners(self._pool, limit)

    async def activity(self) -> list[Activity]:
        """Ended runs of the last day, half hour by half hour."""
        return await activity.recent_activity(self._pool, datetime.now(UTC))

    async def holders(self) -> list[Holder]:
        """Transactions that were forgotten, and keep the database from cleaning up."""
        return await horizon.list_holders(self._pool, horizon.FORGOTTEN_SECONDS)

    async def tasks(
        self, query: TaskQuery, limit: int, cursor: str | None = None
    ) -> tuple[list[TaskBrief], int | None, str | None]:
        """A page of tasks, how many there are (None: not counted), and the cursor of the next page."""
        found = await self.find_tasks(query, limit, cursor)
        return await briefs.brief_tasks(self._pool, found.ids), found.total, found.next

    async def find_tasks(self, query: TaskQuery, limit: int, cursor: str | None = None, window: int = WINDOW) -> Found:
        """The ids of the tasks that agree with the query, `limit` at most; looks at `window` of them.

        The one task that is called as the text says comes first, however old it is.
        """
        found = await tasks.find_tasks(self._pool, query, limit, cursor, window)
        named = await tasks.find_named(self._pool, query) if query.text and cursor is None else None
        return found if named is None else found.headed(*named)

    async def tasks_named(self, ids: list[str]) -> list[TaskBrief]:
        """These tasks, in that order."""
        return await briefs.brief_tasks(self._pool, ids)

    async def count_statuses(self, ids: list[str]) -> dict[str, int]:
        """How many of these tasks are in which status."""
        return await briefs.count_statuses(self._pool, ids)

    async def task(self, task_id: str) -> dict[str, Any] | None:
        """One task with all its fields."""
        data = await self._views.task(task_id)
        return None if data is None else _plain(data)

    async def neighbours(self, task: TaskBrief) -> Neighbours:
        """The tasks around a task."""
        return await neighbours.find_neighbours(self._pool, task)

    async def why(self, task_id: str) -> Why | None:
        """Why a task is not running."""
        return await why.explain_task(self._pool, task_id)

    async def runs(self, query: RunQuery, limit: int, cursor: str | None = None) -> tuple[list[RunBrief], str | None]:
        """A page of runs, newest first, and the cursor of the next page."""
        ids, following = await runs.find_runs(self._pool, query, limit, cursor, WINDOW)
        return await briefs.brief_runs(self._pool, ids), following

    async def run(self, run_id: int, steps: int, changes: int) -> dict[str, Any] | None:
        """One run with its last `steps`, its first `changes` of files, and the kinds of its artifacts."""
        data = await runs.find_run(self._pool, run_id, steps, changes)
        return None if data is None else _plain(data)

    async def steps(self, run_id: int, after: int, limit: int) -> list[dict[str, Any]]:
        """The steps of a run behind the one of that number."""
        found: list[dict[str, Any]] = msgspec.json.decode(await runs.list_steps(self._pool, run_id, after, limit))
        return found

    async def changes(self, run_id: int, after: str, limit: int) -> list[dict[str, Any]]:
        """The files that a run changed, behind that path."""
        found: list[dict[str, Any]] = msgspec.json.decode(await runs.list_changes(self._pool, run_id, after, limit))
        return found

    async def count_traces(self, run_id: int) -> tuple[int, int]:
        """How many steps and file changes a run has."""
        return await runs.count_traces(self._pool, run_id)

    async def run_brief(self, run_id: int) -> RunBrief | None:
        """One run as a line."""
        found = await briefs.brief_runs(self._pool, [run_id])
        return found[0] if found else None

    async def tail_output(self, run_id: int, characters: int) -> tuple[list[Piece], bool]:
        """The end of a run's output, and whether that is all of it."""
        return await output.tail_output(self._pool, run_id, characters)

    async def next_output(self, run_id: int, after: int, characters: int) -> list[Piece]:
        """What a run printed after a piece."""
        return await output.next_output(self._pool, run_id, after, characters)

    async def patch(self, run_id: int, after: int, characters: int) -> Artifact | None:
        """A part of a run's patch: so many characters behind the first `after`."""
        return await output.cut_artifact(self._pool, run_id, "patch", after, characters)

    async def next_file(self, run_id: int, after: int) -> int | None:
        """Where in a run's patch the next file begins, from there on; None: it was the last."""
        return await output.find_file_in_patch(self._pool, run_id, after)

    async def story(
        self, query: StoryQuery, limit: int, before: int | None = None
    ) -> tuple[list[EventBrief], int | None]:
        """Events, newest first, and where to go on."""
        return await story.read_story(self._pool, query, limit, before)

    async def event(self, seq: int) -> EventDetail | None:
        """One event with its data, its cause and its effects."""
        return await story.find_event(self._pool, seq)

    async def count_undecided(self, most: int) -> int:
        """How many of the newest pending directives wait for somebody's decision."""
        return await briefs.count_undecided(self._pool, most)

    async def pending_directives(self, limit: int) -> list[DirectiveBrief]:
        """The directives that wait for a decision, newest first."""
        return (await briefs.list_directives(self._pool, ["PENDING"], limit))[0]

    async def decided_directives(
        self, status: str | None, limit: int, before: int | None
    ) -> tuple[list[DirectiveBrief], int | None]:
        """The other directives, newest first, and where to go on."""
        statuses = ["APPLIED", "REJECTED"] if status is None else [status]
        return await briefs.list_directives(self._pool, statuses, limit, before)

    async def directive(self, directive_id: str) -> dict[str, Any] | None:
        """One directive with all that was proposed and decided, but for the tasks it plans."""
        data = await directives.find_directive(self._pool, directive_id, with_tasks=False)
        return None if data is None else _plain(data)

    async def plan(self, directive_id: str, after: int, limit: int) -> PlanPage | None:
        """The tasks a directive plans, `limit` of them behind the first `after`."""
        return await plan.find_plan(self._pool, directive_id, after, limit)

    async def plan_digest(self, directive_id: str) -> str | None:
        """The digest of what a directive plans."""
        return await plan.find_plan_digest(self._pool, directive_id)

    async def planner(self) -> dict[str, Any]:
        """The planner's run under way, the last one, and what was spent today."""
        return _plain(await self._views.planner())

    async def planner_runs(self, limit: int) -> list[dict[str, Any]]:
        """The planner's latest runs."""
        page = await self._views.planner_runs(limit=limit)
        found: list[dict[str, Any]] = msgspec.json.decode(page.data)
        return found


def _plain(data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(data)
    return found
