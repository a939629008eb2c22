"""A fixed number of coroutines that work off one line of items.

An item that never waits for anything costs no task, no future and no turn of the event loop: the coroutine that took
it goes on with the next one. Only when an item waits is another coroutine woken for the rest of the line.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, TypeVar

Item = TypeVar("Item")

TURN_ITEMS = 32  # so many in a row before the event loop gets a turn


class Slots(Generic[Item]):
    """At most `count` calls of `work` at once; `work` must not raise."""

    def __init__(self, count: int, work: Callable[[Item], Awaitable[None]]) -> None:
        self._work = work
        self._line: deque[Item] = deque()
        self._idle: list[asyncio.Future[None]] = []
        self._spreading = False
        self._tasks: list[asyncio.Task[None]] = []
        self._count = count

    def start(self) -> None:
        """Begin, in the background."""
        self._tasks = [asyncio.create_task(self._take(), name=f"slot {n}") for n in range(1, self._count + 1)]

    async def close(self) -> None:
        """End all coroutines; what they work on is cancelled."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def add(self, items: Iterable[Item]) -> None:
        """More work, at the end of the line."""
        self._line.extend(items)
        self._spread()

    def clear(self) -> list[Item]:
        """Takes back what nobody has begun."""
        rest = list(self._line)
        self._line.clear()
        return rest

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
                turn += 1
                if turn % TURN_ITEMS == 0:
                    await asyncio.sleep(0)
            idle: asyncio.Future[None] = loop.create_future()
            self._idle.append(idle)
            await idle

    def _spread(self) -> None:
        """Wakes one more coroutine for what is left; that one has the next woken in its turn."""
        self._spreading = False
        if self._line and self._idle:
            self._idle.pop().set_result(None)
