"""A folder whose files are replaced whole or not at all, one writer at a time."""

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from ops.home import make_home_private, make_private

DRAFT = ".draft-"
LOCK = "lock"


STEP_NANOSECONDS = 1_000  # what every file system of today can tell apart


def revision(file: Path) -> int | None:
    """A number that rises with each `Folder.replace` of the file; None when there is none. As cheap as can be.

    Raises OSError when nobody can tell: the folder cannot be entered, or the disk fails.
    """
    try:
        return file.stat().st_mtime_ns
    except FileNotFoundError:
        return None


class Folder:
    """Only its owner may enter it; it is made when something is first written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Alone in the folder: no other process reads or writes. What a killed writer left behind is removed."""
        make_home_private(self.path.parent)
        make_private(self.path)
        with self._locked(fcntl.LOCK_EX, os.O_RDWR | os.O_CREAT):
            for draft in self.path.glob(f"{DRAFT}*"):
                draft.unlink()
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Nobody writes meanwhile. Makes nothing: not the folder, and in one that was only copied no lock either."""
        with self._locked(fcntl.LOCK_SH, os.O_RDONLY) if (self.path / LOCK).exists() else nullcontext():
            yield

    def read(self, name: str) -> bytes | None:
        """A file's bytes, or None."""
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None

    def replace(self, name: str, content: bytes) -> None:
        """Write a file anew, mode 0600: after a crash at any moment it is there as before or as now."""
        draft = self.path / f"{DRAFT}{secrets.token_hex(8)}"
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                self._date(file.fileno(), name)
                os.fsync(file.fileno())
            draft.replace(self.path / name)
        finally:
            draft.unlink(missing_ok=True)
        self._settle()

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        (self.path / name).unlink(missing_ok=True)
        self._settle()

    @contextmanager
    def _locked(self, kind: int, opening: int) -> Iterator[None]:
        descriptor = os.open(self.path / LOCK, opening | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, kind)  # the kernel frees it when the process dies
            yield
        finally:
            os.close(descriptor)

    def _date(self, descriptor: int, name: str) -> None:
        """Give a file a later date than the one it replaces, however coarse the clock of the file system is."""
        before = revision(self.path / name) or 0
        moment = max(time.time_ns(), before + STEP_NANOSECONDS)
        os.utime(descriptor, ns=(moment, moment))

    def _settle(self) -> None:
        """Have the folder itself on the disk."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
