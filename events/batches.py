"""Statements that are not worth a batch of their own, carried out together; and long lists in parts."""

from collections.abc import Sequence
from typing import Any

from asyncpg import Connection
from msgspec import Struct

from events.requests import SQL as REQUESTS_SQL
from events.runners import SQL as RUNNERS_SQL
from events.statements import load_statements

SQL = load_statements("events", "commands.sql") | REQUESTS_SQL | RUNNERS_SQL


class Call(Struct, frozen=True):
    """One statement and its arguments, for the writes that are not worth batching."""

    statement: str
    arguments: tuple[Any, ...]


async def carry_out(connection: Connection, calls: Sequence[Call], _resent: bool) -> list[list[Any]]:
    """Carries out one call alone, or several in one transaction."""
    if len(calls) == 1:
        return [await connection.fetch(SQL[calls[0].statement], *calls[0].arguments)]
    async with connection.transaction():
        return [await connection.fetch(SQL[call.statement], *call.arguments) for call in calls]


def batched(items: Sequence[str], size: int) -> list[list[str]]:
    """The items in lists of at most `size`."""
    return [list(items[place : place + size]) for place in range(0, len(items), size)]
