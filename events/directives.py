"""The commands about directives: propose, apply, reject. Part of `events.commands.Commands`."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from asyncpg import Connection
from msgspec import Struct, field
from msgspec.structs import replace

from events import catalog
from events.committer import Batch, Committer
from events.directive import Approval, DirectiveApplied, DirectiveProposed, DirectiveRejected, RequiredRequest
from events.draft import Draft
from events.errors import (
    Conflict,
    DuplicateDirective,
    DuplicateId,
    IllegalTransition,
    InvalidInput,
    NotFound,
    RequestsMissing,
    TooLarge,
    UnknownDependency,
    Unprocessable,
)
from events.idempotency_key import directive_command, reused
from events.ids import new_directive_id
from events.planner import PlannerCompleted, PlannerFailed, RefusedProposal
from events.request import RequestDefinition
from events.requests import SQL as REQUESTS_SQL
from events.settling import Known, Settled, Settling
from events.statements import load_statements

SQL = load_statements("events", "directives.sql")
DIRECTIVE_CHARACTERS_MAX = 4 << 20
"""A whole proposal as JSON, with its tasks."""
Definitions = Mapping[str, RequestDefinition]
"""The requests that are defined, by id."""


class PlannerReport(Struct, frozen=True):
    """The run of the planner that made the proposals. The ids are filled in when they are settled."""

    run_id: str
    event: PlannerCompleted
    actor: str


class Proposals(Struct, frozen=True):
    """What is proposed in one go; with a `run`, also the event that says so.

    `actor` proposes. Of a run, or when `lenient`, what cannot be taken is left out and listed as refused; else it is an
    error.
    """

    drafts: list[Draft]
    actor: str
    approval: Approval
    definitions: Definitions = {}
    run: PlannerReport | None = None
    key: UUID | None = None
    """The client's idempotency key."""
    lenient: bool = False


class Proposed(Struct, frozen=True):
    """What was created: ids of directives, of tasks, of requests; and what was refused. `again`: nothing new was."""

    directives: list[str] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    refused: list[RefusedProposal] = field(default_factory=list)
    again: bool = False


class Applied(Struct, frozen=True):
    """What applying a directive did: ids of the tasks that it created, and how many of its tasks it did not create,
    because they existed or were left out. `again`: it was applied already."""

    created: list[str]
    skipped: int
    again: bool = False


class Decision(Struct, frozen=True):
    """Somebody applies a directive without the tasks in `left_out`, or rejects it, for a reason or none."""

    directive_id: str
    actor: str
    reason: str | None = None
    left_out: tuple[str, ...] = ()
    definitions: Definitions = {}


Rows = Sequence[Any]


