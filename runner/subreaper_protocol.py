"""The messages between a runner, its subreaper and command supervisors, and helpers of the latter two.

Standard library only.
"""

import os
import signal
import socket
import sys
from contextlib import suppress

MESSAGE_BYTES = 4096
DESCRIPTORS = 5  # of a start request: the command (memfd), stdin, stdout, stderr, the command's socket
RETRY_SECONDS = (0.002, 0.25)  # first and longest pause between two rounds of killing


class Request:
    """Messages of the runner on the control socket, by first byte."""

    START = b"s"
    """With five descriptors as ancillary data, see DESCRIPTORS."""
    LEASE = b"l"
    """Followed by the time.monotonic() at which the runner's lease expires, as text."""


class Report:
    """Messages to the runner on a command's socket, by first byte. The socket is closed when no process is left."""

    STARTED = b"s"
    """Followed by the command's process id and its supervisor's, as text."""
    FAILED = b"f"
    """Followed by the reason why it cannot start."""
    EXITED = b"e"
    """Followed by the exit code, 128 + n after signal n, as text."""
    EMPTY = b"g"
    """No process of the command is left."""
    EXPIRED = b"x"
    """The runner's lease has expired; everything is being killed."""


class Order:
    """Messages of the runner to a command's supervisor, on the same socket. A closed socket means KILL."""

    TERMINATE = b"t"
    """Followed by the grace period in seconds until SIGKILL, as text."""
    KILL = b"k"


class Wakeup:
    """A self-pipe: `descriptor` becomes readable with each signal, which ends a poll."""

    def __init__(self) -> None:
        self.descriptor, self._writing = os.pipe()
        os.set_blocking(self.descriptor, False)
        os.set_blocking(self._writing, False)
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)

    def drain(self) -> None:
        """Empty the pipe."""
        with suppress(BlockingIOError):
            while os.read(self.descriptor, 4096):
                pass


class RetryPauses:
    """Pauses between rounds of killing."""

    def __init__(self) -> None:
        self._next, self._longest = RETRY_SECONDS

    def next_pause(self) -> float:
        """In seconds; doubles up to the longest."""
        pause, self._next = self._next, min(self._longest, self._next * 2)
        return pause


def receive(connection: socket.socket) -> tuple[bytes, list[int]]:
    """A message and its descriptors, which are close-on-exec."""
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
    """Close all descriptors."""
    for descriptor in descriptors:
        os.close(descriptor)
