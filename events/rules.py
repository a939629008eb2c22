"""What the guard of the log checks of an event: its Struct and its envelope as rules, a subset of JSON Schema.

    type          which kinds of value; a whole number is an integer, any other a number
    enum          of a string
    minLength, maxLength, pattern, format (date-time)     of a string
    minimum, maximum                                      of a number
    items, maxItems                                       of an array
    properties, required, additionalProperties            of an object

As in JSON Schema, a keyword says nothing of the kinds of value that it is not about. The rules are the content of
log.rules; log.broken_rule (schema.sql) reads them.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from events.catalog import EVENT_TYPES, kind_of
from events.limits import Actor, Seq, StreamId

Rule = dict[str, Any]

KEYWORDS = (
    *("type", "enum", "minLength", "maxLength", "pattern", "format", "minimum", "maximum"),
    *("items", "maxItems", "properties", "required", "additionalProperties"),
)


class Envelope(Struct, forbid_unknown_fields=True):
    """What the guard checks of an event beside its data."""

    id: StreamId
    actor: Actor
    cause: Seq | None


class SystemEnvelope(Envelope, forbid_unknown_fields=True):
    """There is one system: a second one could be paused, and nothing would resume it."""

    id: Literal["main"]


def rules() -> dict[str, Rule]:
    """The rule of each event type's data, and of each kind's envelope."""
    envelopes = {kind_of(name): Envelope for name in EVENT_TYPES} | {"system": SystemEnvelope}
    structs = {**EVENT_TYPES, **envelopes}
    _, components = msgspec.json.schema_components(structs.values(), ref_template="{name}")
    return {name: _rule({"$ref": struct.__name__}, components) for name, struct in structs.items()}


def rows() -> str:
    """The rows of log.rules, as they stand in schema.sql."""
    return ",\n".join(f"    ('{name}', '{_text(rule)}')" for name, rule in rules().items()) + ";\n"


def _text(rule: Rule) -> str:
    return msgspec.json.encode(rule).decode().replace("'", "''")


def _rule(schema: Mapping[str, Any], components: Mapping[str, Any]) -> Rule:
    """A schema with its references resolved and its alternatives, which differ in type, merged into one."""
    if "$ref" in schema:
        return _rule(components[schema["$ref"]], components)
    if "anyOf" in schema:
        merged: Rule = {}
        for each in schema["anyOf"]:
            option = _rule(each, components)
            merged = merged | option | {"type": merged.get("type", []) + option.get("type", [])}
        return merged
    rule = {name: schema[name] for name in KEYWORDS if name in schema}
    if "enum" in rule:
        rule["type"] = "string"
    if "type" in rule:
        rule["type"] = [rule["type"]]
    if "items" in rule:
        rule["items"] = _rule(rule["items"], components)
    if "properties" in rule:
        rule["properties"] = {name: _rule(each, components) for name, each in rule["properties"].items()}
    return rule
