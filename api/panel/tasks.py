"""Tasks: the list with its filters, one task with its whole story, a new one."""

import asyncio
from hashlib import sha256
from typing import Annotated, Any, Literal

import msgspec
from markupsafe import Markup
from msgspec import Meta, Struct, field
from starlette.responses import Response

from api.panel.command_text import Room
from api.panel.dag import Node, Picture, draw, layer
from api.panel.moments import clock
from api.panel.paper import address, localize_markup, part, render
from api.panel.planned_task import show_planned_task
from api.panel.story import tell
from api.panel.visit import Visit
from api.wire.field import Line, Priority, TaskId, Text
from api.wire.task import Status
from events.errors import InvalidInput, NotFound
from events.log import last_seq
from events.task import Step, TaskCreated
from projections.board import WINDOW
from projections.briefs import TaskBrief
from projections.plan import Plan, PlanEntry
from projections.plan_warnings import plan_warnings
from projections.runs import RunQuery
from projections.story import StoryQuery
from projections.tasks import RUNNING_ONLY, TaskQuery
from projections.why import Why

PER_PAGE = 50
RUNS = 20
FACTS_ELSEWHERE = (  # in the card beside it, or in the picture
    *("fact.after", "fact.branch", "fact.timeout", "fact.type", "fact.phase", "fact.priority", "fact.attempts"),
    "fact.start",
)
PAGE_CHARACTERS, WHOLE_CHARACTERS = 100_000, 4_000_000  # of HTML for what was asked for
STORY = 100
STATUSES: tuple[Status, ...] = ("ready", "running", "blocked", "failed", "done", "cancelled")

Sort = Literal["newest", "oldest", "longest", "priority"]
Cursor = Annotated[str, Meta(max_length=100)]
Word = Annotated[str, Meta(max_length=200)]


class TaskFilter(Struct, frozen=True, forbid_unknown_fields=True):
    """Which tasks, in which order, from where on."""

    status: Status | None = None
    phase: Word | None = None
    directive: Word | None = None
    text: Word | None = None
    sort: Sort | None = None
    cursor: Cursor | None = None

    @property
    def query(self) -> TaskQuery:
        """The question behind it."""
        return TaskQuery(self.status, self.phase, self.directive, self.text, self.sort or "")

    @property
    def fields(self) -> dict[str, str]:
        """What is filtered by, as fields of an address: everything but the place in the list."""
        names = ("status", "phase", "directive", "text", "sort")
        return {name: getattr(self, name) for name in names if getattr(self, name)}

    @property
    def sorts(self) -> tuple[str, ...]:
        """The orders in which these tasks can be had; the empty one first."""
        if self.directive:
            return ("", "oldest")
        return {"ready": ("", "newest", "oldest"), "running": ("", "longest", "priority")}.get(
            self.status or "", ("", "oldest")
        )

    def with_status(self, status: Status | None) -> dict[str, str]:
        """The fields of the same with another status; an order that it cannot be had in is left out."""
        fields = {name: value for name, value in self.fields.items() if name != "status"}
        if self.sort in RUNNING_ONLY and status != "running":
            fields.pop("sort")
        return fields | ({"status": status} if status else {})


async def list_tasks(visit: Visit, query: TaskFilter) -> Response:
    """A page of tasks."""
    seq = await last_seq(visit.deps.pool)
    (tasks, total, following), metrics = await asyncio.gather(
        visit.board.tasks(query.query, PER_PAGE, query.cursor), visit.board.metrics()
    )
    return render(
        visit,
        "tasks.html",
        seq=seq,
        tasks=tasks,
        total=total,
        counts=metrics["tasks"],
        statuses=STATUSES,
        filter=query,
        per_page=PER_PAGE,
        window=WINDOW,
        next=following and address("/panel/tasks", **query.fields, cursor=following),
        first=query.cursor and address("/panel/tasks", **query.fields),
    )


class TaskView(Struct, frozen=True, forbid_unknown_fields=True):
    """`whole`: with all that was asked for, however long."""

    whole: bool = False


async def show_task(visit: Visit, task_id: TaskId, query: TaskView) -> Response:
    """One task: why it is not running, its story, its neighbours, its runs, what was asked for."""
    board, seq = visit.board, await last_seq(visit.deps.pool)
    task, briefs, why = await asyncio.gather(board.task(task_id), board.tasks_named([task_id]), board.why(task_id))
    if task is None or not briefs or why is None:
        raise NotFound(f"there is no task {task_id}")
    (events, earlier), (runs, _), picture, requests = await asyncio.gather(
        board.story(StoryQuery("task", task_id), STORY),
        board.runs(RunQuery(task_id=task_id), RUNS),
        _picture(visit, briefs[0]),
        visit.deps.credentials.list_requests(),
    )
    room = Room(WHOLE_CHARACTERS if query.whole else PAGE_CHARACTERS, visit.language)
    planned = PlanEntry(task_id, msgspec.convert(task, Plan), wave=1)
    granted = {name for request in requests for name in request["granted"]}
    asked = show_planned_task(visit, planned, room, granted, FACTS_ELSEWHERE)
    return render(
        visit,
        "task.html",
        seq=seq,
        task=task,
        asked=asked,
        whole_path=not room.complete and not query.whole and address(f"/panel/tasks/{part(task_id)}", whole="1"),
        brief=briefs[0],
        why=why,
        reasons=reasons(visit, why),
        story=[tell(visit, event) for event in reversed(events)],
        earlier=earlier,
        runs=runs,
        picture=picture,
    )


