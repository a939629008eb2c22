"""The API under load: requests a second and their latency, beside a bare Starlette route that answers the same bytes.

`elruso serve` as an operator starts it, log lines included, and every request with a token. The load comes from wrk.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from msgspec import Struct
from msgspec.structs import replace

from api.tokens import TokenStore
from events.commands import Commands
from events.connect import Database
from events.reports import Report
from events.statements import load_statements
from events.task import TaskDone, TaskStarted, TaskStep
from tests.bench.command import free_port, is_up, serving
from tests.bench.machine import ROOT
from tests.bench.measure import Row, by_turns
from tests.bench.plan import Plan
from tests.bench.report import Result
from tests.bench.server import Bench
from tests.bench.wrk import Request, Told, load
from tests.support.waiting import eventually

SQL = load_statements("tests.bench", "api.sql")
RUNNER = "bench"
FILL = 50_000  # tasks in one statement
BULK = 100
WARM_UP_SECONDS = 1.0
START_SECONDS = 20.0
LOG_LEVEL = "info"  # the default: every request is a line, written to /dev/null


class Kind(Struct, frozen=True):
    """One row: what is asked. `known`: the client names the tag of what it has; `alone`: over one connection."""

    what: str
    request: Request
    status: int = 200
    known: bool = False
    alone: bool = False


class Answer(Struct, frozen=True):
    """What ours answers: the bare route says the same."""

    status: int
    content: bytes


async def run(bench: Bench, plan: Plan) -> Result:
    """Every kind of request at every size of the database."""
    rows: list[Row] = []
    well = True
    for size in plan.sizes.api_tasks:
        async with bench.database() as database:
            run_id = await fill(database, size, plan)
            await bench.settle(database)
            token = await make_token(database)
            async with serving(database, ELRUSO_LOG_LEVEL=LOG_LEVEL) as address:
                for kind in _chosen(kinds(run_id, token), plan):
                    measured, held = await _measure(address, kind, size, plan)
                    rows += measured
                    well = well and held
    return Result(
        "api",
        "requests a second",
        "a bare Starlette route on uvicorn, uvloop and httptools that answers the same bytes from memory",
        rows + _levels(rows, plan.sizes.api_tasks),
        {"every request was answered, and as it should be": well},
        {"connections": plan.sizes.api_connections, "seconds": plan.sizes.api_seconds, "log level": LOG_LEVEL},
    )


def kinds(run_id: int, token: str) -> list[Kind]:
    """What is asked. The numbers of /ops/metrics differ at every moment while a task is ready: nobody is told 304."""
    headers = {"Authorization": f"Bearer {token}"}
    ready = Request("/ops/tasks?status=ready&limit=50", headers=headers)
    numbers = Request("/ops/metrics", headers=headers)
    run_ = Request(f"/runs/{run_id}", headers=headers)
    task = {"title": "no-op", "task_type": "python", "params": {"handler": "noop"}}
    post = Request("/ops/tasks", "POST", headers, json.dumps(task).encode())
    return [
        Kind("GET /ops/tasks", ready),
        Kind("GET /ops/tasks, 304", ready, 304, known=True),
        Kind("GET /ops/tasks, gzip", replace(ready, headers=headers | {"Accept-Encoding": "gzip"})),
        Kind("GET /ops/tasks, alone", ready, alone=True),
        Kind("GET /ops/metrics", numbers),
        Kind("GET /ops/metrics, alone", numbers, alone=True),
        Kind("GET /runs/{id}", run_),
        Kind("POST /ops/tasks", post, 201),
        Kind(f"POST /ops/tasks of {BULK}", replace(post, body=json.dumps([task] * BULK).encode()), 201),
    ]


def _chosen(given: Sequence[Kind], plan: Plan) -> list[Kind]:
    return [kind for kind in given if not plan.sizes.api_kinds or kind.what in plan.sizes.api_kinds]


async def fill(database: Database, size: int, plan: Plan) -> int:
    """So many tasks, all but the last few hundred of them ready; the id of a run that has steps."""
    connection = await database.connect_writer()
    for first in range(0, size, FILL):
        plan.voice.say(f"api: {size:,} tasks")
        plan.voice.show(first, size)
        await connection.execute(SQL["fill"], first, min(size, first + FILL) - 1, timeout=600)
    await connection.close()
    async with Commands(database) as commands:
        claimed = (await commands.claim(RUNNER, min(size // 4, 500), f"runner:{RUNNER}")).tasks
        for place in range(4):
            await commands.report([_report(task.task_id, task.run_id, place) for task in claimed])
    return claimed[0].run_id


def _report(task_id: str, run_id: int, place: int) -> Report:
    """The life of a run: started, two steps, done."""
    step = TaskStep(run_id, place, f"step {place}", "true", 0, 17, "all is well\n" * 20, 240)
    event = {0: TaskStarted(run_id), 3: TaskDone(run_id, summary="all is well")}.get(place, step)
    return Report(task_id, run_id, event, f"runner:{RUNNER}")


async def make_token(database: Database) -> str:
    """An admin's."""
    async with database.pool(1) as pool:
        return await TokenStore(pool).create_token("bench", "admin")


