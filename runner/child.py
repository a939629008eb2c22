"""The interface of a running command, independent of how it is supervised."""

import asyncio
from typing import Protocol

from msgspec import Struct


class Exit(Struct, frozen=True):
    """How a command ended. `code`: 128 + n after signal n, as in a shell; None: unknown, see `error`."""

    code: int | None
    error: str | None = None


class Child(Protocol):
    """A command that has been started."""

    @property
    def exited(self) -> asyncio.Future[Exit]:
        """Resolved when the command itself has ended; its descendants may still run."""

    async def end(self, grace_seconds: float) -> None:
        """Send SIGTERM to all its processes, and SIGKILL after the grace period, or at once when cancelled.

        On return none of them runs, except those that the kernel cannot end (uninterruptible sleep).
        """


class Streams(Struct, frozen=True):
    """The descriptors that become a command's standard streams. The caller closes them."""

    stdin: int
    stdout: int
    stderr: int
