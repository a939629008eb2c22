"""A fixed number of coroutines that work off one line of items.

An item that never waits for anything costs no task, no future and no turn of the event loop: the coroutine that took
it goes on with the next one. Only when an item waits is another coroutine woken for the rest of the line.

A coroutine that ends, whatever ended it, is replaced, so the number of slots never shrinks.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Generic, TypeVar

import structlog

Item = TypeVar("Item")

TURN_ITEMS = 32  # so many in a row before the event loop gets a turn
CLOSE_SECONDS = 0.5  # how long cancelled work may take to end

log = structlog.get_logger(__name__)


class Slots(Generic[Item]):
    """At most `count` calls of `work` at once. `work` should not raise: a slot that it ends is opened again."""

    def __init__(self, count: int, work: Callable[[Item], Awaitable[None]]) -> None:
        self._work = work
        self._line: deque[Item] = deque()
        self._idle: list[asyncio.Future[None]] = []
        self._spreading = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._abandoned: set[asyncio.Task[None]] = set()
        self._closing = False
        self._count = count

    def start(self) -> None:
        """Begin, in the background."""
        for _ in range(self._count):
            self._open()

    async def close(self) -> None:
        """Cancel all coroutines and what they work on. Work that ignores its cancellation is left behind."""
        self._closing = True
        tasks = self._tasks | self._abandoned
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_SECONDS)

    @property
    def closing(self) -> bool:
        """Whether the slots are being closed, so that a cancellation is meant."""
        return self._closing

    def add(self, items: Iterable[Item]) -> None:
        """More work, at the end of the line."""
        self._line.extend(items)
        self._spread()

    def clear(self) -> list[Item]:
        """Takes back what nobody has begun."""
        rest = list(self._line)
        self._line.clear()
        return rest

    def abandon(self, slot: "asyncio.Task[None]") -> None:
        """Replace a slot whose work ignores its cancellation. Its coroutine ends when that work does."""
        if slot in self._tasks:
            self._tasks.discard(slot)
            self._abandoned.add(slot)
            self._open()
            self._spread()

    def _open(self) -> None:
        slot = asyncio.create_task(self._take(), name="slot")
        self._tasks.add(slot)
        slot.add_done_callback(self._ended)

    def _ended(self, slot: "asyncio.Task[None]") -> None:
        error = None if slot.cancelled() else slot.exception()
        if slot in self._abandoned:
            self._abandoned.discard(slot)
        elif not self._closing:
            log.error("slot.restarted", error="cancelled" if error is None else type(error).__name__)
            self._tasks.discard(slot)
            self._open()
            self._spread()

    async def _take(self) -> None:
        loop = asyncio.get_running_loop()
        turn = 0
        while True:
            while self._line:
                item = self._line.popleft()
                if self._line and not self._spreading:
                    self._spreading = True
                    loop.call_soon(self._spread)
                await self._work(item)
                if self._abandoned and asyncio.current_task() in self._abandoned:
                    return
                turn += 1
                if turn % TURN_ITEMS == 0:
                    await asyncio.sleep(0)
            idle: asyncio.Future[None] = loop.create_future()
            self._idle.append(idle)
            try:
                await idle
            except asyncio.CancelledError:
                with suppress(ValueError):
                    self._idle.remove(idle)
                if idle.done() and not idle.cancelled():
                    self._spread()  # it had been woken for the rest of the line
                raise

    def _spread(self) -> None:
        """Wakes one more coroutine for what is left; that one has the next woken in its turn."""
        self._spreading = False
        if self._line and self._idle:
            self._idle.pop().set_result(None)
