"""The workspace of a run without a repository: an empty directory. Its files are listed, and removed with it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from events.paths import parts_inside
from events.run_state import RunState
from events.task import FileChange
from runner.redact import Redactor
from runner.workspace.changes import Changes

FILES_LIMIT = 10_000
COUNTED_BYTES = 1024 * 1024  # lines of larger files are not counted


class Scratch(Struct, frozen=True):
    """Implements Workspace with an empty directory."""

    directory: Path

    async def snapshot(self, message: str, redactor: Redactor) -> Changes:
        """Every file in the directory, as added, up to FILES_LIMIT. There is no commit and no patch."""
        return Changes(files=await asyncio.to_thread(lambda: sorted(self._files(), key=lambda file: file.path)))

    @property
    def prefix(self) -> str:
        """See Workspace: always ""."""
        return ""

    async def missing(self, path: str) -> str | None:
        """See Workspace."""
        parts = parts_inside(path, "acceptance.expected_files")
        found = self.directory.joinpath(*parts).resolve()
        return None if found.is_relative_to(self.directory.resolve()) and found.exists() else path

    def expect_changes(self) -> None:
        """Nothing is kept of a scratch directory."""

    async def finish(self, state: RunState | None) -> None:
        """Does nothing: a scratch directory has no branch."""

    def _files(self) -> Iterator[FileChange]:
        found = (path for path in self.directory.rglob("*") if path.is_symlink() or path.is_file())
        for path, _ in zip(found, range(FILES_LIMIT), strict=False):
            name = str(path.relative_to(self.directory)).encode(errors="surrogateescape").decode(errors="replace")
            lines = _count_lines(path)
            yield FileChange(path=name, change="added", added=lines, removed=None if lines is None else 0)


def _count_lines(path: Path) -> int | None:
    """None for a binary or large file, and for anything but a readable regular file."""
    try:
        if path.is_symlink() or path.stat().st_size > COUNTED_BYTES:
            return None
        data = path.read_bytes()
    except OSError:
        return None
    return None if b"\0" in data else len(data.splitlines())
