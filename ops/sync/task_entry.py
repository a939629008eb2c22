"""One task as it stands in TASKS.json."""

import difflib
from collections.abc import Iterator
from typing import Any, get_args

import msgspec
from msgspec import Struct

from api.wire.task import NewTask, Status
from events.task import TaskCreated
from ops.errors import OperatorError
from ops.report import Line
from ops.sync.list_file import Item, ListFile

STATUSES: tuple[str, ...] = get_args(Status)
DEFINITION = tuple(TaskCreated.__struct_fields__)
"""What an entry may say of a task beside its id and its status."""
ORDER = ("id", "phase", "title", "status", "branch", "depends_on", "blocked_by", "directive_id")
"""How a new entry begins, as in the first El Ruso's file; the rest follows in the order of DEFINITION."""
# What the API shows of a task and the log alone knows: a list saved from there is a TASKS.json too.
OF_THE_LOG = frozenset(
    {
        *("attempts", "blocked_parent", "claimed_at", "claimed_by", "created_at", "finished_at", "last_error"),
        *("ready_at", "run_id", "started_at", "updated_at", "version", "waiting_on", "worker_id"),
    }
)
UNORDERED = ("depends_on", "blocked_by", "allowed_scope")


class TaskEntry(Struct, frozen=True):
    """A task of the file. `named` are the fields of its definition that the entry speaks of."""

    id: str
    definition: TaskCreated
    named: tuple[str, ...]
    status: str | None = None


def read_entries(file: ListFile) -> tuple[list[TaskEntry], list[Line]]:
    """The file's tasks, and what is strange about them. Raises OperatorError naming the entry that will not do."""
    entries = [_read(file, place, item) for place, item in enumerate(file.items, start=1)]
    seen: set[str] = set()
    for entry in entries:
        if entry.id in seen:
            raise OperatorError("sync.twice", file=file.path, id=entry.id)
        seen.add(entry.id)
    return entries, [line for item in file.items for line in _strange(item)]


def means_the_same(field: str, one: Any, other: Any) -> bool:
    """Whether two values of a field mean the same; the order of names means nothing."""
    return set(one) == set(other) if field in UNORDERED else bool(one == other)


def write_entry(item: Item, task_id: str, status: str, definition: TaskCreated) -> Item:
    """The entry that says what the log says: `item` with what differs replaced and what it lacked added at its end.

    What it says beyond that stays. An empty `item` makes a new entry.
    """
    known = {"id": task_id, "status": status} | _plain(definition)
    written = {name: _written(item, name, known) for name in item}
    return written | {name: known[name] for name in _ordered(known) if name not in item}


def _written(item: Item, name: str, known: dict[str, Any]) -> Any:
    """What the entry is to say under `name`: its own words, if they mean what is known."""
    said = item[name]
    if name == "status":
        return said if isinstance(said, str) and said.lower() == known[name] else known[name]
    if name not in DEFINITION:
        return said
    wanted = known.get(name, _DEFAULTS.get(name))
    if said is None:
        return None if wanted == _DEFAULTS.get(name) else wanted
    return said if _means(name, said, wanted) else wanted


def _means(name: str, said: Any, wanted: Any) -> bool:
    """Whether the file's own way of writing a value says what is wanted."""
    try:
        ours, theirs = (_convert({"id": "x", "title": "x", name: value}).definition() for value in (said, wanted))
    except msgspec.ValidationError:
        return False
    return means_the_same(name, getattr(ours, name), getattr(theirs, name))


def _plain(definition: TaskCreated) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(definition)  # defaults are left out
    return plain


def _ordered(known: dict[str, Any]) -> Iterator[str]:
    yield from (name for name in ORDER if name in known)
    yield from (name for name in DEFINITION if name in known and name not in ORDER)


def _read(file: ListFile, place: int, item: Item) -> TaskEntry:
    said = {name: value for name, value in item.items() if value is not None}
    try:
        task = _convert(said)
        if task.id is None:
            raise msgspec.ValidationError("Object missing required field `id`")
        status = _read_status(said.get("status"))
    except msgspec.ValidationError as error:
        raise OperatorError(
            "sync.bad_entry", file=file.path, place=place, id=said.get("id", "?"), detail=error
        ) from error
    named = tuple(name for name in DEFINITION if name in said)
    return TaskEntry(task.id, task.definition(), named, status)


def _convert(said: Item) -> NewTask:
    return msgspec.convert({name: said[name] for name in ("id", *DEFINITION) if name in said}, NewTask)


def _read_status(said: Any) -> str | None:
    if said is None:
        return None
    if not isinstance(said, str) or said.lower() not in STATUSES:
        raise msgspec.ValidationError(f"Invalid status {said!r}, allowed are {', '.join(STATUSES)} - at `$.status`")
    return said.lower()


def _strange(item: Item) -> Iterator[Line]:
    for name in item:
        if name in ("id", "status") or name in DEFINITION or name in OF_THE_LOG:
            continue
        meant = difflib.get_close_matches(name, DEFINITION, n=1, cutoff=0.75)
        key = "sync.misspelt_field" if meant else "sync.unknown_field"
        yield Line.of(key, id=item["id"], field=name, meant=meant[0] if meant else None)


_DEFAULTS: dict[str, Any] = {
    field.name: msgspec.to_builtins(getattr(TaskCreated(title=""), field.name))
    for field in msgspec.structs.fields(TaskCreated)
    if field.name != "title"
}
