"""The log: pages of it, and what happens as it happens."""

from functools import partial

import msgspec
from starlette.responses import Response

from api.call import Call
from api.envelope import answer
from api.event_stream import EventStream
from api.wire.event import EventFilter, StreamStart
from events.errors import InvalidInput
from events.log import check_within, read_page
from events.rfc3339 import encode_event

_encoder = msgspec.json.Encoder()


async def list_events(call: Call, query: EventFilter) -> Response:
    """A page of the log in order of position. For following it use the stream: a page may miss what commits late."""
    events, following = await read_page(call.deps.pool, query.after, query.limit, query.kind, query.id)
    if not events and query.after:
        await check_within(call.deps.pool, query.after)
    data = b"[%b]" % b",".join(map(encode_event, events))
    return answer(data, meta=_encoder.encode({"next": following and str(following)}))


async def stream_events(call: Call, query: StreamStart) -> Response:
    """Server-sent events: each event of the log, in order, none left out. Resumes behind Last-Event-ID."""
    after = query.after
    last = call.header("last-event-id")
    if last:
        if not (last.isascii() and last.isdigit() and len(last) <= 18):
            raise InvalidInput(f"Last-Event-ID is the seq of an event, not {last[:50]!r}")
        after = int(last)
    hold = partial(call.live.hold_stream, call.caller, "api")
    return EventStream(call.live.broadcast, after, call.deps.limits.keep_alive_seconds, hold)
