"""The strings and long numbers inside a JSON value, for redaction; and why a text is no JSON, in words that help."""

import re
from collections.abc import Callable
from typing import Any

# Escapes of a JSON text: a backslash, a surrogate pair, half of one (the group), any other.
_ESCAPES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)

MIN_NUMBER = 8  # characters of a number that may be a secret; shorter ones are ids and counts


def map_text(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with `change` applied to every string, keys included, and to long numbers.

    A number that `change` alters becomes a string.
    """
    match value:
        case str():
            return change(value)
        case dict():
            return {change(key): map_text(item, change) for key, item in value.items()}
        case list():
            return [map_text(item, change) for item in value]
        case int() | float() if not isinstance(value, bool):
            text = repr(value)
            changed = change(text) if len(text) >= MIN_NUMBER else text
            return value if changed == text else changed
    return value


def why_invalid(text: bytes, error: Exception) -> str:
    """What is wrong with a text that a JSON decoder refused with `error`, which may be misleading."""
    half = next((found[1] for found in _ESCAPES.finditer(text) if found[1]), None)
    if half is None:
        return str(error)
    return f"{half.decode()} is half of a surrogate pair, which is no character; send the pair, or the character itself"
