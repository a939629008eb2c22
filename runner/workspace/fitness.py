"""Whether this machine is fit for runs: the runner's home, its disks, and the operator's repository.

When one of them fails, an unmounted network file system for instance, every run fails, whatever its task. So a runner
that is unfit claims nothing and checks again; the runs that were hit are given back (docs/adr/0028).
"""

import asyncio
import errno
import os
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

from msgspec import Struct

from events.errors import ElRusoError
from events.releases import UNFIT
from runner.git import Git, GitFailed
from runner.output import harmless
from runner.workspace.repository import Repository, WorkspaceUnusable

CHECK_SECONDS = 10.0  # how long a check may take: a network file system that is away may not answer at all
FREE_BYTES = 32 * 1024 * 1024  # less than that is a full disk
PROBE_BYTES = 4096
PATH_CHARACTERS = 1000
DETAIL_CHARACTERS = 400

FaultCode = Literal["missing", "not_a_repository", "full", "read_only", "broken", "silent"]

_CODES: dict[int, FaultCode] = {
    errno.ENOENT: "missing",
    errno.ENOTDIR: "missing",
    errno.EEXIST: "missing",
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EROFS: "read_only",
    errno.EACCES: "read_only",
    errno.EPERM: "read_only",
}
# What no task can cause: faults of the file system itself, or of the machine.
_MACHINE_ERRORS = {
    *(errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ESTALE, errno.ENOTCONN),
    *(errno.ENODEV, errno.ENXIO, errno.EMFILE, errno.ENFILE),
}
_MACHINE_WORDS: dict[str, FaultCode] = {
    "No space left on device": "full",
    "Disk quota exceeded": "full",
    "Read-only file system": "read_only",
    "Input/output error": "broken",
    "Stale file handle": "broken",
    "Transport endpoint is not connected": "broken",
    "Too many open files": "broken",
}


class Fault(Struct, frozen=True):
    """What makes a runner unfit. `code`: for texts in the reader's language. `detail` is a sentence."""

    code: FaultCode
    path: str
    detail: str

    @classmethod
    def of(cls, code: FaultCode, path: Path | str, detail: str) -> "Fault":
        """A fault as log and API take it: file names can be any bytes, and git's messages long and of many lines."""
        line = " ".join(harmless(detail).split())
        return cls(code, harmless(str(path))[:PATH_CHARACTERS], line[:DETAIL_CHARACTERS])


class Unfit(ElRusoError):
    """The run met a fault of its runner's machine: it is given back, and nothing is charged to its task."""

    code = "runner_unfit"

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{UNFIT}: {fault.detail}")
        self.fault = fault


class Fitness:
    """Checks one home folder and one repository."""

    def __init__(self, runs_directory: Path, repository: Path | None, environment: Mapping[str, str]) -> None:
        self._runs_directory = runs_directory
        self._repository = repository
        self._environment = environment
        self._probe: asyncio.Task[Fault | None] | None = None

    async def check(self) -> Fault | None:
        """What makes this runner unfit now; None: nothing. Takes CHECK_SECONDS at most."""
        probe = self._probe
        if probe is None or probe.done():
            probe = self._probe = asyncio.create_task(self._look(), name="fitness")
        done, _ = await asyncio.wait({probe}, timeout=CHECK_SECONDS)
        if done:
            return probe.result()
        path = str(self._repository or self._runs_directory)
        return Fault.of("silent", path, f"{path}: no answer within {CHECK_SECONDS:g} s")

    async def judge(self, failure: Exception) -> None:
        """Raise Unfit if a run failed because of the machine and not because of its task."""
        if isinstance(failure, Unfit):
            raise failure
        fault = self._machine_fault(failure)
        if fault is None:
            if self._probe is not None and not self._probe.done():  # it began before the failure
                await asyncio.wait({self._probe}, timeout=CHECK_SECONDS)
            fault = await self.check()
        if fault is not None:
            raise Unfit(fault) from failure

    def _machine_fault(self, failure: Exception) -> Fault | None:
        path = str(self._repository or self._runs_directory)
        if isinstance(failure, OSError) and failure.errno in _MACHINE_ERRORS:
            return _of_os_error(failure, Path(path))
        if not isinstance(failure, GitFailed | WorkspaceUnusable):
            return None
        code = next((code for words, code in _MACHINE_WORDS.items() if words in failure.detail), None)
        if code is None and isinstance(failure, WorkspaceUnusable):
            code = "not_a_repository"
        return None if code is None else Fault.of(code, path, failure.detail)

    async def _look(self) -> Fault | None:
        fault = await asyncio.to_thread(_look_at_disks, self._runs_directory, self._repository)
        if fault is not None or self._repository is None:
            return fault
        return await self._look_at_repository(self._repository)

    async def _look_at_repository(self, path: Path) -> Fault | None:
        git = Git(path, self._environment, timeout_seconds=CHECK_SECONDS)
        try:
            repository = await Repository.at(git)
        except (ElRusoError, OSError) as problem:
            known = self._machine_fault(problem)
            return known or Fault.of("broken", path, str(problem))
        if repository.prefix and not await git.succeeds("cat-file", "-e", f"HEAD:{repository.prefix}"):
            return Fault.of("not_a_repository", path, f"{path}: nothing in this directory is committed")
        for directory in (repository.objects, repository.common):
            if not os.access(directory, os.W_OK):
                return Fault.of("read_only", directory, f"{directory} is not writable")
        return None


def _look_at_disks(runs_directory: Path, repository: Path | None) -> Fault | None:
    """Our own folder takes files, and so does the one for temporary files; neither disk is full."""
    directory = runs_directory
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_probe(directory)
        fault = _look_at_room(directory)
        directory = Path(tempfile.gettempdir())
        _write_probe(directory)
        if fault is None and repository is not None:
            directory = repository
            if not directory.is_dir():
                return Fault.of("missing", directory, f"{directory} is not there, or no directory")
            fault = _look_at_room(directory)
    except OSError as problem:
        return _of_os_error(problem, directory)
    return fault


def _look_at_room(directory: Path) -> Fault | None:
    disk = os.statvfs(directory)
    left = disk.f_bavail * disk.f_frsize
    if disk.f_blocks == 0 or left >= FREE_BYTES:
        return None
    return Fault.of("full", directory, f"the disk of {directory} is full: {left // 1024} KiB are left")


def _write_probe(directory: Path) -> None:
    path = directory / f".probe-{secrets.token_hex(8)}"
    try:
        path.write_bytes(b"\0" * PROBE_BYTES)
    finally:
        with suppress(OSError):
            path.unlink()


def _of_os_error(problem: OSError, directory: Path) -> Fault:
    path = str(problem.filename or directory)
    code = _CODES.get(problem.errno or 0, "broken")
    return Fault.of(code, path, f"{path}: {problem.strerror or problem}")
