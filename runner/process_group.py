"""Start a program in a process group of its own, and end the group: git, and commands where there is no subreaper.

A process that leaves its group, by setsid or setpgid, is not ended.
"""

import asyncio
import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from runner.child import Exit, Streams

GRACE_SECONDS = 2.0  # between SIGTERM and SIGKILL
POLL_SECONDS = 0.01
BURIAL_SECONDS = 5.0  # how long the kernel may take to end a process that was killed

_PROCESSES = Path("/proc")


class GroupChild:
    """Implements Child for a command that leads a process group of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.exited: asyncio.Future[Exit] = asyncio.ensure_future(self._wait())

    async def end(self, grace_seconds: float) -> None:
        """See runner/child.py."""
        await end_group(self._process.pid, grace_seconds)
        await asyncio.wait({self.exited}, timeout=BURIAL_SECONDS)
        self.exited.cancel()

    async def _wait(self) -> Exit:
        code = await self._process.wait()
        return Exit(code if code >= 0 else 128 - code)


async def start_in_group(
    arguments: Sequence[str], directory: Path, environment: Mapping[str, str], streams: Streams
) -> GroupChild:
    """Start a command. Raises OSError or ValueError when it cannot be executed."""
    process = await spawn(
        *arguments,
        cwd=directory,
        env=dict(environment),
        stdin=streams.stdin,
        stdout=streams.stdout,
        stderr=streams.stderr,
    )
    return GroupChild(process)


async def end_process(process: asyncio.subprocess.Process, grace_seconds: float = GRACE_SECONDS) -> None:
    """End the group that `process` leads, and reap it: asyncio closes its transport only then."""
    await end_group(process.pid, grace_seconds)
    with suppress(TimeoutError):
        async with asyncio.timeout(BURIAL_SECONDS):
            await process.wait()


async def end_group(group: int, grace_seconds: float = GRACE_SECONDS) -> None:
    """Ask every process of the group to stop, and after the grace period (or when cancelled) make it.

    When this returns nothing of the group runs, unless the kernel itself cannot end it.
    """
    try:
        if _send(group, signal.SIGTERM):
            await _gone(group, grace_seconds)
    finally:
        if _send(group, signal.SIGKILL):
            await _gone(group, BURIAL_SECONDS)


async def _gone(group: int, seconds: float) -> None:
    """Wait for the group to end, but no longer than that."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not is_alive(group):
            return
        await asyncio.sleep(POLL_SECONDS)


def is_alive(group: int) -> bool:
    """True while a process of the group runs. The dead that nobody has buried yet do not count."""
    if not _send(group, 0):
        return False
    if not (_PROCESSES / "self" / "stat").exists():
        return True  # without /proc (macOS) a zombie looks alive, and costs the grace period
    with os.scandir(_PROCESSES) as entries:
        return any(_runs_in(group, entry) for entry in entries if entry.name.isdigit())


def _send(group: int, number: int) -> bool:
    """False when nobody is left to hear it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
        return True
    return False


def _runs_in(group: int, entry: os.DirEntry[str]) -> bool:
    """Read `pid (name) state parent group …`; the name may hold anything, parentheses too."""
    try:
        fields = Path(entry.path, "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return False  # it ended while we looked
    return int(fields[2]) == group and fields[0] not in (b"Z", b"X")


async def spawn(*arguments: str, **options: Any) -> asyncio.subprocess.Process:
    """create_subprocess_exec in a session of its own; cancelled, it ends the child's process group first.

    asyncio's own, cancelled before the child's pipes are connected, kills the child only, not its group, and on some
    versions of Python waits for ever (gh-119710).

    Raises:
        OSError, ValueError: it cannot be started.
    """
    starting = asyncio.ensure_future(asyncio.create_subprocess_exec(*arguments, start_new_session=True, **options))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        process = await starting
        await end_process(process, 0.0)
        raise
