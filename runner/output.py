"""The output of one command on its way to the log: decoded, made harmless, redacted, bounded.

The first half of the limit is passed on as it comes; of the rest only the newest part, the other half of the limit,
is kept, and passed on at the end behind a line that says how much is missing.
"""

import codecs
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Literal

from runner.redact import Redactor

Stream = Literal["stdout", "stderr"]
OutputCallback = Callable[[Stream, str], Awaitable[None]]

OUTPUT_LIMIT = 1024 * 1024  # bytes of one step that reach the log
EXCERPT_BYTES = 4096  # bytes of one step that reach its event
STREAMS: tuple[Stream, ...] = ("stdout", "stderr")


def harmless(text: str) -> str:
    """`text` as PostgreSQL can hold it: without NUL and without half surrogate pairs."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()


class StepOutput:
    """Takes the bytes of both streams of one command; memory is bounded by `limit`."""

    def __init__(self, redactor: Redactor, emit: OutputCallback, limit: int = OUTPUT_LIMIT) -> None:
        self._decoders = {stream: codecs.getincrementaldecoder("utf-8")("replace") for stream in STREAMS}
        self._redactor = redactor
        self._redactors = {stream: redactor.stream() for stream in STREAMS}
        self._emit = emit
        self._head_room = limit // 2
        self._tail = _Tail(limit - limit // 2)
        self._excerpt = _Tail(EXCERPT_BYTES)
        self.total_bytes = 0

    @property
    def dropped_bytes(self) -> int:
        """How much of the (redacted) output the log will never see."""
        return self._tail.dropped

    @property
    def excerpt(self) -> str:
        """The last 4 KiB of both streams, in the order they arrived.

        Redacted once more: what began on one stream may have ended on the other.
        """
        return self._redactor.redact("".join(text for _, text in self._excerpt.pieces))

    async def write(self, stream: Stream, data: bytes) -> None:
        """Take bytes as they were read from the pipe."""
        self.total_bytes += len(data)
        await self._keep(stream, self._redactors[stream].feed(self._decode(stream, data)))

    async def finish(self) -> None:
        """Pass on what was held back: half characters, half secrets, and the tail."""
        for stream in STREAMS:
            redacted = self._redactors[stream]
            rest = redacted.feed(self._decode(stream, b"", final=True)) + redacted.finish()
            await self._keep(stream, rest)
        if self._tail.dropped:
            await self._emit("stdout", f"\n[… {self._tail.dropped} bytes dropped …]\n")
        for stream, text in self._tail.take():
            await self._emit(stream, text)

    def _decode(self, stream: Stream, data: bytes, final: bool = False) -> str:
        return self._decoders[stream].decode(data, final).replace("\0", "\ufffd")

    async def _keep(self, stream: Stream, text: str) -> None:
        if not text:
            return
        self._excerpt.add(stream, text)
        size = len(text.encode())
        if size <= self._head_room:
            self._head_room -= size
            await self._emit(stream, text)
        else:
            self._head_room = 0  # from the first piece that does not fit: the tail must not have holes
            self._tail.add(stream, text)


class _Tail:
    """The newest `limit` bytes of what was added."""

    def __init__(self, limit: int) -> None:
        self.pieces: deque[tuple[Stream, str]] = deque()
        self.dropped = 0
        self._room = limit

    def add(self, stream: Stream, text: str) -> None:
        self.pieces.append((stream, text))
        self._room -= len(text.encode())
        while self._room < 0:
            oldest, old = self.pieces.popleft()
            size = len(old.encode())
            kept = old.encode()[max(0, -self._room) :].decode(errors="ignore")
            self._room += size
            self.dropped += size
            if kept:
                self.pieces.appendleft((oldest, kept))
                self._room -= len(kept.encode())
                self.dropped -= len(kept.encode())
                break

    def take(self) -> list[tuple[Stream, str]]:
        pieces, self.pieces = list(self.pieces), deque()
        return pieces
