"""`elruso vault`: the credentials of this machine. Values come in by a prompt, the input or a file, never as arguments,
which other users could see."""

import asyncio
import shlex
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import asyncpg
import click

from events.commands import Commands
from events.connect import Database
from events.errors import ElRusoError
from events.notifier import Notifier
from events.rfc3339 import rfc3339
from ops.database import running_database
from ops.errors import OperatorError
from ops.terminal import Terminal, group, option
from ops.vault.contents import check_name
from ops.vault.desk import Desk, definitions_of
from ops.vault.keyring import Keyring
from ops.vault.weakness import weakness_of
from projections.views import Views

ACTOR = "human:local"
ARMOR = b"-----BEGIN "


@group("vault", help="help.vault")
def vault() -> None:
    """The group; see help.vault."""


@vault.command("set", help="help.vault.set")
@click.argument("name")
@option("--grant", is_flag=True, help="help.vault.set.grant")
@option("--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="help.vault.set.file")
@click.pass_obj
def set_command(terminal: Terminal, name: str, grant: bool, file: Path | None) -> None:
    """Store one value; requests that lack nothing any more are provided."""
    check_name(name)
    value = _read_value(terminal, name, file)
    Keyring.of(terminal.config).vault.set({name: value}, True if grant else None)
    terminal.say("vault.set", name=name)
    weakness = asyncio.run(weakness_of(name, value, terminal.config.workspace))
    if weakness:
        terminal.say(f"vault.{weakness.reason}", name=name, **weakness.facts)
    if file is not None and value.endswith("\n") and value.count("\n") == 1:
        terminal.say("vault.line_break", name=name)
    _tell(terminal, "vault.provided", lambda desk: desk.settle(ACTOR))


@vault.command("list", help="help.vault.list")
@option("--json", "as_json", is_flag=True, help="help.json")
@click.pass_obj
def list_command(terminal: Terminal, as_json: bool) -> None:
    """Print the names, since when each value is there, and which ones tasks may have."""
    entries = sorted(Keyring.of(terminal.config).vault.read().entries.items())
    if as_json:
        rows = [{"name": name, "set_at": rfc3339(entry.set_at), "granted": entry.granted} for name, entry in entries]
        terminal.show_json(rows)
        return
    for name, entry in entries:
        tasks = terminal.text("vault.for_tasks") if entry.granted else ""
        terminal.show_line(f"{name:<40} {entry.set_at.astimezone():%Y-%m-%d %H:%M}  {tasks}".rstrip())
    if not entries:
        terminal.say("vault.empty")


@vault.command("rm", help="help.vault.rm")
@click.argument("names", nargs=-1, required=True)
@click.pass_obj
def rm_command(terminal: Terminal, names: Sequence[str]) -> None:
    """Remove values; requests that they had provided are open again."""
    Keyring.of(terminal.config).vault.remove(names)
    for name in names:
        terminal.say("vault.removed", name=name)
    _tell(terminal, "vault.reopened", lambda desk: desk.reopen(names, ACTOR))


@vault.command("grant", help="help.vault.grant")
@click.argument("names", nargs=-1, required=True)
@click.pass_obj
def grant_command(terminal: Terminal, names: Sequence[str]) -> None:
    """Let tasks that name these values have them."""
    Keyring.of(terminal.config).vault.grant(names)
    for name in names:
        terminal.say("vault.granted", name=name)


@vault.command("revoke", help="help.vault.revoke")
@click.argument("names", nargs=-1, required=True)
@click.pass_obj
def revoke_command(terminal: Terminal, names: Sequence[str]) -> None:
    """Let tasks not have them any more."""
    Keyring.of(terminal.config).vault.grant(names, False)
    for name in names:
        terminal.say("vault.revoked", name=name)


@vault.command("rotate", help="help.vault.rotate")
@option("--passphrase", "to", flag_value="passphrase", help="help.vault.rotate.passphrase")
@option("--key-file", "to", flag_value="key", help="help.vault.rotate.key_file")
@click.pass_obj
def rotate_command(terminal: Terminal, to: str | None) -> None:
    """Seal the vault anew, as it was sealed before unless another way is asked for."""
    vault = Keyring.of(terminal.config).vault
    passphrase = _ask_passphrase(terminal) if to == "passphrase" else None if to == "key" else vault.passphrase
    vault.rotate(passphrase)
    terminal.say("vault.rotated_passphrase" if to == "passphrase" else "vault.rotated")


@vault.command("env", help="help.vault.env")
@click.argument("names", nargs=-1)
@click.pass_obj
def env_command(terminal: Terminal, names: Sequence[str]) -> None:
    """Print the values (of these names, or all) as lines that a shell may evaluate."""
    contents = Keyring.of(terminal.config).vault.read()
    contents.check_known(names)
    for name in names or sorted(contents.entries):
        terminal.show_verbatim(f"export {name}={shlex.quote(contents.entries[name].value)}")


def _read_value(terminal: Terminal, name: str, file: Path | None) -> str:
    """A file as it is: a key without its last line break is no key. Of the input, which is the last line break that
    `echo` adds, unless a key is read from there."""
    if file is not None:
        return file.read_bytes().decode(errors="surrogateescape")
    if sys.stdin.isatty():
        return terminal.ask("vault.ask", name=name)
    given = sys.stdin.buffer.read()
    return given.decode(errors="surrogateescape") if ARMOR in given else _decoded(given)


def _decoded(given: bytes) -> str:
    """Text; what is none becomes what the vault will refuse, with the right words."""
    return given.decode(errors="surrogateescape").rstrip("\r\n")


def _ask_passphrase(terminal: Terminal) -> str:
    if sys.stdin.isatty():
        passphrase = terminal.ask("vault.ask_passphrase", confirm=True)
    else:
        passphrase = _decoded(sys.stdin.buffer.readline())
    if not passphrase.strip():
        raise OperatorError("vault.empty_passphrase")
    return passphrase


def _tell(terminal: Terminal, key: str, news: Callable[[Desk], Awaitable[list[str]]]) -> None:
    """Tell the engine, if its database runs; else it will look into the vault when it starts."""
    database = running_database(terminal.config, "elruso-vault")
    if database is None:
        return
    try:
        requests = asyncio.run(_at_desk(terminal, database, news))
    except (ElRusoError, asyncpg.PostgresError, OSError) as error:
        terminal.say("vault.untold", detail=error)
        return
    if requests:
        terminal.say(key, requests=", ".join(requests))


async def _at_desk(terminal: Terminal, database: Database, news: Callable[[Desk], Awaitable[list[str]]]) -> list[str]:
    config = terminal.config
    async with (
        database.pool(1) as pool,
        Notifier(database) as notifier,
        Commands(database, notifier=notifier) as commands,
    ):
        return await news(Desk(Keyring.of(config), commands, Views(pool), definitions_of(config)))
