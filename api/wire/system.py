"""What is said about the whole system."""

from msgspec import Struct

from api.wire.field import Text


class Pause(Struct, frozen=True, forbid_unknown_fields=True):
    """Hand out no work until resumed, and why."""

    reason: Text | None = None


class Resume(Struct, frozen=True, forbid_unknown_fields=True):
    """Hand out work again."""
