"""Find known values in text, in every usual encoding, and keys by their shape.

    found = matcher.scan(text)                 the ranges to hide, and the values in them
    found = matcher.scan(text, final=False)    the same for the beginning of a text; from `undecided` on, more text may
                                               change the result

Aho-Corasick automata search up to four views of a text: unchanged; *squeezed*, that is without white space, quotes,
backslashes and colours; decoded and squeezed, if it contains anything to decode; and the latter without a diff's line
markers. Positions are mapped back only for matches. The cost does not depend on the number of values. See ADR 0023.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

from ahocorasick_rs import BytesAhoCorasick

from runner.redaction.escapes import (
    ANSI,
    DIFF_TOKEN,
    TOKEN,
    Decoding,
    Offsets,
    has_markers,
    has_tokens,
    last_blank,
    squeeze,
    squeezed_offsets,
)
from runner.redaction.needles import Needle, literal_needles, squeezed_needles
from runner.redaction.shapes import find_shapes

HEAD = 4  # bytes of a needle; a line break within them is not skipped, so that finished lines are not held back
GROWTH = 48  # bytes of text per byte of a needle, at most, with colours and escapes
SLACK = 1024  # and bytes per needle: both bound how much of a stream is held back
WINDOW = 256  # bytes examined to map the end of a squeezed text back to the text
_BLANK = re.compile(rb"[ \t\r\n]")


class Scanned(NamedTuple):
    """The ranges to hide, sorted and disjoint, and the values in them.

    `undecided`: position from which on more text may change the result. `shapes_end`: end of the last shape.
    """

    ranges: list[tuple[int, int]]
    values: set[str]
    undecided: int
    shapes_end: int = 0


class Matcher:
    """Compiled for a set of values. Immutable, and safe to use from several threads."""

    def __init__(self, values: Iterable[str]) -> None:
        known = sorted(set(values))
        self._literal = _Dictionary(needle for value in known for needle in literal_needles(value))
        self._squeezed = _Dictionary(needle for value in known for needle in squeezed_needles(value))

    def needles(self) -> Iterator[bytes]:
        """All forms that are searched for."""
        yield from self._literal.words
        yield from self._squeezed.words

    def scan(
        self, text: bytes, before: bytes = b"", final: bool = True, shapes: bool = True, skip_shapes: int = 0
    ) -> Scanned:
        """Find everything to hide in `text`; overlapping ranges are merged.

        `before`: the bytes that precede it. `skip_shapes`: position before which no shape begins.
        """
        ranges: list[tuple[int, int]] = []
        values: set[str] = set()
        undecided = len(text)
        if shapes:
            found = find_shapes(text, before, skip_shapes, final)
            ranges += found.ranges
            undecided = found.undecided
            skip_shapes = max(skip_shapes, ranges[-1][1]) if ranges else skip_shapes
        if self._literal.words:
            ranges += self._scan_literal(text, values)
            views = _views(text, before, final)
            for view in views:
                ranges += self._scan_view(view, text, values)
            if not final:
                begun = [self._begun(view, text) for view in views]
                undecided = min(undecided, *begun, next(self._literal.begun(text), (len(text), 0))[0])
            if undecided < len(text):
                undecided = views[-1].boundary(undecided)
        return Scanned(_merged(sorted(ranges)), values, undecided, skip_shapes)

    def _scan_literal(self, text: bytes, values: set[str]) -> list[tuple[int, int]]:
        found = self._literal.find(text)
        values.update(self._literal.needles[index].value for index in {index for index, _, _ in found})
        return _merged(sorted({(start, end) for _, start, end in found}))

    def _scan_view(self, view: _View, text: bytes, values: set[str]) -> list[tuple[int, int]]:
        needles = self._squeezed.needles
        ranges: list[tuple[int, int]] = []
        covered = (0, 0)
        for index, start, end in self._squeezed.find(view.squeezed):
            needle = needles[index]
            if covered[0] <= start and end <= covered[1] and needle.value in values:
                continue
            first, last = view.range(start, end)
            if _is_credible(needle, view, start, first, last, text):
                covered = (min(start, covered[0]) if start <= covered[1] else start, end)
                ranges.append((first, last))
                values.add(needle.value)
        return ranges

    def _begun(self, view: _View, text: bytes) -> int:
        """Position of the first needle that may begin in this view and end in later text."""
        undecided = view.certain
        for start, longest in self._squeezed.begun(view.squeezed):
            first = view.start_of_tail(start)
            if first >= undecided:
                break
            broken = len(view.squeezed) - start < HEAD and _has_line_break(text, first, len(text))
            if not broken and len(text) - first < GROWTH * longest + SLACK:
                return first
        return undecided


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Merge overlapping ranges of a sorted list."""
    merged: list[tuple[int, int]] = []
    for start, end in ranges:
        if merged and start < merged[-1][1]:
            if end > merged[-1][1]:
                merged[-1] = merged[-1][0], end
        else:
            merged.append((start, end))
    return merged


