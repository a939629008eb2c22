"""The system stream (one, with the id "main"): is work handed out or not?"""

from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from events.errors import IllegalTransition, WrongVersion
from events.lifecycle import Transition, Transitions, status_after

STREAM_ID = "main"


class SystemPaused(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """No task is handed out until someone resumes."""

    reason: str | None = None


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


def evolve(system: System, event_type: str, data: SystemEvent, *, version: int, at: datetime, actor: str) -> System:
    """The system after one more event. Raises WrongVersion or IllegalTransition."""
    if version != system.version + 1:
        raise WrongVersion(f"expected version {system.version + 1}, got {version}")
    status = status_after(TRANSITIONS, system.status, event_type)
    if status is None:
        raise IllegalTransition(f"{event_type} is not possible while the system is {system.status or 'active'}")
    changes: dict[str, Any] = {"reason": data.reason if isinstance(data, SystemPaused) else None}
    return replace(system, version=version, status=status, changed_at=at, changed_by=actor, **changes)
