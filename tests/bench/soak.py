"""Thousands of long random histories: does everything that keeps books agree after every step? Not a measurement."""

import asyncio
import importlib
from importlib.util import find_spec
from typing import Any

from ops.errors import OperatorError
from tests.bench.measure import Row
from tests.bench.plan import Plan
from tests.bench.report import Result
from tests.bench.server import Bench

TITLE = "random commands on PostgreSQL, on the pure model, on the second bookkeeper and on a rebuild"


async def run(bench: Bench, plan: Plan) -> Result:
    """Plays them once, however many runs were asked for. The first failure ends it, and is told as a fact."""
    if find_spec("hypothesis") is None:
        raise OperatorError("bench.no_hypothesis")
    if bench.server is None:
        raise OperatorError("bench.own_only", name="soak")  # a history's end is a superuser's work
    soak: Any = importlib.import_module("tests.properties.soak")  # needs what only the tests require
    batches = soak.batches(plan.sizes.histories, plan.sizes.history_steps, plan.sizes.first_seed)
    ended: list[Any] = []

    def told(played: Any) -> None:
        ended.append(played)
        plan.voice.show(sum(each.batch.histories for each in ended), plan.sizes.histories)

    plan.voice.say(f"soak: histories of {plan.sizes.history_steps} steps")
    begun = asyncio.get_running_loop().time()
    well = await asyncio.to_thread(soak.soak, bench.server, batches, told)
    seconds = asyncio.get_running_loop().time() - begun
    rows = [
        Row("histories", "histories/s", [sum(each.histories for each in ended) / seconds]),
        Row("steps", "steps/s", [sum(each.steps for each in ended) / seconds]),
    ]
    facts = {
        "histories": sum(each.histories for each in ended),
        "steps": sum(each.steps for each in ended),
        "seeds": f"{batches[0].seed}–{batches[-1].seed}",
        "processes": soak.WORKERS,
    }
    if not well:
        facts["failure"] = "".join(f"\n{each}" for each in ended if each.failure is not None)
    return Result("soak", TITLE, "none", rows, {"no history fails": well}, facts)
