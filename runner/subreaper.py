"""The subreaper: a small program between a runner and the commands it runs, so that no process of a run outlives it.

A runner starts one (`python -I -S`, standard library only). For each command it forks a *command supervisor*, which
forks the command. Both are child subreapers (prctl(2)): a process that detaches itself by setsid, setpgid or double
forks becomes their child when its parent ends, so every process of a command is found by descent.

    runner ── subreaper ──┬── command supervisor ── command ── …
                          └── command supervisor ── command ── …

- The command ends: its supervisor reports the exit code, and ends what was left when the runner says so.
- The runner dies: its end of the sockets closes and a parent-death signal comes; everything below is killed.
- A command supervisor dies: its processes become children of the subreaper, which kills them.
- The subreaper dies: each command supervisor gets its parent-death signal and kills what is below it.
- The runner stops without dying (SIGSTOP): the subreaper kills everything when the runner's lease has passed.

Requests arrive on stdin, a SOCK_SEQPACKET socket; see `Request`. Each command has a socket of its own; see `Report`
and `Order`. docs/adr/0018 has the reasons.
"""

import gc
import marshal
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import NoReturn

from runner.linux import become_subreaper, set_parent_death_signal, set_process_name, set_undumpable
from runner.process_tree import SUBREAPER_NAME, kill_tree, terminate_tree

CONTROL = 0
MESSAGE_BYTES = 4096
DESCRIPTORS = 5  # of a start request: what to run, stdin, stdout, stderr, the command's socket
RETRY_SECONDS = (0.002, 0.25)  # between two rounds of killing: the first pause, and the longest


class Request:
    """What the runner asks on the control socket: the first byte of a message."""

    START = b"s"
    """Five descriptors come along."""
    LEASE = b"l"
    """Followed by the time.monotonic() at which the runner's lease passes, as text."""


class Report:
    """What a command's socket tells the runner: the first byte of a message. It is closed when nothing is left."""

    STARTED = b"s"
    """Followed by the command's process id and its supervisor's, as text."""
    FAILED = b"f"
    """Followed by why it cannot start."""
    EXITED = b"e"
    """Followed by the exit code, 128 + n after signal n, as text."""
    EMPTY = b"g"
    """No process of the command is left."""
    EXPIRED = b"x"
    """The runner's lease has passed; everything is being killed."""


class Order:
    """What the runner tells a command's supervisor on the same socket. A closed socket is KILL."""

    TERMINATE = b"t"
    """Followed by the seconds until what is left is killed, as text."""
    KILL = b"k"


def main() -> NoReturn:
    """Serve the runner on stdin, until it is gone."""
    set_process_name(SUBREAPER_NAME)
    registration = register()
    become_subreaper()
    set_undumpable()
    parent = os.getppid()
    set_parent_death_signal(signal.SIGHUP)
    _ignore_signals()
    gc.disable()
    gc.freeze()  # pages that the collector does not touch stay shared with the children
    Subreaper(parent).serve()
    registration.close()
    sys.exit(0)


def register() -> socket.socket:
    """Show every process of this network namespace that a subreaper runs here, and as which process.

    An API that has no tokens yet refuses connections that come from below one (api/peer.py). A process below cannot
    take the name away.
    """
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listening.bind(f"\0elruso-subreaper-{os.stat('/proc/self/ns/pid').st_ino}-{os.getpid()}")  # noqa: PTH116
    return listening


class Wakeup:
    """Makes signals end a poll: the read end becomes readable with each."""

    def __init__(self) -> None:
        self.descriptor, self._writing = os.pipe()
        os.set_blocking(self.descriptor, False)
        os.set_blocking(self._writing, False)
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)

    def drain(self) -> None:
        """Forget the signals that came."""
        with suppress(BlockingIOError):
            while os.read(self.descriptor, 4096):
                pass


class Backoff:
    """The pauses between rounds of killing."""

    def __init__(self) -> None:
        self._next, self._longest = RETRY_SECONDS

    def next_pause(self) -> float:
        """Seconds, doubling up to the longest."""
        pause, self._next = self._next, min(self._longest, self._next * 2)
        return pause


