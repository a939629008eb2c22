"""A private directory per run, with a lock that the kernel releases when the runner dies."""

import fcntl
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from events.errors import Conflict
from runner.workspace.mounts import has_mounts

LONGEST_NAME = 120  # characters; file systems stop at 255 bytes, and a run id follows

_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]|\A\.|\.\Z|\.(?=\.)|\.(?=lock\Z)")


class RunDirectory(Struct, frozen=True):
    """A directory that this process has locked. `lock` is an open file descriptor."""

    path: Path
    lock: int

    def release(self) -> None:
        """Release the lock. The directory must have been moved away, or is left to the next sweep."""
        lock_of(self.path).unlink(missing_ok=True)
        os.close(self.lock)


def acquire(root: Path, task_id: str, run_id: int) -> RunDirectory:
    """Create and lock the directory of a run below `root`. Removes one that a killed run left there.

    Raises:
        Conflict: the same run is being executed right now.
    """
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = root.resolve() / f"{safe_name(task_id)}.{run_id}"
    lock = _lock(lock_of(path))
    if lock is None:
        raise Conflict(f"run {run_id} of task {task_id} is being executed already, in {path}")
    remove_tree(path)
    path.mkdir(mode=0o700)
    return RunDirectory(path, lock)


def is_abandoned(path: Path) -> bool:
    """True when no process holds the lock of the run directory `path`."""
    if not lock_of(path).exists():
        return True
    lock = _lock(lock_of(path))
    if lock is not None:
        os.close(lock)
    return lock is not None


def abandoned_directories(root: Path) -> Iterator[RunDirectory]:
    """Directories below `root` that no process holds, each locked; the caller releases them."""
    for path in sorted(root.iterdir()) if root.is_dir() else ():
        if path.name.startswith(".") or path.is_symlink() or not path.is_dir():
            continue
        lock = _lock(lock_of(path))
        if lock is not None:
            yield RunDirectory(path, lock)


def lock_of(path: Path) -> Path:
    """The lock file beside a run directory."""
    return path.with_name(f".{path.name}.lock")


def safe_name(task_id: str) -> str:
    """A task id as one part of a path and of a branch name. Different ids give different names."""
    name = _UNSAFE.sub(_escaped, task_id)
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - 33]}-{hashlib.sha256(task_id.encode()).hexdigest()[:32]}"


def remove_tree(path: Path) -> None:
    """Remove the file or directory `path`, also if a step changed its permissions. Never raises; files may be left.

    A symbolic link is removed, not followed. A tree in which something is mounted is left until that is unmounted.
    """
    if path.is_symlink() or path.is_file():
        with suppress(OSError):
            path.unlink()
        return
    if has_mounts(path):
        return
    shutil.rmtree(path, ignore_errors=True)
    if not os.path.lexists(path):
        return
    for directory, _, _ in os.walk(path):
        with suppress(OSError):
            Path(directory).chmod(stat.S_IRWXU)
    shutil.rmtree(path, ignore_errors=True)


def _lock(path: Path) -> int | None:
    """Open and lock the file; None: another process holds it."""
    for _ in range(10):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # a sweep removed the file between our two calls
    return None


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode(errors="surrogatepass"))
