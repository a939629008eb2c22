"""Run one command with limits on time and memory, and end all its processes.

On Linux every descendant of a command ends with it (runner/subreaper.py). Elsewhere only its process group does; a
process that left it, by setsid, keeps running, but the runner stops reading its output and does not wait for it.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from runner.child import Child, Exit, Streams
from runner.linux import IS_LINUX
from runner.output import Stream
from runner.pipe import Pipe
from runner.process_group import GRACE_SECONDS, start_in_group
from runner.runner_mark import MARK, own_mark
from runner.subreaper_client import shared_subreaper

LINGER_SECONDS = 0.5  # how long children of a command that ended may go on writing

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

    A slow sink slows the command down; a sink that raises ends it. When this returns or raises, nothing of it runs.
    """
    started = time.monotonic()
    with Pipe() as stdout, Pipe() as stderr:
        try:
            child = await _spawn(command, stdout, stderr)
        except (OSError, ValueError) as problem:
            return Ended(None, milliseconds_since(started), f"cannot start: {problem}")
        pumps = [
            asyncio.ensure_future(stdout.pump(_into(sink, "stdout"))),
            asyncio.ensure_future(stderr.pump(_into(sink, "stderr"))),
        ]
        pumping = asyncio.gather(*pumps)
        try:
            in_time = await _see_it_end(child, command, pumping)
            stdout.last_call()
            stderr.last_call()
            await pumping
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.wait(pumps)  # before their descriptors are closed
    if not in_time:
        error = f"timed out after {command.timeout_seconds:g} s"
        return Ended(None, milliseconds_since(started), error, timed_out=True)
    how = child.exited.result()
    return Ended(how.code, milliseconds_since(started), how.error)


def milliseconds_since(started: float) -> int:
    """Since a reading of time.monotonic()."""
    return round((time.monotonic() - started) * 1000)


async def start_child(
    arguments: Sequence[str], directory: Path, environment: Mapping[str, str], streams: Streams
) -> Child:
    """Start a program whose descendants end with it, and with this process.

    Raises:
        OSError, ValueError: it cannot be executed.
    """
    if IS_LINUX:
        marked = {**environment, MARK: own_mark()}
        return await shared_subreaper().start(arguments, directory, marked, streams)
    return await start_in_group(arguments, directory, environment, streams)


async def _spawn(command: Command, stdout: Pipe, stderr: Pipe) -> Child:
    """Start it. Its stdin is a file, so that we need not feed a command that does not read."""
    with tempfile.TemporaryFile() as given, stdout.writer() as out, stderr.writer() as err:
        given.write((command.input_text or "").encode(errors="replace"))
        given.seek(0)
        streams = Streams(given.fileno(), out, err)
        return await start_child(command.arguments, command.directory, command.environment, streams)


def _into(sink: Sink, stream: Stream) -> Callable[[bytes], Awaitable[None]]:
    return lambda data: sink(stream, data)


async def _see_it_end(child: Child, command: Command, pumping: Pumping) -> bool:
    """Wait for the command and end what is left, whatever happens meanwhile. False: it was stopped at its timeout."""
    try:
        in_time = await _wait_for_exit(child.exited, command.timeout_seconds, pumping)
        if in_time:
            await asyncio.wait({pumping}, timeout=LINGER_SECONDS)
        return in_time
    finally:
        await child.end(command.grace_seconds)


async def _wait_for_exit(exited: asyncio.Future[Exit], timeout: float | None, pumping: Pumping) -> bool:
    started = time.monotonic()
    both: set[asyncio.Future[Any]] = {exited, pumping}
    await asyncio.wait(both, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    if pumping.done() and not exited.done():
        pumping.result()  # a sink that raised must not be ignored
        left = None if timeout is None else max(0.0, timeout - (time.monotonic() - started))
        await asyncio.wait({exited}, timeout=left)
    return exited.done()
