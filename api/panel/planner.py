"""The planner: let it run, see how far it is, what it would be asked, and what it cost."""

import asyncio
from typing import Any

import structlog
from msgspec import Struct
from starlette.responses import Response

from api.panel.paper import render
from api.panel.visit import Visit
from api.planning import Planner, PlannerTerms
from api.wire.field import Line
from events.errors import ElRusoError, Unavailable

PATIENCE_SECONDS = 0.6  # a run that cannot begin is told at once, one that does is left to itself

log = structlog.get_logger(__name__)


class PlannerView(Struct, frozen=True):
    """On what terms the planner works, its run under way or None, the last one or None, dollars spent today."""

    terms: PlannerTerms
    running: dict[str, Any] | None
    last: dict[str, Any] | None
    spent_today: float

    @property
    def share_spent(self) -> float:
        """How much of the day's budget is spent, from 0 to 100."""
        return min(100.0, round(100 * self.spent_today / self.terms.budget, 1)) if self.terms.budget else 100.0


class RunForm(Struct, frozen=True, forbid_unknown_fields=True):
    """What the model is told of where this is."""

    environment: Line = "production"


async def look_at_planner(visit: Visit) -> PlannerView | None:
    """The planner as it is now; None where this process has none, or cannot ask it."""
    if visit.deps.planner is None:
        return None
    try:
        terms, state = await asyncio.gather(visit.deps.planner.terms(), visit.board.planner())
    except ElRusoError as error:
        log.warning("planner.unseen", error=error.detail)
        return None
    return PlannerView(terms, state["running"], state["last"], state["spent_today"])


async def run(visit: Visit, form: RunForm) -> Response:
    """Let it run. The page that follows shows how far it is; what it proposes appears there."""
    task = visit.live.start(_planner(visit).run(form.environment, visit.actor))
    done, _ = await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
    if not done:
        return visit.go("/panel/directives", visit.text("planner.begun"))
    planning = task.result()
    return visit.go("/panel/directives", visit.text("planner.done", count=len(planning.directives)))


async def show_prompt(visit: Visit) -> Response:
    """What the model would be asked now; nothing is asked, nothing is spent."""
    return render(visit, "prompt.html", composed=await _planner(visit).compose("production"))


def _planner(visit: Visit) -> Planner:
    if visit.deps.planner is None:
        raise Unavailable(visit.text("planner.none"))
    return visit.deps.planner
