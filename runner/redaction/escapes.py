"""Decode escape sequences, and map positions in the result back to the input.

Secrets and texts are normalised in the same way and compared in that form:

    decode    replaces %41 \\x41 \\u0041 \\101 &#65; &#x41; &amp; by their characters, nested too; drops colours and,
              on request, the markers of a diff at the beginning of lines
    squeeze   drops white space, quotes and backslashes, which undoes wrapped base64, '\\'', \\/ and \\"

Both process bytes from left to right in linear time. Every pattern has a bounded length.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property, lru_cache
from html.entities import html5

from msgspec import Struct

ROUNDS = 4  # nested encodings; several levels of the same one take a single round
SKIPPED = b" \t\r\n\v\f\0\a\\'\""
KEPT_RUN = re.compile(rb"[^ \t\r\n\v\f\0\a\\'\"]+")
TRIGGERS = (b"%", b"&", b"\\", b"$'", b'$"')  # text without any of them decodes to itself, but for colours

# No token contains white space, so a text can be cut after a blank. `printf %q` puts backslashes into HTML escapes.
_ANSI = rb"\x1b\[[0-?]{0,48}[!-/]{0,4}[@-[\]-~]|\x1b\][^\s\x07\x1b]{0,200}|\x1b[()][0-9A-Za-z]|\x1b[\\=>78cDEHMNOZ]"
ANSI = re.compile(_ANSI)
_TOKEN = (
    _ANSI
    + rb"|%(?:25){0,8}[0-9A-Fa-f]{2}"
    + rb"|\\\\{0,15}+(?:u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|u\{[0-9A-Fa-f]{1,6}\}"
    + rb"|x[0-9A-Fa-f]{2}|[0-3][0-7]{2}|[abefnrtvE])"
    + rb"|\\?&(?:amp\\?;){0,8}(?:\\?#[0-9]{1,7}|\\?#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,24})\\?;"
    + rb"|\$['\"]"
)
TOKEN = re.compile(_TOKEN)
DIFF_TOKEN = re.compile(_TOKEN + rb"|\+(?<=\n\+)|-(?<=\n-)")
# A token at the end of a text that more text may complete or extend.
_PARTIAL_ANSI = rb"\x1b(?:\[[0-?]{0,48}[!-/]{0,4}|\][^\s\x07\x1b]{0,200}|[()])?"
PARTIAL = re.compile(
    rb"(?:"
    + _PARTIAL_ANSI
    + rb"|%(?:25){0,8}[0-9A-Fa-f]?"
    + rb"|(?<!\x1b)\\\\{0,15}(?:u[0-9A-Fa-f]{0,3}|U[0-9A-Fa-f]{0,7}|u\{[0-9A-Fa-f]{0,6}|x[0-9A-Fa-f]?|[0-3][0-7]?)?"
    + rb"|\\?&(?:amp\\?;){0,8}(?:\\?#(?:[xX][0-9A-Fa-f]{0,6}|[0-9]{0,7})|[A-Za-z][A-Za-z0-9]{0,24})?\\?"
    + rb"|\$)\Z"
)
LONGEST_TOKEN = 256
_CONTROLS = {
    "a": b"\a",
    "b": b"\b",
    "e": b"\x1b",
    "E": b"\x1b",
    "f": b"\f",
    "n": b"\n",
    "r": b"\r",
    "t": b"\t",
    "v": b"\v",
}


class Offsets(Struct, frozen=True):
    """Maps positions of a result to its input. The piece at `outputs[i]` came from `starts[i]` to `ends[i]`.

    `exact[i]`: it was copied byte for byte; else it was decoded from one token.
    """

    outputs: list[int]
    starts: list[int]
    ends: list[int]
    exact: list[bool]

    def start(self, position: int) -> int:
        """The input position of an output byte."""
        piece = bisect_right(self.outputs, position) - 1
        return self.starts[piece] + (position - self.outputs[piece] if self.exact[piece] else 0)

    def end(self, position: int) -> int:
        """The input position after the last input byte of the output before `position`."""
        piece = bisect_right(self.outputs, position - 1) - 1
        return self.starts[piece] + position - self.outputs[piece] if self.exact[piece] else self.ends[piece]

    def boundary(self, position: int) -> int:
        """The last input position, `position` at most, that is not within a token."""
        piece = bisect_right(self.starts, position) - 1
        inside = piece >= 0 and not self.exact[piece] and self.starts[piece] < position < self.ends[piece]
        return self.starts[piece] if inside else position

    def output(self, position: int) -> int:
        """The output position of an input boundary."""
        piece = bisect_right(self.starts, position) - 1
        if piece < 0:
            return 0
        if self.exact[piece]:
            return self.outputs[piece] + min(position, self.ends[piece]) - self.starts[piece]
        return self.outputs[piece] if position <= self.starts[piece] else self._next(piece)

    def _next(self, piece: int) -> int:
        return self.outputs[piece + 1] if piece + 1 < len(self.outputs) else self.outputs[piece] + 1


class Decoding:
    """A text with its tokens decoded in up to ROUNDS rounds. Position maps are computed on demand.

    If it is not `final`, the part that more text may change is left out, from input position `certain` on.
    `after_line`: the text follows a line break.
    """

    def __init__(
        self, text: bytes, tokens: re.Pattern[bytes] = TOKEN, final: bool = True, after_line: bool = False
    ) -> None:
        self._lead = 1 if after_line else 0
        self._whole = b"\n" + text if after_line else text
        self._tokens = tokens
        self._final = final
        self.text = self._whole
        cut_later = False
        certain = len(self._whole)
        for number in range(ROUNDS):
            if not final:
                cut = partial_token(self.text)
                certain = cut if number == 0 else certain
                cut_later |= number > 0 and cut < len(self.text)
                self.text = self.text[:cut]
            decoded = tokens.sub(b"" if tokens is ANSI else _replacement, self.text)
            if decoded == self.text:
                break
            self.text = decoded
        self._certain = None if cut_later else certain

    @cached_property
    def certain(self) -> int:
        """The input position from which on more text may change the result."""
        certain = self._rounds[1] if self._certain is None else self._certain
        return max(0, certain - self._lead)

    def start(self, position: int) -> int:
        """The input position of a byte of the result."""
        return max(0, self._start(position, self._rounds[0]) - self._lead)

    def end(self, position: int) -> int:
        """The input position after the last input byte of the result before `position`."""
        for offsets in reversed(self._rounds[0]):
            position = offsets.end(position)
        return position - self._lead

    def boundary(self, position: int) -> int:
        """The last input position, `position` at most, that is within no token of any round; text can be cut there."""
        position += self._lead
        while (moved := self._leave_token(position)) != position:
            position = moved
        return max(0, position - self._lead)

    @cached_property
    def _rounds(self) -> tuple[list[Offsets], int]:
        rounds: list[Offsets] = []
        text, certain = self._whole, len(self._whole)
        for _ in range(ROUNDS):
            if not self._final:
                cut = partial_token(text)
                if cut < len(text):
                    certain = min(certain, self._start(cut, rounds))
                text = text[:cut]
            decoded, offsets = _decode_once(text, self._tokens)
            if decoded == text:
                break
            rounds.append(offsets)
            text = decoded
        return rounds, certain

    def _leave_token(self, position: int) -> int:
        inner = position
        for number, offsets in enumerate(self._rounds[0]):
            at = offsets.boundary(inner)
            if at != inner:
                return self._start(at, self._rounds[0][:number])
            inner = offsets.output(inner)
        return position

    @staticmethod
    def _start(position: int, rounds: list[Offsets]) -> int:
        for offsets in reversed(rounds):
            position = offsets.start(position)
        return position


def has_tokens(text: bytes) -> bool:
    """False if decoding can change nothing but ANSI sequences."""
    return any(trigger in text for trigger in TRIGGERS)


def has_markers(text: bytes) -> bool:
    """Whether a line begins with what marks a changed line in a diff."""
    return b"\n+" in text or b"\n-" in text


def last_blank(text: bytes, end: int) -> int:
    """The last blank or line break before `end`; 0 when there is none. No token holds one."""
    return max(0, text.rfind(b" ", 0, end), text.rfind(b"\n", 0, end))


def squeeze(text: bytes) -> bytes:
    """`text` without white space, quotes and backslashes."""
    return text.translate(None, SKIPPED)


def squeezed_offsets(text: bytes) -> Offsets:
    """Maps positions of `squeeze(text)` to `text`."""
    outputs, starts, ends = [], [], []
    length = 0
    for run in KEPT_RUN.finditer(text):
        outputs.append(length)
        starts.append(run.start())
        ends.append(run.end())
        length += run.end() - run.start()
    return Offsets(outputs, starts, ends, [True] * len(outputs))


def partial_token(text: bytes) -> int:
    """Where an incomplete token begins at the end of `text`; its length if there is none."""
    partial = PARTIAL.search(text, max(0, len(text) - LONGEST_TOKEN))
    return partial.start() if partial else len(text)


def _decode_once(text: bytes, tokens: re.Pattern[bytes]) -> tuple[bytes, Offsets]:
    offsets = Offsets([], [], [], [])
    pieces: list[bytes] = []
    length = 0
    for start, end, piece in _pieces(text, tokens):
        offsets.outputs.append(length)
        offsets.starts.append(start)
        offsets.ends.append(end)
        offsets.exact.append(piece is None)
        pieces.append(text[start:end] if piece is None else piece)
        length += len(pieces[-1])
    return b"".join(pieces), offsets


def _pieces(text: bytes, tokens: re.Pattern[bytes]) -> Iterator[tuple[int, int, bytes | None]]:
    position = 0
    for token in tokens.finditer(text):
        if token.start() > position:
            yield position, token.start(), None
        yield token.start(), token.end(), _decoded_token(token[0])
        position = token.end()
    if position < len(text):
        yield position, len(text), None


def _replacement(token: re.Match[bytes]) -> bytes:
    return _decoded_token(token[0])


@lru_cache(maxsize=4096)
def _decoded_token(token: bytes) -> bytes:
    match token[:1]:
        case b"%":
            return bytes.fromhex(token[-2:].decode())
        case b"\\" if b"&" not in token:
            return _decoded_backslash(token.lstrip(b"\\").decode())
        case b"&" | b"\\":
            return _decoded_entity(token)
    return b""  # colours, and the dollar before a quote


def _decoded_backslash(name: str) -> bytes:
    match name[0]:
        case "u" | "U":
            return _encoded(int(name[1:].strip("{}"), 16))
        case "x":
            return bytes([int(name[1:], 16)])
        case digit if digit.isdigit():
            return bytes([int(name, 8)])
    return _CONTROLS[name]


def _decoded_entity(token: bytes) -> bytes:
    name = token.replace(b"\\", b"").removesuffix(b";").rpartition(b";")[2].removeprefix(b"&").decode()
    if name.startswith(("#x", "#X")):
        return _encoded(int(name[2:], 16))
    if name.startswith("#"):
        return _encoded(int(name[1:]))
    return html5.get(name + ";", f"&{name};").encode()


def _encoded(code_point: int) -> bytes:
    return chr(code_point).encode("utf-8", "surrogatepass") if code_point <= 0x10FFFF else b"?"
