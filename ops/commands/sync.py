"""`elruso sync`: TASKS.json and REQUESTS.json into the log, and back. Speaks to the database."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import click

from api.auth import is_loopback
from events.connect import Database
from events.notifier import Notifier
from ops.config import Config
from ops.database import use_database
from ops.errors import OperatorError
from ops.migrate import migrate
from ops.report import Line, tell
from ops.sync.files import Files
from ops.terminal import Terminal, group, option
from ops.vault.keyring import Keyring
from projections.rebuild import rebuild

ACTOR = "human:local"

Answer = TypeVar("Answer")
Work = Callable[[Database], Awaitable[Answer]]


@group("sync", help="help.sync")
def sync() -> None:
    """The group; see help.sync."""


_folder = option("--folder", type=click.Path(exists=True, file_okay=False, path_type=Path), help="help.sync.folder")
_dry_run = option("--dry-run", is_flag=True, help="help.sync.dry_run")


@sync.command("push", help="help.sync.push")
@_dry_run
@_folder
@click.pass_obj
def push_command(terminal: Terminal, dry_run: bool, folder: Path | None) -> None:
    """Bring the files into the log."""
    files = Files(terminal.config.workspace, folder)
    _show(terminal, lambda database: _push(database, files, Keyring.of(terminal.config), dry_run))


@sync.command("pull", help="help.sync.pull")
@_dry_run
@option("--open", "only_open", is_flag=True, help="help.sync.open")
@_folder
@click.pass_obj
def pull_command(terminal: Terminal, dry_run: bool, only_open: bool, folder: Path | None) -> None:
    """Bring the log into the files."""
    files = Files(terminal.config.workspace, folder)
    _show(terminal, lambda database: files.pull(database, only_open, dry_run))


def _show(terminal: Terminal, work: Work[list[Line]]) -> None:
    _refuse_from_afar(terminal.config)
    with (
        use_database(terminal.config, terminal.say, "elruso-sync") as database,
        terminal.progress("db.rebuilding") as show,
    ):
        lines = asyncio.run(_on_current_schema(database, work, show))
    terminal.show(tell(lines, terminal.text))


def _refuse_from_afar(config: Config) -> None:
    """Refuses where the API is far away and its database is not named: another one would be written to."""
    if config.api and not config.database_url and not is_loopback(urlsplit(config.api_url).hostname or ""):
        raise OperatorError("sync.far_away", api=config.api_url)


async def _on_current_schema(database: Database, work: Work[Answer], show: Callable[[int, int], None]) -> Answer:
    await migrate(database.connect, rebuild=rebuild, progress=show)
    return await work(database)


async def _push(database: Database, files: Files, keyring: Keyring, dry_run: bool) -> list[Line]:
    async with Notifier(database) as notifier:
        return await files.push(database, keyring, ACTOR, notifier.wake, dry_run)
