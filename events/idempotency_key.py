"""Idempotency keys in the log: which command ids follow from a key, and when a key was used for another request.

The event that a request writes at `place` carries the command id derived for that place. A repeated request finds its
events by them. A different request under the same key finds events of other content, or too few or too many, and is
refused; nothing of it is written.
"""

import uuid
from collections.abc import Iterable
from uuid import UUID

from events.errors import IdempotencyKeyReused


def task_command(key: UUID | None, place: int) -> UUID | None:
    """The command id of the task at `place` (from 0) of a request with this key."""
    return key if key is None or place == 0 else uuid.uuid5(key, str(place))


def directive_command(key: UUID | None, place: int) -> UUID | None:
    """The command id of the directive at `place` (from 0) of a request with this key."""
    return None if key is None else uuid.uuid5(key, f"directive {place}")


def reused(made: Iterable[str]) -> IdempotencyKeyReused:
    """The refusal of a request whose key belongs to the one that made these."""
    return IdempotencyKeyReused(
        f"this idempotency key was used for a different request, which made {', '.join(sorted(made))}; "
        "send a new request with a new key"
    )
