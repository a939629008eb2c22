"""One runner in one process: the composition root of `elruso runner run`."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop

from events.connect import Database
from events.listener import Intervals
from ops.config import Config, inherited_environment
from ops.database import use_database
from ops.engine import own_version
from ops.logs import known_secrets
from ops.migrate import migrate
from ops.postgres.control import Announce
from projections.rebuild import rebuild
from runner.handlers import Handlers
from runner.http_link import HttpLink
from runner.postgres_link import PostgresLink
from runner.redact import Redactor
from runner.run import Context
from runner.settings import Settings
from runner.worker import Worker
from runner.workspace import Workspaces

HARD_STOP_SECONDS = 2.0  # after a second signal the process is gone by then, come what may


def run_runner(config: Config, announce: Announce, tied: bool = False) -> None:
    """Run a runner until SIGTERM or SIGINT; a second signal stops it hard. `tied`: also until stdin ends.

    It speaks to the API if one is named and no database is, else to the database.

    Raises:
        InvalidInput: the handlers cannot be loaded.
        Unavailable: the engine cannot be reached.
    """
    context, settings = _context(config), _settings(config)
    if speaks_http(config):
        uvloop.run(_run(HttpLink(config.api_url, config.token, settings), context, settings, tied))
        return
    with use_database(config, announce, "elruso-runner") as database:
        uvloop.run(_run_on_database(config, database, context, settings, tied))


def speaks_http(config: Config) -> bool:
    """Whether a runner of these settings goes through the API."""
    return config.api is not None and config.database_url is None


async def _run_on_database(
    config: Config, database: Database, context: Context, settings: Settings, tied: bool
) -> None:
    await migrate(database.connect, rebuild=rebuild)
    intervals = Intervals(ping=config.ping_seconds, poll=config.deaf_poll_seconds)
    await _run(PostgresLink(database, settings, intervals), context, settings, tied)


async def _run(opening: PostgresLink | HttpLink, context: Context, settings: Settings, tied: bool) -> None:
    await context.workspaces.remove_abandoned()
    async with opening as link:
        worker = Worker(link, context, settings)
        async with _stopped_by_signals(worker, tied):
            _spare_the_collector()
            await worker.run()


@asynccontextmanager
async def _stopped_by_signals(worker: Worker, tied: bool) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    signals = 0

    def stop() -> None:
        nonlocal signals
        signals += 1
        worker.stop(hard=signals > 1)
        if signals > 1:
            loop.call_later(HARD_STOP_SECONDS, os._exit, 128 + signal.SIGTERM)

    def stdin_ended() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            worker.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    if tied:
        loop.add_reader(sys.stdin.fileno(), stdin_ended)
    yield


def _spare_the_collector() -> None:
    """What a run allocates dies by its reference counts; looking for cycles in it costs a third of the CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _settings(config: Config) -> Settings:
    return Settings(
        concurrency=config.concurrency,
        heartbeat_seconds=config.heartbeat_seconds,
        lease_seconds=config.lease_seconds,
        drain_seconds=config.drain_seconds,
        labels={"version": own_version()},
    )


def _context(config: Config) -> Context:
    environment = inherited_environment()
    granted = {name: environment[name] for name in config.granted_names if name in environment}
    return Context(
        workspaces=Workspaces(config.home / "runs", config.workspace, environment),
        redactor=Redactor([*known_secrets(config), *granted.values()]),
        handlers=_handlers(config.handlers),
        agent=config.agent,
        environment=environment,
        granted=granted,
        step_seconds=config.step_seconds,
        output_limit_bytes=config.output_limit_bytes,
    )


def _handlers(module: str | None) -> Handlers:
    """Modules are looked for in the current directory too."""
    if module is None:
        return Handlers()
    sys.path.append(str(Path.cwd()))
    return Handlers.load(module)
