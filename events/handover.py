"""A task that is created while a runner waits for work goes to that runner, in the round trip that creates it.

The runner waits in this process (a long poll of the API), so nobody has to be told to look. Whatever else happens, the
task is created: one that cannot be handed over is there all the same, and a hint says so (docs/adr/0016).
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import asyncpg
from asyncpg import Connection
from msgspec import Raw, Struct

from events.claims import ClaimDesk, Claimed, Wish
from events.creation import Answer, CreatedTask, Creation, create_singly
from events.database_errors import LOST_CONNECTION


class Handed(Struct, frozen=True):
    """A new task in the hands of a runner. The times are JSON."""

    task: Claimed
    runner: str
    created_at: Raw
    claimed_at: Raw


class Taker(Protocol):
    """Somebody who waits for work, and does nothing else until this is settled."""

    @property
    def wish(self) -> Wish:
        """What it would claim."""

    def settle(self, handed: Handed | None) -> None:
        """This is for it, or (None) nothing is: it goes on waiting. Must not raise."""


class Takers(Protocol):
    """Those who wait."""

    @property
    def any_rests(self) -> bool:
        """Whether somebody waits, and nothing is under way for it yet."""

    def call(self) -> Taker | None:
        """The one of these who has waited longest. It is to be settled, whatever happens."""


class HandoverDesk:
    """Hands tasks over as they are created.

    `tell` hears of those that were only created, `announce` the seq of the claim of the others.
    """

    def __init__(
        self,
        desk: ClaimDesk,
        tell: Callable[[Sequence[Answer]], Sequence[Answer]],
        announce: Callable[[int], None],
    ) -> None:
        self._desk = desk
        self._tell = tell
        self._announce = announce

    async def write(
        self, connection: Connection, asked: Sequence[tuple[Creation, Takers]], resent: bool
    ) -> Sequence[Answer]:
        """Creates the one task asked for, which is ready at once."""
        [(creation, takers)] = asked
        taker = None if resent else takers.call()
        made = await self._create_for(connection, creation, taker) if taker is not None else None
        if made is None:
            return self._tell(await create_singly(connection, [creation]))
        created, handed = made
        if handed is None:
            return self._tell([[created]])
        self._announce(handed.task.run_id)
        return [[created]]

    async def _create_for(
        self, connection: Connection, creation: Creation, taker: Taker
    ) -> tuple[CreatedTask, Handed | None] | None:
        """Creates it, and hands it over unless a claim would find another first.

        None: the server refused, and nothing was written. Whoever creates the task alone will hear why.
        """
        [task] = creation.tasks
        handed: Handed | None = None
        try:
            words = (task.id, task.actor, task.command_id, str(task.data, "utf-8"), task.priority)
            row = await self._desk.create_and_claim(connection, words, taker.wish)
            at = Raw(row["at"].encode())
            if row["run_id"] is not None:
                claimed = Claimed(task.id, row["run_id"], attempt=1, version=2, definition=task.data)
                handed = Handed(claimed, taker.wish.runner, at, Raw(row["claimed_at"].encode()))
        except asyncpg.PostgresError as error:
            if isinstance(error, LOST_CONNECTION):
                raise
            return None
        finally:
            taker.settle(handed)
        return CreatedTask(task.id, row["seq"], task.priority, True, at), handed
