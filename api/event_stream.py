"""The response that carries server-sent events, until somebody ends it: the client, the server, or its own slowness."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.broadcast import Broadcast, Encode
from api.disconnect import cut_connection, wait_for_disconnect
from api.errors import as_refusal
from api.viewer import Viewer, frame
from events.errors import explain

log = structlog.get_logger(__name__)

Hold = Callable[[Callable[[], None]], AbstractContextManager[None]]

FAREWELL_SECONDS = 1.0
GREETING = b"retry: 2000\n\n"


class EventStream(Response):
    """`after`: begin behind this seq; None begins with what happens from now on.

    `hold` is entered while the stream is open, with what cuts it off: see Live.hold_stream.
    `encode` makes what is sent for an event; `first` is sent before all of them.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        broadcast: Broadcast,
        after: int | None,
        keep_alive_seconds: float,
        hold: Hold,
        encode: Encode = frame,
        first: bytes = b"",
    ) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers({"cache-control": "no-store", "x-accel-buffering": "no"})
        self._broadcast = broadcast
        self._after = after
        self._keep_alive_seconds = keep_alive_seconds
        self._hold = hold
        self._encode = encode
        self._first = first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream until the end. Raises Unavailable, BeyondTheLog while nothing has been sent yet.

        Whoever has received the head misses nothing that is written from then on.
        """
        with self._broadcast.viewer(self._encode) as viewer, self._hold(viewer.cut):
            await self._broadcast.begin(viewer, self._after)
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            sending = asyncio.create_task(self._send_frames(viewer, send, scope["method"] == "HEAD"))
            leaving = asyncio.create_task(wait_for_disconnect(receive))
            ended = asyncio.create_task(viewer.ended.wait())
            try:
                await asyncio.wait({sending, leaving, ended}, return_when=asyncio.FIRST_COMPLETED)
                await asyncio.wait({sending, leaving}, timeout=FAREWELL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if not sending.done() and not leaving.done():  # it reads nothing, not even that it is over
                    cut_connection(scope)
                    await asyncio.wait({leaving}, timeout=FAREWELL_SECONDS)
            finally:
                for task in (sending, leaving, ended):
                    task.cancel()
                await asyncio.wait({sending, leaving, ended})

    async def _send_frames(self, viewer: Viewer, send: Send, only_headers: bool) -> None:
        body = GREETING + self._first
        frames = self._broadcast.frames(viewer, self._after, self._keep_alive_seconds)
        try:
            while not only_headers:
                await send({"type": "http.response.body", "body": body, "more_body": True})
                body = await anext(frames)
        except StopAsyncIteration:
            pass
        except Exception as error:
            if as_refusal(error) is None:
                raise
            log.warning("stream.interrupted", error=explain(error))  # the client comes back with its Last-Event-ID
        finally:
            await frames.aclose()
        await send({"type": "http.response.body", "body": b"", "more_body": False})
