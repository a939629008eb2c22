"""The stored envelope around one event."""

from datetime import datetime
from uuid import UUID

from msgspec import Raw, Struct


class Event(Struct, frozen=True):
    """One row of `log.events`. `data` holds the exact bytes that were written; decode it with `events.catalog`.

    seq is the position in the whole log, version the position in the stream (kind, id), from 1.
    """

    seq: int
    kind: str
    id: str
    version: int
    type: str
    data: Raw
    actor: str
    at: datetime
    cause: int | None = None
    command_id: UUID | None = None
