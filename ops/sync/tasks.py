"""Tasks in the log, as a synchronisation reads and writes them: within the transaction of its connection."""

from collections.abc import AsyncIterator, Collection, Sequence

from asyncpg import Connection, Record
from msgspec.structs import replace

from events import catalog
from events.log import NewEvent, append
from events.statements import load_statements
from ops.sync.task_entry import TaskEntry
from ops.sync.task_plan import RESTING, KnownTask, Move, TaskPlan

SQL = load_statements("ops.sync", "sync.sql")
COMMANDS = load_statements("events", "commands.sql")
REASON = "as TASKS.json says"
PAGE = 2_000


async def known_tasks(connection: Connection, entries: Sequence[TaskEntry]) -> dict[str, KnownTask]:
    """The tasks of the file and the parents it names, as far as the log knows them."""
    wanted = {entry.id: entry.status for entry in entries}
    parents = {parent for entry in entries for parent in entry.definition.depends_on}
    stored = await read_tasks(connection, wanted.keys() | parents)
    moved = [task.id for task in stored.values() if wanted.get(task.id) not in (None, task.status)]
    rows = await connection.fetch(SQL["statuses_been"], moved) if moved else []
    been = {row["id"]: frozenset(row["been"]) for row in rows}
    return {task.id: replace(task, been=been.get(task.id, frozenset())) for task in stored.values()}


async def read_tasks(connection: Connection, ids: Collection[str]) -> dict[str, KnownTask]:
    """Those of the tasks that exist."""
    return {row["id"]: _known(row) for row in await connection.fetch(SQL["known_tasks"], list(ids))}


async def every_task(connection: Connection, only_open: bool) -> AsyncIterator[KnownTask]:
    """All tasks, or those that are neither done nor cancelled, in the order of their creation."""
    after = 0
    while rows := await connection.fetch(SQL["all_tasks"], only_open, after, PAGE):
        for row in rows:
            yield _known(row)
        after = rows[-1]["created_seq"]


async def count_tasks(connection: Connection) -> int:
    """How many the log knows."""
    count: int = await connection.fetchval(SQL["count_tasks"])
    return count


async def write_tasks(connection: Connection, plan: TaskPlan, actor: str) -> int:
    """Append what the plan comes to; the last seq, 0 when nothing was written.

    Raises:
        WrongVersion: somebody created one of the tasks meanwhile; plan anew.
    """
    if plan.moves:
        resting = [move.id for move in plan.ends if move.source in RESTING]
        await connection.fetch(COMMANDS["lock_tasks"], _ids(plan.moves), resting)
    created = [NewEvent.of(entry.definition, entry.id, 1, actor) for entry in plan.create]
    seqs = [event.seq for event in await append(connection, *created)] if created else []
    if plan.ends:
        types = [f"task.{move.target}" for move in plan.ends]
        rows = await connection.fetch(COMMANDS["close_tasks"], _ids(plan.ends), types, REASON, actor)
        seqs += [row["seq"] for row in rows]
    if plan.stops:
        types = [f"task.{move.target}" for move in plan.stops]
        rows = await connection.fetch(SQL["stop_tasks"], _ids(plan.stops), types, REASON, actor)
        seqs += [row["seq"] for row in rows]
    return max(seqs, default=0)


def _ids(moves: Sequence[Move]) -> list[str]:
    return [move.id for move in moves]


def _known(row: Record) -> KnownTask:
    return KnownTask(
        row["id"], row["status"], catalog.decode("task.created", row["data"]), created_seq=row["created_seq"]
    )
