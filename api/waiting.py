"""Claims that wait for work.

Of many that wait only one looks: when something became ready the baton goes to the one that has waited longest. Leaving
with the baton, because it found work or because its time is up, it passes it on; finding nothing, it drops it, for the
others would find nothing either. When some runner is to drain they all look: the one that it is leaves.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from events.hint import Hint
from events.listener import Listener


class WaitingLine:
    """The claims of this process that wait, the oldest first."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._waiting: dict[object, asyncio.Event] = {}
        self._forget: Callable[[], None] = _nothing

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @contextmanager
    def join(self) -> Iterator[asyncio.Event]:
        """Stand in line while the block runs; yields a baton that is set when it is time to look. Clear it, look."""
        place, baton = object(), asyncio.Event()
        if not self._waiting:
            self._forget = self._listener.subscribe(self._hear)
        self._waiting[place] = baton
        try:
            yield baton
        finally:
            del self._waiting[place]
            if not self._waiting:
                self._forget()
            elif baton.is_set():
                self._pass_on()

    def _hear(self, hint: Hint) -> None:
        if hint.drain:  # it may be any of them
            for baton in self._waiting.values():
                baton.set()
        elif hint.anything or hint.ready is not None or hint.pause:
            self._pass_on()

    def _pass_on(self) -> None:
        if self._waiting:
            next(iter(self._waiting.values())).set()


def _nothing() -> None:
    pass
