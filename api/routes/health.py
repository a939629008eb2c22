"""Is it up, and what is it."""

from starlette.responses import RedirectResponse, Response

from api.call import Call
from api.envelope import answer_value


async def show_health(call: Call) -> Response:
    """Whether this process serves requests. Asks the database nothing, so that it may be asked often."""
    return answer_value({"status": "healthy", "version": call.deps.version, "listener": call.deps.listener.mode})


def listener_mode(call: Call) -> bytes:
    """The `meta` that says whether this process hears wake-ups or polls."""
    return b'{"listener":"%b"}' % call.deps.listener.mode.encode()


async def show_root(call: Call) -> Response:
    """The way to the panel; a browser brings along what stands behind the #, so the old addresses still lead there."""
    return RedirectResponse("/panel")
