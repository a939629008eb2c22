"""Requests: which credentials are missing, for whom, how to get them; and the form that hands them in.

A value goes from the form to the vault. No page ever shows one, and none stands in an answer.
"""

from hashlib import sha256
from typing import Annotated, Any

from msgspec import Meta, Struct, field
from starlette.responses import Response

from api.credentials import Change
from api.panel.command_text import Room
from api.panel.paper import part, render
from api.panel.story import tell
from api.panel.visit import Visit
from api.wire.field import Text, VariableName
from api.wire.request import KnownRequestId
from events.errors import Conflict, InvalidInput
from events.log import last_seq
from events.visible_text import findings
from projections.story import StoryQuery

ORDER = ("WAITING", "PROVIDED", "WITHDRAWN")
PENDING_MAX = 200
STORY = 20
COMMAND_CHARACTERS, WHOLE_CHARACTERS = 50_000, 4_000_000  # of HTML for the validation command

Digest = Annotated[str, Meta(max_length=64)]


async def list_requests(visit: Visit) -> Response:
    """Every credential, those that are missing first."""
    seq = await last_seq(visit.deps.pool)
    requests = await visit.deps.credentials.list_requests()
    return render(
        visit,
        "requests.html",
        seq=seq,
        requests=sorted(requests, key=lambda each: (ORDER.index(each["status"]), each["id"])),
        waiting=sum(each["status"] == "WAITING" for each in requests),
        wanted_by=await _wanted_by(visit),
    )


async def show_setup(visit: Visit) -> Response:
    """The first credential that is missing; when none is, all of them."""
    requests = await visit.deps.credentials.list_requests()
    missing = next((each["id"] for each in requests if each["status"] == "WAITING"), None)
    return visit.go("/panel/requests" if missing is None else f"/panel/requests/{part(missing)}")


class RequestView(Struct, frozen=True, forbid_unknown_fields=True):
    """`whole`: with all of its validation command, however long."""

    whole: bool = False


async def show_request(visit: Visit, request_id: KnownRequestId, query: RequestView) -> Response:
    """One credential: what it is for, how to get it, the command that tries it out, and the form that takes it."""
    seq = await last_seq(visit.deps.pool)
    request = await visit.deps.credentials.find_request(request_id)
    requests = await visit.deps.credentials.list_requests()
    events, _ = await visit.board.story(StoryQuery("request", request_id), STORY)
    missing = [each["id"] for each in requests if each["status"] == "WAITING" and each["id"] != request_id]
    command = request["validation_cmd"] or ""
    return render(
        visit,
        "request.html",
        seq=seq,
        request=request,
        tried=Room(WHOLE_CHARACTERS if query.whole else COMMAND_CHARACTERS, visit.language).show(command),
        warnings=[visit.text(f"warning.{each.code}", detail=each.detail) for each in findings(command)],
        shown=_digest(command),
        opened_whole=query.whole,
        wanted_by=(await _wanted_by(visit)).get(request_id, []),
        next=missing[0] if missing else None,
        left=len(missing),
        story=[tell(visit, event) for event in reversed(events)],
    )


def _digest(command: str) -> str:
    return sha256(command.encode("utf-8", "surrogatepass")).hexdigest()


async def _wanted_by(visit: Visit) -> dict[str, list[Any]]:
    """Request -> the directives that wait for it."""
    found: dict[str, list[Any]] = {}
    for directive in await visit.board.pending_directives(PENDING_MAX):
        for name in directive.required:
            found.setdefault(name, []).append(directive)
    return found


class ValuesForm(Struct, frozen=True, forbid_unknown_fields=True):
    """Names and values, side by side; an empty value is left as it is. `granted`: tasks may have them."""

    name: Annotated[list[VariableName], Meta(max_length=100)] = field(default_factory=list)
    value: Annotated[list[str], Meta(max_length=100)] = field(default_factory=list)
    granted: bool = False
    shown: Digest = ""


class TryForm(Struct, frozen=True, forbid_unknown_fields=True):
    """`shown` is the digest of the validation command that was shown whole."""

    shown: Digest = ""


class ReasonForm(Struct, frozen=True, forbid_unknown_fields=True):
    """Why."""

    reason: Text | None = None


async def store(visit: Visit, request_id: KnownRequestId, form: ValuesForm) -> Response:
    """Put values into the vault, and try them out."""
    desk, page = visit.deps.credentials, f"/panel/requests/{part(request_id)}"
    if len(form.name) != len(form.value):
        raise InvalidInput("there must be a value field for each name")
    values = {name: value for name, value in zip(form.name, form.value, strict=True) if value}
    if not values:
        before = await desk.find_request(request_id)
        if not before["has_value"]:
            raise InvalidInput(visit.text("request.no_value"))
        await desk.change(request_id, Change(granted=form.granted), visit.actor)
        return visit.go(page, visit.text("request.grant_changed"))
    stored = await desk.store(request_id, values, form.granted, visit.actor)
    warned = "".join(
        f" {visit.text(f'request.weak.{each.reason}', name=each.name, **each.facts)}" for each in stored.warnings
    )
    if stored.missing:
        return visit.go(page, visit.text("request.some_missing", names=", ".join(stored.missing)) + warned)
    await desk.change(request_id, Change(granted=form.granted), visit.actor)  # what was stored before, too
    if form.shown != _digest((await desk.find_request(request_id))["validation_cmd"] or ""):
        return visit.go(page, visit.text("request.stored_untried"))
    verdict = await desk.validate(request_id)
    message = visit.text("request.valid" if verdict.ok else "request.invalid", message=verdict.message)
    return visit.go(page, message + warned)


async def validate(visit: Visit, request_id: KnownRequestId, form: TryForm) -> Response:
    """Try out what is stored, with the command that the page showed whole and no other."""
    if form.shown != _digest((await visit.deps.credentials.find_request(request_id))["validation_cmd"] or ""):
        raise Conflict(visit.text("request.command_not_shown"))
    verdict = await visit.deps.credentials.validate(request_id)
    notice = visit.text("request.tried" if verdict.ok else "request.invalid", message=verdict.message)
    return visit.go(f"/panel/requests/{part(request_id)}", notice)


async def withdraw(visit: Visit, request_id: KnownRequestId, form: ReasonForm) -> Response:
    """Nobody needs it any more."""
    await visit.deps.credentials.change(request_id, Change("WITHDRAWN", form.reason), visit.actor)
    return visit.go(f"/panel/requests/{part(request_id)}", visit.text("request.withdrawn"))


async def ask_again(visit: Visit, request_id: KnownRequestId, form: ReasonForm) -> Response:
    """It is wanted again. One that is provided stays so: an operator asks, as by POST /ops/requests, no more."""
    desk = visit.deps.credentials
    if (await desk.find_request(request_id))["status"] == "WITHDRAWN":
        await desk.change(request_id, Change("WAITING", form.reason), visit.actor)
    return visit.go(f"/panel/requests/{part(request_id)}", visit.text("request.asked"))
