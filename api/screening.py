"""Search request bodies for values of the vault: whatever is in the log is there forever.

The search is the one that redacts output and recognises a value in every encoding (ADR 0023). Long bodies are searched
on a thread, so that they do not block the event loop.
"""

import asyncio
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from api.credentials import Screen
from events.errors import SecretInText
from events.json_text import map_text

Policy = Literal["refuse", "redact", "pass"]
"""What to do with a secret in a body: `refuse` the request (operators), `redact` it (runners), or `pass` it on."""

SEPARATOR = "\x01"  # between the texts of a body, which are searched as one; no form of a value contains it
INLINE_BYTES = 16 * 1024  # longer bodies are searched on a thread


async def screen_body(body: bytes, policy: Policy, screen: Screen) -> bytes:
    """The body as it may be stored. Raises SecretInText."""
    if policy == "pass" or len(body) <= INLINE_BYTES:
        return screened(body, policy, screen)
    return await asyncio.to_thread(screened, body, policy, screen)


def screened(body: bytes, policy: Policy, screen: Screen) -> bytes:
    """The body as it may be stored. Invalid JSON is returned as it is; the decoder reports it.

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
    return msgspec.json.encode(map_text(plain, screen.redact))


def refuse_secrets(plain: Any, screen: Screen) -> None:
    """Search every string and number in a value. Raises SecretInText."""
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
