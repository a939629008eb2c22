"""The same over the API: a runner without a database waits in a long poll, and tasks are created by POST."""

from msgspec.structs import replace

from tests.bench.plan import Plan
from tests.bench.report import Result
from tests.bench.server import Bench
from tests.bench.wakeup import compare
from tests.bench.workloads import ours


async def run(bench: Bench, plan: Plan) -> Result:
    """With an API process between runner and database."""
    adapter = replace(ours(concurrency=plan.sizes.concurrency), over_http=True)
    return await compare(bench, plan, "wakeup_http", "a runner that speaks HTTP", adapter)
