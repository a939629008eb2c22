"""Tasks: lists of them, and each with all that is known about it."""

from collections.abc import Sequence

from asyncpg import Pool
from msgspec import Struct

from events.statements import load_statements
from projections.ask import ask
from projections.page import FROM_THE_NEWEST, WINDOW, Cursor, Page

QUEUE = ("ready", "scheduled", "waiting")
"""The tasks that are ready stand in three lists: claimable now, due later, held back by their parents."""

Listed = tuple[list[str], Cursor | None]
"""The ids of one page, and where the next one begins."""

_sql = load_statements("projections", "tasks.sql")


class Found(Struct, frozen=True):
    """The ids of one page, how many there are in all (None: not counted), and the cursor of the next page."""

    ids: list[str]
    total: int | None
    next: str | None


class TaskQuery(Struct, frozen=True):
    """Which tasks: those that agree with all that is not None. `text` stands in the title or in the id.

    `oldest`: in order of creation, instead of the order that suits the list.
    """

    status: str | None = None
    phase: str | None = None
    directive_id: str | None = None
    text: str | None = None
    oldest: bool = False

    @property
    def sections(self) -> tuple[str, ...]:
        """The lists to read, one after the other: the narrowest that hold all of what is asked for."""
        if self.directive_id is not None:
            return ("directive",)
        if self.oldest:
            return ("oldest",)
        if self.status == "ready" and self.is_counted:
            return QUEUE
        return ("running",) if self.status == "running" else ("newest",)

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

    A page may be short although there is a next one: it looks at WINDOW tasks at most, and leaves out those whose
    status changed while it looked. Raises InvalidInput for a cursor of another list.
    """
    found = await find_tasks(pool, query, limit, cursor)
    data = await tasks_by_id(pool, found.ids, query.status) if found.ids else b"[]"
    return Page(data, found.total, found.next)


async def find_tasks(pool: Pool, query: TaskQuery, limit: int, cursor: str | None, window: int | None = None) -> Found:
    """The ids of a page of tasks. As list_tasks; `window`: another limit to how many it looks at."""
    after = None if cursor is None else Cursor.read(cursor, query.sections)
    total = await pool.fetchval(_sql["count_tasks"], query.status) if query.is_counted else None
    if query.sections == QUEUE:
        ids, following = await _find_queued(pool, limit, after)
    else:
        most = limit + 1 if after or total is None else min(limit + 1, total)
        ids, following = await _find_listed(pool, query, limit, most, after, window or WINDOW)
    return Found(ids, total, None if following is None else str(following))


async def _find_queued(pool: Pool, limit: int, after: Cursor | None) -> Listed:
    """The next `limit` ready tasks, over the lists of the queue."""
    cursor = after or Cursor("ready", 0)
    places: list[Cursor] = []
    ids: list[str] = []
    for section in QUEUE[QUEUE.index(cursor.section) :]:
        start = (cursor.first, cursor.second) if section == cursor.section else (0, 0)
        for row in await pool.fetch(_sql[f"list_{section}"], *start, limit + 1 - len(ids)):
            ids.append(row["id"])
            places.append(Cursor(section, row["first"], row["second"]))
        if len(ids) > limit:
            return ids[:limit], places[limit - 1]
    return ids, None


async def _find_listed(
    pool: Pool, query: TaskQuery, limit: int, most: int, after: Cursor | None, window: int
) -> Listed:
    """The next `limit` tasks of one list; `most` is how many are looked for, to learn whether there are more."""
    (section,) = query.sections
    before = after.first if after else 0 if query.oldest else FROM_THE_NEWEST
    filters = (query.status, query.phase, query.text)
    rows = await pool.fetch(_sql[f"list_{section}"], before, window, *filters, most, query.directive_id)
    ids = [row["id"] for row in rows[:limit]]
    if len(rows) > limit:
        return ids, Cursor(section, rows[limit - 1]["first"])
    if len(rows) < most and section != "running":
        last = await pool.fetchval(_sql[f"last_of_{section}"], before, window, query.directive_id)
        return ids, None if last is None else Cursor(section, last)
    return ids, None
