"""Keep work that no commit holds for some days, instead of removing it with its run."""

import os
import shutil
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from msgspec import Struct

from runner.workspace.mounts import has_mounts
from runner.workspace.run_directory import remove_tree

DAY_SECONDS = 86_400.0

log = structlog.get_logger(__name__)


class Aside(Struct, frozen=True):
    """One folder per run below `root`, each kept for `days`."""

    root: Path
    days: float

    def path_of(self, name: str) -> Path:
        """The folder that keeps the work of a run."""
        return self.root / name

    def until(self) -> datetime:
        """When a folder that is kept now expires."""
        return datetime.now(UTC).replace(microsecond=0) + timedelta(days=self.days)

    def keep(self, source: Path, name: str) -> None:
        """Move the folder `source` here, replacing an earlier one of that name. Its age counts from now."""
        target = self.path_of(name)
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.path.lexists(target):
            remove_tree(target)
        try:
            source.rename(target)
        except OSError:  # another file system
            if has_mounts(source):  # it would be moved file by file, and what is mounted with it
                raise
            shutil.move(source, target)
        os.utime(target)
        log.warning("workspace.kept_aside", path=str(target), days=self.days)

    def remove_expired(self) -> int:
        """Remove expired folders; returns how many."""
        oldest = time.time() - self.days * DAY_SECONDS
        expired = [path for path in self._folders() if path.lstat().st_mtime < oldest]
        for path in expired:
            remove_tree(path)
        return len(expired)

    def _folders(self) -> Iterable[Path]:
        return self.root.iterdir() if self.root.is_dir() else ()


def move_paths(root: Path, paths: Iterable[str], target: Path) -> None:
    """Move paths below `root` to the same relative paths below `target`. Missing ones are skipped."""
    for path in paths:
        source = root / path
        if not os.path.lexists(source):
            continue
        destination = target / path
        destination.parent.mkdir(parents=True, exist_ok=True)
        source.rename(destination)
