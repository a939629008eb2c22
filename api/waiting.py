"""Claims that wait for work.

Of many that wait only one looks: when something became ready the baton goes to the one that has waited longest. Leaving
with the baton, because it found work, because its time is up or because its claim failed, it passes it on; finding
nothing, it drops it, for the others would find nothing either. When some runner is to drain they all look: the one
that it is leaves.

Whoever waits may also be handed a task by the call that creates it (events/handover.py). While that is under way it
does nothing else; the baton goes to others meanwhile, if there are any.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from events.claims import Wish
from events.handover import Handed
from events.hint import Hint
from events.listener import Listener


class Baton:
    """Comes when it is time to look. Waiting for it costs one turn of the event loop, and no task.

    `wish`: what whoever waits for it would claim, while it `may_claim`. `handed`: what came instead.
    """

    def __init__(self, wish: Wish, may_claim: Callable[[], bool]) -> None:
        self.wish = wish
        self._may_claim = may_claim
        self.handed: Handed | None = None
        self._is_here = False
        self._is_called = False
        self._is_stirred = False
        self._waiter: asyncio.Future[None] | None = None

    @property
    def is_here(self) -> bool:
        """Whether it has come since it was put down."""
        return self._is_here

    @property
    def rests(self) -> bool:
        """Whether somebody who may claim waits for it, and has no reason yet not to."""
        waits = self._waiter is not None and not self._waiter.done() and not self._is_called
        return waits and self._may_claim()

    @property
    def is_called(self) -> bool:
        """Whether it waits for `settle` before anything else."""
        return self._is_called

    def call(self) -> None:
        """Something may be handed over: `settle` says what came of it."""
        self._is_called = True

    def settle(self, handed: Handed | None) -> None:
        """It is handed over; or nothing is, and whatever happened meanwhile counts."""
        self._is_called = False
        self.handed = handed
        if handed is not None or self._is_stirred:
            self._stir()

    def hand_over(self) -> None:
        """It comes."""
        self._is_here = True
        self._stir()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """The block looks for work. If it raises, it found out nothing: the turn is somebody else's."""
        self._is_here = False
        try:
            yield
        except BaseException:
            self.hand_over()
            raise

    async def wait(self, seconds: float, *others: asyncio.Future[Any]) -> None:
        """Until it comes, something is handed over, one of the others is done, or the time is up."""
        if self._is_here or any(other.done() for other in others):
            return
        loop = asyncio.get_running_loop()
        self._is_stirred = False
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
        self._is_stirred = True
        if self._waiter is not None and not self._waiter.done() and not self._is_called:
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

    @property
    def any_rests(self) -> bool:
        """See Takers."""
        return any(baton.rests for baton in self._waiting.values())

    def call(self) -> Baton | None:
        """See Takers."""
        baton = next((baton for baton in self._waiting.values() if baton.rests), None)
        if baton is not None:
            baton.call()
        return baton

    @contextmanager
    def join(self, wish: Wish, may_claim: Callable[[], bool]) -> Iterator[Baton]:
        """Stand in line while the block runs; yields the baton, which comes when it is time to look.

        `may_claim`: whether the caller's token is still valid; asked before a task is dispatched to it.
        """
        place, baton = object(), Baton(wish, may_claim)
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
        """To the one that has waited longest; to one that is called only if all are."""
        if self._waiting:
            free = (baton for baton in self._waiting.values() if not baton.is_called)
            next(free, next(iter(self._waiting.values()))).hand_over()


def _nothing() -> None:
    pass
