"""How soon everybody who has the panel open is told what happened, and what each of them costs."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import cast
from urllib.parse import urlsplit

import asyncpg
import psutil
from msgspec import Struct

from events.commands import Commands
from events.connect import Database
from events.notifier import Notifier
from events.statements import load_statements
from events.task import TaskCreated
from tests.bench.command import served
from tests.bench.measure import Row, by_turns, pause, percentile
from tests.bench.plan import Plan
from tests.bench.report import Result
from tests.bench.server import Bench, observe
from tests.support.waiting import eventually

SQL = load_statements("tests.bench", "viewers.sql")
CONNECTING = 50  # viewers that connect at the same time
TOLD_SECONDS = 30.0  # how long the last event may take to reach the last viewer
CONNECT_SECONDS = 60.0
UNMEASURED = 5  # events that come first
GREETING = b"retry: "
TASK = TaskCreated("news", task_type="echo")

Tell = Callable[[int], Awaitable[object]]


class FanOut(Struct, frozen=True):
    """Of one run: from just before the call that makes an event to each viewer's line, in ms; what the viewers cost."""

    latencies: list[float]
    listeners: int
    kib_per_viewer: float
    complete: bool

    def at(self, share: float) -> float:
        """A percentile."""
        return percentile(self.latencies, share)


class Viewer(asyncio.Protocol):
    """A browser as the server sees it: one request for the panel's stream, and the time at which each event came."""

    def __init__(self, host: str) -> None:
        self.seen: list[tuple[int, int]] = []  # the event's number, CLOCK_MONOTONIC in ns
        self.greeted = False
        self._request = f"GET /panel/live HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        cast(asyncio.Transport, transport).write(self._request)  # uvloop's is one without being one

    def data_received(self, data: bytes) -> None:
        """Note the events in it."""
        now = time.monotonic_ns()
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self.greeted = self.greeted or line.startswith(GREETING)
            if line.startswith(b'data: ["task","v-'):
                self.seen.append((int(line.split(b'"', 5)[3][2:]), now))


async def run(bench: Bench, plan: Plan) -> Result:
    """The panel's stream, beside sessions that listen themselves."""
    sizes = plan.sizes
    sides = {
        "ours": partial(_watch_panel, bench, sizes.viewers, sizes.news, sizes.news_gap_seconds),
        "baseline": partial(_listen, bench, sizes.listeners, sizes.news, sizes.news_gap_seconds),
    }
    samples = await by_turns(plan.runs, sides, plan.says("viewers"))
    rows = [
        Row.of(f"fan-out {name}", "ms", samples, partial(FanOut.at, share=share), "lower")
        for name, share in (("p50", 50), ("p99", 99), ("max", 100))
    ]
    rows.append(Row.of("sessions that LISTEN", "sessions", samples, lambda told: told.listeners, "lower"))
    rows.append(Row.of("memory per viewer", "KiB", samples, lambda told: told.kib_per_viewer, "lower"))
    told = [each for side in samples.values() for each in side]
    return Result(
        "viewers",
        f"from the call that makes an event to each of {sizes.viewers} open pages",
        f"{sizes.listeners} sessions that LISTEN, INSERT with NOTIFY on a bare table",
        rows,
        {
            "every viewer was told of every event once, in order": all(each.complete for each in told),
            "all viewers share one LISTEN": all(each.listeners == 1 for each in samples["ours"]),
        },
        {"viewers": sizes.viewers, "events": sizes.news, "gap in ms": f"{sizes.news_gap_seconds * 1000:g}"},
    )


async def _watch_panel(bench: Bench, count: int, events: int, gap: float) -> FanOut:
    async with (
        bench.database() as database,
        served(database) as (address, pid),
        Notifier(database) as notifier,
        Commands(database, notifier=notifier) as commands,
    ):
        host = urlsplit(address)
        before = _private_kib([pid])
        async with _viewers(str(host.hostname), int(host.port or 0), count) as viewers:
            made = await _make(events, gap, partial(_create, commands))
            await _all_told([viewer.seen for viewer in viewers], len(made))
            listeners = await _listeners(database)
            used = (_private_kib([pid]) - before) / count
    return _fan_out([viewer.seen for viewer in viewers], made, len(listeners), used)


async def _listen(bench: Bench, count: int, events: int, gap: float) -> FanOut:
    seen: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(bench.database(empty=True))
        writer = await observe(database)
        stack.push_async_callback(writer.close)
        await writer.execute(SQL["create_news"])
        for mine in seen:
            connection = await asyncpg.connect(database.url)
            stack.push_async_callback(connection.close)
            await connection.add_listener("news", partial(_note, mine))
        made = await _make(events, gap, partial(writer.execute, SQL["tell"]))
        await _all_told(seen, len(made))
        pids = await _listeners(database)
        used = _private_kib(pids) / count if bench.own else 0.0
    return _fan_out(seen, made, len(pids), used)


def _note(mine: list[tuple[int, int]], _connection: object, _pid: int, _channel: str, payload: object) -> None:
    mine.append((int(str(payload)), time.monotonic_ns()))


async def _make(events: int, gap: float, tell: Tell) -> list[int]:
    """One event after another; when the call for each began, by its number."""
    made = []
    for number in range(events + UNMEASURED):
        made.append(time.monotonic_ns())
        await tell(number)
        await pause(gap)
    return made


async def _create(commands: Commands, number: int) -> object:
    return await commands.create_tasks([(f"v-{number}", TASK)], "human:bench")


async def _all_told(seen: Sequence[list[tuple[int, int]]], events: int) -> None:
    _done: bool = await eventually(lambda: all(len(mine) >= events for mine in seen), TOLD_SECONDS, "all to be told")


def _fan_out(seen: Sequence[list[tuple[int, int]]], made: list[int], listeners: int, used: float) -> FanOut:
    complete = all([number for number, _ in mine] == list(range(len(made))) for mine in seen)
    latencies = [(at - made[number]) / 1e6 for mine in seen for number, at in mine if number >= UNMEASURED]
    return FanOut(latencies, listeners, used, complete)


@asynccontextmanager
async def _viewers(host: str, port: int, count: int) -> AsyncIterator[list[Viewer]]:
    """So many viewers, all of them greeted."""
    loop = asyncio.get_running_loop()
    viewers, transports = [], []
    try:
        while len(viewers) < count:
            some = min(CONNECTING, count - len(viewers))
            dial = partial(loop.create_connection, partial(Viewer, f"{host}:{port}"), host, port)
            for transport, viewer in await asyncio.gather(*(dial() for _ in range(some))):
                viewers.append(viewer)
                transports.append(transport)
        _all: bool = await eventually(lambda: all(viewer.greeted for viewer in viewers), CONNECT_SECONDS, "all greeted")
        yield viewers
    finally:
        for transport in transports:
            transport.close()


async def _listeners(database: Database) -> list[int]:
    connection = await observe(database)
    try:
        return [row["pid"] for row in await connection.fetch(SQL["list_listeners"])]
    finally:
        await connection.close()


def _private_kib(pids: Sequence[int]) -> float:
    """Memory that goes away with these processes."""
    return sum(psutil.Process(pid).memory_full_info().uss for pid in pids) / 1024
