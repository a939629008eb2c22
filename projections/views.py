"""The read side in one place: everything one can ask, each answered in JSON bytes that need no further handling."""

from collections.abc import Sequence

from asyncpg import Pool

from projections import directives, metrics, output, planner_runs, requests, runners, runs, system, tasks
from projections.hot_connection import HotConnection
from projections.output import WholeArtifact
from projections.page import Page
from projections.runs import RunQuery
from projections.tasks import TaskQuery


class Views:
    """Asks over `pool`, whose connections need no state. What is looked for and does not exist is None."""

    def __init__(self, pool: Pool, online_seconds: float = runners.ONLINE_SECONDS) -> None:
        self._pool = pool
        self._hot = HotConnection(pool)  # for what is asked most often
        self._online_seconds = online_seconds
        self._metrics = metrics.Metrics(self._hot, online_seconds)

    async def metrics(self) -> bytes:
        """The numbers of GET /ops/metrics."""
        return await self._metrics.show()

    async def runners(self, *, past: bool = False) -> bytes:
        """The runners, as an array; `past`: also those of past starts."""
        return await runners.list_runners(self._pool, self._online_seconds, past=past)

    async def runner(self, runner_id: str) -> bytes | None:
        """One runner."""
        return await runners.find_runner(self._pool, runner_id, self._online_seconds)

    async def system(self) -> bytes:
        """Paused or not, since when, why, by whom."""
        return await system.show_system(self._pool)

    async def state(self) -> str:
        """Differs from what it was whenever anything was committed in between."""
        return await system.show_state(self._hot)

    async def requests(self) -> bytes:
        """All requests for credentials that stand in the log, as an array."""
        return await requests.list_requests(self._pool)

    async def directives(self, *, status: str | None = None, limit: int = 1000, cursor: str | None = None) -> Page:
        """Directives, newest first. Raises InvalidInput for a cursor that is none."""
        return await directives.list_directives(self._pool, status, limit, cursor)

    async def directive(self, directive_id: str) -> bytes | None:
        """One directive with its tasks and what was decided."""
        return await directives.find_directive(self._pool, directive_id)

    async def directives_by_id(self, directive_ids: Sequence[str]) -> bytes:
        """These directives, in the order of the ids, as an array."""
        return await directives.directives_by_id(self._pool, directive_ids)

    async def preview(self, directive_id: str) -> bytes | None:
        """What applying a directive would do."""
        return await directives.preview_directive(self._pool, directive_id)

    async def planner_runs(self, *, status: str | None = None, limit: int = 50, cursor: str | None = None) -> Page:
        """The planner's runs that have ended, newest first. Raises InvalidInput for a cursor that is none."""
        return await planner_runs.list_planner_runs(self._pool, status, limit, cursor)

    async def planner(self) -> bytes:
        """The planner's run under way, the last one that ended, and what was spent today."""
        return await planner_runs.show_planner(self._pool)

    async def spent_today(self) -> float:
        """What the planner spent since midnight UTC, in dollars."""
        return await planner_runs.spent_today(self._pool)

    async def tasks(
        self,
        *,
        status: str | None = None,
        phase: str | None = None,
        directive_id: str | None = None,
        text: str | None = None,
        limit: int = 1000,
        cursor: str | None = None,
    ) -> Page:
        """Tasks: ready ones in claim order, all others newest first. Raises InvalidInput for a cursor that is none."""
        return await tasks.list_tasks(self._pool, TaskQuery(status, phase, directive_id, text), limit, cursor)

    async def task(self, task_id: str) -> bytes | None:
        """One task with all its fields."""
        return await tasks.find_task(self._pool, task_id)

    async def tasks_by_id(self, task_ids: Sequence[str]) -> bytes:
        """These tasks, in the order of the ids, as an array."""
        return await tasks.tasks_by_id(self._pool, task_ids)

    async def runs(
        self, *, status: str | None = None, task_id: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> Page:
        """Runs, newest first. Raises InvalidInput for a cursor that is none."""
        return await runs.list_runs(self._pool, RunQuery(status, task_id), limit, cursor)

    async def run(self, run_id: int) -> bytes | None:
        """One run with its steps, file changes and the kinds of its artifacts."""
        return await runs.find_run(self._pool, run_id)

    async def count_traces(self, run_id: int) -> tuple[int, int]:
        """How many steps and file changes a run has."""
        return await runs.count_traces(self._pool, run_id)

    async def output(self, run_id: int, *, step: int | None = None, after: int = 0, limit: int = 1000) -> Page:
        """A run's output in pieces: {number, step, stream, at, data}."""
        return await output.list_output(self._pool, run_id, step, after, limit)

    async def artifact(self, run_id: int, kind: str) -> WholeArtifact | None:
        """A run's "patch" or "diffstat"."""
        return await output.find_artifact(self._pool, run_id, kind)
