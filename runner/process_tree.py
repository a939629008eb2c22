"""List processes from /proc, and kill trees of them. Linux, standard library only.

A signal is sent through a pidfd after comparing start times, so it never reaches a process with a recycled id.
"""

import os
import signal
from contextlib import suppress
from typing import NamedTuple

FREEZE_ROUNDS = 100  # if the tree still grows after these, kill what was found; the caller repeats the call

SUBREAPER_NAME = "elruso-subreap"  # what ps shows of a subreaper and of the supervisors of commands; 15 bytes at most
STAT_BYTES = 4096

_GONE = (ProcessLookupError, FileNotFoundError, PermissionError)


class ProcessEntry(NamedTuple):
    """One process. `start`: clock ticks since boot; `pid` and `start` together are unique."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    start: int

    @property
    def is_running(self) -> bool:
        """False for a process that has ended and waits to be reaped."""
        return self.state not in "ZX"


def read_process(pid: int) -> ProcessEntry | None:
    """The process with this id; None: there is none."""
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY)  # three times as fast as open()
    except OSError:
        return None
    try:
        fields = os.read(descriptor, STAT_BYTES).rpartition(b")")[2].split()  # the name before it may hold anything
    except ProcessLookupError:
        return None
    finally:
        os.close(descriptor)
    parent, group, session, start = (int(fields[index]) for index in (1, 2, 3, 19))
    return ProcessEntry(pid, fields[0].decode(), parent, group, session, start)


def list_processes() -> dict[int, ProcessEntry]:
    """Every visible process, by id."""
    found = (read_process(int(name)) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208
    return {process.pid: process for process in found if process is not None}


def list_descendants(root: int, spared: frozenset[int] = frozenset()) -> list[ProcessEntry]:
    """The descendants of `root`, parents first, without `spared` and their descendants."""
    children: dict[int, list[ProcessEntry]] = {}
    for process in list_processes().values():
        children.setdefault(process.parent, []).append(process)
    below, parents = [], [root]
    while parents:
        for process in children.get(parents.pop(), ()):
            if process.pid not in spared:
                below.append(process)
                parents.append(process.pid)
    return below


def send_signal(process: ProcessEntry, number: int) -> bool:
    """Signal exactly this process. False: it has ended, or belongs to another user."""
    with suppress(*_GONE):
        try:
            descriptor = os.pidfd_open(process.pid)
        except OSError as error:
            if isinstance(error, ProcessLookupError):
                return False
            descriptor = -1  # before Linux 5.3
        try:
            if (now := read_process(process.pid)) is None or now.start != process.start:
                return False
            if descriptor < 0:
                os.kill(process.pid, number)
            else:
                signal.pidfd_send_signal(descriptor, number)
            return True
        finally:
            if descriptor >= 0:
                os.close(descriptor)
    return False


def terminate_tree(root: int) -> None:
    """Send SIGTERM to all descendants of `root`, and SIGCONT so that stopped ones receive it."""
    for process in list_descendants(root):
        send_signal(process, signal.SIGTERM)
        send_signal(process, signal.SIGCONT)


def kill_tree(root: int, spared: frozenset[int] = frozenset()) -> int:
    """Stop the descendants of `root` until no new ones appear, then kill them; returns how many.

    Stopping comes first because a tree that forks faster than it is killed would never end. Groups are killed as a
    whole, which the kernel does atomically, so a process that forks and exits in a loop cannot escape. Processes that
    appear meanwhile are left to the next call: repeat until there are no children.
    """
    frozen: dict[tuple[int, int], ProcessEntry] = {}
    own_group = os.getpgrp()
    for _ in range(FREEZE_ROUNDS):
        fresh = [
            process
            for process in list_descendants(root, spared)
            if process.is_running and (process.pid, process.start) not in frozen
        ]
        if not fresh:
            break
        for process in fresh:
            send_signal(process, signal.SIGSTOP)
            frozen[process.pid, process.start] = process
    for group in {process.group for process in frozen.values()} - _groups_to_spare(own_group, spared):
        with suppress(*_GONE):
            os.killpg(group, signal.SIGKILL)
    for process in frozen.values():
        send_signal(process, signal.SIGKILL)
    return len(frozen)


def _groups_to_spare(own: int, spared: frozenset[int]) -> set[int]:
    groups = {own, 0, 1}
    for pid in spared:
        if (process := read_process(pid)) is not None:
            groups.add(process.group)
    return groups
