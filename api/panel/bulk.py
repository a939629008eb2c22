"""The same for many tasks: those that were ticked, or all that a filter finds. First how many, then the deed."""

from collections import Counter
from typing import Annotated, Literal

from msgspec import Meta, Struct, field
from starlette.responses import Response

from api.panel.paper import address, render
from api.panel.tasks import Cursor, Word
from api.panel.visit import Visit
from api.wire.field import Priority, TaskId, Text
from api.wire.task import Status
from events.errors import InvalidInput
from projections.tasks import TaskQuery

MOST = 10_000
WINDOW = 50_000  # tasks that are looked at for one deed, where a filter has no list of its own
SHOWN = 10

Deed = Literal["requeue", "priority", "cancel"]

# From which statuses each can be done (events/task.py, TRANSITIONS).
POSSIBLE: dict[Deed, tuple[Status, ...]] = {
    "requeue": ("running", "failed", "blocked", "cancelled"),
    "priority": ("ready",),
    "cancel": ("ready", "running", "failed", "blocked"),
}


class BulkQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """What to do, and with which tasks: those named, else those that the filter finds."""

    deed: Deed
    task: Annotated[list[TaskId], Meta(max_length=MOST)] = field(default_factory=list)
    all: bool = False
    status: Status | None = None
    phase: Word | None = None
    directive: Word | None = None
    text: Word | None = None
    cursor: Cursor | None = None

    @property
    def query(self) -> TaskQuery:
        """The question behind the filter; of a deed that one status allows, only that one."""
        return TaskQuery(self.status, self.phase, self.directive, self.text)

    @property
    def filter(self) -> dict[str, str]:
        """What is filtered by, as fields of an address."""
        names = ("status", "phase", "directive", "text")
        return {name: getattr(self, name) for name in names if getattr(self, name)}


class BulkForm(BulkQuery, frozen=True, forbid_unknown_fields=True):
    """The same once it was confirmed, with why or with which priority."""

    reason: Text | None = None
    priority: Priority = 100


async def preview(visit: Visit, query: BulkQuery) -> Response:
    """How many tasks it would be, and the first of them."""
    ids, following, counts = await _chosen(visit, query)
    possible = sum(counts.get(status, 0) for status in POSSIBLE[query.deed])
    return render(
        visit,
        "bulk.html",
        form=query,
        count=len(ids),
        more=following is not None,
        next=following and address("/panel/tasks/bulk", deed=query.deed, all="1", **query.filter, cursor=following),
        counts=counts,
        possible=possible,
        first=await visit.board.tasks_named(ids[:SHOWN]),
        back=address("/panel/tasks", **query.filter),
        most=MOST,
        window=WINDOW,
    )


async def carry_out(visit: Visit, form: BulkForm) -> Response:
    """Do it, with those tasks that still can be."""
    ids, _, _ = await _chosen(visit, form)
    commands = visit.deps.commands
    if form.deed == "requeue":
        changed = await commands.requeue_many(ids, form.reason or "requeued by hand", visit.actor)
    elif form.deed == "priority":
        changed = await commands.prioritize_many(ids, form.priority, visit.actor)
    else:
        changed = await commands.cancel_many(ids, form.reason, visit.actor)
    notice = visit.text(f"bulk.{form.deed}.done", count=len(changed), left=len(ids) - len(changed))
    return visit.go(address("/panel/tasks", **form.filter), notice)


async def _chosen(visit: Visit, form: BulkQuery) -> tuple[list[str], str | None, dict[str, int]]:
    """The tasks, where those begin that are not among them, and how many are in which status."""
    if form.task and not form.all:
        ids = list(dict.fromkeys(form.task))
        return ids, None, await visit.board.count_statuses(ids)
    if not form.all:
        raise InvalidInput(visit.text("bulk.nothing"))
    found = await visit.board.find_tasks(form.query, MOST, form.cursor, WINDOW)
    return found.ids, found.next, dict(sorted(Counter(found.statuses).items()))
