"""A pool of idle working copies, so that the next run need not check out every file.

A copy is reused only if it equals a fresh checkout: git rewrote every file that the previous run touched, no untracked
or ignored file is left, and nothing changed while the copy was idle. If any check fails, the copy is discarded.
"""

import asyncio
import itertools
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import structlog
from msgspec import Struct

from events.errors import ElRusoError
from runner.workspace.mounts import has_mounts
from runner.workspace.repository import Repository
from runner.workspace.run_directory import RunDirectory, acquire, remove_tree
from runner.workspace.survey import Survey, attributes_of, later_change_time, survey
from runner.workspace.trash import Trash
from runner.workspace.working_copy import WorkingCopy

TOUCHED_MAX = 20_000  # beyond it a new checkout is not slower

log = structlog.get_logger(__name__)


class IdleCopy(Struct, frozen=True):
    """An idle copy and the locked directory that holds it."""

    copy: WorkingCopy
    place: RunDirectory


class CopyPool:
    """At most `size` idle copies of one runner, below `directory`."""

    def __init__(self, directory: Path, trash: Trash, size: int) -> None:
        self._directory = directory
        self._trash = trash
        self._size = size
        self._idle: list[IdleCopy] = []
        self._numbers: Iterator[int] = itertools.count(1)

    async def take(self, place: RunDirectory, repository: Repository, start: str) -> WorkingCopy | None:
        """A clean idle copy of the repository, moved to `place`; None: there is none."""
        while self._idle:
            idle = self._idle.pop()
            copy = idle.copy
            try:
                fits = copy.repository.common == repository.common
                copy.use(copy.root, repository)
                if fits and await copy.can_change_to(start) and await asyncio.to_thread(_is_as_stored, copy):
                    copy.root.rename(place.path)
                    copy.use(place.path, repository)
                    return copy
                log.info("working_copy.discarded", path=str(copy.root))
            except (ElRusoError, OSError) as problem:
                log.info("working_copy.discarded", path=str(copy.root), error=str(problem))
            finally:
                await asyncio.to_thread(self._discard, idle.place)
        return None

    async def give_back(self, copy: WorkingCopy, found: Survey | None) -> bool:
        """Clean a copy and keep it. `found`: the files its run touched, if known. False: the caller must discard it."""
        if len(self._idle) >= self._size or has_mounts(copy.root):
            return False
        try:
            found = await asyncio.to_thread(survey, copy.files, copy.since_ns) if found is None else found
            if len(found.touched) > TOUCHED_MAX or not await asyncio.to_thread(_remove_touched, copy, found):
                return False
            await copy.git.read("reset", "--quiet", "--hard", copy.start)
            if await copy.git.read("status", "--porcelain", "--ignored", "--untracked-files=all", "-z", limit=1):
                return False
            await asyncio.to_thread(self._store, copy)
        except (ElRusoError, OSError) as problem:
            log.info("working_copy.discarded", path=str(copy.root), error=str(problem))
            return False
        return True

    def _store(self, copy: WorkingCopy) -> None:
        number = os.getpid() * 1_000_000 + next(self._numbers)
        place = acquire(self._directory, "idle", number)
        try:
            copy.root.rename(place.path)
            copy.use(place.path, copy.repository)
            copy.since_ns = later_change_time(copy.root)
        except OSError:
            self._discard(place)
            raise
        self._idle.append(IdleCopy(copy, place))

    def _discard(self, place: RunDirectory) -> None:
        self._trash.throw(place.path)
        place.release()


def _is_as_stored(copy: WorkingCopy) -> bool:
    return copy.is_around_as_made() and copy.is_untouched()


def _remove_touched(copy: WorkingCopy, found: Survey) -> bool:
    """Remove every file that a run touched; git then rewrites it. False: something is not as git creates it."""
    if found.foreign or not copy.is_around_as_made():
        return False
    if not copy.had_submodules and not set(found.touched_directories).issuperset(found.hollow):
        return False
    remove_tree(copy.files / ".git")
    remove_tree(copy.aside)
    for path in found.unsupported:
        remove_tree(copy.files / path)
    for path in found.touched:
        (copy.files / path).unlink(missing_ok=True)
    mode = copy.files.stat().st_mode
    for path in sorted(found.touched_directories, key=len, reverse=True):
        directory = copy.files / path
        if not directory.is_dir():
            continue
        if not any(directory.iterdir()):
            directory.rmdir()
            continue
        status = directory.lstat()
        if status.st_uid != os.geteuid() or attributes_of(directory) != copy.attributes:
            return False
        directory.chmod(stat.S_IMODE(mode))
    return True
