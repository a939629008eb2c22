"""Requests for credentials as they come in."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from api.wire.field import Line, Moment, TaskId, Text, VariableName
from events.errors import InvalidInput
from events.ids import REQUEST_ID
from events.request import RequestDefinition
from events.requests import Wanted

RequestId = Annotated[str, Meta(pattern=REQUEST_ID, description="Like REQ-009.")]
"""Of a new request."""
KnownRequestId = TaskId
"""Of a request that the log may hold already."""
Status = Literal["WAITING", "PROVIDED", "WITHDRAWN"]
OlderStatus = Literal["WAITING", "PROVIDED", "WITHDRAWN", "REJECTED"]
"""As the first El Ruso said it, too: REJECTED is WITHDRAWN."""
MANY = 1000


class RequestFilter(Struct, frozen=True, forbid_unknown_fields=True):
    """Which requests."""

    status: OlderStatus | None = None


class NewRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A credential that is asked for. Without a `service` it is one that REQUESTS.json defines."""

    id: RequestId
    service: Line | None = None
    type: Line = "credential"
    scopes: Annotated[list[VariableName], Meta(max_length=100)] = field(default_factory=list)
    purpose: Text | None = None
    where_to_set: Text | None = None
    validation_cmd: Text | None = None
    reason: Text | None = None
    status: OlderStatus = "WAITING"
    """What it is to be at once. `provided_at` is when its client says so; the log has its own clock."""
    provided_at: Moment | None = None

    @property
    def wanted(self) -> Wanted:
        """The same as the command takes it."""
        if self.service is None:
            return Wanted(self.id, None, self.reason)
        asked = (self.service, self.type, list(self.scopes), self.purpose, self.where_to_set, self.validation_cmd)
        return Wanted(self.id, RequestDefinition(*asked), self.reason)


class NewRequests:
    """The body of POST /ops/requests: one request, or an array of them."""

    shapes = (NewRequest, list[NewRequest])

    def __init__(self, requests: list[NewRequest], single: bool) -> None:
        self.requests = requests
        self.single = single

    @classmethod
    def read(cls, body: bytes) -> "NewRequests":
        """Raises msgspec.DecodeError; InvalidInput when there are none, or too many at once."""
        if not body.startswith(b"["):
            return cls([msgspec.json.decode(body, type=NewRequest)], single=True)
        requests: list[Any] = msgspec.json.decode(body, type=list[NewRequest])
        if not 1 <= len(requests) <= MANY:
            raise InvalidInput(f"from 1 to {MANY} requests may be opened at once, not {len(requests)}")
        return cls(requests, single=False)


class RequestChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be so. `granted`: whether tasks that name its variables in params.secrets get them."""

    status: OlderStatus | None = None
    reason: Text | None = None
    granted: bool | None = None
    provided_at: Moment | None = None


class Values(Struct, frozen=True, forbid_unknown_fields=True):
    """Values by the names of their variables. They go to the vault and are never shown again."""

    values: Annotated[dict[str, str], Meta(min_length=1, max_length=100)]
    granted: bool | None = None
    """Whether tasks that name them in params.secrets get them; left out: as before, at first not."""


def status_of(given: OlderStatus | None) -> Status | None:
    """The status of the log that is meant."""
    return "WITHDRAWN" if given == "REJECTED" else given


class Nothing(Struct, frozen=True):
    """A body that says nothing."""
