"""The search is linear in the text, whatever the text is, and holds back a bounded part of a stream."""

import re
import re._constants as codes  # the parser of the standard library: no other tells how a pattern is built
import re._parser as parser
from collections.abc import Iterator
from typing import Any

import pytest

from runner.redact import Redactor
from runner.redaction import escapes, parts, shapes
from runner.redaction.matcher import Matcher, Scanned

VALUES = ["swordfish/Xx-42-zebra", "ababababab", "first line of a value\nsecond line of a value"]
REDACTOR = Redactor(VALUES)
LARGE_REPEAT = 64  # more than that may only be read once

PATTERNS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": pattern
    for module in (escapes, shapes)
    for name, pattern in vars(module).items()
    if isinstance(pattern, re.Pattern)
} | {f"shape {shape.prefixes[0]!r}": shape.rest for shape in shapes.SHAPES}
UNFINISHED = {f"shape {shape.prefixes[0]!r}": shape.unfinished for shape in shapes.SHAPES}

ADVERSARIAL = {
    "addresses": "://a:",
    "addresses without a colon": "://",
    "addresses that never end": "://a:b",
    "users": "://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "web tokens": "-eyJaaaaaaaaaaaa",
    "web tokens with dots": "eyJaaaaaaaa.",
    "dashes": "sk-",
    "keys": " sk-aaaaaaaaaaaaaaaaaaaa",
    "short keys": " sk-aaaaaaaaaaaaaaa",
    "AWS": "-AKIAxx",
    "bearers": "Bearer ",
    "percents": "%",
    "percents, encoded": "%25",
    "bytes": "%41",
    "backslashes": "\\",
    "escapes": "\\u0041",
    "ampersands": "&amp;",
    "entities": "&#65;",
    "escape characters": "\x1b[",
    "titles": "\x1b]aaaaaaaa",
    "dollars": "$'",
    "a value that overlaps itself": "ab",
    "beginnings of a value": "swordfish/Xx-42-zebr",
    "beginnings of a value, spaced": "swor \n ",
    "blanks after a beginning": " ",
    "base64": "c3dvcmRmaXNoL1h4",
    "hex": "73776f7264",
    "diff": "\n+",
}


def repeats(pattern: Any) -> Iterator[tuple[int, bool, bool]]:
    """(most repetitions, whether it gives nothing back, whether anything may follow) of every repeat of a pattern."""
    items = list(pattern)
    for position, (code, argument) in enumerate(items):
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            yield argument[1], code is codes.POSSESSIVE_REPEAT, position + 1 < len(items)
            yield from repeats(argument[2])
        elif code is codes.BRANCH:
            for branch in argument[1]:
                yield from repeats(branch)
        elif code is codes.SUBPATTERN:
            yield from repeats(argument[3])
        elif code in (codes.ASSERT, codes.ASSERT_NOT):
            yield from repeats(argument[1])


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS.keys())
def test_no_pattern_backtracks_far(pattern: re.Pattern[bytes]) -> None:
    """Every repeat is bounded (a run of one class alone may be endless, it is read once), and one that may be long
    gives nothing back, or is small enough."""
    found = list(repeats(parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE)))
    alone = len(found) == 1 and not found[0][2]
    for most, possessive, followed in found:
        assert alone or most < codes.MAXREPEAT
        assert alone or possessive or most <= 256
        assert possessive or not followed or most <= LARGE_REPEAT


@pytest.mark.parametrize("pattern", UNFINISHED.values(), ids=UNFINISHED.keys())
def test_no_pattern_for_what_is_unfinished_backtracks(pattern: re.Pattern[bytes]) -> None:
    """They are tried at every prefix near the end of a text."""
    assert all(possessive or most <= 2 for most, possessive, _ in repeats(parser.parse(pattern.pattern, pattern.flags)))


def _scanned_bytes(text: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many bytes the matcher is given, context and what was held back included, until the text is through."""
    scanned = 0
    scan = Matcher.scan

    def counting(self: Matcher, text: bytes, before: bytes = b"", *arguments: Any, **options: Any) -> Scanned:
        nonlocal scanned
        scanned += len(text) + len(before)
        return scan(self, text, before, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Matcher, "scan", counting)
        stream = REDACTOR.stream()
        stream.feed(text)
        stream.finish()
    return scanned


@pytest.mark.parametrize("unit", ADVERSARIAL.values(), ids=ADVERSARIAL.keys())
def test_twice_the_text_is_scanned_twice(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is scanned grows with the text, not with its square; the patterns themselves are bounded (above)."""
    text = "swordfish/Xx" + unit * (160_000 // len(unit))
    once, twice = _scanned_bytes(text, monkeypatch), _scanned_bytes(text * 2, monkeypatch)
    assert twice <= 2.3 * once
    assert once <= 6 * len(text)


@pytest.mark.parametrize("unit", ADVERSARIAL.values(), ids=ADVERSARIAL.keys())
def test_what_is_held_back_is_bounded(unit: str) -> None:
    """A quarter of a megabyte of nearly a secret leaves as it comes."""
    stream = REDACTOR.stream()
    held = []
    for _ in range(60):
        stream.feed(unit * (4096 // len(unit)))
        held.append(stream.held_bytes)
    assert max(held) <= 16_384


@pytest.mark.timeout(60)  # backtracking would take minutes
@pytest.mark.parametrize("unit", ["a=", "a = ' ", "://", "token token ", "-----BEGIN ", "{", "x" * 30 + "="])
def test_parts_of_the_longest_value_are_found(unit: str) -> None:
    """A value is at most 64 KiB, and looked through for secrets inside it once."""
    assert len(parts.parts_of(unit * (65_536 // len(unit)))) < 65_536
