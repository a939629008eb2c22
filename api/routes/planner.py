"""The planner: let it run, see what it would ask, and what its runs came to."""

import msgspec
from msgspec import Raw
from starlette.responses import Response

from api.call import Call
from api.envelope import answer_value
from api.planning import Planner
from api.routes.tasks import answer_page
from api.wire.directive import PlannerAsk, PlannerRunFilter
from events.errors import Unavailable


async def run_planner(call: Call, body: PlannerAsk) -> Response:
    """Let the planner ask its model for directives; answers when it has ended.

    Only one runs at a time: a second is refused with the id of the first. GET /ops/gpt/status shows how far it is.
    """
    done = await _planner(call).run(body.environment, call.actor)
    fields = msgspec.structs.asdict(done)
    usage = msgspec.structs.asdict(done.usage) | {"total_tokens": done.usage.total_tokens}
    created = {"directives_created": len(done.directives), "tasks_created": len(done.tasks)}
    directives = Raw(await call.deps.views.directives_by_id(done.directives))
    return answer_value(created | fields | {"usage": usage, "directives": directives})


async def compose_prompt(call: Call, body: PlannerAsk) -> Response:
    """The prompt of a run that would begin now. Nothing is asked, nothing is spent."""
    return answer_value(await _planner(call).compose(body.environment))


async def show_planner(call: Call) -> Response:
    """The run under way and how far it is, the last one, what was spent today, model and budget."""
    known = msgspec.json.decode(await call.deps.views.planner(), type=dict[str, Raw])
    terms = msgspec.structs.asdict(await _planner(call).terms())
    return answer_value({**known, **terms})


async def list_planner_runs(call: Call, query: PlannerRunFilter) -> Response:
    """The planner's runs that have ended, newest first: outcome, usage, cost, what each created or refused."""
    page = await call.deps.views.planner_runs(status=query.status, limit=query.limit, cursor=query.cursor)
    return answer_page(page)


def _planner(call: Call) -> Planner:
    if call.deps.planner is None:
        raise Unavailable("this process has no planner; ask the one that `elruso up` or `elruso serve` started")
    return call.deps.planner
