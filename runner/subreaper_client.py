"""The runner's client of the subreaper (runner/subreaper.py).

Starts the subreaper with the first command, and again after it was killed; starts and ends commands below it.
"""

import asyncio
import atexit
import errno
import marshal
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from runner.child import Exit, Streams
from runner.orphans import kill_orphans
from runner.process_group import BURIAL_SECONDS
from runner.process_tree import ProcessEntry, read_process, send_signal
from runner.subreaper_protocol import MESSAGE_BYTES, Order, Report, Request

START_SECONDS = 30.0  # how long a command may take to start before its subreaper counts as stuck
ATTEMPTS = 3  # to start a command, if the subreaper is killed meanwhile
BUSY_SECONDS = 0.005  # before a request that did not fit into the socket is sent again
KILL_SECONDS = 2.0  # how long a supervisor may take to kill its command before it is killed itself

NO_ENVIRONMENT: dict[str, str] = {}  # commands could read the environment of their ancestors

_ROOT = Path(__file__).resolve().parent.parent
_PROGRAM = "import sys; sys.path.append(sys.argv[1]); from runner.subreaper import main; main()"

SUPERVISOR_KILLED = "its supervising process was killed, and everything it supervised with it"
LEASE_EXPIRED = "it was killed: its runner was stopped for longer than its lease"

log = structlog.get_logger(__name__)


class SubreaperClient:
    """The subreaper of this process. Use `shared_subreaper()`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._lease_until: float | None = None

    async def start(
        self, arguments: Sequence[str], directory: Path, environment: Mapping[str, str], streams: Streams
    ) -> "SupervisedChild":
        """Start a command.

        Raises:
            OSError, ValueError: it cannot be executed, or the subreaper cannot be started.
        """
        payload = _encode(arguments, directory, environment)
        try:
            for _ in range(ATTEMPTS):
                child = await self._try_to_start(payload, streams)
                if child is not None:
                    return child
        finally:
            os.close(payload)
        raise OSError(errno.ECHILD, "the supervising process was killed each time it was started")

    def renew_lease(self, seconds: float) -> None:
        """Kill every command unless this is called again within `seconds`: then this process may be stopped."""
        self._lease_until = time.monotonic() + seconds
        self._send_lease()

    def close(self) -> None:
        """End the subreaper and everything below it; the next command starts another."""
        control, process = self._control, self._process
        self._control = self._process = None
        if control is not None:
            control.close()
        if process is not None:
            process.kill()  # command supervisors get a signal, and kill their commands
            process.wait()

    async def _try_to_start(self, payload: int, streams: Streams) -> "SupervisedChild | None":
        """None: the subreaper has died or does not respond."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        child = SupervisedChild(ours)
        try:
            async with asyncio.timeout(START_SECONDS):
                with theirs:
                    await self._send_start([payload, streams.stdin, streams.stdout, streams.stderr, theirs.fileno()])
                started = await asyncio.shield(child.started)
        except (TimeoutError, ConnectionError):
            child.abandon()
            self.close()
            return None
        except BaseException:
            await child.end(0.0)
            raise
        return child if started else None

    async def _send_start(self, descriptors: list[int]) -> None:
        control = self._running()
        while True:
            with suppress(BlockingIOError):
                socket.send_fds(control, [Request.START], descriptors)
                return
            await asyncio.sleep(BUSY_SECONDS)

    def _running(self) -> socket.socket:
        """The control socket; starts the subreaper if it is not running."""
        if self._process is not None and self._process.poll() is not None:
            log.warning("subreaper.ended", status=self._process.returncode)
            self.close()
        if self._control is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.setblocking(False)
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", "-c", _PROGRAM, str(_ROOT)],
                    env=NO_ENVIRONMENT,
                    cwd="/",
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,
                )
            self._control = ours
            self._send_lease()
        return self._control

    def _send_lease(self) -> None:
        if self._control is not None and self._lease_until is not None:
            with suppress(OSError):  # it died or does not respond: the next command starts another
                self._control.send(Request.LEASE + b"%f" % self._lease_until)


class SupervisedChild:
    """Implements Child for a command below the subreaper. Its socket is read until none of its processes is left."""

    def __init__(self, connection: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._connection: socket.socket | None = connection
        self._supervisor: ProcessEntry | None = None
        self._error = SUPERVISOR_KILLED
        self.pid: int | None = None
        self.started: asyncio.Future[bool] = self._loop.create_future()
        self.exited: asyncio.Future[Exit] = self._loop.create_future()
        self._empty: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(connection.fileno(), self._read)

    async def end(self, grace_seconds: float) -> None:
        """See runner/child.py."""
        if self._empty.done():
            return
        try:
            self._order(Order.TERMINATE + b"%f" % grace_seconds)
            await self._wait_empty(grace_seconds + BURIAL_SECONDS)
        finally:
            if not self._empty.done():
                await self._kill()

    def abandon(self) -> None:
        """Close the socket, which makes the supervisor kill the command."""
        self._close()

    async def _kill(self) -> None:
        self._order(Order.KILL)
        await self._wait_empty(KILL_SECONDS)
        if not self._empty.done() and self._supervisor is not None:
            log.warning("supervisor.stuck", pid=self._supervisor.pid)
            send_signal(self._supervisor, signal.SIGKILL)  # the subreaper kills its processes
            await self._wait_empty(BURIAL_SECONDS)
        self._close()

    async def _wait_empty(self, seconds: float) -> None:
        await asyncio.wait({self._empty}, timeout=seconds)

    def _order(self, message: bytes) -> None:
        if self._connection is not None:
            with suppress(OSError):
                self._connection.send(message)

    def _read(self) -> None:
        assert self._connection is not None
        try:
            message = self._connection.recv(MESSAGE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        match message[:1]:
            case Report.STARTED:
                leader, supervisor = map(int, message[1:].split())
                self.pid, self._supervisor = leader, read_process(supervisor)
                self.started.set_result(True)
            case Report.FAILED:
                self.started.set_exception(OSError(message[1:].decode(errors="replace")))
                self._close()
            case Report.EXITED:
                self._resolve(Exit(int(message[1:])))
            case Report.EXPIRED:
                self._error = LEASE_EXPIRED
            case Report.EMPTY:
                self._close()
            case _:  # the supervisor was killed; the subreaper ended its processes, unless it was killed as well
                self._loop.run_in_executor(None, kill_orphans).add_done_callback(lambda _: self._close())
                self._stop_reading()

    def _resolve(self, result: Exit) -> None:
        if not self.exited.done():
            self.exited.set_result(result)

    def _stop_reading(self) -> None:
        if self._connection is not None:
            self._loop.remove_reader(self._connection.fileno())
            self._connection.close()
            self._connection = None

    def _close(self) -> None:
        self._stop_reading()
        if not self.started.done():
            self.started.set_result(False)
        self._resolve(Exit(None, self._error))
        if not self._empty.done():
            self._empty.set_result(None)


_shared = SubreaperClient()
atexit.register(_shared.close)


def shared_subreaper() -> SubreaperClient:
    """The one subreaper of this process."""
    return _shared


def _encode(arguments: Sequence[str], directory: Path, environment: Mapping[str, str]) -> int:
    """The command as a memfd: it can be larger than a message."""
    content = marshal.dumps(
        (
            [os.fsencode(argument) for argument in arguments],
            os.fsencode(directory),
            {os.fsencode(name): os.fsencode(value) for name, value in environment.items()},
        )
    )
    descriptor = os.memfd_create("elruso-command")
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(content)
    return descriptor
