"""Remove secrets from text that leaves the runner: known values in every usual form, and the common shapes of keys.

`Redactor.redact` works on a whole text; `Redactor.stream` gives a `RedactedStream` for text that arrives in pieces, and
returns the same result however the text is cut. It holds back only what cannot be decided yet: the beginning of a known
value, of a key, or of an escape sequence. `Redactor.search` finds known values in bytes. Algorithm:
runner/redaction/matcher.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from events.json_text import map_text
from runner.redaction.matcher import Matcher
from runner.redaction.parts import MIN_VALUE, parts_of

__all__ = ["MARK", "MIN_VALUE", "Known", "RedactedStream", "Redactor", "SecretSearch"]

MARK = "[redacted]"
OTHER_MARKS = ("***", "<redacted>", "█redacted█", "…")  # used if MARK and adjacent text could form a secret
BLOCK = 16_384  # characters per search, so that other threads run in between
CONTEXT = 16  # bytes kept before the undecided text, which decide whether a match may begin there


class Known(Struct, frozen=True):
    """Secret values, their matcher, and the mark that replaces them."""

    values: frozenset[str]
    matcher: Matcher
    mark: str = MARK

    @classmethod
    def of(cls, values: Iterable[str]) -> Known:
        """Compile the matcher for these values, and choose a mark."""
        known = frozenset(values)
        matcher = Matcher(known)
        plain = [part for value in known for part in parts_of(value)]
        return cls(known, matcher, _mark_for([*plain, *(form.decode(errors="replace") for form in matcher.needles())]))


def _nothing() -> frozenset[str]:
    return frozenset()


class Redactor:
    """Redacts the secret values of this process. Fast on text without secrets.

    `more` returns further values and is called before every text; it returns the same object until they change. A value
    stays known after it was replaced or removed: it is still a secret.
    """

    def __init__(self, values: Iterable[str] = (), more: Callable[[], frozenset[str]] = _nothing) -> None:
        self._more = more
        self._seen: frozenset[str] = frozenset()
        self._known = Known.of(values)

    @property
    def known(self) -> Known:
        """The current values, recompiled if `more` returned new ones."""
        seen = self._more()
        if seen is not self._seen:
            if not seen <= self._known.values:
                self._known = Known.of(self._known.values | seen)
            self._seen = seen
        return self._known

    def redact(self, text: str) -> str:
        """`text` with every secret replaced by `[redacted]` (or what cannot become part of a known one)."""
        if len(text) < MIN_VALUE:
            return text
        stream = self.stream()
        redacted = stream.feed(text) + stream.finish()
        return redacted if stream.changed else text

    def redact_value(self, value: Any) -> Any:
        """The same for every string inside a JSON value, keys included."""
        return map_text(value, self.redact)

    def find(self, text: str) -> frozenset[str]:
        """The known values in `text`, in any form. Keys are not searched for by shape."""
        search = self.search()
        for start in range(0, len(text), BLOCK):
            search.feed(text[start : start + BLOCK].encode("utf-8", "surrogatepass"))
        return search.finish()

    def stream(self) -> RedactedStream:
        """A redactor for one text that arrives in pieces."""
        return RedactedStream(self)

    def search(self) -> SecretSearch:
        """A search for known values in bytes that arrive in pieces. Keys are not searched for by shape."""
        return SecretSearch(self.known.matcher)


class RedactedStream:
    """Redacts a text that arrives in pieces. The concatenated output equals `redact` of the concatenated pieces."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._before = b""
        self._held = b""
        self._hidden = 0  # leading bytes of `_held` that a mark has already replaced
        self._shapes_end = 0  # no shape begins before this position in `_held`
        self.changed = False

    @property
    def held_bytes(self) -> int:
        """How many bytes are held back."""
        return len(self._held)

    def feed(self, piece: str) -> str:
        """Take a piece; return the redacted text that is decided by now, possibly ""."""
        blocks = range(0, len(piece), BLOCK)
        return "".join([self._take(piece[start : start + BLOCK], final=False) for start in blocks])

    def finish(self) -> str:
        """End the text; return what was held back."""
        return self._take("", final=True) if self._held else ""

    def _take(self, piece: str, final: bool) -> str:
        known = self._redactor.known
        text = self._held + piece.encode("utf-8", "surrogatepass")
        scanned = known.matcher.scan(text, self._before, final, skip_shapes=self._shapes_end)
        end = _character(text, scanned.undecided, -1)
        redacted = self._replace(text, scanned.ranges, end, known.mark.encode())
        self._before = (self._before + text[:end])[-CONTEXT:]
        self._held = text[end:]
        self._hidden = max(0, self._hidden - end)
        self._shapes_end = max(0, scanned.shapes_end - end)
        return redacted.decode("utf-8", "surrogatepass")

    def _replace(self, text: bytes, ranges: Iterable[tuple[int, int]], end: int, mark: bytes) -> bytes:
        """`text` up to `end`, redacted. The rest of a range that extends beyond `end` is dropped by the next call."""
        pieces: list[bytes] = []
        for start, stop in ranges:
            if start >= end:
                break
            if start >= self._hidden:  # else it overlaps a range before it
                pieces += text[self._hidden : start], mark
                self.changed = True
            self._hidden = max(self._hidden, _character(text, stop, 1))
        pieces.append(text[self._hidden : end])
        self._hidden = max(self._hidden, end)
        return b"".join(pieces)


class SecretSearch:
    """Finds known values in bytes that arrive in pieces; memory is bounded by the longest form of a value."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        self._before = b""
        self._held = b""
        self._found: set[str] = set()

    def feed(self, piece: bytes) -> None:
        """Take the next bytes."""
        self._take(self._held + piece, final=False)

    def finish(self) -> frozenset[str]:
        """End the text; return the values that were found."""
        self._take(self._held, final=True)
        return frozenset(self._found)

    def _take(self, text: bytes, final: bool) -> None:
        scanned = self._matcher.scan(text, self._before, final, shapes=False)
        self._found |= scanned.values
        self._before = (self._before + text[: scanned.undecided])[-CONTEXT:]
        self._held = text[scanned.undecided :]


def _character(text: bytes, position: int, step: int) -> int:
    """The nearest character boundary of UTF-8 in direction `step` (1 or -1)."""
    while 0 < position < len(text) and text[position] & 0xC0 == 0x80:
        position += step
    return position


def _mark_for(forms: Iterable[str]) -> str:
    """A mark that cannot form a secret together with adjacent text, as `abcde` followed by `[` forms `abcde[`."""
    forms = tuple(forms)
    safe = (mark for mark in (MARK, *OTHER_MARKS) if not any(_overlap(mark, form) for form in forms))
    return next(safe, MARK)


def _overlap(mark: str, form: str) -> bool:
    edges = range(1, len(mark))
    touches = any(form.endswith(mark[:edge]) or form.startswith(mark[edge:]) for edge in edges)
    return touches or mark in form or form in mark
