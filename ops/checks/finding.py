"""One result of a check."""

from typing import Any, Literal

from msgspec import Struct

Grade = Literal["fine", "note", "fault"]
MARKS: dict[Grade, str] = {"fine": "✓", "note": "•", "fault": "✗"}


class Finding(Struct, frozen=True):
    """How one thing stands. `key` and `facts` make the message; that of a note or a fault says what to do."""

    grade: Grade
    key: str
    facts: dict[str, Any] = {}

    @property
    def mark(self) -> str:
        """The sign in front of its line."""
        return MARKS[self.grade]
