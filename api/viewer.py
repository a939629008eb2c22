"""One event stream: what waits for it, and when it is over."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from events.event import Event
from events.rfc3339 import encode_event


def frame(event: Event) -> bytes:
    """An event as server-sent event: its seq is the id to resume at, its type the name."""
    data = b"\ndata: ".join(encode_event(event).splitlines())
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (event.seq, event.type.encode(), data)


class Viewer:
    """Holds at most `size` events for a client to read. `ended` is set when nothing more will come.

    `encode` makes what goes out for an event; it may be nothing at all.
    """

    def __init__(self, size: int, encode: Callable[[Event], bytes] = frame) -> None:
        self.encode = encode
        self.ended = asyncio.Event()
        self.position = 0
        """Seq of the last event it was offered, or had read before."""
        self._size = size
        self.frames: deque[bytes] = deque()
        """What waits to be read; viewers of one sort hold the same bytes."""
        self._arrived = asyncio.Event()

    def offer(self, seq: int, data: bytes) -> bool:
        """Put an event where the client finds it. False when too many wait there already: then the stream ends."""
        if seq <= self.position:
            return True
        if len(self.frames) >= self._size:
            self.end()
            return False
        self.position = seq
        if data:
            self.frames.append(data)
            self._arrived.set()
        return True

    def end(self) -> None:
        """Nothing more will come."""
        self.ended.set()
        self._arrived.set()

    def cut(self) -> None:
        """Nothing more will come, not even what waits to be read."""
        self.frames.clear()
        self.end()

    async def take(self, timeout: float) -> bytes:
        """All that has arrived; nothing after `timeout` seconds, and when it is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._arrived.wait()
        self._arrived.clear()
        data = b"".join(self.frames)
        self.frames.clear()
        return data
