"""Bring the log into the files: what they say of a task that exists becomes what the log says; what they lack is added.

Entries keep their order and whatever else they say; what only the log knows follows in the order in which it was
created. So pulling twice changes nothing, and neither does pushing what was pulled.
"""

from collections.abc import Iterable

import asyncpg
from asyncpg import Connection
from msgspec import Struct

from events.connect import LOST_CONNECTION, Database, unavailable
from events.errors import from_postgres
from ops.errors import OperatorError
from ops.sync.list_file import Item, ListFile
from ops.sync.report import Line, brief
from ops.sync.task_entry import read_entries, write_entry
from ops.sync.task_plan import KnownTask
from ops.sync.tasks import count_tasks, every_task, read_tasks

TASKS_MAX = 100_000
"""More than this is no backlog that anybody could read or keep in git."""


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
    connection = await database.connect_writer()
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            known = await read_tasks(connection, [entry.id for entry in entries])
            added = await _added(connection, known, only_open)
    except asyncpg.PostgresError as error:
        raise from_postgres(error) or error from error
    except LOST_CONNECTION as error:
        raise unavailable(error) from error
    finally:
        await connection.close()
    old = [
        write_entry(item, entry.id, known[entry.id].status, known[entry.id].definition) if entry.id in known else item
        for item, entry in zip(file.items, entries, strict=True)
    ]
    new = [write_entry({}, task.id, task.status, task.definition) for task in added]
    return Pulled(old + new, [*strange, *_lines(file, old, added)])


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


def _lines(file: ListFile, items: list[Item], added: list[KnownTask]) -> list[Line]:
    lines: list[Line] = []
    for before, after in zip(file.items, items, strict=True):
        for field in after:
            if before.get(field) != after[field]:
                facts = {"before": brief(before.get(field)), "after": brief(after[field])}
                lines.append(Line.of("sync.rewritten", id=after["id"], field=field, **facts))
    lines += [Line.of("sync.added", id=task.id, status=task.status, title=task.definition.title) for task in added]
    changed = sum(before != after for before, after in zip(file.items, items, strict=True))
    return [*lines, Line.of("sync.pulled", added=len(added), changed=changed, same=len(items) - changed)]