class Directives:
    """Writes over `writes`; `made_ready` is told the rows of what was written, so that runners wake."""

    def __init__(self, writes: Committer, made_ready: Callable[[Rows], Awaitable[None]]) -> None:
        self._writes = writes
        self._made_ready = made_ready
        self._proposing: Batch[Proposals, tuple[Proposed, Rows]] = Batch("propose", _propose, items_max=1)
        self._applying: Batch[Decision, tuple[Applied, Rows] | RequestsMissing] = Batch("apply", _apply, items_max=1)
        self._rejecting: Batch[Decision, Rows] = Batch("reject", _reject, items_max=1)
        self._recording: Batch[tuple[str, PlannerFailed, str], Rows] = Batch("record", _record, items_max=1)

    async def propose(self, proposals: Proposals) -> Proposed:
        """Writes the proposals, in one transaction.

        With the approval `auto` their tasks are created too, but for those of directives whose required requests are
        not provided: these requests are opened, and the tasks follow when the last one is provided.

        Raises (without a run): IdempotencyKeyReused; unless lenient DuplicateId, DuplicateDirective, UnknownDependency.
        """
        named = [draft if draft.id else replace(draft, id=new_directive_id()) for draft in proposals.drafts]
        proposed, rows = await self._writes.submit(self._proposing, replace(proposals, drafts=named))
        await self._made_ready(rows)
        return proposed

    async def apply(self, decision: Decision) -> Applied:
        """Applies a directive, in one statement; the tasks that do not exist yet are created. No-op when it is so.

        Raises:
            NotFound, IllegalTransition: it was rejected.
            RequestsMissing: what it requires is not provided; it is asked for now.
            InvalidInput, Conflict, Unprocessable: these tasks cannot be left out.
        """
        answer = await self._writes.submit(self._applying, decision)
        if isinstance(answer, RequestsMissing):
            raise answer
        applied, rows = answer
        await self._made_ready(rows)
        return applied

    async def reject(self, decision: Decision) -> None:
        """Rejects a directive and cancels its tasks that have not started. No-op when it is so.

        Raises NotFound; IllegalTransition when it was applied.
        """
        await self._made_ready(await self._writes.submit(self._rejecting, decision))

    async def record_failure(self, run_id: str, failure: PlannerFailed, actor: str) -> None:
        """Writes that a run of the planner failed; nothing if its end is written already."""
        await self._made_ready(await self._writes.submit(self._recording, (run_id, failure, actor)))


async def _propose(connection: Connection, asked: Sequence[Proposals], resent: bool) -> list[tuple[Proposed, Rows]]:
    [proposals] = asked
    async with connection.transaction():
        await connection.execute(SQL["lock_decisions"])
        if resent and proposals.run is not None:
            known = await _recorded(connection, proposals.run.run_id)
            if known is not None:
                return [(known, [])]
        by_key = await _proposed_by_key(connection, proposals)
        settled, refused, ids = await _settle(connection, proposals)
        if by_key and settled:
            raise reused(by_key)
        missing = await _missing(connection, [request for each in settled for request in each.event.required_requests])
        ready = [each for each in settled if proposals.approval == "auto" and not _requires(each.event, missing)]
        proposed = Proposed(
            directives=ids,
            tasks=[task.id for each in ready for task in each.event.tasks_to_create],
            requests=list(missing),
            refused=refused,
            again=not settled,
        )
        rows = await _write(connection, proposals, settled, proposed)
        rows += await _open(connection, missing, proposals.definitions, proposals.actor)
    return [(proposed, rows)]


async def _settle(
    connection: Connection, proposals: Proposals
) -> tuple[list[Settled], list[RefusedProposal], list[str]]:
    drafts, run = proposals.drafts, proposals.run
    tasks = [name for draft in drafts for task in draft.tasks for name in task.outside]
    tasks += [task_id for draft in drafts for task_id in draft.task_ids(draft.id)]
    rows = await connection.fetch(
        SQL["proposal_known"], [draft.id for draft in drafts], tasks, [draft.digest for draft in drafts]
    )
    settling = Settling(rows, proposals.approval, run.run_id if run else None, tolerant=run is not None)
    settled: list[Settled] = []
    refused: list[RefusedProposal] = []
    ids: list[str] = []
    for draft in drafts:
        try:
            outcome: Settled | Known | RefusedProposal = settling.settle(draft)
        except (DuplicateId, DuplicateDirective, UnknownDependency) as refusal:
            if not proposals.lenient:
                raise
            outcome = RefusedProposal(draft.title, refusal.detail)
        if isinstance(outcome, RefusedProposal):
            refused.append(outcome)
            continue
        ids.append(outcome.id)
        if isinstance(outcome, Settled):
            settled.append(outcome)
    return settled, refused, ids


