"""Tasks: lists of them, and each with all that is known about it."""

from collections.abc import Sequence
from typing import Literal

from asyncpg import Pool, Record
from msgspec import Struct
from msgspec.structs import astuple, replace

from events.errors import InvalidInput
from events.statements import load_statements
from projections.ask import ask
from projections.page import BEFORE_ALL, FROM_THE_NEWEST, WINDOW, Cursor, Page, count_fitting

DONE = ("done", "aside")
"""The tasks that are done stand in two lists: by their run, and behind them those that were done without one."""
QUEUE = ("ready", "scheduled", "waiting")
"""The tasks that are ready stand in three lists: claimable now, due later, held back by their parents."""

ASIDE = ("failed", "blocked", "cancelled")
"""Statuses of which few tasks are, beside all those that are done: they stand in a list of their own."""

Order = Literal["", "newest", "oldest", "longest", "priority"]
"""The empty one suits the list: ready tasks as they will be claimed, done ones by their run, others newest first.

"longest" (in progress) and "priority" are for running tasks only: those are few, and read whole. No index of tasks
holds a column that a transition changes, so history can be gone through by creation and in no other order.
"""
RUNNING_ONLY: frozenset[Order] = frozenset({"longest", "priority"})
IN_FLIGHT = ("running", "longest", "urgent")
ASCENDING = ("oldest", "longest", "urgent", "directive_oldest", "aside_oldest")

Listed = tuple[list[Record], Cursor | None]
"""The rows of one page, and where the next one begins."""

_sql = load_statements("projections", "tasks.sql")


class Found(Struct, frozen=True):
    """The ids of one page, how many there are in all (None: not counted), and the cursor of the next page.

    `statuses` are those of the tasks, in the same order, when they were found.
    """

    ids: list[str]
    statuses: list[str]
    total: int | None
    next: str | None

    @classmethod
    def of(cls, rows: Sequence[Record], total: int | None, following: Cursor | None) -> "Found":
        """What these rows say."""
        named = [row["id"] for row in rows], [row["status"] for row in rows]
        return cls(*named, total, None if following is None else str(following))

    def headed(self, task_id: str, status: str) -> "Found":
        """The same with this task as the first one."""
        others = [pair for pair in zip(self.ids, self.statuses, strict=True) if pair[0] != task_id]
        ids, statuses = [task_id, *(each for each, _ in others)], [status, *(each for _, each in others)]
        return Found(ids, statuses, self.total, self.next)


class Listing(Struct, frozen=True):
    """How a list is read: `limit` tasks are answered; `most` are looked for, to learn whether there are more."""

    pool: Pool
    query: "TaskQuery"
    limit: int
    most: int
    window: int


class TaskQuery(Struct, frozen=True):
    """Which tasks, and in which order: those that agree with all that is not None. `text` stands in the title or id."""

    status: str | None = None
    phase: str | None = None
    directive_id: str | None = None
    text: str | None = None
    order: Order = ""

    @property
    def sections(self) -> tuple[str, ...]:
        """The lists to read, one after the other: the narrowest that hold all of what is asked for.

        Raises InvalidInput for an order in which these tasks cannot be had.
        """
        if self.order in RUNNING_ONLY and (self.status != "running" or self.directive_id is not None):
            raise InvalidInput(f"sort: {self.order} is for running tasks; newest and oldest are for all")
        if self.directive_id is not None:
            return ("directive_oldest",) if self.order == "oldest" else ("directive",)
        if self.status in ASIDE:
            return ("aside_oldest",) if self.order == "oldest" else ("aside",)
        if self.order == "oldest":
            return ("oldest",)
        if self.status == "running" and self.order != "newest":
            return ({"longest": "longest", "priority": "urgent"}.get(self.order, "running"),)
        if self.is_counted and not self.order:
            return {"ready": QUEUE, "done": DONE}.get(self.status or "", ("newest",))
        return ("newest",)

    @property
    def is_counted(self) -> bool:
        """Whether the counters know how many there are."""
        return self.phase is None and self.directive_id is None and self.text is None


async def tasks_by_id(pool: Pool, ids: Sequence[str], status: str | None = None) -> bytes:
    """These tasks in the order of the ids, as a JSON array; those unknown or of another status are left out."""
    return await ask(pool, _sql["tasks_by_id"], ids, status)


