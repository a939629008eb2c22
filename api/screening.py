"""Before a body is read: does it hold a secret of the vault? What is in the log is there for ever.

The search is the one that redacts output: a value is found in whatever form it is written (ADR 0023). Long bodies are
searched on a thread, so that other requests go on.
"""

import asyncio
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from api.credentials import Screen
from events.errors import SecretInText

Policy = Literal["refuse", "redact", "pass"]
"""What becomes of a secret in a body: asked by an operator it is refused, reported by a runner it is blotted out."""

SEPARATOR = "\x01"  # no form of a value holds it: one search through all texts of a body
INLINE_BYTES = 16 * 1024  # more than that is searched on a thread
MIN_NUMBER = 8  # digits; shorter numbers of a runner are counts and ids


async def screen_body(body: bytes, policy: Policy, screen: Screen) -> bytes:
    """The body as it may be stored. Raises SecretInText."""
    if policy == "pass" or len(body) <= INLINE_BYTES:
        return screened(body, policy, screen)
    return await asyncio.to_thread(screened, body, policy, screen)


def screened(body: bytes, policy: Policy, screen: Screen) -> bytes:
    """The body as it may be stored. A body that is no JSON is left to the decoder.

    Raises:
        SecretInText: it holds a secret, and the policy is to refuse.
    """
    if policy == "pass" or not body:
        return body
    try:
        plain = msgspec.json.decode(body)
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        return body
    if policy == "refuse":
        refuse_secrets(plain, screen)
        return body
    together = SEPARATOR.join(_texts(plain))
    if screen.redact(together) == together:
        return body
    return msgspec.json.encode(_redacted(plain, screen))


def refuse_secrets(plain: Any, screen: Screen) -> None:
    """Look at every text and number in a value. Raises SecretInText."""
    name = screen.find_in(SEPARATOR.join(_texts(plain)))
    if name is not None:
        raise SecretInText(
            f"the body holds the value of {name}, and would be in the log for ever; name it in params.secrets "
            f"and let steps use ${name}"
        )


def _texts(plain: Any) -> Iterator[str]:
    match plain:
        case str():
            yield plain
        case dict():
            for key, value in plain.items():
                yield key
                yield from _texts(value)
        case list():
            for value in plain:
                yield from _texts(value)
        case int() | float() if not isinstance(plain, bool):
            yield repr(plain)


def _redacted(plain: Any, screen: Screen) -> Any:
    match plain:
        case str():
            return screen.redact(plain)
        case dict():
            return {screen.redact(key): _redacted(value, screen) for key, value in plain.items()}
        case list():
            return [_redacted(value, screen) for value in plain]
        case int() | float() if not isinstance(plain, bool) and len(repr(plain)) >= MIN_NUMBER:
            text = repr(plain)
            redacted = screen.redact(text)
            return plain if redacted == text else redacted
    return plain
