"""Which part of the log one wants to see."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from api.wire.field import Limit

Seq = Annotated[int, Meta(ge=0, le=9_007_199_254_740_991)]


class EventFilter(Struct, frozen=True, forbid_unknown_fields=True):
    """Events after a position, of one kind or one stream."""

    after: Seq = 0
    kind: Literal["task", "runner", "directive", "request", "planner", "system"] | None = None
    id: Annotated[str, Meta(max_length=200)] | None = None
    limit: Limit = 1000


class StreamStart(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a stream begins: after this event. Left out: with what happens from now on. Last-Event-ID comes first."""

    after: Seq | None = None
