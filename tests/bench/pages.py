"""Every page of the panel and every list of the API, over a large history: how long the server takes for each."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

from events.connect import Database
from events.statements import load_statements
from tests.bench.addresses import Address, addresses
from tests.bench.command import free_port, serving
from tests.bench.lives import ALIVE, Extent, runner_name
from tests.bench.loading import load_history
from tests.bench.machine import ROOT
from tests.bench.measure import Row, pause, percentile
from tests.bench.plan import Plan
from tests.bench.report import Result
from tests.bench.server import Bench, observe
from tests.bench.visitor import Visitor
from tests.support.waiting import eventually_now

SQL = load_statements("tests.bench", "history.sql")
SHARES = {"p50": 50, "p99": 99, "max": 100}
BEAT_SECONDS = 7.0
START_SECONDS = 30.0

Samples = dict[tuple[Address, str, str], list[float]]
"""Address, side, share -> milliseconds, a value per run."""


async def run(bench: Bench, plan: Plan) -> Result:
    """Percentiles of the time to the last byte, per address."""
    extent = Extent(plan.sizes.page_tasks)
    async with bench.kept(
        f"history_{extent.tasks}", partial(load_history, extent=extent, voice=plan.voice)
    ) as database:
        async with _beating(database), serving(database) as address:
            asked, samples, unwell = await asyncio.to_thread(_measure, address, plan)
        connection = await observe(database)
        tasks, events = await connection.fetchrow(SQL["count_history"])
        await connection.close()
    rows = [
        Row(f"{each.what}, {share}", "ms", samples[each, "ours", share], samples[each, "baseline", share], "lower")
        for each in asked
        for share in SHARES
    ]
    slowest = max((row for row in rows if row.what.endswith(", p99")), key=lambda row: max(row.ours))
    return Result(
        "pages",
        "from the request to the last byte, one reader",
        "a bare Starlette route that returns the same bytes",
        rows,
        {"every answer is a success": not unwell, **{f"{path} is a success": False for path in unwell}},
        {
            "tasks": f"{tasks:,}",
            "events": f"{events:,}",
            "requests per run": plan.sizes.page_requests,
            "slowest p99": f"{max(slowest.ours):.1f} ms ({slowest.what})",
        },
        grouped=tuple(SHARES),
    )


def _measure(address: str, plan: Plan) -> tuple[Sequence[Address], Samples, list[str]]:
    """Percentiles by address, side and share, a value per run; and what was refused."""
    with Visitor(address) as visitor, TemporaryDirectory() as folder:
        plan.voice.say("pages: which there are")
        asked = addresses(visitor)
        first = [visitor.get(each.path) for each in asked]
        for place, answer in enumerate(first):
            (Path(folder) / str(place)).write_bytes(answer.body)
        unwell = [each.path for each, answer in zip(asked, first, strict=True) if answer.status >= 400]
        with bare(Path(folder)) as elsewhere, Visitor(elsewhere) as bare_visitor:
            samples: Samples = {}
            warm_up = plan.sizes.page_warm_up
            for number in range(plan.runs):
                plan.voice.say(f"pages, run {number + 1} of {plan.runs}")
                for place, each in enumerate(asked):
                    sides = {"ours": (visitor, each.path), "baseline": (bare_visitor, f"/{place}")}
                    for side, (whom, path) in sides.items():
                        times = [whom.get(path).ms for _ in range(warm_up + plan.sizes.page_requests)][warm_up:]
                        for share, rank in SHARES.items():
                            samples.setdefault((each, side, share), []).append(percentile(times, rank))
                    plan.voice.show(place + 1, len(asked))
        return asked, samples, unwell


@contextmanager
def bare(folder: Path) -> Iterator[str]:
    """The bare server as a process of its own; its address."""
    port = free_port()
    command = [sys.executable, "-P", "-m", "tests.bench.bare", str(port), str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    try:
        eventually_now(partial(_listens, port), START_SECONDS, "the bare server")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@asynccontextmanager
async def _beating(database: Database) -> AsyncIterator[None]:
    """While this lasts the runners that stay are online: each says so every BEAT_SECONDS, one after the other."""
    connection = await observe(database)
    names = [runner_name(number) for number in range(ALIVE)]

    async def beat() -> None:
        for name in cycle(names):
            await connection.execute(SQL["beat"], [name])
            await pause(BEAT_SECONDS / ALIVE)

    await connection.execute(SQL["beat"], names)
    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
        await asyncio.wait({beating})
        await connection.close()
