"""Directives: what waits for a decision, what applying one would create, and what became of it."""

import asyncio
from typing import Annotated, Any, Literal, get_args

from msgspec import Meta, Struct, field
from starlette.responses import Response

from api.panel.dag import Node, Picture, draw, layer
from api.panel.paper import address, part, render
from api.panel.planner import PlannerView, look_at_planner
from api.panel.story import tell
from api.panel.visit import Visit
from api.wire.directive import DirectiveId
from api.wire.field import TaskId, Text
from events.directives import Decision
from events.errors import NotFound
from events.log import last_seq
from events.planner import Failure
from projections.briefs import DirectiveBrief
from projections.story import StoryQuery

PER_PAGE = 50
DRAWN_MAX = 60  # tasks of a directive that are drawn
SHOWN_MAX = 150  # tasks that are listed; a proposal over the API has 100 at most (events/proposal.py)
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


async def show_directive(visit: Visit, directive_id: DirectiveId) -> Response:
    """One directive: what it says, what applying it creates, what was decided, how far it is."""
    board, seq = visit.board, await last_seq(visit.deps.pool)
    directive, preview = await asyncio.gather(board.directive(directive_id), board.preview(directive_id))
    if directive is None or preview is None:
        raise NotFound(f"there is no directive {directive_id}")
    events, _ = await board.story(StoryQuery("directive", directive_id), STORY)
    return render(
        visit,
        "directive.html",
        seq=seq,
        directive=directive,
        preview=preview,
        shown=preview["tasks"][:SHOWN_MAX],
        picture=_picture(preview),
        story=[tell(visit, event) for event in reversed(events)],
    )


def _picture(preview: dict[str, Any]) -> Picture | None:
    tasks = preview["tasks"][:DRAWN_MAX]
    names = {task["id"] for task in tasks}
    edges = {(parent, task["id"]) for task in tasks for parent in task["depends_on"] if parent in names}
    if not edges:
        return None
    nodes = [Node(task["id"], task["title"], task["status"] or "planned", task["status"] is not None) for task in tasks]
    return draw(layer(nodes, edges), edges)


class ApplyForm(Struct, frozen=True, forbid_unknown_fields=True):
    """The tasks that were there to be ticked, those that are, and why."""

    offered: Annotated[list[TaskId], Meta(max_length=1000)] = field(default_factory=list)
    take: Annotated[list[TaskId], Meta(max_length=1000)] = field(default_factory=list)
    reason: Text | None = None


class RejectForm(Struct, frozen=True, forbid_unknown_fields=True):
    """Why not."""

    reason: Text | None = None


async def apply(visit: Visit, directive_id: DirectiveId, form: ApplyForm) -> Response:
    """Apply it, without the tasks that were unticked."""
    left_out = tuple(task for task in dict.fromkeys(form.offered) if task not in form.take)
    decision = Decision(directive_id, visit.actor, form.reason, left_out, visit.deps.known_requests())
    await visit.deps.commands.directives.apply(decision)
    return visit.go(f"/panel/directives/{part(directive_id)}", visit.text("directive.applied"))


async def reject(visit: Visit, directive_id: DirectiveId, form: RejectForm) -> Response:
    """Reject it; its tasks that have not started are cancelled."""
    await visit.deps.commands.directives.reject(Decision(directive_id, visit.actor, form.reason))
    return visit.go(f"/panel/directives/{part(directive_id)}", visit.text("directive.rejected"))
