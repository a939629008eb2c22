"""One runner in one process: the composition root of `elruso runner run`."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

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
from ops.runner_loop import RunnerLoop, end_process
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

STOP_SECONDS = 20.0  # after a signal the process is gone by then, and its time to drain, come what may
HARD_STOP_SECONDS = 2.0  # after a second one


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
    loop = RunnerLoop()
    if speaks_http(config):
        if not config.token:
            become_identifiable()
        loop.run(process.run(HttpLink(config.api_url, config.token, process.settings)))
    else:
        with use_database(config, announce, "elruso-runner", watched=True) as database:
            link = _link_to(config, database, process.settings)
            loop.run(process.run(link, migrate_when_reachable(database, announce)))
    loop.leave()


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
            signal.signal(number, partial(self._take_signal, loop))
        if self._ready is not None:
            loop.add_reader(sys.stdin.fileno(), self._read_keeper)

    def _take_signal(self, loop: asyncio.AbstractEventLoop, _number: int, _frame: FrameType | None) -> None:
        """Called between two instructions of the main thread, even while a handler blocks the event loop."""
        self._signals += 1
        hard = self._signals > 1
        if self._signals <= 2:
            _end_after(HARD_STOP_SECONDS if hard else self.settings.drain_seconds + STOP_SECONDS)
        loop.call_soon_threadsafe(self._end, hard)

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


def _end_after(seconds: float) -> None:
    """End the process by then, come what may: from a thread, because a handler may block the event loop."""
    watchdog = threading.Timer(seconds, end_process, [128 + signal.SIGTERM])
    watchdog.daemon = True
    watchdog.start()


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
        shell=config.shell,
        step_seconds=config.step_seconds,
        output_limit_bytes=config.output_limit_bytes,
    )


def _handlers(module: str | None) -> Handlers:
    """Modules are looked for in the current directory too."""
    if module is None:
        return Handlers()
    sys.path.append(str(Path.cwd()))
    return Handlers.load(module)
