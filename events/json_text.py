"""The strings and long numbers inside a JSON value, for redaction."""

from collections.abc import Callable
from typing import Any

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
