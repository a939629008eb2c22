"""`elruso db`: the database itself."""

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

import click

from events.connect import Database
from ops.backup import back_up, restore
from ops.config import client_environment
from ops.database import embedded_folder, use_database
from ops.errors import OperatorError
from ops.home import make_home_private
from ops.migrate import migrate, read_schema, report
from ops.postgres import control
from ops.postgres.clients import address_for_libpq, find_program
from ops.terminal import Terminal, group, option
from projections.rebuild import rebuild

NEWEST = 990_000  # psql speaks to older servers too


@group("db", help="help.db")
def db() -> None:
    """The group; see help.db."""


@db.command("migrate", help="help.db.migrate")
@click.pass_obj
def migrate_command(terminal: Terminal) -> None:
    """Create or update the database."""
    with use_database(terminal.config, terminal.say, "elruso-migrate") as database:
        with terminal.progress("db.rebuilding") as show:
            outcome = asyncio.run(migrate(database.connect, rebuild=rebuild, progress=show))
        for line in report(outcome):
            terminal.say(line.key, **line.facts)


@db.command("rebuild", help="help.db.rebuild")
@click.pass_obj
def rebuild_command(terminal: Terminal) -> None:
    """Fold the log into new views and swap them in."""
    with (
        use_database(terminal.config, terminal.say, "elruso-rebuild") as database,
        terminal.progress("db.rebuilding") as show,
    ):
        done = asyncio.run(rebuild(database.connect, read_schema().view, show))
    rate = done.events / max(done.seconds, 1e-9)
    terminal.say("db.rebuild_done", events=done.events, seconds=done.seconds, rate=rate, held=done.held_seconds)


@db.command("backup", help="help.db.backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@option("--force", is_flag=True, help="help.db.backup.force")
@click.pass_obj
def backup_command(terminal: Terminal, file: Path, force: bool) -> None:
    """Write everything in the database into one file."""
    if file.exists() and not force:
        raise OperatorError("backup.exists", file=file)
    with use_database(terminal.config, terminal.say, "elruso-backup") as database:
        asyncio.run(back_up(database, file))
    terminal.say("db.backed_up", file=file, megabytes=file.stat().st_size / 1e6)


@db.command("restore", help="help.db.restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def restore_command(terminal: Terminal, file: Path) -> None:
    """Fill an empty database from a backup, and bring it up to date."""
    with (
        use_database(terminal.config, terminal.say, "elruso-restore") as database,
        terminal.progress("db.rebuilding") as show,
    ):
        asyncio.run(_restore(database, file, show))
    terminal.say("db.restored", file=file)


async def _restore(database: Database, file: Path, show: Callable[[int, int], None]) -> None:
    await restore(database, file)
    await migrate(database.connect, rebuild=rebuild, progress=show)


@db.command("psql", help="help.db.psql", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def psql_command(terminal: Terminal, arguments: tuple[str, ...]) -> int:
    """Run the psql that comes along on our database; its exit status is ours."""
    with use_database(terminal.config, terminal.say, "elruso-psql") as database:
        address, secret = address_for_libpq(database)
        command = [str(find_program("psql", NEWEST)), address, *arguments]
        return subprocess.run(command, env=client_environment() | secret).returncode


@db.command("url", help="help.db.url")
@option("--socket", is_flag=True, help="help.db.url.socket")
@click.pass_obj
def url_command(terminal: Terminal, socket: bool) -> None:
    """Print the address for psql; our own server is started if need be, and left running for psql to find."""
    config = terminal.config
    if config.database_url:
        terminal.show(config.database_url)
        return
    make_home_private(config.home)
    server = control.start(embedded_folder(config), config.postgres_major, announce=terminal.say)
    terminal.show(server.url() if socket else server.tcp_url())


@db.command("stop", help="help.db.stop")
@option("--force", is_flag=True, help="help.db.stop.force")
@click.pass_obj
def stop_command(terminal: Terminal, force: bool) -> None:
    """Stop our own server."""
    stopped = control.stop(embedded_folder(terminal.config), terminal.config.postgres_major, force=force)
    terminal.say("db.stopped" if stopped else "db.not_running")
