"""A walk through the files of a run that finds touched files, and files that git cannot record.

The walk compares each file's change time (ctime) with the time at which the checkout was complete. The kernel updates
it on every write, chmod, chown and link, and no system call sets it to a chosen value. A file that is not listed as
touched is therefore as git wrote it, permissions included.
"""

import os
import re
import stat
import time
from pathlib import Path

from msgspec import Struct, field

# Names that git refuses in a tree because a file system may treat them as `.git` (verify_path in git's read-cache.c).
_UNSUPPORTED_NAME = re.compile(r"(?i)git~1|\.git[ .]*(:.*)?")
_INVISIBLE = re.compile(r"[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")  # HFS+ ignores them in names
_NEVER_FOLDERS = (".gitmodules", ".gitattributes")  # fsck refuses directories of these names
_TICK_SECONDS = 0.001
CLOCK = "clock"  # a file whose change time is read


class Survey(Struct):
    """Paths relative to the surveyed directory; bytes that are not UTF-8 are surrogate escapes.

    `touched`: files and links with a later change time; `touched_directories`: the same for directories. `foreign`:
    entries with an earlier one that git cannot have written; a step moved or linked them here. `hollow`: empty ones.
    `embedded`: directories with a `.git` of their own. `unsupported`: names that git refuses. `special`: sockets, pipes
    and devices. `unreadable`: files that their owner may not read.
    """

    touched: list[str] = field(default_factory=list)
    touched_directories: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    hollow: list[str] = field(default_factory=list)
    embedded: list[str] = field(default_factory=list)
    unsupported: list[str] = field(default_factory=list)
    special: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    @property
    def is_untouched(self) -> bool:
        """True when nothing below the directory changed."""
        return not self.touched and not self.touched_directories and not self.embedded


def survey(root: Path, since_ns: int) -> Survey:
    """Walk through `root`, but not into its own `.git`. `since_ns`: a change time from `later_change_time`.

    Makes directories readable that their owner may not read: git does not record their permissions.
    """
    found = Survey()
    top = root.stat()
    pending = [""]
    while pending:
        parent = pending.pop()
        entries = _entries(root, parent)
        if parent and not entries:
            found.hollow.append(parent)
        for entry in entries:
            path = f"{parent}/{entry.name}" if parent else entry.name
            if entry.name == ".git":
                if parent:
                    found.embedded.append(parent)
                continue
            status = entry.stat(follow_symlinks=False)
            is_directory = stat.S_ISDIR(status.st_mode)
            if _is_unsupported(entry.name, is_directory):
                found.unsupported.append(path)
            elif is_directory:
                pending.append(path)
            if status.st_ctime_ns > since_ns:
                _sort_in(found, path, status)
            elif not _is_as_written(status, top):
                found.foreign.append(path)
    return found


def later_change_time(directory: Path) -> int:
    """A change time, in ns, that every file written so far precedes and every file written from now on exceeds.

    File systems use the kernel's coarse clock, so this waits for two of its ticks: some milliseconds.
    """
    first = _change_time(directory)
    moment = first
    while moment <= first:
        time.sleep(_TICK_SECONDS)
        moment = _change_time(directory)
    after = moment
    while after <= moment:
        time.sleep(_TICK_SECONDS)
        after = _change_time(directory)
    return moment


def attributes_of(path: Path) -> dict[str, bytes]:
    """Extended attributes, access control lists among them, which outlive a checkout. A system with security labels
    gives them to every file."""
    if not hasattr(os, "listxattr"):
        return {}
    try:
        return {
            name: os.getxattr(path, name, follow_symlinks=False) for name in os.listxattr(path, follow_symlinks=False)
        }
    except OSError:  # the file system has none
        return {}


def _is_unsupported(name: str, is_directory: bool) -> bool:
    if name.isascii() and name[0] not in ".gG":
        return False
    if is_directory and name in _NEVER_FOLDERS:
        return True
    visible = name if name.isascii() else _INVISIBLE.sub("", name)
    return bool(_UNSUPPORTED_NAME.fullmatch(visible))


def _change_time(directory: Path) -> int:
    probe = directory / CLOCK
    probe.write_bytes(b"")
    return probe.stat().st_ctime_ns


def _entries(root: Path, parent: str) -> list[os.DirEntry[str]]:
    directory = f"{root}/{parent}" if parent else str(root)
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except PermissionError:
        Path(directory).chmod(stat.S_IRWXU)
        with os.scandir(directory) as entries:
            return list(entries)


def _is_as_written(status: os.stat_result, top: os.stat_result) -> bool:
    """Whether git may have written it. `top`: the directory that we made for it, with our owner and our umask."""
    mode, allowed = stat.S_IMODE(status.st_mode), stat.S_IMODE(top.st_mode)
    if status.st_uid != top.st_uid:
        return False
    if stat.S_ISDIR(status.st_mode):
        return mode == allowed
    if stat.S_ISREG(status.st_mode):
        return status.st_nlink == 1 and mode in (allowed & 0o666, allowed & 0o777)
    return stat.S_ISLNK(status.st_mode)


def _sort_in(found: Survey, path: str, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        found.touched_directories.append(path)
        return
    found.touched.append(path)
    if stat.S_ISREG(status.st_mode):
        if not status.st_mode & stat.S_IRUSR and os.geteuid() != 0:
            found.unreadable.append(path)
    elif not stat.S_ISLNK(status.st_mode):
        found.special.append(path)
