"""How long a claim takes, with ever more tasks waiting: it must not matter how many."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import count, product

from events.commands import Commands
from events.connect import Database
from events.reports import Report
from events.task import TaskCreated, TaskDone
from tests.bench.create import ACTOR, requests_of, task_list
from tests.bench.measure import Row, percentile
from tests.bench.plan import Plan
from tests.bench.report import Result
from tests.bench.server import Bench

RUNNER = "bench"
REQUEST_TASKS = 2_000
CALLERS = 2
SHARES = (50, 99)
ROUND_CLAIMS = 10
WARM_UP_ROUNDS = 2


class Backlog:
    """A database with so many tasks ready. Whatever is claimed is done and replaced, so it stays as it is."""

    def __init__(self, size: int, commands: Commands) -> None:
        self.size = size
        self.commands = commands
        self._numbers = count()

    async def fill(self, plan: Plan) -> None:
        """Create the tasks."""
        plan.voice.say(f"claim: a backlog of {self.size:,}")
        requests = requests_of(list(task_list(self.size)), REQUEST_TASKS)
        filled = count(REQUEST_TASKS, REQUEST_TASKS)

        async def call() -> None:
            for request in requests:
                await self.commands.create_tasks(request, ACTOR)
                plan.voice.show(next(filled), self.size)

        await asyncio.gather(*(call() for _ in range(CALLERS)))

    async def claim(self, batch: int, claims: int) -> list[float]:
        """What each claim of `batch` tasks took, milliseconds."""
        latencies = []
        for _ in range(claims):
            began = time.perf_counter()
            answer = await self.commands.claim(RUNNER, batch, f"runner:{RUNNER}")
            latencies.append((time.perf_counter() - began) * 1000)
            assert len(answer.tasks) == batch, f"{len(answer.tasks)} of {batch} tasks were claimed"
            done = [
                Report(task.task_id, task.run_id, TaskDone(task.run_id), f"runner:{RUNNER}") for task in answer.tasks
            ]
            await self.commands.report(done)
            await self.commands.create_tasks([self._another() for _ in range(batch)], ACTOR)
        return latencies

    def _another(self) -> tuple[str, TaskCreated]:
        number = next(self._numbers)
        return f"r-{number}", TaskCreated(title=f"no-op {number}", task_type="python", params={"handler": "noop"})


async def run(bench: Bench, plan: Plan) -> Result:
    """Percentiles per backlog and batch; the baseline of each is the smallest backlog."""
    async with AsyncExitStack() as stack:
        backlogs = [await _fresh(bench, plan, size, stack) for size in plan.sizes.backlogs]
        rows = [row for batch in plan.sizes.claim_batches for row in await compare(backlogs, batch, plan)]
    facts = {"claims per run": plan.sizes.claims}
    return Result("claim", "claim latency against backlog", f"{backlogs[0].size:,} ready", rows, facts=facts)


async def _fresh(bench: Bench, plan: Plan, size: int, stack: AsyncExitStack) -> Backlog:
    database = await stack.enter_async_context(bench.database())
    return await filled(await stack.enter_async_context(Commands(database)), database, bench, plan, size)


async def filled(commands: Commands, database: Database, bench: Bench, plan: Plan, size: int) -> Backlog:
    """So many tasks more, in a database that has come to rest afterwards."""
    backlog = Backlog(size, commands)
    await backlog.fill(plan)
    await bench.settle(database)
    return backlog


async def compare(backlogs: Sequence[Backlog], batch: int, plan: Plan) -> list[Row]:
    """A row per backlog and percentile; the first backlog is the baseline. Rounds of a few claims by turns:
    the percentiles of one run come from the same minute of the machine.
    """
    percentiles: dict[tuple[int, int], list[float]] = {}
    rounds = plan.sizes.claims // ROUND_CLAIMS
    for number in range(plan.runs):
        plan.voice.say(f"claim of {batch}, run {number + 1} of {plan.runs}")
        latencies: dict[int, list[float]] = {backlog.size: [] for backlog in backlogs}
        for turn in range(WARM_UP_ROUNDS + rounds):
            plan.voice.show(turn, WARM_UP_ROUNDS + rounds)
            for backlog in backlogs:
                taken = await backlog.claim(batch, ROUND_CLAIMS)
                latencies[backlog.size] += taken if turn >= WARM_UP_ROUNDS else []
        for size, share in product(latencies, SHARES):
            percentiles.setdefault((size, share), []).append(percentile(latencies[size], share))
    least = backlogs[0].size
    return [
        Row(
            f"{batch} of {size:,} ready, p{share}",
            "ms",
            ours,
            [] if size == least else percentiles[least, share],
            better="lower",
        )
        for (size, share), ours in percentiles.items()
    ]
