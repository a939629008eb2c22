"""The runner in the background: a supervisor that starts it again when it crashes, and the files by which it is found.

A lock on the PID file, held by the supervisor for as long as it lives, says that it runs; what is written in the files
says who it is. A process is only ever signalled when it began at the moment that was written down.
"""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psutil
from msgspec import Struct

from ops.environment_transfer import EnvironmentTransfer
from ops.errors import OperatorError
from ops.home import check_space, make_home_private, make_private, open_private
from ops.keeper import keep_running
from ops.runner_process import ready_file
from ops.terminal import write_error

START_SECONDS = 10.0  # how long `start` waits until the engine knows of the runner
STOP_SECONDS = 20.0
POLL_SECONDS = 0.05
LOG_BYTES = 20 << 20  # a log larger than this is put aside at the next start
SAME_SECONDS = 2.0  # how exactly the start of a process is known


class Process(Struct, frozen=True):
    """A process of ours: its id and when it began, in seconds since 1970."""

    pid: int
    born: float

    @classmethod
    def of(cls, pid: int) -> "Process":
        """The living process of that id. Raises psutil.NoSuchProcess."""
        return cls(pid, psutil.Process(pid).create_time())

    @property
    def lives(self) -> bool:
        """True while that very process runs."""
        try:
            process = psutil.Process(self.pid)
            same: bool = abs(process.create_time() - self.born) < SAME_SECONDS
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def send(self, number: int) -> None:
        """A signal, if it still is that process."""
        with suppress(ProcessLookupError):
            if self.lives:
                os.kill(self.pid, number)


class State(Struct, frozen=True):
    """What the supervisor writes down: itself, the runner it keeps, and how often that had to be started again."""

    supervisor: Process
    runner: Process | None = None
    restarts: int = 0
    last_status: int | None = None

    @property
    def since(self) -> datetime:
        """When the supervisor began."""
        return datetime.fromtimestamp(self.supervisor.born, UTC)


class Supervisor:
    """The supervisor of one home folder, looked at from outside, or run."""

    def __init__(self, home: Path) -> None:
        self.pid_file = home / "run" / "runner.pid"
        self.log_file = home / "logs" / "runner.log"
        self._state_file = home / "run" / "runner.json"
        self._ready_file = ready_file(home)

    def find(self) -> State | None:
        """The running supervisor, or None."""
        if self._lock_is_free():
            return None
        with suppress(OSError, msgspec.MsgspecError):
            return msgspec.json.decode(self._state_file.read_bytes(), type=State)
        return None

    def start(self, arguments: list[str], environment: Mapping[str, str]) -> State:
        """Leave a supervisor running in the background, and wait until it has started the runner.

        Raises OperatorError when one runs already, or when it does not start.
        """
        if not self._lock_is_free():
            raise OperatorError("runner.already", pid=self.pid_file.read_text().strip())
        make_home_private(self.pid_file.parent.parent)
        for folder in (self.pid_file.parent, self.log_file.parent):
            make_private(folder)
            check_space(folder)
        if self.log_file.exists() and self.log_file.stat().st_size > LOG_BYTES:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))
        self._state_file.unlink(missing_ok=True)
        with open(self.log_file, "ab", opener=open_private) as log, EnvironmentTransfer(environment) as transfer:
            daemon = subprocess.Popen(
                arguments,
                env=transfer.visible,
                pass_fds=transfer.descriptors,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            transfer.deliver_now()
        return self._see_it_start(daemon)

    def stop(self) -> bool | None:
        """End it and its runner: True politely, False by force, None when it was not running."""
        state = self._read_state()
        ours = [process for process in (state.supervisor, state.runner) if process and process.lives] if state else []
        if not ours:
            return None
        ours[0].send(signal.SIGTERM)  # the supervisor, or the runner that a killed supervisor left behind
        if _all_gone(ours, STOP_SECONDS):
            return True
        for process in ours:
            process.send(signal.SIGKILL)
        _all_gone(ours, STOP_SECONDS)
        return False

    async def run(self, arguments: list[str], environment: Mapping[str, str]) -> None:
        """Be the supervisor, until cancelled. Raises OperatorError when another one is."""
        descriptor = os.open(self.pid_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OperatorError("runner.already", pid=self.pid_file.read_text().strip()) from None
        try:
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
            await self._keep(arguments, environment)
        finally:
            self.pid_file.unlink(missing_ok=True)
            self._state_file.unlink(missing_ok=True)
            self._ready_file.unlink(missing_ok=True)
            os.close(descriptor)

    async def _keep(self, arguments: list[str], environment: Mapping[str, str]) -> None:
        state = State(Process.of(os.getpid()))

        def started(pid: int) -> None:
            nonlocal state
            with suppress(psutil.NoSuchProcess):  # it may be gone already
                state = msgspec.structs.replace(state, runner=Process.of(pid))
            self._write_state(state)

        def ended(status: int, seconds: float) -> None:
            nonlocal state
            state = msgspec.structs.replace(state, restarts=state.restarts + 1, last_status=status)
            self._write_state(state)
            with suppress(OSError):  # the log's disk is full
                write_error(f"the runner ended with status {status}; it starts again in {seconds:.1f} s")

        await keep_running(arguments, environment, started=started, ended=ended)

    def _see_it_start(self, daemon: "subprocess.Popen[bytes]") -> State:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and daemon.poll() is None:
            state = self.find()
            if state is not None and state.supervisor.pid == daemon.pid:
                if state.restarts:
                    break
                if self._is_ready(state):
                    return state
            time.sleep(POLL_SECONDS)
        state = self.find()
        if state is not None and not state.restarts:
            return state  # it runs, and waits for the engine
        if daemon.poll() is None:
            daemon.terminate()
            daemon.wait(STOP_SECONDS)
        raise OperatorError("runner.not_started", logs=self.log_file, output=last_lines(self.log_file, 10))

    def _is_ready(self, state: State) -> bool:
        with suppress(OSError, ValueError):
            return state.runner is not None and int(self._ready_file.read_text()) == state.runner.pid
        return False

    def _read_state(self) -> State | None:
        with suppress(OSError, msgspec.MsgspecError):
            return msgspec.json.decode(self._state_file.read_bytes(), type=State)
        return None

    def _write_state(self, state: State) -> None:
        """A disk that filled up must not end a runner that works: what `status` shows is out of date then."""
        draft = self._state_file.with_suffix(".draft")
        with suppress(OSError):
            with open(draft, "wb", opener=open_private) as file:
                file.write(msgspec.json.encode(state))
            draft.replace(self._state_file)

    def _lock_is_free(self) -> bool:
        try:
            descriptor = os.open(self.pid_file, os.O_RDWR)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True


def last_lines(path: Path, number: int) -> str:
    """The last lines of a file that may be large."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 512 * max(1, number)))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-number:])


def follow(path: Path, show: Callable[[str], None]) -> None:
    """Show what is appended to a file, for ever."""
    with path.open("r", errors="replace") as file:
        file.seek(0, os.SEEK_END)
        while True:
            text = file.readline()
            if text:
                show(text.rstrip("\n"))
            else:
                time.sleep(POLL_SECONDS * 4)


def _all_gone(processes: list[Process], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while any(process.lives for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
