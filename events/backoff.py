"""Waiting longer after each failure, and never in step with others."""

import random

FIRST_SECONDS = 0.05
LONGEST_SECONDS = 5.0
SPREAD = 0.2


class Backoff:
    """Delays that double from `first` to `longest` seconds, each jittered by ± 20 %."""

    def __init__(self, first: float = FIRST_SECONDS, longest: float = LONGEST_SECONDS) -> None:
        self._first = first
        self._longest = longest
        self._next = first

    def next_delay(self) -> float:
        """Seconds to wait now; the next answer will be twice as long."""
        delay = self._next
        self._next = min(self._longest, delay * 2)
        return jittered(delay)

    def reset(self) -> None:
        """It worked: begin again with the shortest delay."""
        self._next = self._first


def jittered(seconds: float) -> float:
    """`seconds` ± 20 %, so that many processes do not move in step."""
    return seconds * random.uniform(1 - SPREAD, 1 + SPREAD)
