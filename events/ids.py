"""Ids of streams: which ones new streams may have, how an address holds them, and how they are made.

An id is one part of an address (/ops/tasks/ID/why), so a new one has no slash and is no word of the addresses. The log
may hold older ids that are; an address holds those percent-encoded twice (`in_path`).

Ids that are made here are short, unique and in order of time, so that they land side by side in an index.
"""

import re
import secrets
import time
from urllib.parse import quote, unquote

from events.errors import InvalidInput

CHARACTERS_MAX = 200
WORDS_OF_ADDRESSES = frozenset({".", "..", "bulk", "claim", "new", "prompt", "run"})
"""What may stand in an address in place of an id."""
REQUEST_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$(?!\n)"
"""The pattern of the ids of requests for credentials."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case
TIME_CHARACTERS = 9  # 45 bits of milliseconds
RANDOM_CHARACTERS = 10  # 50 bits


def check_new_id(name: str) -> None:
    """Refuse an id that no new task or directive may have. Raises InvalidInput."""
    problem = problem_of_id(name)
    if problem is not None:
        raise InvalidInput(f"the id {name[:CHARACTERS_MAX]!r} {problem}; choose another id")


def problem_of_id(name: str) -> str | None:
    """Why a new task or directive cannot have this id, as the end of a sentence; None: it can."""
    if not 1 <= len(name) <= CHARACTERS_MAX:
        return f"does not have 1 to {CHARACTERS_MAX} characters"
    if _CONTROL.search(name):
        return "contains a control character"
    if "/" in name:
        return "contains a slash, which separates the parts of an address"
    if name in WORDS_OF_ADDRESSES:
        return "is a word of addresses"
    if _ENCODED.search(name):
        return "contains a percent-encoded character"
    return None


def is_request_id(name: str) -> bool:
    """Whether a new request for credentials may have this id."""
    return re.match(REQUEST_ID, name) is not None


def in_path(name: str) -> str:
    """An id as one part of the path of an address. `from_path` is its inverse, after the server's own decoding."""
    if problem_of_id(name) is None:
        return quote(name, safe="")
    return "".join(f"%25{byte:02X}" for byte in name.encode())


def from_path(text: str) -> str:
    """The id that a decoded part of a path stands for: what was encoded twice is decoded once more."""
    return unquote(text) if _ENCODED.search(text) else text


def new_task_id() -> str:
    """For example `t-1kqv3m0ra8x2w9d5hcs`."""
    return _new_id("t-")


def new_directive_id() -> str:
    """For example `d-1kqv3m0ra8x2w9d5hcs`."""
    return _new_id("d-")


def new_planner_run_id() -> str:
    """For example `p-1kqv3m0ra8x2w9d5hcs`."""
    return _new_id("p-")


def _new_id(prefix: str) -> str:
    return (
        prefix
        + _digits(time.time_ns() // 1_000_000, TIME_CHARACTERS)
        + _digits(secrets.randbits(50), RANDOM_CHARACTERS)
    )


def _digits(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 32)
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))
