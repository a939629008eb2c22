"""Requests in the log, as a synchronisation reads and writes them: within the transaction of its connection."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec
from asyncpg import Connection, Record
from msgspec.structs import replace

from events import catalog
from events.log import NewEvent, append
from events.request import RequestDefinition
from events.statements import load_statements
from events.tolerant import read_tolerant
from ops.definitions import TOOL, Definition, parse_definitions
from ops.sync.list_file import Item, ListFile
from ops.sync.request_plan import KnownRequest, RequestPlan

SQL = load_statements("ops.sync", "sync.sql")


def read_file(file: ListFile) -> tuple[Definition, ...]:
    """The file's requests. Raises OperatorError."""
    return parse_definitions(msgspec.json.encode(file.items), file.path)


async def known_requests(connection: Connection, ids: Collection[str] | None = None) -> dict[str, KnownRequest]:
    """Those of the requests that exist, or all."""
    rows = await connection.fetch(SQL["known_requests"], None if ids is None else list(ids))
    return {row["id"]: _known(row) for row in rows}


async def write_requests(
    connection: Connection, plan: RequestPlan, known: Mapping[str, KnownRequest], actor: str
) -> int:
    """Append what the plan comes to; the last seq, 0 when nothing was written. Raises WrongVersion."""
    events = list(_versioned(plan, known, actor))
    return max([event.seq for event in await append(connection, *events)], default=0) if events else 0


def write_entry(item: Item, request: KnownRequest) -> Item:
    """The entry that says what the log says; an empty `item` makes a new one."""
    definition = request.definition or RequestDefinition(service="")
    if definition.type == TOOL and "scopes" in item:  # the log has none of it
        definition = replace(definition, scopes=item["scopes"])
    known = {"id": request.id} | msgspec.to_builtins(definition) | {"status": request.status}  # without defaults
    everything = msgspec.structs.asdict(definition) | known
    old = {name: _written(said, everything.get(name, said)) for name, said in item.items()}
    return old | {name: value for name, value in known.items() if name not in item}


def _written(said: Any, known: Any) -> Any:
    """The file's own words where they mean what is known; nothing is as good as null or an empty list."""
    return known if said != known and (said or known) else said


def _versioned(plan: RequestPlan, known: Mapping[str, KnownRequest], actor: str) -> Iterator[NewEvent]:
    versions = Counter({request.id: request.version for request in known.values()})
    for request_id, event in plan.events:
        versions[request_id] += 1
        yield NewEvent.of(event, request_id, versions[request_id], actor)


def _known(row: Record) -> KnownRequest:
    definition = row["definition"]
    return KnownRequest(
        id=row["id"],
        version=row["version"],
        status=row["status"],
        definition=None if definition is None else read_tolerant(definition, RequestDefinition),
        provided=None if row["provided"] is None else catalog.decode("request.provided", row["provided"]),
        withdrawn_once=row["withdrawn_once"],
    )
