"""Requests for credentials, and the values that answer them. No answer ever holds a value."""

import msgspec
from starlette.responses import Response

from api.call import Call
from api.credentials import Change
from api.envelope import answer_value
from api.wire.request import NewRequests, Nothing, RequestChange, RequestFilter, RequestId, Values
from events.errors import Forbidden, InvalidInput


async def list_requests(call: Call, query: RequestFilter) -> Response:
    """The credentials that REQUESTS.json defines or somebody asked for: what is wanted, and is it there?"""
    requests = await call.deps.credentials.list_requests()
    wanted = [each for each in requests if query.status in (None, each["status"])]
    return answer_value(wanted, meta={"total": len(wanted), "next": None})


async def open_requests(call: Call, body: NewRequests) -> Response:
    """Ask for a credential, or for several; what is asked for already stays as it is."""
    if call.caller.role != "admin" and any(each.validation_cmd for each in body.requests):
        raise Forbidden("a validation_cmd is executed where the vault is: an admin may set one, or REQUESTS.json")
    opened = await call.deps.credentials.open([each.wanted for each in body.requests], call.actor)
    shown = [await call.deps.credentials.find_request(each.id) for each in body.requests]
    return answer_value(shown[0] if body.single else shown, status=201 if opened else 200)


async def change_request(call: Call, request_id: RequestId, body: RequestChange) -> Response:
    """Say that a credential is provided elsewhere, wanted (again), or not wanted; grant it to tasks, or not."""
    if body.status is None and body.granted is None:
        raise InvalidInput("say what is to be so: `status` (WAITING, PROVIDED or WITHDRAWN), or `granted`")
    await call.deps.credentials.change(request_id, msgspec.convert(body, Change, from_attributes=True), call.actor)
    return answer_value(await call.deps.credentials.find_request(request_id))


async def store_values(call: Call, request_id: RequestId, body: Values) -> Response:
    """Put values into the vault; they take effect at once. The request is PROVIDED when none is missing."""
    return answer_value(await call.deps.credentials.store(request_id, body.values, body.granted, call.actor))


async def show_value_status(call: Call, request_id: RequestId) -> Response:
    """Whether every variable of the request has a value. The values themselves are never shown."""
    return answer_value({"has_value": await call.deps.credentials.has_value(request_id)})


async def validate_values(call: Call, request_id: RequestId, body: Nothing) -> Response:
    """Run the request's validation command with its values in the environment. Bounded in time."""
    return answer_value(await call.deps.credentials.validate(request_id))
