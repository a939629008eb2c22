"""How soon an idle runner begins a task that another process creates."""

from functools import partial

from tests.bench.adapter import Adapter
from tests.bench.measure import Row, by_turns, percentile
from tests.bench.plan import Plan
from tests.bench.report import Result
from tests.bench.server import Bench
from tests.bench.workloads import SLEEPER, Woken, ours, wake

SHARES = (50, 95, 99, 100)


async def run(bench: Bench, plan: Plan) -> Result:
    """Over PostgreSQL."""
    return await compare(bench, plan, "wakeup", "a runner with a database", ours(concurrency=plan.sizes.concurrency))


async def compare(bench: Bench, plan: Plan, name: str, who: str, adapter: Adapter) -> Result:
    """From just before the call that creates a task to the first line of its handler."""
    sizes = plan.sizes
    sides = {
        side: partial(wake, bench, waking, sizes.wakeups, sizes.wakeup_gap_ms, sizes.settle_seconds)
        for side, waking in (("ours", adapter), ("baseline", SLEEPER))
    }
    samples = await by_turns(plan.runs, sides, plan.says(name))
    rows = [Row.of(_share(share), "ms", samples, partial(Woken.at, share=share), "lower") for share in SHARES]
    rows.append(Row.of("of it the call, p50", "ms", samples, lambda woken: percentile(woken.calls, 50), "lower"))
    once = all(woken.exactly_once for runs in samples.values() for woken in runs)
    return Result(
        name,
        f"from the call that creates a task to its handler, {who}",
        "INSERT with NOTIFY, a listener, a committed claim of one, on a bare table",
        rows,
        {"each task ran and was done exactly once": once},
        {"tasks": sizes.wakeups, "gap in ms": "–".join(f"{gap:g}" for gap in sizes.wakeup_gap_ms)},
    )


def _share(share: int) -> str:
    return "max" if share == 100 else f"p{share}"
