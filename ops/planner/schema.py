"""The JSON schema of an answer, in the strict dialect of structured output, made from the Structs that will read it.

Strict means: every object lists all its properties as required and takes no others, and a handful of keywords is not
known. So what may be left out may be null instead, limits are left to our own validation afterwards, and where an
object would have free keys there is a list of pairs.
"""

from functools import cache
from typing import Any

import msgspec
from msgspec import Struct

from events.proposal import DirectiveProposal

UNKNOWN = {"default", "title", "minLength", "maxLength", "minItems", "maxItems", "pattern", "exclusiveMinimum"}
ANY_VALUE = {
    "anyOf": [
        {"type": "string"},
        {"type": "number"},
        {"type": "boolean"},
        {"type": "array", "items": {"type": "string"}},
    ]
}


class DirectivesAnswer(Struct, frozen=True):
    """What the model answers."""

    directives: list[DirectiveProposal]


@cache
def answer_schema() -> dict[str, Any]:
    """The schema for `response_format`."""
    (_reference,), components = msgspec.json.schema_components([DirectivesAnswer], ref_template="#/$defs/{name}")
    strict = {name: _strict(schema) for name, schema in components.items()}
    answer: dict[str, Any] = strict.pop(DirectivesAnswer.__name__)
    return answer | {"$defs": strict}


def _strict(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    if not schema:
        return ANY_VALUE
    kept = {key: value for key, value in schema.items() if key not in UNKNOWN}
    if "anyOf" in kept:
        kept["anyOf"] = [_strict(option) for option in kept["anyOf"] if not _has_free_keys(option)]
    if "items" in kept:
        kept["items"] = _strict(kept["items"])
    if "properties" in kept:
        kept["properties"] = {name: _strict(value) for name, value in kept["properties"].items()}
        kept |= {"required": list(kept["properties"]), "additionalProperties": False}
    return kept


def _has_free_keys(schema: dict[str, Any]) -> bool:
    return schema.get("type") == "object" and "properties" not in schema
