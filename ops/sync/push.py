"""Bring the files into the log: read, compare, append what differs, all of it or nothing."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from asyncpg import Connection
from msgspec import Struct

from events.connect import Database
from events.database_errors import DRIVER_ERRORS, from_database, is_conflict
from events.errors import Conflict, WrongVersion
from ops.definitions import Definition
from ops.report import Line
from ops.sync.list_file import ListFile
from ops.sync.request_plan import plan_requests
from ops.sync.requests import known_requests, read_file, write_requests
from ops.sync.task_entry import TaskEntry, read_entries
from ops.sync.task_plan import TaskPlan, plan_tasks
from ops.sync.tasks import SQL, count_tasks, known_tasks, write_tasks

TRIES = 5

Answer = TypeVar("Answer")


class Pushed(Struct, frozen=True):
    """What a push came to, in words, and the seq of the last event it appended (0: none)."""

    lines: list[Line]
    last_seq: int = 0


async def push(
    database: Database, files: tuple[ListFile, ListFile], held: frozenset[str], actor: str, dry_run: bool = False
) -> Pushed:
    """Push TASKS.json and REQUESTS.json, or neither. With `dry_run` nothing is written.

    `held` are the names of the values in the vault: a new request for nothing else is provided at once.

    Raises:
        OperatorError: a file that will not do; its place is named.
        DependencyCycle, UnknownDependency: tasks that could never run.
        Conflict: others changed the same tasks again and again. Unavailable.
    """
    tasks, requests = files
    entries, strange = read_entries(tasks)
    definitions = read_file(requests)
    connection = await database.connect_writer()

    async def work() -> tuple[Pushed, Pushed]:
        await connection.execute(SQL["lock_sync"])
        asked = await _push_requests(connection, definitions, held, actor, dry_run)
        return asked, await _push_tasks(connection, entries, actor, dry_run)

    try:
        asked, done = await _transact(connection, work)
    finally:
        await connection.close()
    headings = [Line.of("sync.file", file=file.path) for file in (requests, tasks)]
    closing = [Line.of("sync.dry_run")] if dry_run else []
    lines = [headings[0], *asked.lines, headings[1], *strange, *done.lines, *closing]
    return Pushed(lines, max(asked.last_seq, done.last_seq))


async def _push_requests(
    connection: Connection, definitions: Sequence[Definition], held: frozenset[str], actor: str, dry_run: bool
) -> Pushed:
    known = await known_requests(connection)
    ids = {definition.id for definition in definitions}
    plan = plan_requests(definitions, known, held)
    last_seq = 0 if dry_run else await write_requests(connection, plan, known, actor)
    changed = len(definitions) - plan.new - plan.same
    lines = [*plan.lines, Line.of("sync.pushed_requests", new=plan.new, changed=changed, same=plan.same)]
    if elsewhere := len(known.keys() - ids):
        lines.append(Line.of("sync.elsewhere", count=elsewhere))
    return Pushed(lines, last_seq)


async def _push_tasks(connection: Connection, entries: list[TaskEntry], actor: str, dry_run: bool) -> Pushed:
    known = await known_tasks(connection, entries)
    plan = plan_tasks(entries, known)
    last_seq = 0 if dry_run else await write_tasks(connection, plan, actor)
    elsewhere = await count_tasks(connection) - len(known.keys() & {entry.id for entry in entries})
    elsewhere -= 0 if dry_run else len(plan.create)
    return Pushed([*plan.lines, *_summary(plan, elsewhere)], last_seq)


def _summary(plan: TaskPlan, elsewhere: int) -> list[Line]:
    moved = sum(line.key == "sync.moved" for line in plan.lines)
    kept = sum(line.key in NOT_CHANGED for line in plan.lines)
    lines = [Line.of("sync.pushed", new=len(plan.create), moved=moved, kept=kept, same=plan.same)]
    if plan.behind:
        lines.append(Line.of("sync.behind", count=plan.behind))
    if elsewhere > 0:
        lines.append(Line.of("sync.elsewhere", count=elsewhere))
    return lines


NOT_CHANGED = frozenset(
    ("sync.definition_stays", "sync.not_from_there", "sync.not_while_running", "sync.not_before_parents")
)


async def _transact(connection: Connection, work: Callable[[], Awaitable[Answer]]) -> Answer:
    """Do the work in one transaction; again when another writer came in between."""
    for _ in range(TRIES):
        try:
            async with connection.transaction():
                return await work()
        except WrongVersion:
            continue
        except DRIVER_ERRORS as error:
            if not is_conflict(error):
                raise from_database(error) from error
    raise Conflict("others change the same tasks all the time; nothing was written, push again")
