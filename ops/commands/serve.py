"""`elruso serve`: the API, without a runner."""

import click
import uvloop
from msgspec.structs import replace

from events.connect import Database
from ops.config import Config
from ops.database import use_database
from ops.engine import engine
from ops.logs import configure_logs
from ops.startup import migrate_when_reachable
from ops.stopping import forever, run_until_stopped
from ops.terminal import Terminal, command, option


@command("serve", help="help.serve")
@option("--host", help="help.serve.host")
@option("--port", type=click.IntRange(0, 65_535), help="help.serve.port")
@click.pass_obj
def serve(terminal: Terminal, host: str | None, port: int | None) -> None:
    """Serve the API until SIGTERM or SIGINT."""
    config = addressed(terminal.config, host, port)
    configure_logs(config)
    with use_database(config, terminal.say, "elruso-api", watched=True) as database:
        uvloop.run(run_until_stopped(_serve(terminal, config, database)))
    terminal.say("serve.stopped")


def addressed(config: Config, host: str | None, port: int | None) -> Config:
    """The settings with the address that was asked for."""
    return replace(config, host=host or config.host, port=config.port if port is None else port)


async def _serve(terminal: Terminal, config: Config, database: Database) -> None:
    await migrate_with_progress(terminal, database)
    async with engine(config, database) as address:
        terminal.say("serve.ready", address=address)
        await forever()


async def migrate_with_progress(terminal: Terminal, database: Database) -> None:
    """Bring the database up to date, with a bar if the views are rebuilt; wait for a database that is away."""
    with terminal.progress("db.rebuilding") as show:
        await migrate_when_reachable(database, terminal.say, show)
