"""The benchmarks by name, and a run of some of them."""

import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import asyncpg
import uvloop
from msgspec import Struct
from rich.console import Console

from ops.postgres.control import Announce
from ops.postgres.server import Server
from tests.bench import (
    api,
    claim,
    cost,
    create,
    endurance,
    idle,
    lifecycle,
    pages,
    rebuild,
    redaction,
    repository,
    soak,
    viewers,
    wakeup,
    wakeup_http,
)
from tests.bench.machine import circumstances
from tests.bench.plan import FULL, MODEST, Plan, Sizes, voice
from tests.bench.report import Report, Result, as_json, show_circumstances, show_result
from tests.bench.server import Bench, own_server, prepared
from tests.bench.wrk import is_installed

__all__ = ["BENCHMARKS", "FULL", "MODEST", "OWN_SERVER_ONLY", "Asked", "lacking", "perform"]

Benchmark = Callable[[Bench, Plan], Awaitable[Result]]

BENCHMARKS: Mapping[str, Benchmark] = {
    "lifecycle": lifecycle.run,
    "wakeup": wakeup.run,
    "wakeup_http": wakeup_http.run,
    "create": create.run,
    "claim": claim.run,
    "rebuild": rebuild.run,
    "cost": cost.run,
    "idle": idle.run,
    "pages": pages.run,
    "viewers": viewers.run,
    "api": api.run,
    "redaction": redaction.run,
    "repository": repository.run,
    "endurance": endurance.run,
    "soak": soak.run,
}
PAGE_COLUMNS = 120  # where no terminal says how wide it is
OWN_SERVER_ONLY = {"idle", "soak"}  # they read the server's log, or need to be its superuser
BY_NAME_ONLY = {"endurance", "soak"}  # too long for "all of them"
NEEDS_WRK = {"api"}


class Asked(Struct, frozen=True):
    """What the operator asked for. Without `database_url` a server of our own is made under `home`.

    `keep`: what takes long to make stays on a given server.
    """

    name: str | None
    runs: int
    sizes: Sizes
    as_json: bool
    home: Path
    postgres_major: int
    database_url: str | None = None
    keep: bool = False


def perform(asked: Asked, announce: Announce) -> bool:
    """Measure and print; whether every check held. `announce` is told what takes its time before that."""
    with ExitStack() as stack:
        server = None
        if asked.database_url is None:
            server = stack.enter_context(own_server(asked.home, asked.postgres_major, announce))
        report = uvloop.run(_perform(asked, server))
    if asked.as_json:
        print(as_json(report))
    return report.well


def lacking() -> set[str]:
    """The benchmarks that cannot be made for want of a load generator."""
    return set() if is_installed() else NEEDS_WRK


def chosen(name: str | None, own: bool) -> list[str]:
    """The benchmark that was asked for, or all that this server and this machine allow."""
    left_out = BY_NAME_ONLY | lacking() | (set() if own else OWN_SERVER_ONLY)
    return [name] if name else [name for name in BENCHMARKS if name not in left_out]


async def _perform(asked: Asked, server: Server | None) -> Report:
    console = Console(quiet=asked.as_json, width=None if sys.stdout.isatty() else PAGE_COLUMNS)
    async with prepared(server, asked.database_url, asked.keep) as bench:
        connection = await asyncpg.connect(bench.admin_url)
        about = await circumstances(connection, bench.own)
        await connection.close()
        show_circumstances(about, asked.runs, console)
        results = []
        with voice() as said:
            for name in chosen(asked.name, bench.own):
                results.append(await BENCHMARKS[name](bench, Plan(asked.runs, asked.sizes, said)))
                show_result(results[-1], console)
    return Report(about, asked.runs, results)