def reasons(visit: Visit, why: Why) -> list[Markup]:
    """The reasons as sentences in the visitor's language, with times as the page shows them."""
    return [localize_markup(visit, f"why.{reason.code}", _facts(visit, reason.facts)) for reason in why.reasons]


def _facts(visit: Visit, facts: dict[str, Any]) -> dict[str, Any]:
    shown = {name: "–" if fact is None else fact for name, fact in facts.items()}
    if facts.get("error"):
        shown["error"] = visit.said(facts["error"])
    if facts.get("until"):
        shown["until"] = clock(facts["until"])
    return shown


async def _picture(visit: Visit, task: TaskBrief) -> tuple[Picture, bool] | None:
    found = await visit.board.neighbours(task)
    if len(found.levels) < 2:
        return None
    nodes = [Node(one.id, one.title, one.status) for level in sorted(found.levels) for one in found.levels[level]]
    return draw(layer(nodes, found.edges), found.edges, task.id), found.more


# ---------------------------------------------------------------------------------------------------- change


class RequeueForm(Struct, frozen=True, forbid_unknown_fields=True):
    """Where to go afterwards."""

    back: str | None = None


class CancelForm(Struct, frozen=True, forbid_unknown_fields=True):
    """Why."""

    reason: Text | None = None


async def requeue(visit: Visit, task_id: TaskId, form: RequeueForm) -> Response:
    """Make a task ready again."""
    changed = await visit.deps.commands.requeue(task_id, actor=visit.actor)
    return visit.go(f"/panel/tasks/{part(task_id)}", visit.text("task.requeued" if changed else "task.was_ready"))


async def cancel(visit: Visit, task_id: TaskId, form: CancelForm) -> Response:
    """Never run a task."""
    await visit.deps.commands.cancel(task_id, form.reason, visit.actor)
    return visit.go(f"/panel/tasks/{part(task_id)}", visit.text("task.cancelled"))


# ------------------------------------------------------------------------------------------------------- new


class TaskForm(Struct, frozen=True, forbid_unknown_fields=True):
    """A new task, as a form says it: steps of one line or many, or a prompt. `add`: the form with one more step."""

    title: Line | None = None
    step: Annotated[list[Text], Meta(max_length=1000)] = field(default_factory=list)
    add: bool = False
    body: Text | None = None
    phase: Word | None = None
    priority: Priority = 100
    after: Text | None = None
    shown: Annotated[str, Meta(max_length=64)] = ""

    def definition(self) -> TaskCreated:
        """The event that creates it. Raises InvalidInput when something is missing."""
        if not self.title:
            raise InvalidInput("a task needs a title", field="title")
        scripts = [script for text in self.step if (script := text.replace("\r\n", "\n").strip(" \t\n"))]
        if not scripts and not self.body:
            raise InvalidInput(
                "give a task commands, or a prompt for an agent: a runner must have something to execute", field="step"
            )
        return TaskCreated(
            title=self.title,
            body=self.body and self.body.replace("\r\n", "\n"),  # browsers send CRLF, whatever was typed
            phase=self.phase,
            steps=[Step(f"step {place}", script) for place, script in enumerate(scripts, 1)],
            priority=self.priority,
            depends_on=(self.after or "").split(),
        )


async def show_form(visit: Visit) -> Response:
    """The form for a new task."""
    return render(visit, "task_new.html")


async def create(visit: Visit, form: TaskForm) -> Response:
    """Create a task. If its text misleads, show it with markers first, and create it when that page is confirmed."""
    if form.add and visit.form:
        visit.form.fields = [*visit.form.fields, ("step", "")]
        return await show_form(visit)
    definition = form.definition()
    if plan_warnings("", definition) and form.shown != _digest(definition):
        return await _ask_to_confirm(visit, form, definition)
    [created] = await visit.deps.commands.create_tasks([(None, definition)], visit.actor, takers=visit.live.waiting)
    return visit.go(f"/panel/tasks/{part(created.id)}", visit.text("task.created"))


async def _ask_to_confirm(visit: Visit, form: TaskForm, definition: TaskCreated) -> Response:
    """What was pasted may not be what was seen: text from a page or a chat carries characters that hide or reorder."""
    room = Room(WHOLE_CHARACTERS, visit.language)
    planned = PlanEntry("", msgspec.convert(definition, Plan, from_attributes=True), wave=1)
    shown = show_planned_task(visit, planned, room, granted=())
    names = ("title", "body", "phase", "priority", "after")
    return render(
        visit,
        "task_confirm.html",
        asked=shown,
        title=definition.title,
        fields=[(name, getattr(form, name)) for name in names if getattr(form, name) is not None]
        + [("step", step) for step in form.step],
        digest=_digest(definition) if room.complete else "",
    )


def _digest(definition: TaskCreated) -> str:
    return sha256(msgspec.json.encode(definition)).hexdigest()
