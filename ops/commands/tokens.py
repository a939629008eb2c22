"""`elruso token`: who may speak to the API, and as what."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from api.tokens import ROLES, TokenStore
from events.connect import Database
from ops.database import use_database
from ops.migrate import migrate
from ops.terminal import Terminal, group, option

Result = TypeVar("Result")


@group("token", help="help.token")
def token() -> None:
    """The group; see help.token."""


@token.command("create", help="help.token.create")
@click.argument("name")
@option("--role", type=click.Choice(ROLES), required=True, help="help.token.role")
@click.pass_obj
def create(terminal: Terminal, name: str, role: str) -> None:
    """Make a token and print it, this once."""
    terminal.show(_ask(terminal, lambda store: store.create_token(name, role)))  # type: ignore[arg-type]
    terminal.say("token.created", name=name, role=role)


@token.command("revoke", help="help.token.revoke")
@click.argument("name")
@click.pass_obj
def revoke(terminal: Terminal, name: str) -> None:
    """Make a token void."""
    _ask(terminal, lambda store: store.revoke_token(name))
    terminal.say("token.revoked", name=name)


@token.command("list", help="help.token.list")
@click.pass_obj
def list_command(terminal: Terminal) -> None:
    """Print all tokens, never their text."""
    for known in _ask(terminal, lambda store: store.list_tokens()):
        state = terminal.text("token.void", at=known.revoked_at) if known.revoked_at else terminal.text("token.valid")
        terminal.show_line(f"{known.name:<30} {known.role:<9} {known.created_at:%Y-%m-%d %H:%M}  {state}")


def _ask(terminal: Terminal, question: Callable[[TokenStore], Awaitable[Result]]) -> Result:
    async def answer(database: Database) -> Result:
        await migrate(database.connect)
        async with database.pool(1) as pool:
            return await question(TokenStore(pool))

    with use_database(terminal.config, terminal.say, "elruso-token") as database:
        return asyncio.run(answer(database))
