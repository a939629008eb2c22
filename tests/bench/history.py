"""A history of any length, told event by event in the order in which it happened, as lines for COPY.

Every stream (a task, a runner, a directive …) is a generator: it yields when its next event happens and which one that
is, and is sent the seq that the event got; see tests/bench/lives.py. The same seed tells the same history.
"""

import heapq
import random
from collections.abc import Generator, Iterator
from datetime import UTC, datetime

from msgspec import Struct

from events.catalog import TYPE_NAMES, encode, kind_of

SECOND = 1_000_000  # times are microseconds since 1970
MINUTE = 60 * SECOND
DAY = 1440 * MINUTE
CHUNK = 1 << 20  # bytes of COPY at a time

Told = tuple[str, int, str, Struct, int | None]
"""An event as a stream tells it: id, version, actor, data, cause."""
Stream = Generator[tuple[int, Told | None], int, None]
"""Yields (when, event), or (when, None) to be woken then; is sent the seq of the event, or 0."""

NULL = r"\N"
KINDS = {name: kind_of(name) for name in TYPE_NAMES.values()}


class World:
    """Everything that happens until `end`; what would happen later is left out, as it is in life."""

    def __init__(self, seed: int, end: datetime) -> None:
        self.chance = random.Random(seed)
        self.end = int(end.timestamp() * SECOND)
        self.seq = 0
        self.ended: dict[str, tuple[str, int]] = {}  # tasks others wait for -> their end, and its seq
        self._queue: list[tuple[int, int, Told | None, Stream]] = []
        self._turn = 0

    def spawn(self, stream: Stream) -> None:
        """Let a stream begin."""
        self._go_on(stream, None)

    def lines(self) -> Iterator[bytes]:
        """The events as lines of COPY, in pieces of about CHUNK bytes. Columns as in loading.COLUMNS."""
        lines: list[bytes] = []
        size = 0
        while self._queue:
            at, _, told, stream = heapq.heappop(self._queue)
            if told is not None:
                self.seq += 1
                lines.append(_line(self.seq, at, told))
                size += len(lines[-1])
                if size > CHUNK:
                    yield b"".join(lines)
                    lines, size = [], 0
            self._go_on(stream, self.seq if told else 0)
        yield b"".join(lines)

    def _go_on(self, stream: Stream, answer: int | None) -> None:
        try:
            at, told = next(stream) if answer is None else stream.send(answer)
        except StopIteration:
            return
        if at <= self.end:
            self._turn += 1  # of what happens at one moment, what was said first comes first
            heapq.heappush(self._queue, (at, self._turn, told, stream))


def moment(at: int) -> datetime:
    """A time of this history."""
    return datetime.fromtimestamp(at / SECOND, UTC)


def _line(seq: int, at: int, told: Told) -> bytes:
    id, version, actor, data, cause = told  # noqa: A001
    name = TYPE_NAMES[type(data)]
    where = f"{seq}\t{moment(at).isoformat()}\t{cause or NULL}\t{version}"
    fields = f"{where}\t{KINDS[name]}\t{id}\t{name}\t{actor}\t"
    return fields.encode() + encode(data).replace(b"\\", b"\\\\") + b"\n"
