"""How often everything may be looked at, so that looking never becomes the work.

A queue's first live row stands behind all the dead ones that nobody may clean up yet, and one forgotten transaction
anywhere keeps millions of them (docs/operations.md). Whoever looks from the beginning then pays for all of them. Such
looks are a safety net, for what no hint told of; so dear ones are followed by a rest in proportion to their price. One
alone may be chance, a disk that was slow for a moment; two in a row are not.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

DEAR_SECONDS = 0.1  # what a look may take without any rest after it
REST_PER_SECOND = 20.0  # at most a twentieth of the time is spent looking


class Looks:
    """Says when the next look may be made; measures what each one takes."""

    def __init__(self) -> None:
        self._next_at = 0.0
        self._was_dear = False

    @property
    def rest_seconds(self) -> float:
        """How long until the next one; 0: now."""
        return max(0.0, self._next_at - time.monotonic())

    @contextmanager
    def one(self, counts: bool) -> Iterator[None]:
        """The block is a look, if it `counts`. One that raises says nothing of what looking costs."""
        began = time.monotonic()
        yield
        if counts:
            self._took(time.monotonic() - began)

    def _took(self, seconds: float) -> None:
        is_dear = seconds > DEAR_SECONDS
        if is_dear and self._was_dear:
            self._next_at = time.monotonic() + seconds * REST_PER_SECOND
        self._was_dear = is_dear
