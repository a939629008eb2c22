"""The subreaper: a small program between a runner and its commands, so that no process of a command outlives it.

A runner starts one (`python -I -S`, standard library only). For each command it forks a *command supervisor*, which
forks the command. Both are child subreapers (prctl(2)): a process that detaches itself by setsid, setpgid or double
forks becomes their child when its parent ends, so every process of a command is found by descent.

    runner ── subreaper ──┬── command supervisor ── command ── …
                          └── command supervisor ── command ── …

- The command ends: its supervisor reports the exit code. On the runner's order it ends the remaining processes.
- The runner dies: its end of the sockets closes and a parent-death signal comes; everything below is killed.
- A command supervisor dies: its processes become children of the subreaper, which kills them.
- The subreaper dies: each command supervisor gets its parent-death signal and kills what is below it.
- The runner is stopped (SIGSTOP): the subreaper kills everything when the runner's lease has expired.

Requests arrive on stdin, a SOCK_SEQPACKET socket; each command has its own socket (runner/subreaper_protocol.py).
Reasons: docs/adr/0018.
"""

import gc
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import NoReturn

from runner.command_supervisor import supervise
from runner.linux import become_subreaper, set_parent_death_signal, set_process_name, set_undumpable
from runner.process_tree import SUBREAPER_NAME, kill_tree
from runner.subreaper_protocol import DESCRIPTORS, Report, Request, RetryPauses, Wakeup, close_all, receive

CONTROL = 0


def main() -> NoReturn:
    """Serve the runner on stdin until it exits."""
    set_process_name(SUBREAPER_NAME)
    registration = register()
    become_subreaper()
    set_undumpable()
    parent = os.getppid()
    set_parent_death_signal(signal.SIGHUP)
    _ignore_signals()
    gc.disable()
    gc.freeze()  # keeps memory pages shared with forked children
    Subreaper(parent).serve()
    registration.close()
    sys.exit(0)


def register() -> socket.socket:
    """Bind an abstract socket whose name tells other processes of this network namespace the subreaper's pid.

    An API without tokens refuses connections from processes below a subreaper (api/peer.py). Those processes cannot
    remove the name.
    """
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listening.bind(f"\0elruso-subreaper-{os.stat('/proc/self/ns/pid').st_ino}-{os.getpid()}")  # noqa: PTH116
    return listening


class Subreaper:
    """The upper level: starts command supervisors, and kills processes whose supervisor died."""

    def __init__(self, parent: int) -> None:
        self._parent = parent
        self._control = socket.socket(fileno=CONTROL)
        self._wakeup = Wakeup()
        self._commands: dict[int, int] = {}  # supervisor's pid -> a copy of its command's socket
        self._ending: list[int] = []  # sockets of commands whose supervisor died, until their processes are gone
        self._lease_until: float | None = None
        self._backoff = RetryPauses()

    def serve(self) -> None:
        """Serve until the runner has exited, then kill everything below."""
        waiting = select.poll()
        waiting.register(CONTROL, select.POLLIN)
        waiting.register(self._wakeup.descriptor, select.POLLIN)
        while True:
            ready = dict(waiting.poll(self._timeout_ms()))
            self._wakeup.drain()
            if os.getppid() != self._parent or (CONTROL in ready and not self._take_request()):
                break
            self._reap()
            self._end_expired()
            self._kill_orphans()
        self._kill_everything()

    def _timeout_ms(self) -> float | None:
        pauses = [self._backoff.next_pause()] if self._ending else []
        if self._lease_until is not None and self._commands:
            pauses.append(max(0.0, self._lease_until - time.monotonic()))
        return min(pauses) * 1000 + 1 if pauses else None

    def _take_request(self) -> bool:
        """Handle one request. False: the runner has exited."""
        try:
            message, descriptors = receive(self._control)
        except ConnectionError:
            return False
        if message[:1] == Request.LEASE:
            self._lease_until = float(message[1:])
        elif message[:1] == Request.START and len(descriptors) == DESCRIPTORS:
            self._start(descriptors)
        else:  # truncated, out of descriptors: the runner sees its socket close, and retries
            close_all(descriptors)
        return bool(message)

    def _start(self, descriptors: list[int]) -> None:
        subreaper = os.getpid()
        *others, channel = descriptors
        try:
            pid = os.fork()
        except OSError as problem:  # too many processes: only this command fails
            os.write(channel, Report.FAILED + str(problem).encode())
            close_all(descriptors)
            return
        if pid == 0:
            try:
                supervise(descriptors, subreaper)
            except BaseException:  # the forked copy must not return into the caller's loop
                sys.excepthook(*sys.exc_info())
            os._exit(1)
        close_all(others)
        self._commands[pid] = channel

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                channel = self._commands.pop(pid, None)
                if channel is None:
                    continue
                if status == 0:
                    os.close(channel)
                else:  # it was killed; its processes are children of the subreaper now
                    self._ending.append(channel)
                    self._backoff = RetryPauses()

    def _end_expired(self) -> None:
        """Kill all commands once the lease has expired: other runners execute their tasks by now."""
        if self._lease_until is None or time.monotonic() < self._lease_until:
            return
        self._lease_until = None
        for pid, channel in self._commands.items():
            with suppress(OSError):
                os.write(channel, Report.EXPIRED)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)  # a child that is not reaped: its pid cannot be recycled

    def _kill_orphans(self) -> None:
        if self._ending and kill_tree(os.getpid(), frozenset(self._commands)) == 0:
            for channel in self._ending:
                os.close(channel)
            self._ending.clear()

    def _kill_everything(self) -> None:
        pauses = RetryPauses()
        while True:
            for pid in self._commands:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            kill_tree(os.getpid())
            self._reap()
            if not _has_children():
                return
            time.sleep(pauses.next_pause())


def _ignore_signals() -> None:
    """Install empty handlers; SIG_IGN would be inherited by commands."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True
