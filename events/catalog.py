"""Event type <-> Struct: encode, decode strictly, upcast old shapes.

An unknown type or an unknown field is an error, never a guess. When the shape of an event changes, its
old shape gets an upcaster here (a pure function on plain JSON values) and the log stays as it was. A value beyond
limits that came later is read as the nearest one within them (events/tolerant.py).
"""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from events import directive, planner, request, runner, system, task
from events.errors import InvalidInput
from events.tolerant import tolerant

EVENT_TYPES: dict[str, type[Struct]] = {
    **task.EVENT_TYPES,
    **runner.EVENT_TYPES,
    **directive.EVENT_TYPES,
    **request.EVENT_TYPES,
    **planner.EVENT_TYPES,
    **system.EVENT_TYPES,
}
TYPE_NAMES: dict[type[Struct], str] = {struct: name for name, struct in EVENT_TYPES.items()}
TRANSITIONS = {
    **task.TRANSITIONS,
    **runner.TRANSITIONS,
    **directive.TRANSITIONS,
    **request.TRANSITIONS,
    **planner.TRANSITIONS,
    **system.TRANSITIONS,
}

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]


# No shape has changed yet. An entry here is for ever: the log keeps the old shape.
UPCASTERS: dict[str, tuple[Upcaster, ...]] = {}

_encoder = msgspec.json.Encoder(order="deterministic")
_decoders = {name: msgspec.json.Decoder(struct) for name, struct in EVENT_TYPES.items()}
UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)


def encode(data: Any) -> bytes:
    """The bytes that go into the log, or a document with such in it: field order as declared, defaults left out."""
    return _encoder.encode(data)


def type_name(data: Struct) -> str:
    """The event type of a Struct, e.g. TaskDone -> "task.done"."""
    return TYPE_NAMES[type(data)]


def kind_of(event_type: str) -> str:
    """The stream kind an event type belongs to, e.g. "task.done" -> "task"."""
    return event_type.partition(".")[0]


def decode(event_type: str, data: bytes | str | msgspec.Raw) -> Any:
    """The Struct behind stored bytes: old shapes are upcast, values beyond today's limits read as the nearest within.

    Raises:
        InvalidInput: unknown type, unknown field, wrong type; the detail names which.
    """
    decoder = _decoders.get(event_type)
    if decoder is None:
        raise InvalidInput(f"unknown event type {event_type!r}; known: {', '.join(sorted(EVENT_TYPES))}")
    try:
        if event_type in UPCASTERS:
            return _upcast(event_type, data, EVENT_TYPES[event_type])
        return decoder.decode(data)
    except UNREADABLE as error:
        try:
            return _upcast(event_type, data, tolerant(EVENT_TYPES[event_type]))
        except UNREADABLE:
            raise InvalidInput(f"{event_type}: {error}") from error


def _upcast(event_type: str, data: bytes | str | msgspec.Raw, struct: type[Struct]) -> Any:
    plain = msgspec.json.decode(data)
    for upcaster in UPCASTERS.get(event_type, ()):
        plain = upcaster(plain)
    return msgspec.convert(plain, struct)