async def find_task(pool: Pool, task_id: str) -> bytes | None:
    """One task, or None."""
    return (await tasks_by_id(pool, [task_id]))[1:-1] or None


async def list_tasks(pool: Pool, query: TaskQuery, limit: int, cursor: str | None) -> Page:
    """Tasks: ready ones in the order in which they will be claimed, all others newest first.

    A page may be short although there is a next one: it has about PAGE_BYTES, looks at WINDOW tasks at most, and leaves
    out those whose status changed while it looked. Raises InvalidInput for a cursor of another list.
    """
    found = await find_tasks(pool, query, limit, cursor)
    fitting = await count_fitting(pool, _sql["count_fitting"], found.ids)
    if fitting < len(found.ids):
        found = await find_tasks(pool, query, fitting, cursor)  # for the cursor
    data = await tasks_by_id(pool, found.ids, query.status) if found.ids else b"[]"
    return Page(data, found.total, found.next)


async def find_tasks(pool: Pool, query: TaskQuery, limit: int, cursor: str | None, window: int | None = None) -> Found:
    """The ids of a page of tasks. As list_tasks; `window`: another limit to how many it looks at."""
    after = None if cursor is None else Cursor.read(cursor, query.sections)
    total = await pool.fetchval(_sql["count_tasks"], query.status) if query.is_counted else None
    if query.sections == QUEUE:
        rows, following = await _find_queued(pool, limit, after)
    else:
        most = limit + 1 if after or total is None else min(limit + 1, total)
        listing = Listing(pool, query, limit, most, window or WINDOW)
        find = _find_done if query.sections == DONE else _find_listed
        rows, following = await find(listing, query.sections[0], after)
    return Found.of(rows, total, following)


async def find_named(pool: Pool, query: TaskQuery) -> tuple[str, str] | None:
    """The task whose id is the text that is looked for, and its status, or None. It may stand beyond every window."""
    filters = (query.status, query.phase, query.directive_id)
    found = await pool.fetchrow(_sql["find_named"], query.text, *filters)
    return None if found is None else (found["id"], found["status"])


async def _find_queued(pool: Pool, limit: int, after: Cursor | None) -> Listed:
    """The next `limit` ready tasks, over the lists of the queue."""
    cursor = after or Cursor("ready", 0)
    places: list[Cursor] = []
    rows: list[Record] = []
    for section in QUEUE[QUEUE.index(cursor.section) :]:
        start = (cursor.first, cursor.second) if section == cursor.section else (0, 0)
        for row in await pool.fetch(_sql[f"list_{section}"], *start, limit + 1 - len(rows)):
            rows.append(row)
            places.append(Cursor(section, row["first"], row["second"]))
        if len(rows) > limit:
            return rows[:limit], places[limit - 1]
    return rows, None


async def _find_done(listing: Listing, section: str, after: Cursor | None) -> Listed:
    """The next tasks that are done, over both lists."""
    rows: list[Record] = []
    if after is None or after.section == section:
        rows, following = await _find_listed(listing, section, after)
        if following is not None:
            return rows, following
        after = None
    rest = listing.limit - len(rows)
    if rest:
        more, following = await _find_listed(replace(listing, limit=rest, most=rest + 1), DONE[-1], after)
        return [*rows, *more], following
    more, _ = await _find_listed(replace(listing, limit=1, most=1), DONE[-1], after)
    return rows, Cursor(DONE[-1], BEFORE_ALL) if more else None


async def _find_listed(listing: Listing, section: str, after: Cursor | None) -> Listed:
    """The next tasks of one list."""
    pool, query, limit, most, window = astuple(listing)
    before = after.first if after else 0 if section in ASCENDING else FROM_THE_NEWEST
    second = (after.second if after else 0) if section == "urgent" else window
    filters = (query.status, query.phase, query.text)
    rows = await pool.fetch(_sql[f"list_{section}"], before, second, *filters, most, query.directive_id)
    if len(rows) > limit:
        return rows[:limit], Cursor(section, rows[limit - 1]["first"], rows[limit - 1].get("second", 0))
    if len(rows) < most and section not in IN_FLIGHT:
        last = await pool.fetchval(_sql[f"last_of_{section}"], before, window, query.directive_id, query.status)
        return rows, None if last is None else Cursor(section, last)
    return rows, None
