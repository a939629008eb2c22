"""Half an hour of work at 70 % of full speed, ten minutes of it beside a session that lets nothing be cleaned up; then
claims from a long queue with all that history behind it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from statistics import fmean

import asyncpg
from msgspec import Struct

from events.commands import Commands
from events.connect import Database
from events.notifier import Notifier
from events.statements import load_statements
from events.task import TaskCreated
from tests.bench import adapter as adapters
from tests.bench.claim import compare, filled
from tests.bench.create import ACTOR
from tests.bench.measure import Row, pause
from tests.bench.plan import Plan, Sizes
from tests.bench.report import Result
from tests.bench.server import Bench, observe
from tests.bench.workloads import ours

SQL = load_statements("tests.bench", "endurance.sql")
REQUEST_TASKS = 500
CALLERS = 2
TICK_SECONDS = 0.02
SETTLED_SHARE = 0.25  # of the time at full speed that does not count: things get going
DRAIN_SECONDS = 300.0


class Moment(Struct, frozen=True):
    """What stood in the database at one time. `at` is in seconds since the load began."""

    at: float
    done: int
    waiting: int
    dead: int
    size: int


class Feeder:
    """Creates tasks at a steady rate, or as fast as they are worked off."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self.created = 0

    async def keep_full(self, ahead: int, observer: asyncpg.Connection, seconds: float) -> None:
        """So many seconds with about `ahead` tasks waiting."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            missing = ahead - await observer.fetchval(SQL["count_waiting"])
            await self._create(max(0, missing))
            await pause(TICK_SECONDS)

    async def go_on(self, rate: float, stop: asyncio.Event) -> None:
        """So many tasks a second, until `stop`. A rate that was missed for a moment is made up for."""
        began, before = time.monotonic(), self.created
        while not stop.is_set():
            await self._create(int((time.monotonic() - began) * rate) - (self.created - before))
            await pause(TICK_SECONDS)

    async def _create(self, number: int) -> None:
        first, self.created = self.created, self.created + number
        requests = iter(range(first, self.created, REQUEST_TASKS))

        async def call() -> None:
            for low in requests:
                await self._commands.create_tasks(
                    list(map(_task, range(low, min(low + REQUEST_TASKS, self.created)))), ACTOR
                )

        await asyncio.gather(*(call() for _ in range(CALLERS)))


class Watch:
    """Looks at the database again and again while it works."""

    def __init__(self, observer: asyncpg.Connection, plan: Plan) -> None:
        self._observer = observer
        self._plan = plan
        self._began = time.monotonic()
        self.moments: list[Moment] = []

    async def until(self, second: float) -> None:
        """Look every `window_seconds` until so long after the beginning."""
        while (left := self._began + second - time.monotonic()) > 0:
            await pause(min(left, self._plan.sizes.endurance_window_seconds))
            row = await self._observer.fetchrow(SQL["look"])
            self.moments.append(Moment(time.monotonic() - self._began, **row))
            self._plan.voice.show(int(self.moments[-1].at), int(self._plan.sizes.endurance_seconds))

    def rates(self, low: float, high: float) -> list[float]:
        """Tasks done a second, window by window, of the windows that lie in between."""
        pairs = zip(self.moments, self.moments[1:], strict=False)
        return [(b.done - a.done) / (b.at - a.at) for a, b in pairs if low <= a.at and b.at <= high]

    def recovered(self, since: float, rate: float) -> float:
        """How many seconds after `since` a window ended in which so many tasks a second were done."""
        for a, b in zip(self.moments, self.moments[1:], strict=False):
            if a.at >= since and (b.done - a.done) / (b.at - a.at) >= rate:
                return b.at - since
        return float("inf")

    def most(self, what: str, low: float, high: float) -> float:
        """The greatest number of something in between."""
        return max((float(getattr(each, what)) for each in self.moments if low <= each.at <= high), default=0.0)


async def run(bench: Bench, plan: Plan) -> Result:
    """Once, however many runs were asked for; the claims afterwards in as many runs as were asked for."""
    sizes = plan.sizes
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(bench.database())
        observer = await observe(database)
        stack.push_async_callback(observer.close)
        notifier = await stack.enter_async_context(Notifier(database))
        commands = await stack.enter_async_context(Commands(database, notifier=notifier))
        feeder = Feeder(commands)
        peak, watch = await _work(bench, plan, database, observer, feeder)
        behind = await observer.fetchrow(SQL["count_history"])
        once = (behind["done"], behind["ended"], behind["left"]) == (feeder.created, feeder.created, 0)
        long = await filled(commands, database, bench, plan, sizes.backlogs[-1])
        fresh = await stack.enter_async_context(bench.database())
        short_commands = await stack.enter_async_context(Commands(fresh))
        short = await filled(short_commands, fresh, bench, plan, sizes.backlogs[0])
        rows = _rows(watch, peak, sizes) + [
            row for batch in sizes.claim_batches for row in await compare([short, long], batch, plan) if row.baseline
        ]
    rates = watch.rates(0, sizes.endurance_seconds)
    return Result(
        "endurance",
        f"{sizes.endurance_seconds:g} s at {sizes.endurance_share:.0%} of full speed, then claims from a long queue",
        "the first sixth of the time; of the claims: a new database with a short queue",
        rows,
        {"each task was done exactly once": once},
        {
            "tasks done": behind["done"],
            "events": behind["events"],
            "held from, to, s": ", ".join(f"{at:g}" for at in _held(sizes)),
            "tasks/s by window": " ".join(f"{rate:.0f}" for rate in rates),
            "dead rows by window": " ".join(f"{each.dead}" for each in watch.moments),
        },
    )


def _rows(watch: Watch, peak: float, sizes: Sizes) -> list[Row]:
    whole, sixth = sizes.endurance_seconds, sizes.endurance_seconds / 6
    held_from, held_to = _held(sizes)
    first, last = fmean(watch.rates(0, sixth)), fmean(watch.rates(whole - sixth, whole))
    held = watch.rates(held_from, held_to)
    recovered = watch.recovered(held_to, 0.95 * first)
    return [
        Row("full speed", "tasks/s", [peak]),
        Row("the last sixth", "tasks/s", [last], [first]),
        Row("held: the least window", "tasks/s", [min(held, default=0.0)], [first]),
        Row("held: the mean", "tasks/s", [fmean(held or [0.0])], [first]),
        Row("after it: seconds to 0.95", "s", [recovered], better="lower"),
        Row("tasks waiting, at most", "tasks", [watch.most("waiting", 0, whole)], better="lower"),
        Row("dead rows before, at most", "rows", [watch.most("dead", 0, held_from)], better="lower"),
        Row("dead rows held, at most", "rows", [watch.most("dead", held_from, held_to + sixth)], better="lower"),
        Row("dead rows, the last sixth, at most", "rows", [watch.most("dead", whole - sixth, whole)], better="lower"),
        Row("the database", "MiB", [watch.moments[-1].size / 2**20], better="lower"),
    ]


def _held(sizes: Sizes) -> tuple[float, float]:
    """When the session that holds everything back begins and ends: the second third of the time."""
    return sizes.endurance_seconds / 3, sizes.endurance_seconds * 2 / 3


async def _work(
    bench: Bench, plan: Plan, database: Database, observer: asyncpg.Connection, feeder: Feeder
) -> tuple[float, Watch]:
    """The rate at full speed, and what was seen during the time at a share of it."""
    sizes = plan.sizes
    async with adapters.workers(ours(concurrency=sizes.concurrency, recorded=False), database) as [worker]:
        worker.go()
        plan.voice.say("endurance: full speed")
        await feeder.keep_full(sizes.endurance_ahead, observer, sizes.endurance_peak_seconds * SETTLED_SHARE)
        before, began = await observer.fetchval(SQL["count_done"]), time.monotonic()
        await feeder.keep_full(sizes.endurance_ahead, observer, sizes.endurance_peak_seconds * (1 - SETTLED_SHARE))
        peak = (await observer.fetchval(SQL["count_done"]) - before) / (time.monotonic() - began)
        await _wait_until_done(observer)
        enough = asyncio.Event()
        feeding = asyncio.create_task(feeder.go_on(peak * sizes.endurance_share, enough))
        plan.voice.say("endurance: the long way")
        watch = Watch(observer, plan)
        held_from, held_to = _held(sizes)
        await watch.until(held_from)
        async with _holding(database):
            await watch.until(held_to)
        await watch.until(sizes.endurance_seconds)
        enough.set()
        await feeding
        await _wait_until_done(observer)
        await worker.stop()
    return peak, watch


@asynccontextmanager
async def _holding(database: Database) -> AsyncIterator[None]:
    """A session that has forgotten its transaction: while it lives nothing that has died since can be cleaned up."""
    forgotten = await observe(database)
    try:
        await forgotten.execute(SQL["hold"])
        yield
    finally:
        await forgotten.close()


async def _wait_until_done(observer: asyncpg.Connection) -> None:
    async with asyncio.timeout(DRAIN_SECONDS):
        while await observer.fetchval(SQL["count_left"]):
            await pause(TICK_SECONDS)


def _task(number: int) -> tuple[str, TaskCreated]:
    params = {"handler": "noop", "i": number, "t": 0}
    return f"e-{number:09}", TaskCreated(title=f"no-op {number}", task_type="python", params=params)
