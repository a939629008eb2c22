"""What one task costs: WAL, commits, statements, dead rows, buffers, processor time of Python and of PostgreSQL."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from events.connect import Database
from events.statements import load_statements
from tests.bench.adapter import Adapter, Worker
from tests.bench.measure import Row, by_turns, pause
from tests.bench.plan import Plan
from tests.bench.report import Result
from tests.bench.server import Bench, observe
from tests.bench.statement_log import StatementLog
from tests.bench.workloads import BASELINE, Drained, drain, ours

SQL = load_statements("tests.bench", "cost.sql")
STATISTICS_SECONDS = 1.0  # until sessions that end have ended and have reported what they counted
COUNTED_TASKS = 2_000  # of the run whose statements are logged
UNITS = {
    "wal_bytes": ("WAL", "bytes/task"),
    "commits": ("commits", "commits/task"),
    "statements": ("statements", "statements/task"),
    "dead_tuples": ("dead tuples", "tuples/task"),
    "cold_updates": ("updates not heap-only", "updates/task"),
    "buffers": ("buffer accesses", "buffers/task"),
    "python_us": ("processor time, Python", "µs/task"),
    "postgres_us": ("processor time, PostgreSQL", "µs/task"),
}

Counts = dict[str, float]


class Consumption:
    """A meter: counters before and after."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._workers: Sequence[Worker] = ()
        self._database: Database
        self._before: Counts = {}
        self._used: Counts = {}
        self.counts: Counts = {}

    async def prepare(self, database: Database) -> None:
        """Sessions report what they counted when they end: those that made the tasks have ended."""
        self._database = database
        self._before = await self._counted()

    async def start(self, workers: Sequence[Worker]) -> None:
        """Read the clocks."""
        self._workers = workers
        self._before |= self._processor_time()

    async def stop(self) -> None:
        """Read the clocks again, before the processes end."""
        self._used = self._processor_time()

    async def finish(self) -> None:
        """Read the counters again; what was used in between is in `counts`."""
        self._used |= await self._counted()
        self.counts = {name: self._used[name] - before for name, before in self._before.items()}

    async def _counted(self) -> Counts:
        await pause(STATISTICS_SECONDS)
        connection = await observe(self._database)
        try:
            row = await connection.fetchrow(SQL["counted"])
        finally:
            await connection.close()
        return {name: float(value) for name, value in row.items()}

    def _processor_time(self) -> Counts:
        return {
            "python_us": sum(_microseconds(worker.pid) for worker in self._workers),
            "postgres_us": sum(map(_microseconds, self._bench.processes())),
        }


async def run(bench: Bench, plan: Plan) -> Result:
    """Per task of the lifecycle, by one runner, from GO to the last task.done; creating them is not counted."""
    sizes = plan.sizes
    adapters = {"ours": ours(concurrency=sizes.concurrency), "baseline": BASELINE}
    sides = {side: partial(_measure, bench, adapter, sizes.cost_tasks) for side, adapter in adapters.items()}
    samples = await by_turns(plan.runs, sides, plan.says("cost"))
    measured = [(name, *told) for name, told in UNITS.items() if name in samples["ours"][0][1]]
    rows = [Row.of(what, unit, samples, partial(_count, name), "lower") for name, what, unit in measured]
    once = all(drained.exactly_once for runs in samples.values() for drained, _ in runs)
    return Result(
        "cost",
        "of one task, claimed, started, done",
        "asyncpg, claim 100 and complete 100 on a bare table",
        rows,
        {"each task ran and was done exactly once": once},
        {"tasks": sizes.cost_tasks, "concurrency": sizes.concurrency},
    )


async def _measure(bench: Bench, adapter: Adapter, tasks: int) -> tuple[Drained, Counts]:
    consumption = Consumption(bench)
    drained = await drain(bench, adapter, tasks, meter=consumption)
    counts = {name: count / tasks for name, count in consumption.counts.items()}
    if not bench.own:
        del counts["postgres_us"], counts["wal_bytes"]  # others may use that server
        return drained, counts
    log = StatementLog(bench)
    await drain(bench, adapter, min(tasks, COUNTED_TASKS), meter=log)
    return drained, counts | {"statements": len(log.statements) / min(tasks, COUNTED_TASKS)}


def _count(name: str, sample: tuple[Drained, Counts]) -> float:
    return sample[1][name]


def _microseconds(pid: int) -> float:
    """Processor time of all threads of a process so far; 0 where the kernel does not say or it has ended."""
    total = 0
    for schedule in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            total += int(schedule.read_text().split()[0])
        except OSError:
            continue
    return total / 1000
