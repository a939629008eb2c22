"""What pushing REQUESTS.json comes to.

The file defines the credentials, so a changed definition is a new event; whether the values are there it cannot say.
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from events.request import RequestDefinition, RequestOpened, RequestProvided, RequestWithdrawn
from ops.definitions import TOOL, Definition
from ops.report import Line
from ops.vault.desk import VAULT

REASON = "as REQUESTS.json says"


class KnownRequest(Struct, frozen=True):
    """A request as the log has it. `provided` is what was said when it was last provided."""

    id: str
    version: int
    status: str
    definition: RequestDefinition | None
    provided: RequestProvided | None = None
    withdrawn_once: bool = False


class RequestPlan(Struct, frozen=True):
    """The events that a push comes to, each with the id of its request, and what is said about them."""

    events: list[tuple[str, Struct]]
    lines: list[Line]
    new: int
    same: int


def plan_requests(
    definitions: Sequence[Definition], known: Mapping[str, KnownRequest], held: frozenset[str] = frozenset()
) -> RequestPlan:
    """Compare the file with the log. `known` holds the requests of the file that exist, `held` the vault's names."""
    events: list[tuple[str, Struct]] = []
    lines: list[Line] = []
    same = 0
    for definition in sorted(definitions, key=lambda each: each.id):  # in the order in which every batch locks
        request = known.get(definition.id)
        wanted = _open(definition, held) if request is None else _compare(definition, request)
        events += [(definition.id, event) for event in wanted]
        lines += _say(definition, request, wanted)
        lines += _say_missing(definition, _status_after(wanted, request), held)
        same += not wanted
    return RequestPlan(events, lines, sum(each.id not in known for each in definitions), same)


def _open(definition: Definition, held: frozenset[str]) -> list[Struct]:
    opened: list[Struct] = [RequestOpened(definition.asked, REASON)]
    if definition.status == "WITHDRAWN":
        return [*opened, RequestWithdrawn(REASON)]
    if definition.scopes and held.issuperset(definition.scopes):
        return [*opened, RequestProvided(sorted(definition.scopes), VAULT)]
    if _is_provided_tool(definition):
        return [*opened, RequestProvided()]
    return opened


def _is_provided_tool(definition: Definition) -> bool:
    """Whether it asks for a program that the file says is there: there are no values that could be missing."""
    return definition.type == TOOL and definition.status == "PROVIDED"


def _compare(definition: Definition, request: KnownRequest) -> list[Struct]:
    if request.status == "WITHDRAWN":
        return []
    events: list[Struct] = []
    if definition.asked != request.definition:
        events.append(RequestOpened(definition.asked, REASON))
        if request.provided is not None and not _asks_anew(definition.asked, request.definition):
            events.append(request.provided)
    if request.status == "WAITING" and _is_provided_tool(definition):
        events.append(RequestProvided())
    if definition.status == "WITHDRAWN" and not request.withdrawn_once:
        events.append(RequestWithdrawn(REASON))
    return events


def _asks_anew(wanted: RequestDefinition, known: RequestDefinition | None) -> bool:
    """Whether the values that were provided are not the ones that are wanted now."""
    return known is None or (wanted.service, wanted.type, set(wanted.scopes)) != (
        known.service,
        known.type,
        set(known.scopes),
    )


def _say(definition: Definition, request: KnownRequest | None, events: Sequence[Struct]) -> list[Line]:
    if not events:
        return []
    facts = {"id": definition.id, "service": definition.service, "status": _status_after(events, request)}
    if request is None:
        lines = [Line("sync.new_request", facts)]
        if definition.type == TOOL:
            lines.append(Line.of("sync.tool_request", id=definition.id, service=definition.service))
        return lines
    fields = ", ".join(_changed(definition.asked, request.definition)) or "status"
    return [Line("sync.changed_request", facts | {"source": request.status, "fields": fields})]


def _say_missing(definition: Definition, status: str, held: frozenset[str]) -> list[Line]:
    """That the file calls provided what is not here, at every push for as long as that is so."""
    if definition.status != "PROVIDED" or status != "WAITING":
        return []
    names = ", ".join(name for name in definition.scopes if name not in held)
    return [Line.of("sync.values_stay_behind", id=definition.id, names=names or "…")]


def _status_after(events: Sequence[Struct], request: KnownRequest | None) -> str:
    if not events:
        return request.status if request else "WAITING"
    match events[-1]:
        case RequestWithdrawn():
            return "WITHDRAWN"
        case RequestProvided():
            return "PROVIDED"
    return "WAITING"


def _changed(wanted: RequestDefinition, known: RequestDefinition | None) -> list[str]:
    before = {} if known is None else msgspec.structs.asdict(known)
    return [name for name, value in msgspec.structs.asdict(wanted).items() if before.get(name) != value]
