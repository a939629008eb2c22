"""Work that no commit holds is kept aside for some days, never removed at once."""

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
    """Folders named after runs below `root`, each for `days`."""

    root: Path
    days: float

    def path_of(self, name: str) -> Path:
        """Where the work of a run will be kept."""
        return self.root / name

    def until(self) -> datetime:
        """When what is kept now expires."""
        return datetime.now(UTC).replace(microsecond=0) + timedelta(days=self.days)

    def keep(self, source: Path, name: str) -> None:
        """Move a folder here. Its age counts from now."""
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
        """Remove what has been here for too long; how many folders that were."""
        oldest = time.time() - self.days * DAY_SECONDS
        expired = [path for path in self._folders() if path.lstat().st_mtime < oldest]
        for path in expired:
            remove_tree(path)
        return len(expired)

    def _folders(self) -> Iterable[Path]:
        return self.root.iterdir() if self.root.is_dir() else ()


def move_paths(root: Path, paths: Iterable[str], target: Path) -> None:
    """Move these paths below `root` to the same places below `target`. What is gone already is left out."""
    for path in paths:
        source = root / path
        if not os.path.lexists(source):
            continue
        place = target / path
        place.parent.mkdir(parents=True, exist_ok=True)
        source.rename(place)
