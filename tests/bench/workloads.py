"""Two workloads for whoever speaks the protocol: drain a backlog, and wake a sleeper."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from events.connect import Database
from events.statements import load_statements
from tests.bench import adapter as adapters
from tests.bench.adapter import Adapter, Seen, Worker
from tests.bench.command import serving
from tests.bench.measure import pause, percentile
from tests.bench.protocol import UNMEASURED
from tests.bench.server import Bench, observe

SQL = load_statements("tests.bench", "workloads.sql")
POLL_SECONDS = 0.003
LOOK_SECONDS = 1.0  # how often the database is asked although not all handlers have run
DRAIN_SECONDS = 600.0
LAST_SECONDS = 10.0  # how long the last of single tasks may take

BASELINE = Adapter("baseline", "tests.bench.baseline", "baseline_done", "baseline_check", {"batch": 100})
SLEEPER = Adapter("baseline", "tests.bench.baseline", "baseline_done", "baseline_check", {"batch": 1, "listen": True})


def ours(**settings: Any) -> Adapter:
    """El Ruso with the settings of tests/bench/peer.py."""
    return Adapter("ours", "tests.bench.peer", "ours_done", "ours_check", settings)


class Drained(Struct, frozen=True):
    """A backlog worked off: from GO until the database says that nothing is left."""

    tasks: int
    seconds: float
    exactly_once: bool

    @property
    def rate(self) -> float:
        """Tasks a second."""
        return self.tasks / self.seconds


class Woken(Struct, frozen=True):
    """From just before the call that created a task to the first line of its handler, and that call alone; in ms."""

    latencies: list[float]
    calls: list[float]
    exactly_once: bool

    def at(self, share: float) -> float:
        """A percentile."""
        return percentile(self.latencies, share)


class Meter(Protocol):
    """What else is looked at while a backlog is drained."""

    async def prepare(self, database: Database) -> None:
        """The tasks are there; the workers connect next."""

    async def start(self, workers: Sequence[Worker]) -> None:
        """The workers are ready; GO comes next."""

    async def stop(self) -> None:
        """All is done; the workers are still there."""

    async def finish(self) -> None:
        """The workers have left, and the server has counted all they did."""


async def drain(bench: Bench, adapter: Adapter, tasks: int, count: int = 1, meter: Meter | None = None) -> Drained:
    """`count` workers work off `tasks` tasks in a fresh database."""
    async with bench.database(empty=adapter.name != "ours") as database:
        await adapters.call(adapter, database, "setup")
        await adapters.call(adapter, database, "enqueue", tasks)
        await bench.settle(database)
        if meter:
            await meter.prepare(database)
        async with adapters.workers(adapter, database, count) as workers:
            if meter:
                await meter.start(workers)
            began = time.monotonic()
            for worker in workers:
                worker.go()
            await _wait_until_done(adapter, database, workers, tasks)
            seconds = time.monotonic() - began
            if meter:
                await meter.stop()
            seen = [await worker.stop() for worker in workers]
        if meter:
            await meter.finish()
        return Drained(tasks, seconds, await _exactly_once(adapter, database, seen, range(tasks)))


async def wake(bench: Bench, adapter: Adapter, tasks: int, gap_ms: tuple[float, float], settle_seconds: float) -> Woken:
    """One idle worker; a producer elsewhere creates tasks one at a time."""
    async with bench.database(empty=adapter.name != "ours") as database:
        await adapters.call(adapter, database, "setup")
        async with _reached(adapter, database) as reached, adapters.workers(reached, database) as [worker]:
            worker.go()
            await pause(settle_seconds)
            produced = await adapters.call(reached, database, "produce", tasks, *gap_ms)
            await _wait_until_done(adapter, database, [worker], tasks + UNMEASURED, LAST_SECONDS)
            seen = await worker.stop()
        once = await _exactly_once(adapter, database, [seen], range(-UNMEASURED, tasks))
    pairs = zip(seen.ids, seen.lat_ns, strict=True)
    return Woken([latency / 1e6 for number, latency in pairs if number >= 0], produced["enqueue_ms"], once)


@asynccontextmanager
async def _reached(adapter: Adapter, database: Database) -> AsyncIterator[Adapter]:
    """The adapter with the API before it that it may need."""
    if not adapter.over_http:
        yield adapter
        return
    async with serving(database) as address:
        yield replace(adapter, settings={**adapter.settings, "api": address})


async def _wait_until_done(
    adapter: Adapter, database: Database, workers: Sequence[Worker], tasks: int, deadline: float = DRAIN_SECONDS
) -> None:
    """Counts handlers in files; asks the database once a second, and often only when all of them have run."""
    connection = await observe(database)
    next_look = time.monotonic() + LOOK_SECONDS
    try:
        async with asyncio.timeout(deadline):
            while True:
                if sum(worker.count for worker in workers) >= tasks or time.monotonic() > next_look:
                    next_look = time.monotonic() + LOOK_SECONDS
                    if await connection.fetchval(SQL[adapter.done]):
                        return
                await pause(POLL_SECONDS)
    finally:
        await connection.close()


async def _exactly_once(adapter: Adapter, database: Database, seen: Sequence[Seen], numbers: range) -> bool:
    """Each handler ran once, and the database has each task complete and nothing else."""
    connection = await observe(database)
    try:
        complete, other = await connection.fetchrow(SQL[adapter.check])
    finally:
        await connection.close()
    ran = Counter(number for worker in seen for number in worker.ids)
    return (complete, other) == (len(numbers), 0) and ran == Counter(numbers)
