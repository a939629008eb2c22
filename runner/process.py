"""Run one command in its own process group: bounded in time and memory, and nothing of it survives.

Whatever a command leaves running in its group is ended with it. A process that left the group (by setsid) is out of
reach, but it cannot hold us up: we stop listening to it.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from runner.output import Stream
from runner.pipe import Pipe
from runner.process_group import GRACE_SECONDS, end_group
from runner.spawn import spawn

LINGER_SECONDS = 0.5  # how long children of a command that ended may go on writing
REAP_SECONDS = 5.0  # how long the kernel may take to bury a killed process

Sink = Callable[[Stream, bytes], Awaitable[None]]
Pumping = asyncio.Future[list[None]]


class Command(Struct, frozen=True, kw_only=True):
    """What to run, where, and with what. `environment` is all that the command sees of ours."""

    arguments: tuple[str, ...]
    directory: Path
    environment: Mapping[str, str]
    input_text: str | None = None
    timeout_seconds: float | None = None
    grace_seconds: float = GRACE_SECONDS


class Ended(Struct, frozen=True):
    """How a command ended. Death by a signal is 128 + its number, as in a shell; None: timed out, or never ran."""

    exit_code: int | None
    duration_ms: int
    error: str | None = None
    timed_out: bool = False


async def run_command(command: Command, sink: Sink) -> Ended:
    """Run `command` to its end, its timeout or our cancellation; every chunk of its output goes to `sink`.

    A slow sink slows the command down; a sink that raises ends it. When this returns or raises, its group is dead.
    """
    started = time.monotonic()
    with Pipe() as stdout, Pipe() as stderr:
        try:
            process = await _spawn(command, stdout, stderr)
        except (OSError, ValueError) as problem:
            return Ended(None, milliseconds_since(started), f"cannot start: {problem}")
        pumps = [
            asyncio.ensure_future(stdout.pump(_into(sink, "stdout"))),
            asyncio.ensure_future(stderr.pump(_into(sink, "stderr"))),
        ]
        pumping = asyncio.gather(*pumps)
        try:
            in_time = await _see_it_end(process, command, pumping)
            stdout.last_call()
            stderr.last_call()
            await pumping
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.wait(pumps)  # before their descriptors are closed
    error = None if in_time else f"timed out after {command.timeout_seconds:g} s"
    return Ended(_exit_code(process) if in_time else None, milliseconds_since(started), error, not in_time)


def milliseconds_since(started: float) -> int:
    """Since a reading of time.monotonic()."""
    return round((time.monotonic() - started) * 1000)


async def _spawn(command: Command, stdout: Pipe, stderr: Pipe) -> asyncio.subprocess.Process:
    """Start it. Its stdin is a file, so that we need not feed a command that does not read."""
    with tempfile.TemporaryFile() as given, stdout.writer() as out, stderr.writer() as err:
        given.write((command.input_text or "").encode(errors="replace"))
        given.seek(0)
        return await spawn(
            *command.arguments,
            cwd=command.directory,
            env=dict(command.environment),
            stdin=given,
            stdout=out,
            stderr=err,
        )


def _into(sink: Sink, stream: Stream) -> Callable[[bytes], Awaitable[None]]:
    return lambda data: sink(stream, data)


async def _see_it_end(process: asyncio.subprocess.Process, command: Command, pumping: Pumping) -> bool:
    """Wait for the leader and end its group, whatever happens meanwhile. False: it had to be stopped at its timeout."""
    leader = asyncio.ensure_future(process.wait())
    try:
        in_time = await _wait_for_leader(leader, command.timeout_seconds, pumping)
        if in_time:
            await asyncio.wait({pumping}, timeout=LINGER_SECONDS)
        return in_time
    finally:
        await end_group(process.pid, command.grace_seconds)
        await asyncio.wait({leader}, timeout=REAP_SECONDS)
        leader.cancel()


async def _wait_for_leader(leader: asyncio.Future[int], timeout: float | None, pumping: Pumping) -> bool:
    started = time.monotonic()
    both: set[asyncio.Future[Any]] = {leader, pumping}
    await asyncio.wait(both, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    if pumping.done() and not leader.done():
        pumping.result()  # a sink that raised must not be ignored
        left = None if timeout is None else max(0.0, timeout - (time.monotonic() - started))
        await asyncio.wait({leader}, timeout=left)
    return leader.done()


def _exit_code(process: asyncio.subprocess.Process) -> int | None:
    code = process.returncode
    return code if code is None or code >= 0 else 128 - code
