"""What a runner, its subreaper and the supervisors of commands tell each other, and what the two below have in common.

Standard library only.
"""

import os
import signal
import socket
import sys
from contextlib import suppress

MESSAGE_BYTES = 4096
DESCRIPTORS = 5  # of a start request: what to run, stdin, stdout, stderr, the command's socket
RETRY_SECONDS = (0.002, 0.25)  # between two rounds of killing: the first pause, and the longest


class Request:
    """What the runner asks on the control socket: the first byte of a message."""

    START = b"s"
    """Five descriptors come along."""
    LEASE = b"l"
    """Followed by the time.monotonic() at which the runner's lease passes, as text."""


class Report:
    """What a command's socket tells the runner: the first byte of a message. It is closed when nothing is left."""

    STARTED = b"s"
    """Followed by the command's process id and its supervisor's, as text."""
    FAILED = b"f"
    """Followed by why it cannot start."""
    EXITED = b"e"
    """Followed by the exit code, 128 + n after signal n, as text."""
    EMPTY = b"g"
    """No process of the command is left."""
    EXPIRED = b"x"
    """The runner's lease has passed; everything is being killed."""


class Order:
    """What the runner tells a command's supervisor on the same socket. A closed socket is KILL."""

    TERMINATE = b"t"
    """Followed by the seconds until what is left is killed, as text."""
    KILL = b"k"


class Wakeup:
    """Makes signals end a poll: the read end becomes readable with each."""

    def __init__(self) -> None:
        self.descriptor, self._writing = os.pipe()
        os.set_blocking(self.descriptor, False)
        os.set_blocking(self._writing, False)
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)

    def drain(self) -> None:
        """Forget the signals that came."""
        with suppress(BlockingIOError):
            while os.read(self.descriptor, 4096):
                pass


class RetryPauses:
    """The pauses between rounds of killing."""

    def __init__(self) -> None:
        self._next, self._longest = RETRY_SECONDS

    def next_pause(self) -> float:
        """Seconds, doubling up to the longest."""
        pause, self._next = self._next, min(self._longest, self._next * 2)
        return pause


def receive(connection: socket.socket) -> tuple[bytes, list[int]]:
    """A message and its descriptors, which no exec inherits."""
    message, ancillary, _, _ = connection.recvmsg(
        MESSAGE_BYTES, socket.CMSG_SPACE(DESCRIPTORS * 4), socket.MSG_CMSG_CLOEXEC
    )
    descriptors = [
        int.from_bytes(data[start : start + 4], sys.byteorder)
        for level, kind, data in ancillary
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
        for start in range(0, len(data) - len(data) % 4, 4)
    ]
    return message, descriptors


def close_all(descriptors: list[int]) -> None:
    """Close them."""
    for descriptor in descriptors:
        os.close(descriptor)
