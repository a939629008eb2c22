"""Before a body is read: does it hold a secret of the vault? What is in the log is there for ever."""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from api.credentials import Screen
from events.errors import SecretInText

Policy = Literal["refuse", "redact", "pass"]
"""What becomes of a secret in a body: asked by an operator it is refused, reported by a runner it is blotted out."""


def screened(body: bytes, policy: Policy, screen: Screen) -> bytes:
    """The body as it may be stored. A body that is no JSON is left to the decoder.

    Raises:
        SecretInText: it holds a secret, and the policy is to refuse.
    """
    if policy == "pass" or not body:
        return body
    try:
        text = body.decode()
        plain = msgspec.json.decode(body) if "\\" in text or policy == "redact" else text
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        return body
    if policy == "refuse":
        refuse_secrets(plain, screen)
        return body
    redacted = _redacted(plain, screen)
    return body if redacted == plain else msgspec.json.encode(redacted)


def refuse_secrets(plain: Any, screen: Screen) -> None:
    """Look at every text in a value. Raises SecretInText."""
    for text in _texts(plain):
        name = screen.find_in(text)
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


def _redacted(plain: Any, screen: Screen) -> Any:
    match plain:
        case str():
            return screen.redact(plain)
        case dict():
            return {key: _redacted(value, screen) for key, value in plain.items()}
        case list():
            return [_redacted(value, screen) for value in plain]
    return plain
