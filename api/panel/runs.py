"""Runs: the list, with how long each took."""

from typing import Annotated, Literal

from msgspec import Meta, Struct
from starlette.responses import Response

from api.panel.charts import share
from api.panel.paper import address, render
from api.panel.visit import Visit
from api.wire.field import TaskId
from events.log import last_seq
from projections.board import WINDOW
from projections.runs import RunQuery

PER_PAGE = 50
RunStatus = Literal["running", "done", "failed", "requeued", "blocked", "cancelled"]
STATUSES: tuple[RunStatus, ...] = ("running", "done", "failed", "requeued", "blocked", "cancelled")


class RunFilter(Struct, frozen=True, forbid_unknown_fields=True):
    """Which runs, in which order, from where on."""

    status: RunStatus | None = None
    task: TaskId | None = None
    sort: Literal["newest", "oldest"] | None = None
    cursor: Annotated[str, Meta(max_length=100)] | None = None

    @property
    def fields(self) -> dict[str, str]:
        """What is filtered by, as fields of an address."""
        return {name: getattr(self, name) for name in ("status", "task", "sort") if getattr(self, name)}


async def list_runs(visit: Visit, query: RunFilter) -> Response:
    """A page of runs, newest first or oldest first."""
    seq = await last_seq(visit.deps.pool)
    runs, following = await visit.board.runs(
        RunQuery(query.status, query.task, query.sort == "oldest"), PER_PAGE, query.cursor
    )
    longest = max((run.duration_ms for run in runs), default=0)
    return render(
        visit,
        "runs.html",
        seq=seq,
        runs=[(run, share(run.duration_ms, longest)) for run in runs],
        statuses=STATUSES,
        filter=query,
        per_page=PER_PAGE,
        window=WINDOW,
        next=following and address("/panel/runs", **query.fields, cursor=following),
        first=query.cursor and address("/panel/runs", **query.fields),
    )
