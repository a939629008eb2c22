"""What happens, as the panel needs to know it: which task, runner or system changed, and nothing of the data.

A page that was asleep for long is not told all that it missed, but to look anew at everything it shows.
"""

from functools import partial
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from starlette.responses import Response

from api.event_stream import EventStream
from api.panel.visit import Visit
from events.event import Event
from events.log import last_seq

BEHIND_MAX = 1000  # events; whoever missed more looks at everything anew

_encoder = msgspec.json.Encoder()


class LiveStart(Struct, frozen=True, forbid_unknown_fields=True):
    """Up to where the page knows what happened."""

    after: Annotated[int, Meta(ge=0, le=9_007_199_254_740_991)] | None = None


def small_frame(event: Event) -> bytes:
    """An event as the panel's script needs it. Heartbeats are left out: they change nothing that has to be seen now."""
    if event.type == "runner.heartbeat":
        return b""
    return b"id: %d\ndata: %b\n\n" % (event.seq, _encoder.encode([event.kind, event.id, event.type]))


async def stream(visit: Visit, query: LiveStart) -> Response:
    """Server-sent events: what changed. Resumes behind Last-Event-ID."""
    given = visit.request.headers.get("last-event-id", "")
    after = int(given) if given.isascii() and given.isdigit() and len(given) <= 16 else query.after
    last = await last_seq(visit.deps.pool)
    first = b""
    if after is None or not 0 <= last - after <= BEHIND_MAX:
        first = b"id: %d\nevent: everything\ndata: \n\n" % last if after is not None else b""
        after = None
    keep_alive = visit.deps.limits.keep_alive_seconds
    assert visit.caller is not None, "the page asks for a role"
    hold = partial(visit.live.hold_stream, visit.caller, "panel")
    return EventStream(visit.live.broadcast, after, keep_alive, hold, small_frame, first)
