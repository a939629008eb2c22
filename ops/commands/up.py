"""`elruso up`: everything on this machine, in the foreground."""

import sys
from pathlib import Path

import click
import uvloop
from msgspec.structs import replace

from events.connect import Database
from ops.commands.serve import addressed, migrate_with_progress
from ops.config import OTHER_NAMES, Config, inherited_environment
from ops.database import use_database
from ops.engine import engine
from ops.keeper import keep_running
from ops.logs import configure_logs
from ops.stopping import run_until_stopped
from ops.terminal import Terminal, command, option

API_NAMES = OTHER_NAMES["api"]


@command("up", help="help.up")
@option("--host", help="help.serve.host")
@option("--port", type=click.IntRange(0, 65_535), help="help.serve.port")
@option("--workspace", type=click.Path(file_okay=False, path_type=Path), help="help.up.workspace")
@option("--handlers", help="help.up.handlers")
@option("--concurrency", type=click.IntRange(1, 1000), help="help.up.concurrency")
@click.pass_obj
def up(
    terminal: Terminal,
    host: str | None,
    port: int | None,
    workspace: Path | None,
    handlers: str | None,
    concurrency: int | None,
) -> None:
    """Start PostgreSQL, the API and a runner; end them all at SIGTERM or Ctrl-C."""
    config = addressed(terminal.config, host, port)
    config = replace(
        config,
        workspace=workspace.absolute() if workspace else config.workspace,
        handlers=handlers or config.handlers,
        concurrency=concurrency or config.concurrency,
    )
    configure_logs(config)
    with use_database(config, terminal.say, "elruso-api", watched=True) as database:
        uvloop.run(run_until_stopped(_up(terminal, config, database)))
    terminal.say("serve.stopped")


async def _up(terminal: Terminal, config: Config, database: Database) -> None:
    await migrate_with_progress(terminal, database)
    async with engine(config, database) as address:
        terminal.say("serve.ready", address=address)
        terminal.say("up.hint", address=address)
        await _run_runner(terminal, config)


async def _run_runner(terminal: Terminal, config: Config) -> None:
    """A process of its own, so that nothing a task does can stop the API."""
    await keep_running(
        [sys.executable, "-P", "-m", "ops", "runner", "run", "--tied", *_options(config)],
        _environment(),
        started=lambda pid: terminal.say("up.runner", pid=pid),
        ended=lambda status, seconds: terminal.say("up.runner_again", status=status, seconds=seconds),
    )


def _environment() -> dict[str, str]:
    """Ours, but for the API's address: the runner works on the same database as we do."""
    return {name: value for name, value in inherited_environment().items() if name not in API_NAMES}


def _options(config: Config) -> list[str]:
    options = ["--tied", "--concurrency", str(config.concurrency)]
    if config.workspace:
        options += ["--workspace", str(config.workspace)]
    if config.handlers:
        options += ["--handlers", config.handlers]
    return options
