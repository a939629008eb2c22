"""Files to be removed are first renamed into a trash folder, then removed in the background, with retries.

A file that cannot be removed (immutable, another user's, on a busy mount) therefore never blocks a run.
"""

import asyncio
import os
import secrets
from pathlib import Path

import structlog

from events.backoff import Backoff
from runner.workspace.run_directory import remove_tree

FIRST_RETRY_SECONDS = 5.0
LONGEST_RETRY_SECONDS = 600.0

log = structlog.get_logger(__name__)


class Trash:
    """A folder whose contents are being removed in the background."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._emptying: asyncio.Task[None] | None = None

    def throw(self, path: Path) -> None:
        """Move `path` into the folder; `empty` or `start` removes it later."""
        if not os.path.lexists(path) or _removed_if_empty(path):
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.rename(self.folder / f"{path.name}.{secrets.token_hex(4)}")

    def start(self) -> None:
        """Empty the folder in the background, with retries until nothing is left."""
        if self._emptying is None or self._emptying.done():
            self._emptying = asyncio.create_task(self._empty_with_retries(), name="trash")

    async def stop(self) -> None:
        """Stop the background removal; the next runner resumes it."""
        if self._emptying is not None:
            self._emptying.cancel()
            await asyncio.wait([self._emptying])

    def empty(self) -> int:
        """Remove what can be removed; returns how many entries are left."""
        left = 0
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            remove_tree(path)
            left += os.path.lexists(path)
        return left

    async def _empty_with_retries(self) -> None:
        backoff = Backoff(FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS)
        while left := await asyncio.to_thread(self.empty):
            log.warning("trash.not_removed", path=str(self.folder), entries=left)
            await asyncio.sleep(backoff.next_delay())


def _removed_if_empty(path: Path) -> bool:
    """Remove an empty directory. False: `path` is anything else."""
    try:
        path.rmdir()
    except OSError:
        return False
    return True
