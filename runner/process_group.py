"""End a process group: politely first, then for certain."""

import asyncio
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

GRACE_SECONDS = 2.0  # between SIGTERM and SIGKILL
POLL_SECONDS = 0.01
BURIAL_SECONDS = 5.0  # how long the kernel may take to end a process that was killed

_PROCESSES = Path("/proc")


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
