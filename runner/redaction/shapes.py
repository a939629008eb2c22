"""Find keys by their shape: a distinctive prefix and the characters that follow it.

Linear in the length of the text: each prefix is examined once; a failed match reads no more than the minimum of its
shape, and text that a match covered is not read again. tests/secrets/test_linear.py checks this.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ahocorasick_rs import BytesAhoCorasick
from msgspec import Struct


class Shape(Struct, frozen=True):
    """A kind of key: one of `prefixes`, not preceded by a byte of `word`, followed by `rest`.

    `unfinished` matches the end of a text that may continue as a key. `hides_prefix`: the prefix is part of the key.
    """

    prefixes: tuple[bytes, ...]
    rest: re.Pattern[bytes]
    unfinished: re.Pattern[bytes]
    word: re.Pattern[bytes] = re.compile(rb"[A-Za-z0-9]")
    hides_prefix: bool = True


def _run(prefixes: tuple[bytes, ...], alphabet: bytes, least: int, most: int, hides_prefix: bool = True) -> Shape:
    """Between `least` and `most` bytes of one alphabet."""
    rest = re.compile(rb"[%b]{%d,%d}+" % (alphabet, least, most))
    unfinished = re.compile(rb"[%b]{0,%d}+\Z" % (alphabet, most - 1))
    return Shape(prefixes, rest, unfinished, hides_prefix=hides_prefix)


_WORD, _DASHED, _UNDERSCORED = rb"A-Za-z0-9", rb"A-Za-z0-9_-", rb"A-Za-z0-9_"
_TOKEN_PARTS = rb"[A-Za-z0-9_=-]{%d,4000}+"
SHAPES = (
    _run((b"sk-",), _DASHED, 16, 8000),  # OpenAI, Anthropic
    _run((b"sk_live_", b"sk_test_", b"rk_live_", b"rk_test_"), _WORD, 16, 8000),  # Stripe
    _run((b"AKIA", b"ASIA"), rb"A-Z0-9", 16, 16),  # AWS
    _run((b"gho_", b"ghp_", b"ghs_", b"ghu_", b"ghr_"), _WORD, 20, 8000),  # GitHub
    _run((b"github_pat_",), _UNDERSCORED, 20, 8000),
    _run((b"glpat-",), _DASHED, 16, 8000),  # GitLab
    _run((b"AIza",), _DASHED, 35, 35),  # Google
    _run((b"npm_",), _WORD, 36, 36),
    _run((b"hf_",), _WORD, 30, 100),  # Hugging Face
    _run((b"sbp_", b"sb_secret_"), _UNDERSCORED, 20, 100),  # Supabase
    _run((b"elr_viewer_", b"elr_operator_", b"elr_runner_", b"elr_admin_"), _DASHED, 43, 43),  # our own
    _run((b"xoxa-", b"xoxb-", b"xoxe-", b"xoxp-", b"xoxr-", b"xoxs-"), rb"A-Za-z0-9-", 10, 8000),  # Slack
    _run((b"bearer ", b"Bearer ", b"BEARER "), rb"A-Za-z0-9._~+/=-", 16, 8000, hides_prefix=False),
    Shape(  # JSON web tokens: one cannot begin within the first part of another, so a byte is read three times at most
        (b"eyJ",),
        re.compile(rb"[A-Za-z0-9_-]{8,2000}+={0,2}+\." + _TOKEN_PARTS % 8 + rb"\." + _TOKEN_PARTS % 8),
        re.compile(rb"[A-Za-z0-9_-]{0,2000}+={0,2}+(?:\." + _TOKEN_PARTS % 0 + rb"(?:\.[A-Za-z0-9_=-]{0,3999}+)?)?\Z"),
        word=re.compile(rb"[A-Za-z0-9_-]"),
    ),
)
_PREFIXES = [(prefix, shape) for shape in SHAPES for prefix in shape.prefixes]
_AUTHORITY = b"://"
_HINTS = BytesAhoCorasick([*(prefix for prefix, _ in _PREFIXES), _AUTHORITY])
_BEGUN = {
    hint[:length] for hint in (*(prefix for prefix, _ in _PREFIXES), _AUTHORITY) for length in range(1, len(hint))
}
_LONGEST_PREFIX = max(map(len, _BEGUN))

# user:password@ in a URL; the limits bound how much of a stream is held back
_USER = re.compile(rb"[^\s:/@'\"]{0,256}+:")
_USER_UNFINISHED = re.compile(rb"[^\s:/@'\"]{0,256}+(?::[^\s@'\"]{0,1024}+)?\Z")
_USER_END = re.compile(rb"[\s@'\"]")
LONGEST_PASSWORD = 1024
LONGEST_USER = 256 + 1 + LONGEST_PASSWORD + 1


class ShapesFound(NamedTuple):
    """The keys in a text, in order, and the position from which on more text may change the result."""

    ranges: list[tuple[int, int]]
    undecided: int


def find_shapes(text: bytes, before: bytes = b"", skip: int = 0, final: bool = True) -> ShapesFound:
    """The keys in `text` that begin at `skip` or later. `before`: the bytes that precede it."""
    ranges: list[tuple[int, int]] = []
    user_end = -1
    for index, start, end in _HINTS.find_matches_as_indexes(text, overlapping=True):
        if start < skip:
            continue
        if index == len(_PREFIXES):
            if end > user_end:
                stop = _USER_END.search(text, end)
                user_end = stop.start() if stop else len(text)
            found = _user_info(text, end, user_end)
            unfinished = user_end == len(text) < end + LONGEST_USER and bool(_USER_UNFINISHED.match(text, end))
        else:
            shape = _PREFIXES[index][1]
            if shape.hides_prefix and shape.word.match(text[start - 1 : start] if start else before[-1:]):
                continue
            rest = shape.rest.match(text, end)
            found = (start if shape.hides_prefix else end, rest.end()) if rest else None
            unfinished = bool(shape.unfinished.match(text, end))
        if unfinished and not final:
            return ShapesFound(ranges, start)
        if found:
            ranges.append(found)
            skip = found[1]
    return ShapesFound(ranges, len(text) if final else max(skip, _begun(text)))


def _user_info(text: bytes, start: int, end: int) -> tuple[int, int] | None:
    user = _USER.match(text, start)
    if user is None or text[end : end + 1] != b"@" or not 0 < end - user.end() <= LONGEST_PASSWORD:
        return None
    return start, end


def _begun(text: bytes) -> int:
    """Where an incomplete prefix begins at the end of `text`; its length if there is none."""
    for length in range(min(_LONGEST_PREFIX, len(text)), 0, -1):
        if text[-length:] in _BEGUN:
            return len(text) - length
    return len(text)
