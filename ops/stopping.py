"""SIGTERM and SIGINT as the end of one coroutine, whatever it is doing."""

import asyncio
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any


async def run_until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` until it ends; the first SIGTERM or SIGINT cancels it, and later ones do not hurry its clean-up."""
    running = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if not running.cancelling():
            running.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    with suppress(asyncio.CancelledError):
        await running


@contextmanager
def sigterm_unwinds() -> Iterator[None]:
    """Within, SIGTERM ends blocking code as Ctrl-C does: what it began is cleaned up. For the main thread."""
    before = signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _exit(number: int, _frame: object) -> None:
    sys.exit(128 + number)


async def forever() -> None:
    """Wait until cancelled."""
    await asyncio.Event().wait()