async def _write(connection: Connection, proposals: Proposals, settled: list[Settled], proposed: Proposed) -> list[Any]:
    """The database creates the tasks of what is proposed, where nothing is missing (log.react_directives)."""
    cause: int | None = None
    rows: list[Any] = []
    if proposals.run is not None:
        run = proposals.run
        event = replace(
            run.event,
            directives=proposed.directives,
            tasks=proposed.tasks,
            requests=proposed.requests,
            refused=[*run.event.refused, *proposed.refused],
        )
        rows += await _begin(connection, run.run_id, event, run.actor, None)
        cause = rows[-1]["seq"]
    commands = {draft.id: directive_command(proposals.key, place) for place, draft in enumerate(proposals.drafts)}
    for each in settled:
        rows += await _begin(connection, each.id, each.event, proposals.actor, cause, commands.get(each.id))
    return rows


async def _begin(
    connection: Connection,
    id: str,  # noqa: A002
    event: Struct,
    actor: str,
    cause: int | None,
    command_id: UUID | None = None,
) -> Rows:
    name = catalog.type_name(event)
    data = catalog.encode(event).decode()
    if len(data) > DIRECTIVE_CHARACTERS_MAX:
        raise TooLarge(
            f"{id} takes {len(data)} characters, and may take {DIRECTIVE_CHARACTERS_MAX}; propose its tasks in several "
            "directives"
        )
    kind = catalog.kind_of(name)
    return list(await connection.fetch(SQL["begin_stream"], kind, id, name, actor, data, cause, command_id))


async def _proposed_by_key(connection: Connection, proposals: Proposals) -> set[str]:
    """The directives that a request with the same key proposed before. Raises IdempotencyKeyReused."""
    if proposals.key is None:
        return set()
    commands = [directive_command(proposals.key, place) for place in range(len(proposals.drafts) + 1)]
    rows = await connection.fetch(SQL["proposals_by_command"], commands)
    known = {row["command_id"]: row for row in rows}
    ids = {row["id"] for row in rows}
    for draft, command in zip(proposals.drafts, commands, strict=False):
        row = known.get(command)
        if row is not None and not (row["id"] == draft.id and draft.is_content_of(_proposal(row["data"]))):
            raise reused(ids)
    if commands[-1] in known:
        raise reused(ids)
    return ids


def _proposal(data: str) -> DirectiveProposed:
    event: DirectiveProposed = catalog.decode("directive.proposed", data)
    return event


async def _recorded(connection: Connection, run_id: str) -> Proposed | None:
    """What a run created when its acknowledgement was lost."""
    row = await connection.fetchrow(SQL["read_first"], "planner", run_id)
    if row is None:
        return None
    event = catalog.decode(row["type"], row["data"])
    return msgspec.convert(event, Proposed, from_attributes=True)


async def _record(connection: Connection, asked: Sequence[tuple[str, PlannerFailed, str]], _resent: bool) -> list[Rows]:
    [(run_id, failure, actor)] = asked
    if await connection.fetchrow(SQL["read_first"], "planner", run_id):
        return [[]]
    return [await _begin(connection, run_id, failure, actor, None)]


async def _apply(
    connection: Connection, asked: Sequence[Decision], _resent: bool
) -> list[tuple[Applied, Rows] | RequestsMissing]:
    [decision] = asked
    async with connection.transaction():
        state = await _locked(connection, decision.directive_id)
        event: DirectiveProposed = catalog.decode("directive.proposed", state["data"])
        if state["status"] == "APPLIED":
            return [(Applied([], len(event.tasks_to_create), again=True), [])]
        if state["status"] != "PENDING":
            raise IllegalTransition(f"directive {decision.directive_id} was rejected; propose it anew")
        _check_left_out(decision, event, state["begun"])
        missing = await _missing(connection, event.required_requests)
        if missing:  # an answer, not an exception: that they are asked for stays
            await _open(connection, missing, decision.definitions, decision.actor)
            return [_refuse_without(decision.directive_id, missing)]
        existing = {*state["existing"], *decision.left_out}
        created = [task.id for task in event.tasks_to_create if task.id not in existing]
        applied = DirectiveApplied(created, list(decision.left_out), decision.reason)
        rows = await connection.fetch(
            SQL["apply_directive"],
            decision.directive_id,
            state["version"],
            decision.actor,
            list(decision.left_out),
            catalog.encode(applied).decode(),
            f"left out of directive {decision.directive_id}",
        )
    return [(Applied(created, len(event.tasks_to_create) - len(created)), rows)]


