"""The rules by which the guard checks events are those of their Structs."""

from typing import Any

import msgspec
from asyncpg import Connection

from events.limits import MOMENT_MAX, MOMENT_MIN
from events.rules import rows, rules
from ops.migrate import schema_sql

PRINT = "print(events.rules.rows(), end='') prints the rows for schema.sql and for a new migration"


async def test_the_database_has_the_rules_of_the_structs(connection: Connection) -> None:
    """Each event type and each kind has its rule in log.rules, as its Struct has it today."""
    stored = await connection.fetch("SELECT name, rule FROM log.rules")
    assert rules() == {row["name"]: msgspec.json.decode(row["rule"]) for row in stored}, PRINT
    assert rows() in schema_sql(), PRINT


async def test_a_time_has_the_same_range(connection: Connection) -> None:
    """The ends of the range of times are told in Python and in SQL."""

    async def is_moment(text: str) -> Any:
        return await connection.fetchval("SELECT log.is_moment($1)", text)

    for moment in (MOMENT_MIN, MOMENT_MAX):
        assert await is_moment(moment.isoformat())
        assert moment == await connection.fetchval("SELECT view.moment_of($1)", moment)
    for text in ("1969-12-31T23:59:59.999999Z", "9998-12-31T00:00:00.000001Z", "9998-12-30T23:59:59-00:01", "infinity"):
        assert not await is_moment(text), text
