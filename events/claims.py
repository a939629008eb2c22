"""Claiming: one statement, one round trip, starting where work was last found.

Dead index entries in front of the first live one are what makes a queue slow, and a long transaction anywhere keeps
them from being removed. So each process remembers the key at which it last found work and starts there (`_floor`).
It is only a hint: it is dropped when a task may have become ready below it, once a second, and before a process
concludes that there is nothing to do; but where looking from the beginning has become dear, only now and then (Looks).
Until then it is lowered to the keys of what became ready: every hint that knows them names the lowest.
Once a second a claim insists that no scheduled task has fallen due; if one has, it finds nothing, and tries again when
that is among the ready ones.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import asyncpg
from asyncpg import Connection, Record
from msgspec import Raw, Struct, json, structs

from events.looks import Looks
from events.statements import load_statements

SQL = load_statements("events", "commands.sql")

Key = tuple[int, int]
"""A place in claim order: priority and position."""

LOWEST = (0, 0)
HIGHEST = (2**15 - 1, 2**63 - 1)
FLOOR_SECONDS = 1.0
PROMOTE_MAX = 1000
PASS_BY_SECONDS = 30.0  # how long claims pass by tasks that are locked, once one has waited for a lock in vain


class Claimed(Struct, frozen=True, gc=False):
    """A task in a runner's hands. `run_id` is the fence of all it reports; `definition` is a TaskCreated as JSON.

    `shown`: the whole task as JSON, for those who asked for that; a claim that passed by locked tasks has not got it.
    """

    task_id: str
    run_id: int
    attempt: int
    version: int
    definition: Raw
    shown: Raw | None = None


class Wish(Struct, frozen=True):
    """Up to `limit` tasks for a runner. `shown`: each whole, as the view would have it right afterwards."""

    runner: str
    limit: int
    actor: str
    shown: bool = False


class ClaimAnswer(Struct, frozen=True):
    """The claimed tasks; if none, seconds until one falls due (None: none will), whether all is paused, and whether
    the runner drains."""

    tasks: list[Claimed]
    due_seconds: float | None = None
    paused: bool = False
    draining: bool = False


class Look(Struct):
    """A claim under way, from the key `begin` on. `first`: the first key that it found something at."""

    begin: Key
    insists: bool
    first: Key | None = None


class ClaimDesk:
    """The claims of one process."""

    def __init__(self, left_over: Callable[[Key], None] = lambda key: None) -> None:
        """`left_over` hears from which key on there are tasks that fell due and are left to others."""
        self._left_over = left_over
        self._floor = LOWEST
        self._unsure = False  # something may have become ready below the floor
        self._looks = Looks()  # from the beginning
        self._fresh_at = 0.0
        self._pass_by_until = 0.0

    def forget_floor(self) -> None:
        """Something may have become ready anywhere: look from the beginning next time."""
        self._unsure = True

    def lower_floor(self, priority: int, position: int) -> None:
        """Something became ready at this key."""
        self._floor = min(self._floor, (priority, position))

    async def claim(self, connection: Connection, asked: Sequence[Wish], _resent: bool) -> list[ClaimAnswer]:
        """Tasks in claim order. `asked` holds one wish."""
        try:
            return [await self._claim(connection, *asked)]
        except asyncpg.LockNotAvailableError:
            self._pass_by_until = time.monotonic() + PASS_BY_SECONDS
            raise

    async def _claim(self, connection: Connection, wish: Wish) -> ClaimAnswer:
        rows = await self._take(connection, wish)
        if not rows:
            ahead = await self._look_ahead(connection, wish.runner)
            if self._unsure:  # the next look from the beginning may find something
                ahead = structs.replace(ahead, due_seconds=_sooner(ahead.due_seconds, self._looks.rest_seconds))
            if ahead.paused or ahead.draining or ahead.due_seconds is None or ahead.due_seconds > 0:
                return ahead
            due = await self._promote(connection)
            rows = await self._take(connection, wish)
            if len(due) > len(rows):
                self._left_over(min(due))
        claimed = _shown if rows and "shown" in rows[0] else _claimed
        return ClaimAnswer([claimed(row) for row in rows], None if rows else 0.0)

    async def _promote(self, connection: Connection) -> list[Key]:
        """Move what fell due among the ready ones; the next look begins low enough for it."""
        due = [(row["priority"], row["position"]) for row in await connection.fetch(SQL["promote_due"], PROMOTE_MAX)]
        if due:
            self.lower_floor(*min(due))
        return due

    async def claim_task(
        self, connection: Connection, asked: Sequence[tuple[str, str, str]], _resent: bool
    ) -> list[Claimed | None]:
        """One named task, or None when it is not eligible. `asked` holds one (runner, task id, actor)."""
        [(runner, task_id, actor)] = asked
        rows = await connection.fetch(SQL["claim_task"], task_id, _text(runner), actor)
        return [_claimed(rows[0]) if rows else None]

    async def create_and_claim(self, connection: Connection, task: tuple[Any, ...], wish: Wish) -> Record:
        """Creates a task that waits for nothing, and claims it unless something comes before it.

        `task`: the first arguments of the statement, up to the priority.
        """
        asked = self._begin()
        with self._looking(asked) as look:
            words = (_text(wish.runner), wish.actor, *look.begin, look.insists)
            row: Any = await connection.fetchrow(SQL["create_and_claim"], *task, *words)
            look.first = look.begin if row["run_id"] is None else (task[-1], row["seq"])
        if row["run_id"] is None:
            self._fresh_at = 0.0  # it may have been for a scheduled one: the next claim insists
        return row

    async def _take(self, connection: Connection, wish: Wish) -> list[Record]:
        asked = self._begin()
        rows = await self._look(connection, asked, wish)
        if not rows and asked.begin != LOWEST:
            self._unsure = True
            if not self._looks.rest_seconds:
                rows = await self._look(connection, Look(LOWEST, False), wish)
        return rows

    def _begin(self) -> Look:
        """Where to begin now, and whether to insist."""
        now = time.monotonic()
        insists = now - self._fresh_at > FLOOR_SECONDS
        if insists:
            self._unsure, self._fresh_at = True, now
        whole = self._unsure and not self._looks.rest_seconds
        return Look(LOWEST if whole else self._floor, insists)

    async def _look(self, connection: Connection, asked: Look, wish: Wish) -> list[Record]:
        """Claim what is found from there on."""
        with self._looking(asked) as look:
            words = (wish.limit, _text(wish.runner), wish.actor, look.insists)
            rows: list[Record] = await connection.fetch(SQL[self._statement(wish)], *look.begin, *words)
            if rows:
                look.first = (rows[0]["first_priority"], rows[0]["first_position"])
        return rows

    def _statement(self, wish: Wish) -> str:
        if time.monotonic() < self._pass_by_until:
            return "claim_unlocked"
        return "claim_and_show" if wish.shown else "claim_tasks"

    @contextmanager
    def _looking(self, look: Look) -> Iterator[Look]:
        """What is heard while the block runs counts for the next look."""
        reached, self._floor = look.begin, HIGHEST
        if look.begin == LOWEST:
            self._unsure = False
        try:
            with self._looks.one(look.begin == LOWEST):
                yield look
            if look.first is not None:
                reached = look.first
            elif self._looks.rest_seconds:
                reached = HIGHEST  # what comes now will be heard of
        except BaseException:
            self._unsure = True  # what it was about to find is still there
            raise
        finally:
            self.lower_floor(*reached)

    async def _look_ahead(self, connection: Connection, runner: str) -> ClaimAnswer:
        row: Any = await connection.fetchrow(SQL["look_ahead"], runner)
        return ClaimAnswer([], row["due_seconds"], row["paused"], row["draining"])


def _sooner(due_seconds: float | None, rest_seconds: float) -> float:
    return rest_seconds if due_seconds is None else min(due_seconds, rest_seconds)


def _text(runner: str) -> str:
    return json.encode(runner).decode()


def _claimed(row: Record) -> Claimed:
    return Claimed(row["id"], row["seq"], row["attempt"], row["version"], Raw(row["definition"].encode()))


def _shown(row: Record) -> Claimed:
    return structs.replace(_claimed(row), shown=Raw(row["shown"].encode()))