def _is_credible(needle: Needle, view: _View, position: int, start: int, end: int, text: bytes) -> bool:
    """Whether a match is the value, and not ordinary words that equal it once blanks are dropped."""
    if end - start == len(needle.data):
        return True
    if end - start > GROWTH * len(needle.data) + SLACK:
        return False
    if _has_line_break(text, start, end) and _has_line_break(text, start, view.range(position, position + HEAD)[1]):
        return False
    return needle.spaces is None or len(_BLANK.findall(text, start, end)) <= needle.spaces


def _has_line_break(text: bytes, start: int, end: int) -> bool:
    return text.find(b"\n", start, end) >= 0 or text.find(b"\r", start, end) >= 0


class _Dictionary:
    """Needles that are searched for together."""

    def __init__(self, needles: Iterable[Needle]) -> None:
        chosen: dict[bytes, Needle] = {}
        for needle in needles:
            known = chosen.get(needle.data)
            if known is None or (known.spaces is not None and needle.spaces is None):
                chosen[needle.data] = needle
        self.needles = [chosen[data] for data in sorted(chosen)]
        self.words = [needle.data for needle in self.needles]
        self._longest = max(map(len, self.words), default=0)
        self._automaton = BytesAhoCorasick(self.words) if self.words else None
        self._heads = BytesAhoCorasick(sorted({word[:HEAD] for word in self.words})) if self.words else None
        self._short_heads = {word[:length] for word in self.words for length in range(1, HEAD)}

    def find(self, text: bytes) -> list[tuple[int, int, int]]:
        """(index of the needle, start, end) of every occurrence."""
        return self._automaton.find_matches_as_indexes(text, overlapping=True) if self._automaton else []

    def begun(self, text: bytes) -> Iterator[tuple[int, int]]:
        """Every position from which on the rest of `text` is the beginning of a needle, with the longest such one."""
        if self._heads is None:
            return
        tail = text[len(text) - min(len(text), self._longest - 1) :]
        offset = len(text) - len(tail)
        for _, start, _ in self._heads.find_matches_as_indexes(tail, overlapping=True):
            longest = self._longest_with(tail[start:])
            if longest:
                yield offset + start, longest
        for length in range(min(HEAD - 1, len(tail)), 0, -1):
            if tail[-length:] in self._short_heads:
                yield len(text) - length, self._longest

    def _longest_with(self, beginning: bytes) -> int:
        index = bisect_left(self.words, beginning)
        longest = 0
        while index < len(self.words) and self.words[index].startswith(beginning):
            if len(self.words[index]) > len(beginning):
                longest = max(longest, len(self.words[index]))
            index += 1
        return longest


class _View:
    """A text decoded in one way, or not at all, and squeezed. Positions are translated when they are asked for."""

    def __init__(
        self, text: bytes, tokens: re.Pattern[bytes] | None, final: bool = True, after_line: bool = False
    ) -> None:
        self._text = text
        self._tokens = tokens
        self._final = final
        self._after_line = after_line
        self._decoding = self._decoded(0) if tokens else None
        self._plain = self._decoding.text if self._decoding else text
        self.squeezed = squeeze(self._plain)
        self.certain = self._decoding.certain if self._decoding else len(text)

    @property
    def has_markers(self) -> bool:
        """Whether it looks like a diff."""
        return has_markers(self._plain)

    def range(self, start: int, end: int) -> tuple[int, int]:
        """Where in the text these bytes of the squeezed form came from."""
        first, last = self._offsets.start(start), self._offsets.end(end)
        return (self._decoding.start(first), self._decoding.end(last)) if self._decoding else (first, last)

    def start_of_tail(self, start: int) -> int:
        """The same for a single byte near the end: only the end of the text is looked at."""
        length = len(self.squeezed) - start
        window = WINDOW + 4 * length
        while True:
            begin = last_blank(self._text, len(self._text) - window) if window < len(self._text) else 0
            decoding = self._decoded(begin) if self._tokens else None
            tail = decoding.text if decoding else self._text[begin:]
            left = len(squeeze(tail)) - length
            if left >= 0 or not begin:
                break
            window *= 4
        position = squeezed_offsets(tail).start(left)
        return begin + (decoding.start(position) if decoding else position)

    def boundary(self, position: int) -> int:
        """The last position, `position` at most, at which the text may be cut."""
        if self._tokens is None:
            return position
        begin = last_blank(self._text, position)
        before = self._text[begin:position]
        if b"\x1b" not in before and b"$" not in before and not has_tokens(before):
            return position
        return begin + self._decoded(begin).boundary(position - begin)

    def _decoded(self, begin: int) -> Decoding:
        assert self._tokens is not None
        return Decoding(self._text[begin:], self._tokens, self._final, self._after_line and not begin)

    @cached_property
    def _offsets(self) -> Offsets:
        return squeezed_offsets(self._plain)


def _views(text: bytes, before: bytes, final: bool) -> list[_View]:
    """The text without colours; decoded, if that makes a difference; and without the markers of a diff. The last one
    knows where the text may be cut."""
    views = [_View(text, ANSI if b"\x1b" in text else None, final)]
    if has_tokens(text) or text.endswith((b"$", b"\x1b")):
        views.append(_View(text, TOKEN, final))
    after_line = before.endswith(b"\n") and text.startswith((b"+", b"-"))
    if after_line or has_markers(text) or views[-1].has_markers:
        views.append(_View(text, DIFF_TOKEN, final, after_line))
    return views
