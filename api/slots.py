"""Slots for requests that stay open: event streams, and claims that wait for work.

Each holds a connection for minutes or hours, so they are limited in all and per caller, and a part is reserved for
operators and admins: whatever viewers and runners open, the panel stays live.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from api.auth import Identity
from api.errors import Busy
from api.permissions import OPERATE

RETRY_SECONDS = 5
RESERVED_PART = 10  # one slot in 10


class Slots:
    """At most `total` requests at once, half of them of one caller; a tenth is for operators and admins only."""

    def __init__(self, subject: str, total: int) -> None:
        """`subject`: what they are, in the plural, for the refusal."""
        self._subject = subject
        self._total = total
        self._per_caller = max(1, total // 2)
        self._unreserved = total - total // RESERVED_PART
        self._taken: Counter[bytes] = Counter()
        self._count = 0

    @contextmanager
    def take(self, caller: Identity, local_name: str) -> Iterator[None]:
        """Hold a slot while the block runs. Raises Busy.

        A caller is known by its token. Before the first token exists everyone is the operator of this machine: then
        `local_name` tells apart what is counted (the panel from other clients, one runner from another).
        """
        key = caller.token or local_name.encode()
        if self._taken[key] >= self._per_caller:
            raise Busy(
                f"{caller.name} has {self._per_caller} {self._subject} open, which is the limit for one caller; "
                "close some, or try again later",
                retry_after=RETRY_SECONDS,
            )
        if self._count >= (self._total if caller.role in OPERATE else self._unreserved):
            raise Busy(f"no more {self._subject} can be served now; try again later", retry_after=RETRY_SECONDS)
        self._taken[key] += 1
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1
            self._taken[key] -= 1
            if not self._taken[key]:
                del self._taken[key]
