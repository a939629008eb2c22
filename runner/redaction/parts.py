"""The secret parts of a value, which must also be hidden when they are printed on their own.

The password in a URL, the private key of a service account, the lines of a PEM file, the values of an .env file or a
connection string.
"""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

MIN_VALUE = 6  # characters; shorter values would blank out ordinary words
MIN_LINE = 16  # characters of a line, in a secret that is not a PEM
NESTED = 4  # levels of nesting, such as a PEM in JSON in a URL

_SECRET_NAME = re.compile(r"pass|pwd|secret|token|key|credential|private|auth|signature|cookie|session|\bpin\b", re.I)
_PUBLIC_NAME = re.compile(r"(?:ur[il]|_id|type|name|algorithm|expir\w*|public\w*)$", re.I)
_PAIR = re.compile(r"([A-Za-z_][\w. -]{0,60}?)[ \t]{0,4}=[ \t]{0,4}('[^'\n]*'|\"[^\"\n]*\"|[^\s;&]+)")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://\S+")
_SCHEME = re.compile(r"(?:bearer|basic|token) +(\S+)", re.I)
_ARMOR = re.compile(r"-----(?:BEGIN|END) [A-Z0-9 ]+-----")


def parts_of(value: str) -> frozenset[str]:
    """The value, stripped of white space, and its secret parts. None is shorter than MIN_VALUE."""
    return frozenset(part for part in _parts(value, NESTED) if len(part) >= MIN_VALUE)


def _parts(value: str, depth: int) -> Iterator[str]:
    trimmed = value.strip()
    yield trimmed if len(trimmed) >= MIN_VALUE else value
    if depth:
        for part in _inside(trimmed):
            yield from _parts(part, depth - 1)


def _inside(value: str) -> Iterator[str]:
    if value.startswith(("{", "[")):
        try:
            decoded = json.loads(value)
        except (ValueError, RecursionError):
            pass
        else:
            yield from _leaves(decoded, "")
            return
    if _ADDRESS.fullmatch(value):
        yield from _parts_of_address(value)
    elif _ARMOR.search(value):
        yield from _parts_of_pem(value)
    else:
        scheme = _SCHEME.fullmatch(value)
        if scheme:
            yield scheme[1]
        pairs = list(_parts_of_pairs(value))
        yield from pairs
        if not pairs and "\n" in value:
            yield from (line for line in map(str.strip, value.splitlines()) if len(line) >= MIN_LINE)


def _leaves(value: Any, name: str) -> Iterator[str]:
    match value:
        case dict():
            for key, item in value.items():
                yield from _leaves(item, name if _is_secret(name) and not isinstance(item, str) else key)
        case list():
            for item in value:
                yield from _leaves(item, name or "key")
        case str() if _is_secret(name) or _ARMOR.search(value):
            yield value
        case str() if _ADDRESS.fullmatch(value):
            yield from _parts_of_address(value)
        case int() | float() if _is_secret(name) and not isinstance(value, bool):
            yield repr(value)


def _is_secret(name: str) -> bool:
    return bool(_SECRET_NAME.search(name)) and not _PUBLIC_NAME.search(name)


def _parts_of_address(value: str) -> Iterator[str]:
    try:
        address = urlsplit(value)
        query = parse_qsl(address.query)
    except ValueError:
        return
    user, colon, password = address.netloc.rpartition("@")[0].partition(":")
    secret = password if colon else user if len(user) >= MIN_LINE else ""
    yield from {secret, unquote(secret)}
    yield from (item for name, item in query if _is_secret(name))


def _parts_of_pem(value: str) -> Iterator[str]:
    lines = [line.strip() for line in _ARMOR.sub("\n", value).splitlines()]
    body = [line for line in lines if line and ":" not in line]  # Proc-Type: and DEK-Info: are no secrets
    yield from body
    yield "".join(body)


def _parts_of_pairs(value: str) -> Iterator[str]:
    for name, item in _PAIR.findall(value):
        if _is_secret(name.strip()):
            yield item.strip("'\"")
        elif _ADDRESS.fullmatch(item.strip("'\"")):
            yield from _parts_of_address(item.strip("'\""))
