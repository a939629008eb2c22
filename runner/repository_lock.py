"""One at a time through the list of a repository's worktrees, over all runners of the machine.

`git worktree add` and `list` trip over each other: the one reads files that the other has created but not yet written.
"""

import asyncio
import fcntl
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from events.errors import Conflict

PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.01


@asynccontextmanager
async def locked(path: Path) -> AsyncIterator[None]:
    """Hold the lock file at `path`; the kernel lets go of it if we die.

    Raises:
        Conflict: somebody else held it for a minute.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while not _take(descriptor):
            if time.monotonic() > deadline:
                raise Conflict(f"the repository is busy: {path} was locked for {PATIENCE_SECONDS:g} s")
            await asyncio.sleep(random.uniform(POLL_SECONDS / 2, POLL_SECONDS))
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
