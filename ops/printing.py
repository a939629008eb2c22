"""What this process prints by itself, without secrets: the prints and tracebacks of handlers and libraries.

Logs are redacted before they are written (ops/logs.py); this is for everything that does not go through them.
"""

import atexit
import io
import sys
import threading
from typing import TextIO, cast

from runner.redact import Redactor


class RedactedText(io.TextIOBase):
    """Passes text on to `target`, each word once it is known to be the beginning of no secret; for several threads."""

    def __init__(self, target: TextIO, redactor: Redactor) -> None:
        self._target = target
        self._stream = redactor.stream()
        self._alone = threading.Lock()

    def write(self, text: str) -> int:
        """Take a text; what may be passed on by now is passed on. Raises TypeError for bytes: so click tells apart."""
        if not isinstance(text, str):
            raise TypeError(f"this takes text, not {type(text).__name__}")
        with self._alone:
            self._target.write(self._stream.feed(text))
        return len(text)

    def flush(self) -> None:
        """Have the target write what it was given."""
        self._target.flush()

    def finish(self) -> None:
        """Nothing follows: pass on what was held back."""
        with self._alone:
            self._target.write(self._stream.finish())
            self._target.flush()

    def writable(self) -> bool:
        """True."""
        return True

    def isatty(self) -> bool:
        """Whether a human reads along."""
        return self._target.isatty()

    def fileno(self) -> int:
        """The target's descriptor."""
        return self._target.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The target's encoding."""
        return self._target.encoding


def redact_prints(redactor: Redactor) -> None:
    """From now on stdout and stderr of this process show no secret."""
    stdout, stderr = RedactedText(sys.stdout, redactor), RedactedText(sys.stderr, redactor)
    for stream in (stdout, stderr):
        atexit.register(stream.finish)
    sys.stdout, sys.stderr = cast(TextIO, stdout), cast(TextIO, stderr)
