"""The numbers, as JSON and for Prometheus."""

from starlette.responses import Response

from api.call import Call
from api.envelope import answer
from api.prometheus import CONTENT_TYPE, exposition
from api.routes.health import listener_mode


async def show_metrics(call: Call) -> Response:
    """How many tasks in which status, runners online and known (1,000 at most), runs of late, the backlog's age."""
    return answer(await call.deps.views.metrics(), meta=listener_mode(call))


async def show_prometheus(call: Call) -> Response:
    """The same numbers in Prometheus' text format."""
    text = exposition(await call.deps.views.metrics(), call.deps.listener.mode)
    return Response(text, media_type=CONTENT_TYPE)
