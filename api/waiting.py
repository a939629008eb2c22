"""Claims that wait for work.

Of many that wait only one looks: when something became ready the baton goes to the one that has waited longest. Leaving
with the baton, because it found work or because its time is up, it passes it on; finding nothing, it drops it, for the
others would find nothing either. When some runner is to drain they all look: the one that it is leaves.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from events.hint import Hint
from events.listener import Listener


class Baton:
    """Comes when it is time to look. Waiting for it costs one turn of the event loop, and no task."""

    def __init__(self) -> None:
        self._is_here = False
        self._waiter: asyncio.Future[None] | None = None

    @property
    def is_here(self) -> bool:
        """Whether it has come since it was put down."""
        return self._is_here

    def hand_over(self) -> None:
        """It comes."""
        self._is_here = True
        self._stir()

    def put_down(self) -> None:
        """It has been heeded."""
        self._is_here = False

    async def wait(self, seconds: float, *others: asyncio.Future[Any]) -> None:
        """Until it comes, one of the others is done, or the time is up."""
        if self._is_here or any(other.done() for other in others):
            return
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = loop.call_later(max(0.0, seconds), self._stir)
        for other in others:
            other.add_done_callback(self._stir)
        try:
            await self._waiter
        finally:
            timer.cancel()
            for other in others:
                other.remove_done_callback(self._stir)
            self._waiter = None

    def _stir(self, _other: object = None) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class WaitingLine:
    """The claims of this process that wait, the oldest first."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._waiting: dict[object, Baton] = {}
        self._forget: Callable[[], None] = _nothing

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @contextmanager
    def join(self) -> Iterator[Baton]:
        """Stand in line while the block runs; yields the baton, which comes when it is time to put it down and look."""
        place, baton = object(), Baton()
        if not self._waiting:
            self._forget = self._listener.subscribe(self._hear)
        self._waiting[place] = baton
        try:
            yield baton
        finally:
            del self._waiting[place]
            if not self._waiting:
                self._forget()
            elif baton.is_here:
                self._pass_on()

    def _hear(self, hint: Hint) -> None:
        if hint.drain:  # it may be any of them
            for baton in self._waiting.values():
                baton.hand_over()
        elif hint.anything or hint.ready is not None or hint.pause:
            self._pass_on()

    def _pass_on(self) -> None:
        if self._waiting:
            next(iter(self._waiting.values())).hand_over()


def _nothing() -> None:
    pass
