"""No-op python tasks through real runner processes, from GO to the last task.done."""

from functools import partial

from tests.bench.measure import Row, by_turns
from tests.bench.plan import Plan
from tests.bench.report import Result
from tests.bench.server import Bench
from tests.bench.workloads import BASELINE, drain, ours


async def run(bench: Bench, plan: Plan) -> Result:
    """Tasks a second with one runner process, with two, …"""
    sizes = plan.sizes
    rows, once = [], True
    for workers in sizes.lifecycle_workers:
        adapter = ours(concurrency=sizes.concurrency)
        sides = {
            "ours": partial(drain, bench, adapter, sizes.lifecycle_tasks, workers),
            "baseline": partial(drain, bench, BASELINE, sizes.lifecycle_tasks, workers),
        }
        name = f"{workers} runner{'s' if workers > 1 else ''}"
        samples = await by_turns(plan.runs, sides, plan.says(f"lifecycle, {name}"))
        rows.append(Row.of(name, "tasks/s", samples, lambda drained: drained.rate))
        once = once and all(drained.exactly_once for runs in samples.values() for drained in runs)
    return Result(
        "lifecycle",
        "three guarded events per task: claimed, started, done",
        "asyncpg, claim 100 and complete 100 on a bare table, as many processes",
        rows,
        {"each task ran and was done exactly once": once},
        {"tasks": sizes.lifecycle_tasks, "concurrency": sizes.concurrency},
    )