async def _measure(address: str, kind: Kind, size: int, plan: Plan) -> tuple[list[Row], bool]:
    """Rate and percentiles of one kind of request; and whether all went well."""
    answer, request = await ask(address, kind)
    connections = 1 if kind.alone else plan.sizes.api_connections
    what = f"{kind.what}, {size:,}"
    async with _bare_route(request, answer) as bare:
        sides = {
            side: partial(load, where, request, connections, plan.sizes.api_seconds)
            for side, where in (("ours", address), ("baseline", bare))
        }
        if plan.sizes.api_seconds > WARM_UP_SECONDS:
            for where in (address, bare):
                await load(where, request, connections, WARM_UP_SECONDS)
        samples = await by_turns(plan.runs, sides, plan.says(f"api, {what}"))
    rows = [Row.of(what, "requests/s", samples, lambda told: told.rate)]
    held = answer.status == kind.status and all(told.well for runs in samples.values() for told in runs)
    shares: list[tuple[str, Callable[[Told], float]]] = [
        ("p50", lambda told: told.p50 / 1000),
        ("p99", lambda told: told.p99 / 1000),
    ]
    rows += [Row.of(f"  {name}", "ms", samples, value, "lower") for name, value in shares]
    return rows, held


async def ask(address: str, kind: Kind) -> tuple[Answer, Request]:
    """What ours answers, as it goes over the wire, and the request with the tag it may name."""
    request = kind.request
    async with httpx.AsyncClient(base_url=address, headers={"Accept-Encoding": "identity"}) as client:
        if kind.known:
            tag = (await client.get(request.path, headers=request.headers)).headers["ETag"]
            request = replace(request, headers={**request.headers, "If-None-Match": tag})
        sent = client.build_request(request.method, request.path, headers=request.headers, content=request.body)
        response = await client.send(sent, stream=True)
        content = b"".join([part async for part in response.aiter_raw()])
        await response.aclose()
    return Answer(response.status_code, content), request


@asynccontextmanager
async def _bare_route(request: Request, answer: Answer) -> AsyncIterator[str]:
    """The baseline's process; its address."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "content"
        file.write_bytes(answer.content)
        words = (str(port), request.method, urlsplit(request.path).path, str(answer.status), str(file))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "tests.bench.bare_route", *words),
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _up: bool = await eventually(partial(is_up, address), START_SECONDS, "the bare route")
            yield address
        finally:
            process.terminate()
            await process.wait()


def _levels(rows: Sequence[Row], sizes: Sequence[int]) -> list[Row]:
    """The same kind of request at the largest size, beside the smallest."""
    by_name = {row.what: row for row in rows if row.unit == "requests/s" and "POST" not in row.what}
    least, most = f", {sizes[0]:,}", f", {sizes[-1]:,}"
    return [
        Row(f"{name.removesuffix(least)}, {sizes[-1]:,} against {sizes[0]:,}", row.unit, many.ours, row.ours)
        for name, row in by_name.items()
        if least != most and name.endswith(least) and (many := by_name.get(name.removesuffix(least) + most))
    ]
