"""The directive stream: what a planner or a person proposes, with the tasks it takes, and what was decided about it."""

from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from events.event import Event
from events.lifecycle import Transition, Transitions, next_status
from events.limits import Line, MaxAttempts, Name, Path, Priority, StreamId, Text, Timeout, check_depth
from events.task import Acceptance, Phase, Step, TaskCreated

Approval = Literal["auto", "manual"]
"""auto: the tasks are created with the proposal. manual: they are created when somebody applies it."""


class RequiredRequest(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A credential without which the tasks cannot be done."""

    request_id: StreamId
    reason: Text | None = None


class PlannedTask(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A task of a directive as it will be created: its id is settled, what it depends on are ids.

    But for `id` and `directive_id` its fields are those of task.created: the log makes one from the other
    (schema.sql, log.planned_tasks).
    """

    id: StreamId
    title: Line
    body: Text | None = None
    phase: Phase | None = None
    task_type: Line = "generic"
    steps: list[Step] = field(default_factory=list)
    params: dict[str, Any] = field(default_factory=dict)
    priority: Priority = 100
    max_attempts: MaxAttempts = 4
    timeout_seconds: Timeout | None = None
    depends_on: list[StreamId] = field(default_factory=list)
    blocked_by: list[StreamId] = field(default_factory=list)
    acceptance: Acceptance | None = None
    allowed_scope: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        check_depth("params", self.params)

    def definition(self, directive_id: str) -> TaskCreated:
        """The event that creates it."""
        fields = msgspec.structs.asdict(self)
        del fields["id"]
        return TaskCreated(**fields, directive_id=directive_id)


class DirectiveProposed(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A directive, whole. Its tasks stand parents before children.

    `digest` is that of its content, by which a second one of the same content is known. `notes` say what was changed
    in what was proposed. `extra`: the fields that our contract does not know, by their place (`scope_type`,
    `tasks_to_create[0].owner`), as they were proposed.
    """

    title: Line
    digest: Name
    approval: Approval
    body: Text | None = None
    acceptance_criteria: list[Text] = field(default_factory=list)
    risks: list[Text] = field(default_factory=list)
    required_requests: list[RequiredRequest] = field(default_factory=list)
    tasks_to_create: list[PlannedTask] = field(default_factory=list)
    planner_run: StreamId | None = None
    notes: list[Text] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_depth("extra", self.extra)


class DirectiveApplied(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """It holds: its tasks exist, but for those that were left out. `created` are those that this created."""

    created: list[StreamId] = field(default_factory=list)
    left_out: list[StreamId] = field(default_factory=list)
    reason: Text | None = None


class DirectiveRejected(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """It is not wanted. What of it had not started was cancelled."""

    reason: Text | None = None


DirectiveEvent = DirectiveProposed | DirectiveApplied | DirectiveRejected

EVENT_TYPES: dict[str, type[Struct]] = {
    "directive.proposed": DirectiveProposed,
    "directive.applied": DirectiveApplied,
    "directive.rejected": DirectiveRejected,
}

TRANSITIONS: Transitions = {
    "directive.proposed": Transition(("",), "PENDING"),
    "directive.applied": Transition(("PENDING",), "APPLIED"),
    "directive.rejected": Transition(("PENDING",), "REJECTED"),
}


class Directive(Struct, frozen=True):
    """A directive after its events: the columns of `view.directives`."""

    version: int = 0
    status: str = ""
    title: str = ""
    digest: str = ""
    approval: str = ""
    planner_run: str | None = None
    task_ids: list[str] = field(default_factory=list)
    required: list[str] = field(default_factory=list)
    proposed_seq: int = 0
    proposed_at: datetime | None = None
    proposed_by: str = ""
    decided_seq: int | None = None
    decided_at: datetime | None = None
    decided_by: str | None = None
    reason: str | None = None


def evolve(directive: Directive, data: DirectiveEvent, event: Event) -> Directive:
    """The directive after one more event. Raises WrongVersion or IllegalTransition."""
    status = next_status(TRANSITIONS, directive, event)
    return replace(directive, version=event.version, status=status, **_changes(data, event))


def _changes(data: DirectiveEvent, event: Event) -> dict[str, Any]:
    if isinstance(data, DirectiveProposed):
        return {
            "title": data.title,
            "digest": data.digest,
            "approval": data.approval,
            "planner_run": data.planner_run,
            "task_ids": [task.id for task in data.tasks_to_create],
            "required": [request.request_id for request in data.required_requests],
            "proposed_seq": event.seq,
            "proposed_at": event.at,
            "proposed_by": event.actor,
        }
    return {
        "decided_seq": event.seq,
        "decided_at": event.at,
        "decided_by": event.actor,
        "reason": data.reason,
    }
