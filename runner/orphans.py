"""Find and kill processes that outlived their runner or its subreaper, by mark (runner/runner_mark.py) and session.

There are none unless a subreaper and a command's supervisor were killed at the same moment. A process that
cleared its environment and left its session is not found. Linux only; blocks, so call it on a thread.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from runner.linux import IS_LINUX
from runner.process_tree import ProcessEntry, list_descendants, list_processes, send_signal
from runner.runner_mark import MARK, RunnerMark, own_mark, process_namespace

ROUNDS = 50
PAUSE_SECONDS = 0.02

_PREFIX = MARK.encode() + b"="


def kill_orphans() -> int:
    """Kill processes of dead runners, and those of this process that no longer descend from it; returns how many."""
    killed: set[tuple[int, int]] = set()
    if not IS_LINUX:
        return 0
    for _ in range(ROUNDS):
        found = find_orphans()
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for process in found:
                send_signal(process, number)
        killed |= {(process.pid, process.start) for process in found}
        if not found:
            break
        time.sleep(PAUSE_SECONDS)
    return len(killed)


def find_orphans() -> list[ProcessEntry]:
    """Marked processes whose runner is dead, the members of their sessions, and all descendants of both."""
    processes = list_processes()
    untouchable = {*_ancestry(os.getpid(), processes), *(own.pid for own in list_descendants(os.getpid()))}
    marked = [process for process in processes.values() if process.is_running and process.pid not in untouchable]
    lost = [process for process in marked if _is_lost(process)]
    sessions = {process.session for process in lost}
    members = [process for process in processes.values() if process.session in sessions]
    below = [each for process in members for each in list_descendants(process.pid)]
    found = {(process.pid, process.start): process for process in (*lost, *members, *below)}
    return [process for process in found.values() if process.is_running and process.pid not in untouchable]


def _is_lost(process: ProcessEntry) -> bool:
    """Whether its runner is dead, or is this process (callers exclude this process's descendants)."""
    mark = _mark_of(process)
    if mark is None or not _shares_own_namespace(mark, process):
        return False
    return str(mark) == own_mark() or not mark.is_alive


def _mark_of(process: ProcessEntry) -> RunnerMark | None:
    with suppress(OSError):  # another user's, or it has ended
        for variable in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0"):
            if variable.startswith(_PREFIX):
                return RunnerMark.parse(variable[len(_PREFIX) :].decode(errors="replace"))
    return None


def _shares_own_namespace(mark: RunnerMark, process: ProcessEntry) -> bool:
    """False for a runner in a container: the process id in its mark is one of another namespace."""
    with suppress(OSError):
        return mark.namespace == process_namespace() == process_namespace(process.pid)
    return False


def _ancestry(pid: int, processes: dict[int, ProcessEntry]) -> list[int]:
    """A process and its ancestors."""
    ancestry = [pid]
    while (process := processes.get(ancestry[-1])) is not None and process.parent and process.parent not in ancestry:
        ancestry.append(process.parent)
    return ancestry
