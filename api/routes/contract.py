"""The contract of this API."""

from starlette.responses import Response

from api.call import Call
from api.envelope import JsonResponse


async def show_contract(call: Call) -> Response:
    """This document."""
    return JsonResponse(call.request.app.state.contract())
