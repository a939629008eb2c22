"""The Idempotency-Key header. What becomes of the key in the log: events/idempotency_key.py."""

import uuid

from events.errors import InvalidInput

KEY_MAX = 255
KEYS = uuid.UUID("5a0f6a3e-6d0f-4c1c-9a55-0c4d3f0f8f3b")
"""The namespace in which an Idempotency-Key that is not a UUID becomes one."""


def command_id(key: str | None) -> uuid.UUID | None:
    """The command id behind an Idempotency-Key header, or None without one. Raises InvalidInput."""
    if not key:
        return None
    if len(key) > KEY_MAX:
        raise InvalidInput(f"an Idempotency-Key has at most {KEY_MAX} characters")
    try:
        return uuid.UUID(key)
    except ValueError:
        return uuid.uuid5(KEYS, key)
