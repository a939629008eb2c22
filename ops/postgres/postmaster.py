"""Is the server alive? Read from `postmaster.pid`, and never believed without a look at the process itself."""

import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

import psutil

PidState = Literal["absent", "stale", "busy", "ready"]
POLL_SECONDS = 0.02
LEFTOVER_SECONDS = 1.0  # idle backends end as soon as their postmaster is gone; one that computes may not notice


def pid_state(data: Path) -> PidState:
    """What `data/postmaster.pid` says: no server, a dead one's leaving, one starting or stopping, or one ready."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        process = psutil.Process(int(lines[0]))
        command = process.cmdline()
    except FileNotFoundError:
        return "absent"
    except (psutil.NoSuchProcess, ValueError, IndexError):
        return "stale"
    if str(data) not in command or process.status() == psutil.STATUS_ZOMBIE:
        return "stale"  # the number now belongs to someone else, as after a restart of a container
    return "ready" if len(lines) >= 8 and lines[7].strip() == "ready" else "busy"


def postmaster_pid(data: Path) -> int:
    """The number of the server's first process."""
    return int((data / "postmaster.pid").read_text().split("\n", 1)[0])


def settled_state(data: Path, seconds: float) -> PidState:
    """As `pid_state`, after waiting at most `seconds` for a server that is starting or stopping."""
    deadline = time.monotonic() + seconds
    while (state := pid_state(data)) == "busy" and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return state


def clear_remains(data: Path, sockets: Path) -> None:
    """Remove what a killed server left and PostgreSQL would respect: processes, their shared memory, lock files.

    The lock files name the postmaster's pid, which counts as alive while it is a zombie (for good, where PID 1 does
    not reap) or once another process has it. `sockets` is the server's own socket folder; callers hold the folder's
    lock. Does nothing while the server runs.
    """
    if pid_state(data) not in ("absent", "stale"):
        return
    _end_leftovers(data)
    (data / "postmaster.pid").unlink(missing_ok=True)
    for lock in sockets.glob(".s.PGSQL.*.lock"):
        lock.unlink(missing_ok=True)


def _end_leftovers(data: Path) -> None:
    """Wait for a dead postmaster's processes, then end them: what they did not commit is rolled back by recovery."""
    left = _wait(_still_working(list(psutil.process_iter()), data), data)
    for number in (signal.SIGQUIT, signal.SIGKILL):
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        left = _wait(left, data)


def _wait(processes: list[psutil.Process], data: Path) -> list[psutil.Process]:
    """Those that still live after LEFTOVER_SECONDS."""
    deadline = time.monotonic() + LEFTOVER_SECONDS
    while (left := _still_working(processes, data)) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return left


def _still_working(processes: list[psutil.Process], data: Path) -> list[psutil.Process]:
    return [process for process in processes if _works_in(process, data)]


def _works_in(process: psutil.Process, data: Path) -> bool:
    """Whether it is a living process of that server: they are called `postgres` and work in its data directory."""
    try:
        return bool(process.name() == "postgres" and process.cwd() == str(data))
    except (psutil.Error, OSError):  # a zombie has no directory; others' processes are not ours to see
        return False
