"""Ids of new streams: short, unique, and in order of time, so that they land side by side in an index."""

import secrets
import time

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case
TIME_CHARACTERS = 9  # 45 bits of milliseconds
RANDOM_CHARACTERS = 10  # 50 bits


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
