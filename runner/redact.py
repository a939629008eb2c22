"""Remove secrets from text that leaves the runner: known values in every usual form, and the common shapes of keys.

`Redactor.redact` works on a whole text; `Redactor.stream` gives a `RedactedStream` for text that arrives in pieces, and
returns the same result however the text is cut. It holds back only what cannot be decided yet: the beginning of a known
value, of a key, or of an escape sequence. `Redactor.search` finds known values in bytes. How, says
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
OTHER_MARKS = ("***", "<redacted>", "█redacted█", "…")  # for secrets that MARK could become a part of
BLOCK = 16_384  # characters looked at together: other threads get their turn in between
CONTEXT = 16  # bytes before the text that is undecided; only what begins there needs them


class Known(Struct, frozen=True):
    """Secret values, what finds them, and what is put in their place."""

    values: frozenset[str]
    matcher: Matcher
    mark: str = MARK

    @classmethod
    def of(cls, values: Iterable[str]) -> Known:
        """What is to be known of these values."""
        known = frozenset(values)
        matcher = Matcher(known)
        plain = [part for value in known for part in parts_of(value)]
        return cls(known, matcher, _mark_for([*plain, *(form.decode(errors="replace") for form in matcher.needles())]))


def _nothing() -> frozenset[str]:
    return frozenset()


class Redactor:
    """Knows the secret values of this process. Cheap on text that holds none.

    `more` is asked before every text; it answers with the same object for as long as there are no others. What was
    known once stays known: a value that was replaced or removed is still a secret.
    """

    def __init__(self, values: Iterable[str] = (), more: Callable[[], frozenset[str]] = _nothing) -> None:
        self._more = more
        self._seen: frozenset[str] = frozenset()
        self._known = Known.of(values)

    @property
    def known(self) -> Known:
        """All that is known now."""
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
        """The known values that `text` holds, in whatever form. The shapes of keys do not count."""
        search = self.search()
        for start in range(0, len(text), BLOCK):
            search.feed(text[start : start + BLOCK].encode("utf-8", "surrogatepass"))
        return search.finish()

    def stream(self) -> RedactedStream:
        """A redactor for one text that arrives in pieces."""
        return RedactedStream(self)

    def search(self) -> SecretSearch:
        """A search for known values, without the shapes of keys, in bytes that arrive in pieces."""
        return SecretSearch(self.known.matcher)


class RedactedStream:
    """Takes pieces of a text; what it returns, concatenated, is `redact` of the pieces concatenated."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._before = b""
        self._held = b""
        self._hidden = 0  # bytes of what is held that a mark stands for already
        self._shapes_end = 0  # no shape begins before this position of what is held
        self.changed = False

    @property
    def held_bytes(self) -> int:
        """How much of the text waits for what comes next."""
        return len(self._held)

    def feed(self, piece: str) -> str:
        """Take a piece; return the redacted text that is settled by now, perhaps none."""
        blocks = range(0, len(piece), BLOCK)
        return "".join([self._take(piece[start : start + BLOCK], final=False) for start in blocks])

    def finish(self) -> str:
        """Return what was held back; the text has ended."""
        return self._take("", final=True) if self._held else ""

    def _take(self, piece: str, final: bool) -> str:
        known = self._redactor.known
        text = self._held + piece.encode("utf-8", "surrogatepass")
        scanned = known.matcher.scan(text, self._before, final, skip_shapes=self._shapes_end)
        end = _character(text, scanned.undecided, -1)
        settled = self._settle(text, scanned.ranges, end, known.mark.encode())
        self._before = (self._before + text[:end])[-CONTEXT:]
        self._held = text[end:]
        self._hidden = max(0, self._hidden - end)
        self._shapes_end = max(0, scanned.shapes_end - end)
        return settled.decode("utf-8", "surrogatepass")

    def _settle(self, text: bytes, ranges: Iterable[tuple[int, int]], end: int, mark: bytes) -> bytes:
        """What comes of `text` up to `end`. A range that begins there may reach beyond: that is hidden later on."""
        settled: list[bytes] = []
        for start, stop in ranges:
            if start >= end:
                break
            if start >= self._hidden:  # it overlaps with none before it
                settled += text[self._hidden : start], mark
                self.changed = True
            self._hidden = max(self._hidden, _character(text, stop, 1))
        settled.append(text[self._hidden : end])
        self._hidden = max(self._hidden, end)
        return b"".join(settled)


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
        """The values that were found."""
        self._take(self._held, final=True)
        return frozenset(self._found)

    def _take(self, text: bytes, final: bool) -> None:
        scanned = self._matcher.scan(text, self._before, final, shapes=False)
        self._found |= scanned.values
        self._before = (self._before + text[: scanned.undecided])[-CONTEXT:]
        self._held = text[scanned.undecided :]


def _character(text: bytes, position: int, step: int) -> int:
    """The nearest position, in steps, that is not within a character."""
    while 0 < position < len(text) and text[position] & 0xC0 == 0x80:
        position += step
    return position


def _mark_for(forms: Iterable[str]) -> str:
    """A mark that makes none of the secrets together with the text around it: `abcde` before `[` is `abcde[`."""
    forms = tuple(forms)
    sound = (mark for mark in (MARK, *OTHER_MARKS) if not any(_overlap(mark, form) for form in forms))
    return next(sound, MARK)


def _overlap(mark: str, form: str) -> bool:
    edges = range(1, len(mark))
    touches = any(form.endswith(mark[:edge]) or form.startswith(mark[edge:]) for edge in edges)
    return touches or mark in form or form in mark
