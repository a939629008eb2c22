"""Requests for credentials, and the values that answer them. No answer ever holds a value."""

from starlette.responses import Response

from api.call import Call
from api.credentials import Change
from api.envelope import answer_value
from api.holder import check_permission
from api.wire.request import (
    KnownRequestId,
    NewRequest,
    NewRequests,
    Nothing,
    RequestChange,
    RequestFilter,
    Values,
    status_of,
)
from events.errors import Forbidden, InvalidInput


async def list_requests(call: Call, query: RequestFilter) -> Response:
    """The credentials that REQUESTS.json defines or somebody asked for: what is wanted, and is it there?"""
    requests = await call.deps.credentials.list_requests()
    wanted = [each for each in requests if status_of(query.status) in (None, each["status"])]
    problem = call.deps.credentials.file_problem()
    return answer_value(
        wanted, meta={"total": len(wanted), "next": None} | ({"problem": problem} if problem is not None else {})
    )


async def open_requests(call: Call, body: NewRequests) -> Response:
    """Ask for a credential, or for several; what is asked for already stays as it is.

    A `status` other than WAITING is set as by PATCH, which is an admin's.
    """
    if any(each.status != "WAITING" for each in body.requests):
        check_permission(call, "change credentials")
    if call.caller.role != "admin" and any(each.validation_cmd for each in body.requests):
        raise Forbidden("a validation_cmd is executed where the vault is: an admin may set one, or REQUESTS.json")
    opened = await call.deps.credentials.open([each.wanted for each in body.requests], call.actor)
    for each in body.requests:
        await _set_status(call, each)
    shown = [await call.deps.credentials.find_request(each.id) for each in body.requests]
    return answer_value(shown[0] if body.single else shown, status=201 if opened else 200)


async def _set_status(call: Call, wanted: NewRequest) -> None:
    status = status_of(wanted.status)
    if status != "WAITING" and status != (await call.deps.credentials.find_request(wanted.id))["status"]:
        await call.deps.credentials.change(wanted.id, Change(status, wanted.reason), call.actor)


async def change_request(call: Call, request_id: KnownRequestId, body: RequestChange) -> Response:
    """Say that a credential is provided elsewhere, wanted (again), or not wanted; grant it to tasks, or not."""
    if body.status is None and body.granted is None:
        raise InvalidInput("say what is to be so: `status` (WAITING, PROVIDED or WITHDRAWN), or `granted`")
    change = Change(status_of(body.status), body.reason, body.granted)
    await call.deps.credentials.change(request_id, change, call.actor)
    return answer_value(await call.deps.credentials.find_request(request_id))


async def store_values(call: Call, request_id: KnownRequestId, body: Values) -> Response:
    """Put values into the vault; they take effect at once. The request is PROVIDED when none is missing."""
    return answer_value(await call.deps.credentials.store(request_id, body.values, body.granted, call.actor))


async def show_value_status(call: Call, request_id: KnownRequestId) -> Response:
    """Whether every variable of the request has a value. The values themselves are never shown."""
    return answer_value({"has_value": await call.deps.credentials.has_value(request_id)})


async def validate_values(call: Call, request_id: KnownRequestId, body: Nothing) -> Response:
    """Run the request's validation command with its values in the environment. Bounded in time."""
    return answer_value(await call.deps.credentials.validate(request_id))
