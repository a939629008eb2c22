"""Looks after a server while it is used: one that was killed is started again within seconds."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context

from events.backoff import Backoff

CHECK_SECONDS = 0.5  # a look at one small file and one process


@contextmanager
def watch(is_gone: Callable[[], bool], restart: Callable[[], None]) -> Iterator[None]:
    """While the block lasts, call `restart` on a thread whenever `is_gone`; again, ever later, for as long as it is.

    Leaving waits for a restart that is under way. Neither function may raise.
    """
    ended = threading.Event()

    def run() -> None:
        backoff = Backoff(CHECK_SECONDS, 60.0)
        delay = CHECK_SECONDS
        while not ended.wait(delay):
            if is_gone():
                restart()
                delay = backoff.next_delay()
            else:
                backoff.reset()
                delay = CHECK_SECONDS

    # In a copy of the context, which knows the operator's language.
    thread = threading.Thread(target=copy_context().run, args=(run,), name="postgres-watchdog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
