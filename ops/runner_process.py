"""One runner in one process: the composition root of `elruso runner run`."""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import uvloop

from events.connect import Database
from events.listener import Intervals
from ops.collector import spare_the_runner
from ops.config import Config, inherited_environment
from ops.database import use_database
from ops.engine import own_version
from ops.home import make_home_private, make_private, open_private
from ops.postgres.control import Announce
from ops.printing import redact_prints
from ops.private_process import become_identifiable
from ops.startup import migrate_when_reachable
from ops.vault.keyring import Keyring
from runner.handlers import Handlers
from runner.http_link import HttpLink
from runner.orphans import kill_orphans
from runner.postgres_link import PostgresLink
from runner.run import Context
from runner.settings import Settings
from runner.worker import Worker
from runner.workspace import WorkspacePolicy, Workspaces

HARD_STOP_SECONDS = 2.0  # after a second signal the process is gone by then, come what may


def run_runner(config: Config, announce: Announce, tied: bool = False) -> None:
    """Run a runner until SIGTERM or SIGINT; a second signal stops it hard.

    `tied`: also until stdin ends, and its pid is written to `ready_file` once the engine knows of it.

    It speaks to the API if one is named and no database is, else to the database.

    Raises:
        InvalidInput: the handlers cannot be loaded.
        Unavailable: the engine cannot be reached.
    """
    make_home_private(config.home)
    redact_prints(Keyring.of(config).redactor)
    process = RunnerProcess(_context(config), _settings(config), ready_file(config.home) if tied else None)
    if speaks_http(config):
        if not config.token:
            become_identifiable()
        uvloop.run(process.run(HttpLink(config.api_url, config.token, process.settings)))
        return
    with use_database(config, announce, "elruso-runner", watched=True) as database:
        link = _link_to(config, database, process.settings)
        uvloop.run(process.run(link, migrate_when_reachable(database, announce)))


def speaks_http(config: Config) -> bool:
    """Whether a runner of these settings goes through the API."""
    return config.api is not None and config.database_url is None


def ready_file(home: Path) -> Path:
    """Where a tied runner writes its pid once the engine knows of it."""
    return home / "run" / "runner.ready"


def _link_to(config: Config, database: Database, settings: Settings) -> PostgresLink:
    intervals = Intervals(ping=config.ping_seconds, poll=config.deaf_poll_seconds)
    return PostgresLink(database, settings, intervals)


class RunnerProcess:
    """One worker, the signals that stop it, and the keeper it may be tied to (then `ready` is a file)."""

    def __init__(self, context: Context, settings: Settings, ready: Path | None) -> None:
        self.settings = settings
        self._context = context
        self._ready = ready
        self._starting: asyncio.Task[object] | None = None
        self._worker: Worker | None = None
        self._signals = 0
        self._ended = False

    async def run(
        self, opening: PostgresLink | HttpLink, preparation: Coroutine[Any, Any, object] | None = None
    ) -> None:
        """Run until stopped, also while `preparation` still waits for the engine."""
        self._watch_for_the_end()
        self._starting = asyncio.current_task()
        try:
            if preparation is not None:
                await preparation
            await self._run(opening)
        except asyncio.CancelledError:
            if not self._ended:
                raise

    async def _run(self, opening: PostgresLink | HttpLink) -> None:
        """Processes of dead runners are killed before their workspaces are cleaned up."""
        await asyncio.to_thread(kill_orphans)
        workspaces = self._context.workspaces
        async with opening as link:
            workspaces.set_run_lookup(link)
            await workspaces.recover()
            self._worker = Worker(link, self._context, self.settings)
            telling = asyncio.create_task(self._tell_keeper(self._worker))
            spare_the_runner()
            await self._worker.run()
            telling.cancel()

    def _watch_for_the_end(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        if self._ready is not None:
            loop.add_reader(sys.stdin.fileno(), self._read_keeper)

    def _stop(self) -> None:
        self._signals += 1
        self._end(hard=self._signals > 1)
        if self._signals > 1:
            asyncio.get_running_loop().call_later(HARD_STOP_SECONDS, os._exit, 128 + signal.SIGTERM)

    def _read_keeper(self) -> None:
        """It never writes; when it is gone, stdin ends."""
        if not os.read(sys.stdin.fileno(), 4096):
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            self._end()

    def _end(self, hard: bool = False) -> None:
        self._ended = True
        if self._worker is not None:
            self._worker.stop(hard=hard)
        elif self._starting is not None:
            self._starting.cancel()

    async def _tell_keeper(self, worker: Worker) -> None:
        await worker.started.wait()
        if self._ready is not None:
            _write_pid(self._ready)


def _write_pid(ready: Path) -> None:
    make_private(ready.parent)
    with open(ready, "w", opener=open_private) as file:
        file.write(f"{os.getpid()}\n")


def _settings(config: Config) -> Settings:
    return Settings(
        concurrency=config.concurrency,
        heartbeat_seconds=config.heartbeat_seconds,
        lease_seconds=config.lease_seconds,
        client_lease_seconds=config.client_lease_seconds,
        drain_seconds=config.drain_seconds,
        labels={"version": own_version()},
    )


def _context(config: Config) -> Context:
    environment = inherited_environment()
    granted = {name: environment[name] for name in config.granted_names if name in environment}
    keyring = Keyring.of(config)
    keyring.hide(granted.values())
    return Context(
        workspaces=Workspaces(
            config.home / "runs",
            config.workspace,
            environment,
            WorkspacePolicy(
                git_seconds=config.git_seconds,
                kept_days=config.kept_days,
                copies=config.concurrency,
                committed_secrets=config.committed_secrets,
            ),
        ),
        redactor=keyring.redactor,
        secrets=keyring,
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
