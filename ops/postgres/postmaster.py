"""Is the server alive? Read from `postmaster.pid`, and never believed without a look at the process itself."""

import time
from pathlib import Path
from typing import Literal

import psutil

PidState = Literal["absent", "stale", "busy", "ready"]
POLL_SECONDS = 0.02


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


def clear_stale_pid_file(data: Path) -> None:
    """Remove a dead server's pid file, which PostgreSQL itself would respect if its number is in use again."""
    if pid_state(data) == "stale":
        (data / "postmaster.pid").unlink(missing_ok=True)
