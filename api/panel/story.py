"""An event as a sentence in the visitor's language, and where it leads."""

import string
from typing import Any

from msgspec import Struct

from api.panel.moments import milliseconds
from api.panel.paper import part
from api.panel.texts import MESSAGES
from api.panel.visit import Visit
from projections.story import EventBrief


class Told(Struct, frozen=True):
    """An event, told: a sentence, what it adds (an error, a reason), the page of its stream, its run."""

    event: EventBrief
    sentence: str
    detail: str
    path: str | None
    run_id: str | None

    @property
    def word(self) -> str:
        """The last word of its type: created, claimed, done."""
        return self.event.type.rpartition(".")[2]


def tell(visit: Visit, event: EventBrief) -> Told:
    """The event as a sentence. One of a type that nobody has words for is called by its name."""
    facts = _Facts({name: value for name, value in event.facts.items() if value is not None})
    facts["id"] = event.id
    if duration := facts.get("duration_ms"):
        facts["duration"] = milliseconds(float(duration))
    key = f"event.{event.type}"
    sentence = (
        string.Formatter().vformat(MESSAGES[key].to(visit.language), (), facts) if key in MESSAGES else event.type
    )
    detail = facts.get("error") or facts.get("reason") or facts.get("last_error") or ""
    run_id = str(event.seq) if event.type == "task.claimed" else facts.get("run_id")
    shown = visit.said(str(detail)) if detail else visit.summary(str(facts.get("summary") or ""))
    shown = "" if event.type == "task.step" else shown
    return Told(event, sentence, shown, stream_path(event.kind, event.id), run_id)


def stream_path(kind: str, id: str) -> str | None:  # noqa: A002
    """The page that shows what an event is about."""
    match kind:
        case "task":
            return f"/panel/tasks/{part(id)}"
        case "runner":
            return "/panel/runners"
        case "directive":
            return f"/panel/directives/{part(id)}"
        case "request":
            return f"/panel/requests/{part(id)}"
        case "planner":
            return "/panel/directives"
    return None


class _Facts(dict[str, Any]):
    """What an event does not say is left out of its sentence."""

    def __missing__(self, _name: str) -> str:
        return "–"
