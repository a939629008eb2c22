"""Processes that outlived their runner, or its subreaper: found by mark (runner/runner_mark.py) and by session.

Only a runner, its subreaper and a command's supervisor killed in the same moment leave any. A process that also
cleared its environment and left its session is not found here. Linux; blocking, for a thread.
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
    """Kill what belongs to runners that are dead, and what belongs to this process without descending from it."""
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
    """Marked processes whose runner is gone, with their sessions and all that descends from them."""
    processes = list_processes()
    untouchable = {*_ancestors(os.getpid(), processes), *(own.pid for own in list_descendants(os.getpid()))}
    marked = [process for process in processes.values() if process.is_running and process.pid not in untouchable]
    lost = [process for process in marked if _is_lost(process)]
    sessions = {process.session for process in lost}
    members = [process for process in processes.values() if process.session in sessions]
    below = [each for process in members for each in list_descendants(process.pid)]
    found = {(process.pid, process.start): process for process in (*lost, *members, *below)}
    return [process for process in found.values() if process.is_running and process.pid not in untouchable]


def _is_lost(process: ProcessEntry) -> bool:
    """Its runner is dead, or is this process, from which it no longer descends."""
    mark = _mark_of(process)
    if mark is None or not _shares_our_namespace(mark, process):
        return False
    return str(mark) == own_mark() or not mark.is_alive


def _mark_of(process: ProcessEntry) -> RunnerMark | None:
    with suppress(OSError):  # another user's, or it has ended
        for variable in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0"):
            if variable.startswith(_PREFIX):
                return RunnerMark.parse(variable[len(_PREFIX) :].decode(errors="replace"))
    return None


def _shares_our_namespace(mark: RunnerMark, process: ProcessEntry) -> bool:
    """Process ids in the mark of a container's runner mean nothing here."""
    with suppress(OSError):
        return mark.namespace == process_namespace() == process_namespace(process.pid)
    return False


def _ancestors(pid: int, processes: dict[int, ProcessEntry]) -> list[int]:
    line = [pid]
    while (process := processes.get(line[-1])) is not None and process.parent and process.parent not in line:
        line.append(process.parent)
    return line
