"""docs/events.md and docs/state-machines.md, made from the Structs and the transition tables."""

import msgspec

from events import directive, planner, request, runner, system, task
from events.catalog import EVENT_TYPES, TRANSITIONS
from events.lifecycle import Transitions, mermaid
from tests.support.documents import MADE

STREAMS: dict[str, Transitions] = {
    "task": task.TRANSITIONS,
    "runner": runner.TRANSITIONS,
    "directive": directive.TRANSITIONS,
    "request": request.TRANSITIONS,
    "planner": planner.TRANSITIONS,
    "system": system.TRANSITIONS,
}


def events_page() -> str:
    """docs/events.md."""
    lines = [
        "# Events",
        "",
        MADE,
        "Every row of `log.events` has `seq` (its place in the log), `kind` and `id` (its stream), `version` (its",
        "place in the stream, from 1), `type`, `data`, `actor` (`human:…`, `runner:…`, `gpt`, `system`), `cause`",
        "(the seq of the event that led to it), `command_id` (the client's idempotency key) and `at` (the database's",
        "clock).",
        "",
        "A field that has its default is left out of `data`; an unknown field is an error.",
        "",
    ]
    for name, struct in EVENT_TYPES.items():
        lines += [f"## {name}", "", *(line.strip() for line in (struct.__doc__ or "").strip().splitlines()), ""]
        sources = ", ".join(f"`{source}`" if source else "nothing" for source in TRANSITIONS[name].sources)
        lines += [f"From {sources} to `{TRANSITIONS[name].target}`.", ""]
        fields = msgspec.structs.fields(struct)
        if fields:
            lines += ["| field | type | default |", "|---|---|---|", *(_row(field) for field in fields), ""]
    return "\n".join(lines).rstrip() + "\n"


def machines_page() -> str:
    """docs/state-machines.md."""
    lines = [
        "# State machines",
        "",
        MADE,
        "The same tables stand in schema.sql (`log.transitions`), where the folds enforce them; a test compares.",
        "",
    ]
    for kind, table in STREAMS.items():
        lines += [f"## {kind}", "", "```mermaid", *mermaid(table), "```", ""]
    return "\n".join(lines).rstrip() + "\n"


def _row(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        default = "required"
    elif field.default_factory is not msgspec.NODEFAULT:
        default = f"`{field.default_factory()}`"
    else:
        default = "" if field.default is None else f"`{field.default}`"
    return f"| `{field.name}` | {_type_name(field.type)} | {default} |"


def _type_name(annotation: object) -> str:
    text = (
        annotation.__name__
        if isinstance(annotation, type) and not getattr(annotation, "__args__", ())
        else str(annotation)
    )
    for prefix in ("events.task.", "events.request.", "events.directive.", "events.planner.", "datetime.", "typing."):
        text = text.replace(prefix, "")
    return f"`{text}`".replace("|", "\\|")
