"""The request stream: a credential that somebody must provide, was provided, or is not wanted any more.

The log knows that a value exists, where it is kept and who said so; never the value itself.
"""

from datetime import datetime
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from events.event import Event
from events.lifecycle import Transition, Transitions, next_status
from events.limits import Brief, Line, Path, Text, VariableName


class RequestDefinition(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is asked for. `scopes` are the names of the variables whose values are wanted.

    `validation_cmd` is a shell command that exits with 0 when the values work; it sees them in its environment.
    """

    service: Brief
    type: Line = "credential"
    scopes: list[VariableName] = field(default_factory=list)
    purpose: Text | None = None
    where_to_set: Text | None = None
    validation_cmd: Text | None = None


class RequestOpened(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Somebody asks for a credential, or asks again. Without a `definition` the one before stays."""

    definition: RequestDefinition | None = None
    reason: Text | None = None


class RequestProvided(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The values are there, or there are new ones. `names` are the variables that were set, `place` is where."""

    names: list[Line] = field(default_factory=list)
    place: Path | None = None


class RequestWithdrawn(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Nobody needs it any more."""

    reason: Text | None = None


RequestEvent = RequestOpened | RequestProvided | RequestWithdrawn

EVENT_TYPES: dict[str, type[Struct]] = {
    "request.opened": RequestOpened,
    "request.provided": RequestProvided,
    "request.withdrawn": RequestWithdrawn,
}

TRANSITIONS: Transitions = {
    "request.opened": Transition(("", "WAITING", "PROVIDED", "WITHDRAWN"), "WAITING"),
    "request.provided": Transition(("WAITING", "PROVIDED"), "PROVIDED"),
    "request.withdrawn": Transition(("WAITING", "PROVIDED"), "WITHDRAWN"),
}


class Request(Struct, frozen=True):
    """A request after its events: the columns of `view.requests`. `reason` is the last one that was given."""

    version: int = 0
    status: str = ""
    definition: RequestDefinition | None = None
    reason: str | None = None
    place: str | None = None
    opened_at: datetime | None = None
    provided_at: datetime | None = None
    provided_by: str | None = None
    changed_at: datetime | None = None
    changed_by: str | None = None


def evolve(request: Request, data: RequestEvent, event: Event) -> Request:
    """The request after one more event. Raises WrongVersion or IllegalTransition."""
    status = next_status(TRANSITIONS, request, event)
    changes = _changes(request, data, event)
    return replace(
        request, version=event.version, status=status, changed_at=event.at, changed_by=event.actor, **changes
    )


def _changes(request: Request, data: RequestEvent, event: Event) -> dict[str, Any]:
    """The columns that one event sets; whatever is not named keeps its value."""
    match data:
        case RequestOpened():
            return {
                "definition": data.definition or request.definition,
                "reason": data.reason,
                "opened_at": event.at,
                "place": None,
                "provided_at": None,
                "provided_by": None,
            }
        case RequestProvided():
            return {"provided_at": event.at, "provided_by": event.actor, "place": data.place}
        case RequestWithdrawn():
            return {"reason": data.reason}
