"""Is it up, and what is it."""

from starlette.responses import RedirectResponse, Response

from api.call import Call
from api.envelope import answer_value


async def show_health(call: Call) -> Response:
    """Whether this process serves requests. Asks the database nothing, so that it may be asked often."""
    return answer_value({"status": "healthy", "version": call.deps.version, "listener": call.deps.listener.mode})


async def show_root(call: Call) -> Response:
    """The way to the contract."""
    return RedirectResponse("/openapi.json")