class Subreaper:
    """The upper level: starts command supervisors, and kills whatever loses its supervisor."""

    def __init__(self, parent: int) -> None:
        self._parent = parent
        self._control = socket.socket(fileno=CONTROL)
        self._wakeup = Wakeup()
        self._commands: dict[int, int] = {}  # supervisor's pid -> our copy of its command's socket
        self._ending: list[int] = []  # sockets of commands whose supervisor died, until what it left is gone
        self._lease_until: float | None = None
        self._backoff = Backoff()

    def serve(self) -> None:
        """Until the runner is gone and everything below is, too."""
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
        """False when the runner is gone."""
        try:
            message, descriptors = _receive(self._control)
        except ConnectionError:
            return False
        if message[:1] == Request.LEASE:
            self._lease_until = float(message[1:])
        elif message[:1] == Request.START and len(descriptors) == DESCRIPTORS:
            self._start(descriptors)
        return bool(message)

    def _start(self, descriptors: list[int]) -> None:
        subreaper = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                supervise(descriptors, subreaper)
            except BaseException:  # nothing may go on in this copy of ours
                sys.excepthook(*sys.exc_info())
            os._exit(1)
        *others, channel = descriptors
        for descriptor in others:
            os.close(descriptor)
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
                else:  # it was killed, and what it supervised is ours now
                    self._ending.append(channel)
                    self._backoff = Backoff()

    def _end_expired(self) -> None:
        """The runner does not renew its lease: by now its tasks are another's."""
        if self._lease_until is None or time.monotonic() < self._lease_until:
            return
        self._lease_until = None
        for pid, channel in self._commands.items():
            with suppress(OSError):
                os.write(channel, Report.EXPIRED)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)  # ours, and not reaped yet: the id is certain

    def _kill_orphans(self) -> None:
        if self._ending and kill_tree(os.getpid(), frozenset(self._commands)) == 0:
            for channel in self._ending:
                os.close(channel)
            self._ending.clear()

    def _kill_everything(self) -> None:
        pauses = Backoff()
        while True:
            for pid in self._commands:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            kill_tree(os.getpid())
            self._reap()
            if not _has_children():
                return
            time.sleep(pauses.next_pause())


class Command:
    """The lower level: one command, in a process of its own that is the subreaper of all the command starts."""

    def __init__(self, channel: socket.socket, leader: int, parent: int) -> None:
        self._channel = channel
        self._leader = leader
        self._parent = parent
        self._kill_at: float | None = None
        self._is_orphaned = False  # then an exit code would be that of our own SIGKILL
        self._pauses = Backoff()

    def serve(self, wakeup: Wakeup) -> None:
        """Until nothing of the command is left."""
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
        """False when it was the last: the runner is gone."""
        try:
            message, _ = _receive(self._channel)
        except ConnectionError:
            message = b""
        if message[:1] == Order.TERMINATE and self._kill_at is None:
            self._kill_at = time.monotonic() + float(message[1:])
            terminate_tree(os.getpid())
        elif message[:1] in (Order.KILL, b""):
            self._kill_at = 0.0
        return bool(message)

    def _reap(self) -> bool:
        """Collect what has ended; True when nothing is left."""
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
        with suppress(OSError):  # the runner is gone: nobody wants to know
            self._channel.send(message)


def supervise(descriptors: list[int], parent: int) -> NoReturn:
    """Be the supervisor of one command, from its start until nothing of it is left."""
    payload, stdin, stdout, stderr, channel = descriptors
    _close_others({0, 1, 2, *descriptors})
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)  # the control socket is the subreaper's alone
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
    for descriptor in (stdin, stdout, stderr):
        os.close(descriptor)
    if refusal:
        os.waitpid(leader, 0)
        connection.send(Report.FAILED + refusal[: MESSAGE_BYTES - 1])
        os._exit(0)
    connection.send(Report.STARTED + b"%d %d" % (leader, os.getpid()))
    Command(connection, leader, parent).serve(wakeup)
    os._exit(0)


def spawn(
    arguments: list[bytes], directory: bytes, environment: dict[bytes, bytes], streams: tuple[int, int, int]
) -> tuple[int, bytes]:
    """Fork and execute in a session of its own; the process id, and why it cannot be executed (empty: it can)."""
    supervisor = os.getpid()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _become(arguments, directory, environment, streams, supervisor)
        except BaseException as problem:  # nothing may go on in this copy of ours
            os.write(writing, str(problem).encode(errors="replace")[:MESSAGE_BYTES])
        os._exit(127)
    os.close(writing)
    refusal = b""
    while piece := os.read(reading, MESSAGE_BYTES):  # closed by the exec
        refusal += piece
    os.close(reading)
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


def _receive(connection: socket.socket) -> tuple[bytes, list[int]]:
    """A message and its descriptors, which no exec inherits."""
    message, ancillary, _, _ = connection.recvmsg(
        MESSAGE_BYTES, socket.CMSG_SPACE(DESCRIPTORS * 4), socket.MSG_CMSG_CLOEXEC
    )
    descriptors = [
        int.from_bytes(data[start : start + 4], sys.byteorder)
        for level, kind, data in ancillary
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
        for start in range(0, len(data) - len(data) % 4, 4)
    ]
    return message, descriptors


def _close_others(kept: set[int]) -> None:
    """Close every descriptor but these: a copy of another command's socket would keep it open."""
    first = 0
    for descriptor in sorted(kept):
        if first < descriptor:  # an empty range would be taken for all that there are
            os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))


def _ignore_signals() -> None:
    """By handlers that do nothing rather than SIG_IGN, which the commands would inherit."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True
