"""Directives: what waits for a decision, what applying one would create, and what became of it."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args

from msgspec import Meta, Struct, field
from starlette.responses import Response

from api.panel.command_text import Room
from api.panel.dag import Node, Picture, draw, layer
from api.panel.paper import address, part, render
from api.panel.planned_task import show_planned_task
from api.panel.planner import PlannerView, look_at_planner
from api.panel.story import tell
from api.panel.visit import Visit
from api.wire.directive import DirectiveId
from api.wire.field import TaskId, Text
from events.directives import Decision
from events.errors import Conflict, NotFound
from events.log import last_seq
from events.planner import Failure
from projections.briefs import DirectiveBrief
from projections.plan import PlanEntry
from projections.story import StoryQuery

PER_PAGE = 50
PLANNED_PER_PAGE = 100  # tasks of a directive; a proposal over the API has no more (events/proposal.py)
DRAWN_MAX = 60  # of those: that are drawn
PAGE_CHARACTERS = 200_000  # of HTML for commands, prompts and texts on a page that is opened without asking for more
WHOLE_TASKS, WHOLE_CHARACTERS = 5_000, 4_000_000  # on a page that shows all; what is larger is not approved here
STORY = 20
KEY_NAME = "OPENAI_API_KEY"


class DirectiveFilter(Struct, frozen=True, forbid_unknown_fields=True):
    """Which directives, from where on."""

    status: Literal["PENDING", "APPLIED", "REJECTED"] | None = None
    before: Annotated[int, Meta(ge=0, le=9_007_199_254_740_991)] | None = None


async def list_directives(visit: Visit, query: DirectiveFilter) -> Response:
    """What is pending first, then the others; and the planner."""
    board, seq = visit.board, await last_seq(visit.deps.pool)
    pending = await board.pending_directives(PER_PAGE) if query.status in (None, "PENDING") and not query.before else []
    decided: list[DirectiveBrief] = []
    following: int | None = None
    if query.status != "PENDING":
        decided, following = await board.decided_directives(query.status, PER_PAGE, query.before)
    planner: PlannerView | None = await look_at_planner(visit)
    return render(
        visit,
        "directives.html",
        seq=seq,
        pending=pending,
        decided=decided,
        filter=query,
        planner=planner,
        runs=await board.planner_runs(5),
        failures=get_args(Failure),
        key_page=await _page_of_the_key(visit),
        next=following and address("/panel/directives", status=query.status, before=following),
        first=query.before and address("/panel/directives", status=query.status),
    )


async def _page_of_the_key(visit: Visit) -> str:
    """Where the key of the model is handed in."""
    for request in await visit.deps.credentials.list_requests():
        if KEY_NAME in request["scopes"]:
            return f"/panel/requests/{part(request['id'])}"
    return "/panel/setup"


class PlanView(Struct, frozen=True, forbid_unknown_fields=True):
    """Behind how many of its tasks the page begins; `whole`: all of it on one page."""

    after: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    whole: bool = False


async def show_directive(visit: Visit, directive_id: DirectiveId, query: PlanView) -> Response:
    """One directive: what it says, what applying it executes, what was decided, how far it is."""
    board, seq = visit.board, await last_seq(visit.deps.pool)
    after, limit = (0, WHOLE_TASKS) if query.whole else (query.after, PLANNED_PER_PAGE)
    directive, plan, (events, _), requests = await asyncio.gather(
        board.directive(directive_id),
        board.plan(directive_id, after, limit),
        board.story(StoryQuery("directive", directive_id), STORY),
        visit.deps.credentials.list_requests(),
    )
    if directive is None or plan is None:
        raise NotFound(f"there is no directive {directive_id}")
    path, end = f"/panel/directives/{part(directive_id)}", after + len(plan.tasks)
    room = Room(WHOLE_CHARACTERS if query.whole else PAGE_CHARACTERS, visit.language)
    granted = {name for request in requests for name in request["granted"]}
    shown = [show_planned_task(visit, task, room, granted) for task in plan.tasks]
    says = room.show(directive["body"]) if directive["body"] else None
    return render(
        visit,
        "directive.html",
        seq=seq,
        base=path,
        directive=directive,
        missing=_missing(directive),
        plan=plan,
        shown=shown,
        says=says,
        warnings=sum(len(task.warnings) for task in shown),
        # Approval needs the whole of what it approves: all tasks on this page, and no text of theirs cut.
        whole=room.complete and len(plan.tasks) == plan.total,
        whole_path=None if query.whole else address(path, whole="1"),
        place=after,
        end=end,
        next=not query.whole and end < plan.total and address(path, after=end),
        first=after and path,
        picture=_picture(plan.tasks[:DRAWN_MAX]),
        story=[tell(visit, event) for event in reversed(events)],
    )


def _missing(directive: dict[str, Any]) -> list[tuple[str, str | None]]:
    """The requests that are not provided, each with the reason the directive gives."""
    reasons = {each["request_id"]: each.get("reason") for each in directive["required_requests"]}
    return [(name, reasons.get(name)) for name in directive["missing_requests"]]


def _picture(tasks: Sequence[PlanEntry]) -> Picture | None:
    names = {task.id for task in tasks}
    edges = {(parent, task.id) for task in tasks for parent in task.plan.depends_on if parent in names}
    if not edges:
        return None
    nodes = [Node(task.id, task.plan.title, task.status or "planned", task.status is not None) for task in tasks]
    return draw(layer(nodes, edges), edges)


class ApplyForm(Struct, frozen=True, forbid_unknown_fields=True):
    """The tasks that were there to be ticked, those that are, and why.

    `shown` is the digest of the plan, which only a page has that showed all of it.
    """

    shown: Annotated[str, Meta(max_length=64)] = ""
    offered: Annotated[list[TaskId], Meta(max_length=WHOLE_TASKS)] = field(default_factory=list)
    take: Annotated[list[TaskId], Meta(max_length=WHOLE_TASKS)] = field(default_factory=list)
    reason: Text | None = None


class RejectForm(Struct, frozen=True, forbid_unknown_fields=True):
    """Why not."""

    reason: Text | None = None


async def apply(visit: Visit, directive_id: DirectiveId, form: ApplyForm) -> Response:
    """Apply it, without the tasks that were unticked; only from a page that showed the whole plan."""
    digest = await visit.board.plan_digest(directive_id)
    if digest is None:
        raise NotFound(f"there is no directive {directive_id}")
    if form.shown != digest:
        raise Conflict(visit.text("directive.not_shown_whole"))
    left_out = tuple(task for task in dict.fromkeys(form.offered) if task not in form.take)
    decision = Decision(directive_id, visit.actor, form.reason, left_out, visit.deps.known_requests())
    await visit.deps.commands.directives.apply(decision)
    return visit.go(f"/panel/directives/{part(directive_id)}", visit.text("directive.applied"))


async def reject(visit: Visit, directive_id: DirectiveId, form: RejectForm) -> Response:
    """Reject it; its tasks that have not started are cancelled."""
    await visit.deps.commands.directives.reject(Decision(directive_id, visit.actor, form.reason))
    return visit.go(f"/panel/directives/{part(directive_id)}", visit.text("directive.rejected"))
