"""What a command that runs looks like to the runner, however it is supervised."""

import asyncio
from typing import Protocol

from msgspec import Struct


class Exit(Struct, frozen=True):
    """How a command ended. Death by a signal is 128 + its number, as in a shell; without a code there is an `error`."""

    code: int | None
    error: str | None = None


class Child(Protocol):
    """A command that has been started."""

    @property
    def exited(self) -> asyncio.Future[Exit]:
        """Done when the command itself has ended; what it started may still run."""

    async def end(self, grace_seconds: float) -> None:
        """SIGTERM to all that is left of it, and SIGKILL after the grace period, or at once when cancelled.

        When this returns nothing of it runs, unless the kernel itself cannot end it.
        """


class Streams(Struct, frozen=True):
    """The descriptors that become a command's standard streams. Whoever opened them closes them."""

    stdin: int
    stdout: int
    stderr: int
