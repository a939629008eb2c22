"""Locks that other sessions hold: how long ours wait for them, and who holds them."""

import asyncio
from typing import Any

from asyncpg import Connection, Record

from events.pooled import is_pooled
from events.statements import load_statements

FIND_SECONDS = 0.2  # how long the sessions are looked for that keep a statement waiting
FIND_EVERY_SECONDS = 0.02

_sql = load_statements("events", "locks.sql")


async def limit_lock_waits(connection: Connection, seconds: float) -> None:
    """A statement of this session that waits longer for a lock fails with 55P03. Raises what asyncpg raises."""
    milliseconds = str(round(seconds * 1000))
    if is_pooled(connection):
        connection.settings = {**connection.settings, "lock_timeout": milliseconds}
    else:
        await connection.fetchval(_sql["limit_lock_waits"], milliseconds)


async def find_lock_holders(observer: Connection, process_id: int, statement: "asyncio.Future[Any]") -> str | None:
    """Who keeps the server's process, which executes `statement`, from a lock, in words; None: nobody was seen to."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + FIND_SECONDS
    while not statement.done() and loop.time() < give_up:
        if rows := await observer.fetch(_sql["lock_holders"], process_id):
            return "; ".join(map(_describe, rows))
        await asyncio.wait([statement], timeout=FIND_EVERY_SECONDS)
    return None


def _describe(row: Record) -> str:
    seconds = round(row["transaction_seconds"] or 0)
    query = " ".join(row["query"].split())
    name = row["application_name"] or "unnamed"
    return f"pid {row['pid']} ({name}, user {row['usename']}, {row['state']}, transaction of {seconds} s): {query}"
