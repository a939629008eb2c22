"""The supervisor of one command: the lower of the two levels of runner/subreaper.py. Standard library only."""

import marshal
import os
import select
import signal
import socket
import time
from contextlib import suppress
from typing import NoReturn

from runner.linux import become_subreaper, set_parent_death_signal
from runner.process_tree import kill_tree, terminate_tree
from runner.subreaper_protocol import MESSAGE_BYTES, Order, Report, RetryPauses, Wakeup, close_all, receive


class CommandSupervisor:
    """The lower level: a process per command that is the child subreaper of all its descendants."""

    def __init__(self, channel: socket.socket, leader: int, parent: int) -> None:
        self._channel = channel
        self._leader = leader
        self._parent = parent
        self._kill_at: float | None = None
        self._is_orphaned = False  # then the command's exit code would be that of the supervisor's own SIGKILL
        self._pauses = RetryPauses()

    def serve(self, wakeup: Wakeup) -> None:
        """Serve until no process of the command is left."""
        waiting = select.poll()
        waiting.register(self._channel.fileno(), select.POLLIN)
        waiting.register(wakeup.descriptor, select.POLLIN)
        while not self._reap():
            ready = dict(waiting.poll(self._timeout_ms()))
            wakeup.drain()
            if os.getppid() != self._parent:
                self._is_orphaned, self._kill_at = True, 0.0
            elif self._channel.fileno() in ready and not self._take_order():
                waiting.unregister(self._channel.fileno())
            if self._kill_at is not None and time.monotonic() >= self._kill_at:
                kill_tree(os.getpid())
        self._report(Report.EMPTY)

    def _timeout_ms(self) -> float | None:
        if self._kill_at is None:
            return None
        left = self._kill_at - time.monotonic()
        return left * 1000 + 1 if left > 0 else self._pauses.next_pause() * 1000

    def _take_order(self) -> bool:
        """Handle one order. False: the runner has closed the socket."""
        try:
            message, _ = receive(self._channel)
        except ConnectionError:
            message = b""
        if message[:1] == Order.TERMINATE and self._kill_at is None:
            self._kill_at = time.monotonic() + float(message[1:])
            terminate_tree(os.getpid())
        elif message[:1] in (Order.KILL, b""):
            self._kill_at = 0.0
        return bool(message)

    def _reap(self) -> bool:
        """Reap processes that have ended. True: none is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid == self._leader and not self._is_orphaned:
                code = os.waitstatus_to_exitcode(status)
                self._report(Report.EXITED + b"%d" % (code if code >= 0 else 128 - code))

    def _report(self, message: bytes) -> None:
        with suppress(OSError):  # the runner has exited
            self._channel.send(message)


def supervise(descriptors: list[int], parent: int) -> NoReturn:
    """Start a command and supervise it until none of its processes is left. Exits the process."""
    payload, stdin, stdout, stderr, channel = descriptors
    _close_others({0, 1, 2, *descriptors})
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)  # only the subreaper may hold the control socket
    os.close(null)
    wakeup = Wakeup()
    become_subreaper()
    set_parent_death_signal(signal.SIGHUP)
    if os.getppid() != parent:
        os._exit(1)  # the subreaper died while it forked
    connection = socket.socket(fileno=channel)
    with os.fdopen(payload, "rb") as file:
        file.seek(0)
        arguments, directory, environment = marshal.load(file)
    leader, refusal = spawn(arguments, directory, environment, (stdin, stdout, stderr))
    close_all([stdin, stdout, stderr])
    if refusal:
        connection.send(Report.FAILED + refusal[: MESSAGE_BYTES - 1])
        os._exit(0)
    connection.send(Report.STARTED + b"%d %d" % (leader, os.getpid()))
    CommandSupervisor(connection, leader, parent).serve(wakeup)
    os._exit(0)


def spawn(
    arguments: list[bytes], directory: bytes, environment: dict[bytes, bytes], streams: tuple[int, int, int]
) -> tuple[int, bytes]:
    """Fork and execute in a new session; returns the pid, and the error if it cannot be executed, else b""."""
    supervisor = os.getpid()
    reading, writing = os.pipe()
    try:
        pid = os.fork()
    except OSError as problem:
        return 0, str(problem).encode()
    if pid == 0:
        try:
            _become(arguments, directory, environment, streams, supervisor)
        except BaseException as problem:  # the forked copy must not return into the caller
            os.write(writing, str(problem).encode(errors="replace")[:MESSAGE_BYTES])
        os._exit(127)
    os.close(writing)
    refusal = b""
    while piece := os.read(reading, MESSAGE_BYTES):  # the exec closes the other end
        refusal += piece
    os.close(reading)
    if refusal:
        os.waitpid(pid, 0)
    return pid, refusal


def _become(
    arguments: list[bytes],
    directory: bytes,
    environment: dict[bytes, bytes],
    streams: tuple[int, int, int],
    supervisor: int,
) -> NoReturn:
    signal.set_wakeup_fd(-1)
    os.setsid()
    set_parent_death_signal(signal.SIGKILL)
    if os.getppid() != supervisor:
        os._exit(1)
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # ignored by every Python process
        signal.signal(number, signal.SIG_DFL)
    os.chdir(directory)
    os.execvpe(arguments[0], arguments, environment)


def _close_others(kept: set[int]) -> None:
    """Close all descriptors but `kept`: a copy of another command's socket would keep that socket open."""
    first = 0
    for descriptor in sorted(kept):
        if first < descriptor:  # skip empty ranges
            os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))
