"""The driver's end of tests/bench/protocol.py: processes that set up, create tasks, and work."""

import asyncio
import json
import os
import struct
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from events.connect import Database
from tests.bench.machine import ROOT

READY_SECONDS = 60.0
STOP_SECONDS = 20.0
CALL_SECONDS = 600.0
COUNTED = struct.Struct("<qq")


class Adapter(Struct, frozen=True):
    """Who works: a module that speaks the protocol, its settings, and how the database tells that all is done.

    `done`: one boolean, cheap. `check`: (complete, anything else). Both are names in tests/bench/workloads.sql.
    `over_http`: an API stands before the database, and its address among the settings, as `api`.
    """

    name: str
    module: str
    done: str
    check: str
    settings: Mapping[str, Any] = {}
    over_http: bool = False


class Seen(Struct, frozen=True):
    """What the handlers of one worker saw; times are CLOCK_MONOTONIC in ns."""

    ids: list[int]
    lat_ns: list[int]
    first: int
    last: int


class AdapterError(Exception):
    """An adapter's process ended although it should not have."""


async def call(adapter: Adapter, database: Database, *words: object) -> dict[str, Any]:
    """Run `setup`, `enqueue` or `produce` to its end; what it printed."""
    process = await _start(adapter, database, {}, *words)
    try:
        async with asyncio.timeout(CALL_SECONDS):
            printed, _ = await process.communicate()
    finally:
        _end(process)
    if process.returncode:
        raise AdapterError(f"{adapter.name} {words[0]} ended with {process.returncode}")
    answers = [line for line in printed.decode().splitlines() if line.startswith("{")]
    return dict(json.loads(answers[-1])) if answers else {}


class Worker:
    """A worker's process, ready to go."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self._process = process
        self._folder = folder

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def count(self) -> int:
        """How many tasks its handlers have begun, a hundredth of a second ago. Raises AdapterError if it has died."""
        if self._process.returncode is not None:
            raise AdapterError(f"a worker ended with {self._process.returncode}")
        try:
            counted = (self._folder / "progress").read_bytes()
        except FileNotFoundError:
            return 0
        return int(COUNTED.unpack(counted)[0]) if len(counted) == COUNTED.size else 0

    def go(self) -> None:
        """Let it begin."""
        self._tell("GO")

    async def stop(self) -> Seen:
        """End it; what its handlers saw."""
        self._tell("STOP")
        async with asyncio.timeout(STOP_SECONDS):
            await self._process.wait()
        return msgspec.json.decode((self._folder / "seen.json").read_bytes(), type=Seen)

    def _tell(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n".encode())


@asynccontextmanager
async def workers(adapter: Adapter, database: Database, count: int = 1) -> AsyncIterator[list[Worker]]:
    """So many workers, all connected, waiting for their `go`. Whoever is left afterwards is killed."""
    with tempfile.TemporaryDirectory() as folder:
        started: list[Worker] = []
        try:
            for index in range(count):
                (place := Path(folder) / str(index)).mkdir()
                started.append(await _start_worker(adapter, database, index, place))
            for worker in started:
                await _wait_until_ready(worker._process)
            yield started
        finally:
            for worker in started:
                _end(worker._process)
                await worker._process.wait()


async def _start_worker(adapter: Adapter, database: Database, index: int, folder: Path) -> Worker:
    own = {"INDEX": str(index), "PROGRESS": str(folder / "progress"), "OUT": str(folder / "seen.json")}
    return Worker(await _start(adapter, database, own, "worker"), folder)


async def _wait_until_ready(process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None
    async with asyncio.timeout(READY_SECONDS):
        while (line := await process.stdout.readline()).strip() != b"READY":
            if not line:
                raise AdapterError(f"a worker ended with {await process.wait()} before it was ready")


async def _start(
    adapter: Adapter, database: Database, own: Mapping[str, str], *words: object
) -> asyncio.subprocess.Process:
    settings = {"DSN": database.url, "CFG": json.dumps(dict(adapter.settings)), **own}
    environment = os.environ | {f"BENCH_{name}": value for name, value in settings.items()} | {"PYTHONPATH": str(ROOT)}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", adapter.module, *map(str, words)),
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )


def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
