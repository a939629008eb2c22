"""The whole system: paused or not."""

from starlette.responses import Response

from api.call import Call
from api.envelope import answer
from api.wire.system import Pause, Resume


async def show_system(call: Call) -> Response:
    """Whether work is handed out, since when, why, and by whose word."""
    return answer(await call.deps.views.system())


async def pause(call: Call, body: Pause) -> Response:
    """Hand out no work until resumed. What runs goes on."""
    await call.deps.commands.pause(body.reason, call.actor)
    return answer(await call.deps.views.system())


async def resume(call: Call, body: Resume) -> Response:
    """Hand out work again."""
    await call.deps.commands.resume(call.actor)
    return answer(await call.deps.views.system())