async def _reject(connection: Connection, asked: Sequence[Decision], _resent: bool) -> list[Rows]:
    [decision] = asked
    name = decision.directive_id
    why = f"directive {name} was rejected{f': {decision.reason}' if decision.reason else ''}"
    data = catalog.encode(DirectiveRejected(decision.reason)).decode()
    async with connection.transaction():
        state = await _locked(connection, decision.directive_id)
        if state["status"] == "REJECTED":
            return [[]]
        if state["status"] != "PENDING":
            raise IllegalTransition(
                f"directive {name} was applied; cancel what is not wanted with POST /ops/tasks/ID/cancel"
            )
        rows = await connection.fetch(
            SQL["reject_directive"], decision.directive_id, state["version"], decision.actor, data, why
        )
    return [rows]


async def _locked(connection: Connection, directive_id: str) -> Any:
    """Its state, which nobody changes before the transaction ends. Raises NotFound."""
    await connection.execute(SQL["lock_decisions"])
    await connection.fetch(SQL["lock_planned_tasks"], directive_id)
    return await _state(connection, directive_id)


async def _state(connection: Connection, directive_id: str) -> Any:
    row = await connection.fetchrow(SQL["directive_state"], directive_id)
    if row is None:
        raise NotFound(f"there is no directive {directive_id}")
    return row


def _check_left_out(decision: Decision, event: DirectiveProposed, begun: Sequence[str]) -> None:
    """A task that others need, or that runs already, cannot be left out."""
    left_out = set(decision.left_out)
    unknown = left_out - {task.id for task in event.tasks_to_create}
    if unknown:
        raise InvalidInput(f"leave_out: {', '.join(sorted(unknown))}: no task of directive {decision.directive_id}")
    if left_out & set(begun):
        raise Conflict(f"{', '.join(sorted(left_out & set(begun)))} has begun already; cancel the task instead")
    for task in event.tasks_to_create:
        needed = left_out & set(task.depends_on)
        if task.id not in left_out and needed:
            raise Unprocessable(f"task {task.id} depends on {', '.join(sorted(needed))}; leave it out as well")


async def _missing(connection: Connection, required: Sequence[RequiredRequest]) -> dict[str, str | None]:
    """Those that are not provided, each with its reason."""
    if not required:
        return {}
    reasons = {request.request_id: request.reason for request in required}
    rows = await connection.fetch(SQL["missing_requests"], list(reasons))
    return {row["id"]: reasons[row["id"]] for row in rows}


async def _open(
    connection: Connection, missing: Mapping[str, str | None], definitions: Definitions, actor: str
) -> list[Any]:
    if not missing:
        return []
    known = [definitions.get(request_id) for request_id in missing]
    texts = [None if each is None else catalog.encode(each).decode() for each in known]
    reasons = list(missing.values())
    return list(await connection.fetch(REQUESTS_SQL["open_requests"], list(missing), texts, reasons, actor, False))


def _requires(event: DirectiveProposed, missing: Mapping[str, str | None]) -> bool:
    return any(request.request_id in missing for request in event.required_requests)


def _refuse_without(directive_id: str, missing: Mapping[str, str | None]) -> RequestsMissing:
    told = "; ".join(f"{request_id}{f' ({reason})' if reason else ''}" for request_id, reason in missing.items())
    return RequestsMissing(
        f"directive {directive_id} waits for {told}; store the values with POST /ops/requests/ID/value and apply again",
        requests=[{"request_id": request_id, "reason": reason} for request_id, reason in missing.items()],
        blocked_by_requests=list(missing),
    )
