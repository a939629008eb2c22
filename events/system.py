"""The system stream (one, with the id "main"): is work handed out or not?"""

from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from events.errors import Paused
from events.event import Event
from events.lifecycle import Transition, Transitions, next_status
from events.limits import Text

STREAM_ID = "main"


class SystemPaused(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """No task is handed out until someone resumes."""

    reason: Text | None = None


class SystemResumed(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Tasks are handed out again."""


SystemEvent = SystemPaused | SystemResumed

EVENT_TYPES: dict[str, type[Struct]] = {"system.paused": SystemPaused, "system.resumed": SystemResumed}

TRANSITIONS: Transitions = {
    "system.paused": Transition(("", "active"), "paused"),
    "system.resumed": Transition(("paused",), "active"),
}


class System(Struct, frozen=True):
    """The system after its events: the one row of `view.system`."""

    version: int = 0
    status: str = ""
    reason: str | None = None
    changed_at: datetime | None = None
    changed_by: str | None = None


def evolve(system: System, data: SystemEvent, event: Event) -> System:
    """The system after one more event. Raises WrongVersion or IllegalTransition."""
    status = next_status(TRANSITIONS, system, event)
    changes: dict[str, Any] = {"reason": data.reason if isinstance(data, SystemPaused) else None}
    return replace(system, version=event.version, status=status, changed_at=event.at, changed_by=event.actor, **changes)


def paused(reason: str | None) -> Paused:
    """The refusal of a claim while the system is paused."""
    why = f" ({reason})" if reason else ""
    return Paused(f"the system is paused{why}; resume it with POST /ops/system/resume")
