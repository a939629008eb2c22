"""The forms of a secret that are searched for in decoded and squeezed text."""

from __future__ import annotations

import base64
import html
import json
import shlex
from collections.abc import Iterator
from urllib.parse import quote

from msgspec import Struct

from runner.redaction.escapes import ANSI, TOKEN, Decoding, squeeze
from runner.redaction.parts import MIN_VALUE, parts_of

CONSUMED = (1, 2, 3, 5, 9)  # bytes of a secret that a preceding \ or % can turn into a token: \n, %41, \101, \u0041 …
BROKEN = (1, 2, 3)  # bytes of an encoded secret before a line break that the search does not skip (matcher.HEAD)
SURE_BYTES = 16  # a needle of this length is not taken for ordinary words
URL_SAFE = bytes.maketrans(b"+/", b"-_")


class Needle(Struct, frozen=True):
    """One form of a value. `spaces`: how many blanks a match may contain; None: any number."""

    data: bytes
    value: str
    spaces: int | None = None


def literal_needles(value: str) -> Iterator[Needle]:
    """Forms for unchanged text: the parts of a value, byte for byte."""
    for part in parts_of(value):
        yield Needle(_encoded(part), value)
        if len(squeeze(_encoded(part))) < MIN_VALUE:  # consists almost only of quotes, blanks and backslashes
            for form in (json.dumps(part)[1:-1], quote(part, safe=""), html.escape(part), shlex.quote(part)):
                yield Needle(_encoded(form), value)


def squeezed_needles(value: str) -> Iterator[Needle]:
    """Forms for decoded and squeezed text: every part of a value plain, in hex and in base64."""
    for part in parts_of(value):
        spaces = sum(map(part.count, " \t\r\n"))
        for data in _plain(part):
            yield Needle(data, value, None if len(data) >= SURE_BYTES else spaces)
        for data in _recoded(_encoded(part)):
            yield Needle(data, value)


def _plain(part: str) -> Iterator[bytes]:
    forms = {
        squeeze(form) for spelled in _spelled(part) for form in (Decoding(spelled).text, Decoding(spelled, ANSI).text)
    }
    forms |= {form.rstrip(b"%&$") for form in forms}
    forms |= {form[count:] for form in forms for count in CONSUMED if _is_token(form[:count])}
    return (form for form in forms if len(form) >= MIN_VALUE)


def _spelled(part: str) -> Iterator[bytes]:
    """As UTF-8, as repr() escapes bytes, as JSON escapes UTF-16, and as web forms encode spaces."""
    yield _encoded(part)
    yield b"".join(bytes([ord(each)]) if ord(each) < 256 else _encoded(each) for each in part)
    yield b"".join(_encoded(unit) for unit in _utf16_units(part))
    yield _encoded(part.replace(" ", "+"))


def _utf16_units(part: str) -> Iterator[str]:
    encoded = part.encode("utf-16-be", "surrogatepass")
    return (chr(int.from_bytes(encoded[index : index + 2], "big")) for index in range(0, len(encoded), 2))


def _is_token(head: bytes) -> bool:
    return bool(TOKEN.fullmatch(b"\\" + head) or TOKEN.fullmatch(b"%" + head))


def _recoded(data: bytes) -> Iterator[bytes]:
    for form in {data.hex().encode(), data.hex().upper().encode(), *_base64_forms(data)}:
        yield form
        yield from (form[count:] for count in BROKEN if len(form) - count >= MIN_VALUE)


def _base64_forms(data: bytes) -> Iterator[bytes]:
    """The base64 characters that depend on `data` alone, for each of its three alignments. Both alphabets."""
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + data)
        # Without the characters that include bits of neighbouring bytes.
        core = encoded[-(-shift * 8 // 6) : (shift + len(data)) * 8 // 6]
        yield core
        yield core.translate(URL_SAFE)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
