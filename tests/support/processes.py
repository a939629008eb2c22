"""Processes seen from outside: what they are, whose they are, and an end to them."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil


def is_alive(pid: int) -> bool:
    """True while it runs; a process that nobody has buried yet does not."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    return False


def command_of(pid: int) -> str:
    """Its command line, cut; "" for the dead."""
    with suppress(psutil.NoSuchProcess):
        return " ".join(psutil.Process(pid).cmdline())[:120]
    return ""


def parent_of(pid: int) -> int:
    """The process that started it; 0 for the dead."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).ppid()
    return 0


def environment_of(pid: int) -> list[bytes]:
    """Its variables as they were at its start; empty for the dead and for those of others."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return []


def kill(pid: int) -> None:
    """SIGKILL, if it still runs."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
