"""Bring the log into the files: what they say of a task that exists becomes what the log says; what they lack is added.

Entries keep their order and whatever else they say; what only the log knows follows in the order in which it was
created. So pulling twice changes nothing, and neither does pushing what was pulled.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

from asyncpg import Connection
from msgspec import Struct

from events.connect import Database
from events.database_errors import DRIVER_ERRORS, from_database
from ops.definitions import is_definition
from ops.errors import OperatorError
from ops.report import Line, brief
from ops.sync.list_file import Item, ListFile
from ops.sync.requests import known_requests, read_file
from ops.sync.requests import write_entry as write_request
from ops.sync.task_entry import read_entries, write_entry
from ops.sync.task_plan import KnownTask
from ops.sync.tasks import count_tasks, every_task, read_tasks

TASKS_MAX = 100_000
"""More than this is no backlog that anybody could read or keep in git."""


Answer = TypeVar("Answer")


class Pulled(Struct, frozen=True):
    """What the file will hold, and in words what is new about it."""

    items: list[Item]
    lines: list[Line]


async def pull_tasks(database: Database, file: ListFile, only_open: bool = False) -> Pulled:
    """What TASKS.json should hold; writes nothing.

    `only_open`: of the tasks that the file lacks, those that are neither done nor cancelled, and their parents.

    Raises:
        OperatorError: the file will not do, or there are too many tasks for one. Unavailable.
    """
    entries, strange = read_entries(file)

    async def look(connection: Connection) -> tuple[dict[str, KnownTask], list[KnownTask]]:
        known = await read_tasks(connection, [entry.id for entry in entries])
        return known, await _added(connection, known, only_open)

    known, added = await _look(database, look)
    old = [
        write_entry(item, entry.id, known[entry.id].status, known[entry.id].definition) if entry.id in known else item
        for item, entry in zip(file.items, entries, strict=True)
    ]
    new = [write_entry({}, task.id, task.status, task.definition) for task in added]
    lines = [Line.of("sync.added", id=task.id, status=task.status, title=task.definition.title) for task in added]
    counts = Line.of("sync.pulled", added=len(added), **_counts(file, old))
    return Pulled(old + new, [*strange, *_rewritten(file, old), *lines, counts])


async def pull_requests(database: Database, file: ListFile) -> Pulled:
    """What REQUESTS.json should hold; writes nothing. Raises OperatorError, Unavailable."""
    read_file(file)  # one that will not do is not written over
    known = await _look(database, known_requests)
    old = [write_request(item, known.pop(item["id"])) if item["id"] in known else item for item in file.items]
    found = [write_request({}, request) for request in known.values()]
    new = [item for item in found if is_definition(item)]
    lines = [Line("sync.added_request", {name: each[name] for name in ("id", "status", "service")}) for each in new]
    lines += [Line.of("sync.no_definition", id=item["id"]) for item in found if item not in new]
    counts = Line.of("sync.pulled_requests", added=len(new), **_counts(file, old))
    return Pulled(old + new, [*_rewritten(file, old), *lines, counts])


async def _look(database: Database, ask: Callable[[Connection], Awaitable[Answer]]) -> Answer:
    """Ask all questions in one snapshot."""
    connection = await database.connect_writer()
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return await ask(connection)
    except DRIVER_ERRORS as error:
        raise from_database(error) from error
    finally:
        await connection.close()


async def _added(connection: Connection, known: dict[str, KnownTask], only_open: bool) -> list[KnownTask]:
    """The tasks to be added to those that are `known` to the file."""
    if not only_open and await count_tasks(connection) - len(known) > TASKS_MAX:
        raise OperatorError("sync.too_many", most=TASKS_MAX)
    found = {task.id: task async for task in every_task(connection, only_open) if task.id not in known}
    while missing := _parents(found.values()) - found.keys() - known.keys():
        found |= await read_tasks(connection, missing)
    return sorted(found.values(), key=lambda task: task.created_seq)


def _parents(tasks: Iterable[KnownTask]) -> set[str]:
    return {parent for task in tasks for parent in task.definition.depends_on}


def _rewritten(file: ListFile, items: list[Item]) -> Iterator[Line]:
    for before, after in zip(file.items, items, strict=True):
        for field in after:
            if before.get(field) != after[field]:
                facts = {"before": brief(before.get(field)), "after": brief(after[field])}
                yield Line.of("sync.rewritten", id=after["id"], field=field, **facts)


def _counts(file: ListFile, items: list[Item]) -> dict[str, int]:
    changed = sum(before != after for before, after in zip(file.items, items, strict=True))
    return {"changed": changed, "same": len(items) - changed}
