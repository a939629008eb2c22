"""Times as they leave: 2026-02-13T10:00:00.123Z, in UTC, with three digits of a second, as in JavaScript.

The log keeps microseconds. What SQL writes as JSON has the same form (log.rfc3339 in schema.sql); event data stays as
it was written.
"""

from datetime import UTC, datetime

import msgspec
from msgspec import Raw, Struct

from events.event import Event

_encoder = msgspec.json.Encoder()


def rfc3339(at: datetime) -> str:
    """The time in UTC, cut to milliseconds."""
    return f"{at.astimezone(UTC).isoformat(timespec='milliseconds')[:-6]}Z"


class SentEvent(Struct, frozen=True, gc=False):
    """An event as it is answered: the fields of Event, in its order."""

    seq: int
    kind: str
    id: str
    version: int
    type: str
    data: Raw
    actor: str
    at: str
    cause: int | None
    command_id: str | None


def encode_event(event: Event) -> bytes:
    """An event as JSON."""
    command = None if event.command_id is None else str(event.command_id)
    moment = rfc3339(event.at)
    return _encoder.encode(
        SentEvent(
            event.seq,
            event.kind,
            event.id,
            event.version,
            event.type,
            event.data,
            event.actor,
            moment,
            event.cause,
            command,
        )
    )
