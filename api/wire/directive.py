"""What is said about directives, and to the planner."""

from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct, field

from api.wire.field import Limit, Line, TaskId, Text
from events.proposal import DirectiveProposal, Reading, read_answer

DirectiveId = TaskId
Cursor = Annotated[str, Meta(max_length=100)]


DirectiveStatus = Literal["PENDING", "APPLIED", "REJECTED", "PENDING_REVIEW", "APPROVED"]
"""As the first El Ruso said it, too: PENDING_REVIEW is PENDING, APPROVED is APPLIED."""
_OLDER = {"PENDING_REVIEW": "PENDING", "APPROVED": "APPLIED"}


def status_of(given: DirectiveStatus | None) -> str | None:
    """The status of the log that is meant."""
    return None if given is None else _OLDER.get(given, given)


class DirectiveFilter(Struct, frozen=True, forbid_unknown_fields=True):
    """Which directives to list, newest first."""

    status: DirectiveStatus | None = None
    limit: Limit = 1000
    cursor: Cursor | None = None


class DirectiveBatch(Struct, frozen=True):
    """Many directives, proposed together or not at all."""

    directives: list[DirectiveProposal]


class NewDirectives(Struct, frozen=True):
    """What POST /ops/directives accepts: what a model answers, JSON with or without words around it."""

    shapes: ClassVar[tuple[Any, ...]] = (DirectiveProposal, list[DirectiveProposal], DirectiveBatch)

    reading: Reading
    single: bool

    @classmethod
    def read(cls, body: bytes) -> "NewDirectives":
        """Raises InvalidInput, UnicodeDecodeError."""
        reading = read_answer(body.decode())
        return cls(reading, len(reading.directives) == 1 and body.startswith(b"{") and b'"directives"' not in body)


class ApplyDirective(Struct, frozen=True, forbid_unknown_fields=True):
    """Apply a directive, without the tasks whose ids are in `leave_out`."""

    leave_out: Annotated[list[TaskId], Meta(max_length=1000)] = field(default_factory=list)
    reason: Text | None = None


class DirectiveChange(Struct, frozen=True, forbid_unknown_fields=True):
    """The status a directive shall have."""

    status: DirectiveStatus
    rejection_reason: Text | None = None
    reason: Text | None = None
    leave_out: Annotated[list[TaskId], Meta(max_length=1000)] = field(default_factory=list)


class PlannerAsk(Struct, frozen=True, forbid_unknown_fields=True):
    """Let the planner look at the project. `environment` is told to the model."""

    environment: Line = "production"


class PlannerRunFilter(Struct, frozen=True, forbid_unknown_fields=True):
    """Which runs of the planner to list, newest first."""

    status: Literal["completed", "failed"] | None = None
    limit: Limit = 50
    cursor: Cursor | None = None
