"""Our end of a child's stdout or stderr.

Not asyncio's own: its `wait()` may wait for pipes that a grandchild holds open, and its buffers cannot be told
"what is there now, and no more".
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Self

CHUNK_BYTES = 64 * 1024
LAST_BYTES = 1024 * 1024  # the most a pipe can hold when its writer ends


class Pipe:
    """A pipe that a child writes to and we read from without blocking."""

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        self._readable: asyncio.Future[None] | None = None
        self._last_call = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._reading)

    @contextmanager
    def writer(self) -> Iterator[int]:
        """The end for the child; ours is closed afterwards, or we would never see the end."""
        try:
            yield self._writing
        finally:
            os.close(self._writing)

    def last_call(self) -> None:
        """Nobody we wait for writes any more: read what is in the pipe and stop, even if it stays open."""
        self._last_call = True
        self._wake()

    async def pump(self, sink: Callable[[bytes], Awaitable[None]]) -> None:
        """Pass chunks to `sink` until the pipe is closed, or empty after the last call."""
        left = LAST_BYTES
        while left > 0:
            try:
                data = os.read(self._reading, CHUNK_BYTES)
            except BlockingIOError:
                if self._last_call:
                    return
                await self._wait_readable()
                continue
            if not data:
                return
            await sink(data)
            await asyncio.sleep(0)  # a command that never stops writing must not keep the others waiting
            left -= len(data) if self._last_call else 0

    async def _wait_readable(self) -> None:
        loop = asyncio.get_running_loop()
        self._readable = loop.create_future()
        loop.add_reader(self._reading, self._wake)
        try:
            await self._readable
        finally:
            loop.remove_reader(self._reading)
            self._readable = None

    def _wake(self) -> None:
        if self._readable is not None and not self._readable.done():
            self._readable.set_result(None)
