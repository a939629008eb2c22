"""What a command did, in lines of the catalogue of messages: said by the terminal, or by the API in its language."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec import Struct

BRIEF_CHARACTERS = 80


class Line(Struct, frozen=True):
    """One line: a key of ops.messages and the facts it speaks of."""

    key: str
    facts: dict[str, Any] = {}

    @classmethod
    def of(cls, key: str, **facts: Any) -> "Line":
        """The line with these facts."""
        return cls(key, facts)


def brief(value: Any) -> str:
    """A value as it stands in JSON, short enough for a line."""
    text = "—" if value is None else value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= BRIEF_CHARACTERS else f"{text[: BRIEF_CHARACTERS - 1]}…"


def tell(lines: Iterable[Line], text: Callable[..., str]) -> str:
    """The lines as text; `text` translates a key and its facts."""
    return "\n".join(text(line.key, **line.facts) for line in lines)
