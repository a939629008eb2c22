"""docs/events.md and docs/state-machines.md, made from the Structs and the transition tables."""

import re
from typing import get_type_hints

import msgspec

from events import directive, planner, request, runner, system, task
from events.catalog import EVENT_TYPES, TRANSITIONS
from events.lifecycle import Transitions, mermaid
from events.rules import Rule, rules
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
        "A field that has its default is left out of `data`; an unknown field is an error, as is a value beyond its",
        "limits (ER006, over HTTP 400). An older event beyond them is read as the nearest value within them. Times",
        "carry their offset and lie between 1970 and 9998; free JSON is at most 100 levels deep, an event at most",
        "16 MiB long.",
        "",
    ]
    for name, struct in EVENT_TYPES.items():
        lines += [f"## {name}", "", *(line.strip() for line in (struct.__doc__ or "").strip().splitlines()), ""]
        sources = ", ".join(f"`{source}`" if source else "nothing" for source in TRANSITIONS[name].sources)
        lines += [f"From {sources} to `{TRANSITIONS[name].target}`.", ""]
        hints, places = get_type_hints(struct), rules()[name]["properties"]
        fields = [_row(field, hints[field.name], places[field.name]) for field in msgspec.structs.fields(struct)]
        if fields:
            lines += ["| field | type | default | limits |", "|---|---|---|---|", *fields, ""]
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


def _row(field: msgspec.structs.FieldInfo, annotation: object, rule: Rule) -> str:
    if field.required:
        default = "required"
    elif field.default_factory is not msgspec.NODEFAULT:
        default = f"`{field.default_factory()}`"
    else:
        default = "" if field.default is None else f"`{field.default}`"
    return f"| `{field.name}` | {_type_name(annotation)} | {default} | {_limits(rule)} |"


def _limits(rule: Rule) -> str:
    """Of a text, a number, or each item of a list."""
    rule = rule.get("items", rule)
    limits = []
    if "maxLength" in rule:
        limits.append(f"{rule.get('minLength', 0)}–{rule['maxLength']} characters")
    if "maximum" in rule and rule["maximum"] < 2**53 - 1:
        limits.append(f"{rule['minimum']}–{rule['maximum']}")
    return ", ".join(limits)


def _type_name(annotation: object) -> str:
    text = (
        annotation.__name__
        if isinstance(annotation, type) and not getattr(annotation, "__args__", ())
        else str(annotation)
    )
    for prefix in ("events.task.", "events.request.", "events.directive.", "events.planner.", "datetime.", "typing."):
        text = text.replace(prefix, "")
    if union := re.fullmatch(r"(Optional|Union)\[(.*)\]", text):
        named = union[2].replace("NoneType", "None").split(", ")
        text = " | ".join([*named, "None"] if union[1] == "Optional" else named)
    return f"`{text}`".replace("|", "\\|")
