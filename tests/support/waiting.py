"""Waiting for what must become true, never for time to pass."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Seen = TypeVar("Seen")

POLL_SECONDS = 0.01


async def eventually(
    check: Callable[[], Seen | Awaitable[Seen]],
    deadline: float = 30.0,
    describe: str = "the condition",
    poll_seconds: float = POLL_SECONDS,
) -> Seen:
    """The first true answer of `check` (plain or async), asked again and again for at most `deadline` seconds.

    A check that still raises AssertionError at the deadline fails with that; one that is merely false names itself.
    """
    give_up = time.monotonic() + deadline
    while True:
        late = time.monotonic() >= give_up
        try:
            answer = check()
            seen = await answer if inspect.isawaitable(answer) else answer
        except AssertionError:
            if late:
                raise
        else:
            if seen:
                return seen
            assert not late, f"{describe} did not come true within {deadline} s; last answer: {seen!r}"
        await asyncio.sleep(poll_seconds)


def eventually_now(check: Callable[[], Seen], deadline: float = 30.0, describe: str = "the condition") -> Seen:
    """As `eventually`, for tests without an event loop."""
    give_up = time.monotonic() + deadline
    while not (seen := check()):
        assert time.monotonic() < give_up, f"{describe} did not come true within {deadline} s; last answer: {seen!r}"
        time.sleep(POLL_SECONDS)
    return seen


async def outlast(seconds: float) -> None:
    """Let an outage last so long. Only for faults whose length is their point, never for a condition."""
    await asyncio.sleep(seconds)
