"""A stream for logs whose disk or reader may go away."""

import io
from contextlib import suppress
from typing import TextIO, cast


def lossy(stream: TextIO) -> TextIO:
    """The stream as a LossyStream."""
    return cast(TextIO, LossyStream(stream))


class LossyStream(io.TextIOBase):
    """Writes to another stream, and loses what that does not take: a full disk under the log must not end a process."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or lose it."""
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        with suppress(OSError, ValueError):  # ValueError: it is closed
            self._stream.flush()

    def isatty(self) -> bool:
        """Whether a person watches."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """That of the other stream."""
        return self._stream.fileno()
