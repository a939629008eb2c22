"""`elruso token`: who may speak to the API, and as what."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

import click

from api.tokens import ROLES, Role, Token, TokenStore
from events.connect import Database
from ops.database import use_database
from ops.help_formatter import LANGUAGE
from ops.messages import translate
from ops.migrate import migrate
from ops.terminal import Terminal, group, option

Result = TypeVar("Result")

LIFETIME = re.compile(r"([1-9][0-9]{0,4})([mhd])")
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Lifetime(click.ParamType[timedelta]):
    """How long a token is valid: `45m`, `12h`, `30d`."""

    name = "lifetime"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Parse the option's value, or fail with examples of valid ones."""
        if isinstance(value, timedelta):
            return value
        found = LIFETIME.fullmatch(str(value))
        if found is None:
            self.fail(translate("token.lifetime", LANGUAGE.get(), value=value), param, ctx)
        return timedelta(**{UNITS[found[2]]: int(found[1])})


@group("token", help="help.token")
def token() -> None:
    """The group; see help.token."""


@token.command("create", help="help.token.create")
@click.argument("name")
@option("--role", type=click.Choice(ROLES), required=True, help="help.token.role")
@option("--expires", type=Lifetime(), help="help.token.expires")
@click.pass_obj
def create(terminal: Terminal, name: str, role: str, expires: timedelta | None) -> None:
    """Make a token and print it, this once."""
    made, first = _ask(terminal, lambda store: _create(store, name, role, expires))  # type: ignore[arg-type]
    terminal.show(made)
    terminal.say("token.created", name=name, role=role)
    if first:
        terminal.say("token.first")


async def _create(store: TokenStore, name: str, role: Role, expires: timedelta | None) -> tuple[str, bool]:
    """The token, and whether it is the first."""
    first = not await store.any_tokens()
    return await store.create_token(name, role, expires), first


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
    tokens = _ask(terminal, lambda store: store.list_tokens())
    if not tokens:
        terminal.say("token.none")
    for known in tokens:
        terminal.show_line(
            f"{known.name:<30} {known.role:<9} {known.created_at:%Y-%m-%d %H:%M}  {_state(terminal, known)}"
        )


def _state(terminal: Terminal, known: Token) -> str:
    if known.revoked_at:
        return terminal.text("token.void", at=known.revoked_at)
    if known.expires_at is None:
        return terminal.text("token.valid")
    return terminal.text("token.valid_until" if known.is_valid else "token.expired", at=known.expires_at)


def _ask(terminal: Terminal, question: Callable[[TokenStore], Awaitable[Result]]) -> Result:
    async def answer(database: Database) -> Result:
        await migrate(database.connect)
        async with database.pool(1) as pool:
            return await question(TokenStore(pool))

    with use_database(terminal.config, terminal.say, "elruso-token") as database:
        return asyncio.run(answer(database))
