"""Statements that are not worth a batch of their own, carried out together; and long lists in parts."""

from collections.abc import Sequence
from typing import Any

from asyncpg import Connection
from msgspec import Struct

from events.directives import SQL as DIRECTIVES_SQL
from events.requests import SQL as REQUESTS_SQL
from events.runners import SQL as RUNNERS_SQL
from events.statements import load_statements

SQL = load_statements("events", "commands.sql") | REQUESTS_SQL | RUNNERS_SQL
DECISIONS = frozenset(REQUESTS_SQL) - {"request_state"}
"""What a directive may do depends on them (log.lock_decisions)."""
REQUEUES = frozenset({"requeue_task", "requeue_many", "close_tasks"})
TAKES = REQUEUES | {"stop_task", "cancel_many", "prioritize_many"}
"""Their first argument names tasks that are locked before (log.lock_tasks)."""


class Call(Struct, frozen=True):
    """One statement and its arguments."""

    statement: str
    arguments: tuple[Any, ...]

    @property
    def locked(self) -> list[str]:
        """The tasks that are locked before the statement."""
        if self.statement not in TAKES:
            return []
        named = self.arguments[0]
        return [named] if isinstance(named, str) else list(named)


async def carry_out(connection: Connection, calls: Sequence[Call], _resent: bool) -> list[list[Any]]:
    """Carries out one call alone, or several in one transaction, once all that they need is locked."""
    decides = any(call.statement in DECISIONS for call in calls)
    locked = [task_id for call in calls for task_id in call.locked]
    if len(calls) == 1 and not decides and not locked:
        return [await connection.fetch(SQL[calls[0].statement], *calls[0].arguments)]
    async with connection.transaction():
        if decides:
            await connection.execute(DIRECTIVES_SQL["lock_decisions"])
        if locked:
            requeued = [task_id for call in calls if call.statement in REQUEUES for task_id in call.locked]
            await connection.fetch(SQL["lock_tasks"], locked, requeued)
        return [await connection.fetch(SQL[call.statement], *call.arguments) for call in calls]


def batched(items: Sequence[str], size: int) -> list[list[str]]:
    """The items in lists of at most `size`."""
    return [list(items[place : place + size]) for place in range(0, len(items), size)]
