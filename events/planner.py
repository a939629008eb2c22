"""The planner stream: one event per run of the planner, written when the run has ended."""

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct, field
from msgspec.structs import replace

from events.event import Event
from events.lifecycle import Transition, Transitions, next_status
from events.limits import BigCount, Cost, Count, Line, Name, StreamId, Text

Failure = Literal[
    "invalid_answer",
    "refused",
    "timeout",
    "unauthorized",
    "rate_limited",
    "model_error",
    "unreachable",
    "interrupted",
    "internal",
]


class Usage(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Tokens, as the model's server counted them; `cached_tokens` are part of `prompt_tokens`.

    `estimated`: the server did not say, or did not answer; this is the most that it can have been.
    """

    prompt_tokens: BigCount = 0
    completion_tokens: BigCount = 0
    cached_tokens: BigCount = 0
    estimated: bool = False

    @property
    def total_tokens(self) -> int:
        """All of them."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            self.estimated or other.estimated,
        )


class RefusedProposal(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A directive that the model proposed and that was not taken, and why."""

    title: Text
    reason: Text


class PlannerCompleted(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """The model answered, and what it proposed was created with this event. `cost` is in dollars.

    `prompt_hash` is the SHA-256 of what it was asked first; `rounds` is 2 when it had to mend its answer.
    """

    model: Line
    prompt_hash: Name
    environment: Line = "production"
    usage: Usage = Usage()
    cost: Cost = 0.0
    duration_ms: BigCount = 0
    rounds: Count = 1
    directives: list[StreamId] = field(default_factory=list)
    tasks: list[StreamId] = field(default_factory=list)
    requests: list[StreamId] = field(default_factory=list)
    refused: list[RefusedProposal] = field(default_factory=list)
    notes: list[Text] = field(default_factory=list)


class PlannerFailed(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """The run ended without an answer that could be used; nothing was created. `cost` is in dollars."""

    outcome: Failure
    error: Text
    model: Line
    prompt_hash: Name | None = None
    environment: Line = "production"
    usage: Usage = Usage()
    cost: Cost = 0.0
    duration_ms: BigCount = 0
    rounds: Count = 1


PlannerEvent = PlannerCompleted | PlannerFailed

EVENT_TYPES: dict[str, type[Struct]] = {"planner.completed": PlannerCompleted, "planner.failed": PlannerFailed}

TRANSITIONS: Transitions = {
    "planner.completed": Transition(("",), "completed"),
    "planner.failed": Transition(("",), "failed"),
}


class PlannerRun(Struct, frozen=True):
    """A run of the planner after its one event: the columns of `view.planner_runs`."""

    version: int = 0
    status: str = ""
    seq: int = 0
    outcome: str = ""
    error: str | None = None
    model: str = ""
    environment: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    duration_ms: int = 0
    rounds: int = 1
    directives: int = 0
    tasks: int = 0
    refused: int = 0
    ended_at: datetime | None = None
    started_by: str = ""


def evolve(run: PlannerRun, data: PlannerEvent, event: Event) -> PlannerRun:
    """The run after its event. Raises WrongVersion or IllegalTransition: a run ends once."""
    status = next_status(TRANSITIONS, run, event)
    return replace(
        run,
        version=event.version,
        status=status,
        seq=event.seq,
        ended_at=event.at,
        started_by=event.actor,
        model=data.model,
        environment=data.environment,
        prompt_tokens=data.usage.prompt_tokens,
        completion_tokens=data.usage.completion_tokens,
        cost=data.cost,
        duration_ms=data.duration_ms,
        rounds=data.rounds,
        **_outcome(data),
    )


def _outcome(data: PlannerEvent) -> dict[str, Any]:
    if isinstance(data, PlannerFailed):
        return {"outcome": data.outcome, "error": data.error}
    return {
        "outcome": "created" if data.directives else "nothing_new",
        "directives": len(data.directives),
        "tasks": len(data.tasks),
        "refused": len(data.refused),
    }
