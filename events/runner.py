"""The runner stream: a process that executes tasks comes, is seen, and goes; an operator may have it drain."""

from datetime import datetime
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from events.event import Event
from events.lifecycle import Transition, Transitions, next_status
from events.limits import Text, check_depth


class RunnerStarted(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A runner process came up under this id (again)."""

    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_depth("meta", self.meta)


class RunnerHeartbeat(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The runner is alive; its lease on everything it holds is extended. `meta` None keeps what was said before.

    `meta.unfit` {code, path, detail}: its machine is at fault, and it claims nothing.
    """

    meta: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        check_depth("meta", self.meta)


class RunnerStopped(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The runner left in an orderly way and holds nothing."""

    reason: Text | None = None


class RunnerDraining(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The runner shall claim no more: what it executes it finishes, what it has not begun it hands back.

    It stays so, also while stopped, until it is resumed or a new process starts under its id.
    """

    reason: Text | None = None


class RunnerResumed(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The runner may claim again."""


RunnerEvent = RunnerStarted | RunnerHeartbeat | RunnerStopped | RunnerDraining | RunnerResumed

EVENT_TYPES: dict[str, type[Struct]] = {
    "runner.started": RunnerStarted,
    "runner.heartbeat": RunnerHeartbeat,
    "runner.stopped": RunnerStopped,
    "runner.draining": RunnerDraining,
    "runner.resumed": RunnerResumed,
}

ANY = ("", "alive", "stopped")

TRANSITIONS: Transitions = {
    "runner.started": Transition(ANY, "alive"),
    "runner.heartbeat": Transition(ANY, "alive"),
    "runner.stopped": Transition(("alive", "stopped"), "stopped"),
    "runner.draining": Transition(("alive",), "alive"),
    "runner.resumed": Transition(("alive",), "alive"),
}


class Runner(Struct, frozen=True):
    """A runner after its events: the columns of `view.runners`. Online or not is a question of the reader's clock."""

    version: int = 0
    status: str = ""
    meta: dict[str, Any] = field(default_factory=dict)
    started_at: datetime | None = None
    last_seen_at: datetime | None = None
    stopped_at: datetime | None = None
    draining_since: datetime | None = None
    draining_by: str | None = None
    draining_reason: str | None = None


DRAINS_NOT: dict[str, Any] = {"draining_since": None, "draining_by": None, "draining_reason": None}


def evolve(runner: Runner, data: RunnerEvent, event: Event) -> Runner:
    """The runner after one more event. Raises WrongVersion or IllegalTransition."""
    status = next_status(TRANSITIONS, runner, event)
    return replace(runner, version=event.version, status=status, **_changes(runner, data, event))


def _changes(runner: Runner, data: RunnerEvent, event: Event) -> dict[str, Any]:
    """What an operator says of a runner is no sign of its life: only its own events are when it was seen."""
    match data:
        case RunnerStarted():
            return {
                "last_seen_at": event.at,
                "started_at": event.at,
                "stopped_at": None,
                "meta": data.meta,
                **DRAINS_NOT,
            }
        case RunnerHeartbeat():
            return {
                "last_seen_at": event.at,
                "started_at": runner.started_at or event.at,
                "stopped_at": None,
                "meta": runner.meta if data.meta is None else data.meta,
            }
        case RunnerStopped():
            return {"last_seen_at": event.at, "stopped_at": event.at}
        case RunnerDraining():
            return {"draining_since": event.at, "draining_by": event.actor, "draining_reason": data.reason}
        case RunnerResumed():
            return DRAINS_NOT
