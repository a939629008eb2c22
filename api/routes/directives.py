"""Directives: list, propose, look at, decide."""

from uuid import UUID, uuid5

import msgspec
from msgspec.structs import replace
from starlette.responses import Response

from api.call import Call
from api.envelope import answer
from api.idempotency import command_id
from api.routes.tasks import answer_page
from api.wire.directive import OLDER, ApplyDirective, DirectiveChange, DirectiveFilter, DirectiveId, NewDirectives
from events.directives import Applied, Decision, Proposals
from events.draft import Draft
from events.errors import DirectiveRefused, IllegalTransition, InvalidInput, NotFound
from events.guardrails import check, check_ids


async def list_directives(call: Call, query: DirectiveFilter) -> Response:
    """Directives, newest first, each with its tasks and how far they are."""
    status = OLDER.get(query.status or "", query.status)
    page = await call.deps.views.directives(status=status, limit=query.limit, cursor=query.cursor)
    return answer_page(page)


async def propose_directives(call: Call, body: NewDirectives) -> Response:
    """Propose one directive or many, all or none, in the shape in which the planner's model answers.

    Their tasks are created with them, or when they are applied, as ELRUSO_APPROVAL says. The same again, by id or by
    Idempotency-Key, is answered with what exists. Unknown fields are ignored and noted.
    """
    key = command_id(call.header("idempotency-key"))
    drafts = _draft(call, body, key)
    proposals = Proposals(drafts, call.actor, call.deps.approval, call.deps.known_requests(), key=key)
    proposed = await call.deps.commands.directives.propose(proposals)
    data = await call.deps.views.directives_by_id(proposed.directives)
    return answer(data[1:-1] if body.single else data, status=200 if proposed.again else 201)


async def show_directive(call: Call, directive_id: DirectiveId) -> Response:
    """One directive: what was proposed, what was decided, how far its tasks are."""
    return answer(_found(await call.deps.views.directive(directive_id), directive_id))


async def preview_directive(call: Call, directive_id: DirectiveId) -> Response:
    """What applying it would create and execute: `commands`, whole and in order; `warnings` of text that misleads."""
    return answer(_found(await call.deps.views.preview(directive_id), directive_id))


async def apply_directive(call: Call, directive_id: DirectiveId, body: ApplyDirective) -> Response:
    """Apply it: its tasks exist from now on, all or none, but for those left out. Twice is no error.

    When credentials that it requires are not provided it is refused with their list, and they are asked for.
    """
    applied = await _apply(call, directive_id, body.leave_out, body.reason)
    shown = _found(await call.deps.views.directive(directive_id), directive_id)
    counts = msgspec.json.encode(
        {
            "directive_id": directive_id,
            "tasks_created": len(applied.created),
            "tasks_skipped": applied.skipped,
            "idempotent": applied.again,
        }
    )
    return answer(shown[:-1] + b"," + counts[1:])


async def change_directive(call: Call, directive_id: DirectiveId, body: DirectiveChange) -> Response:
    """Apply or reject it. Rejecting cancels its tasks that have not started. What is so already is left as it is."""
    status = OLDER.get(body.status, body.status)
    if status == "APPLIED":
        await _apply(call, directive_id, body.leave_out, body.reason)
    elif status == "PENDING":
        await _check_pending(call, directive_id)
    else:
        reason = body.rejection_reason or body.reason
        await call.deps.commands.directives.reject(Decision(directive_id, call.actor, reason))
    return await show_directive(call, directive_id)


async def _apply(call: Call, directive_id: str, leave_out: list[str], reason: str | None) -> Applied:
    decision = Decision(directive_id, call.actor, reason, tuple(dict.fromkeys(leave_out)), call.deps.known_requests())
    return await call.deps.commands.directives.apply(decision)


async def _check_pending(call: Call, directive_id: str) -> None:
    """Raises IllegalTransition unless it waits for a decision: a decision is final."""
    shown = msgspec.json.decode(_found(await call.deps.views.directive(directive_id), directive_id))
    if shown["status"] != "PENDING":
        raise IllegalTransition(f"directive {directive_id} is {shown['status']}, which is final; propose it again")


def _draft(call: Call, body: NewDirectives, key: UUID | None) -> list[Draft]:
    if body.reading.problems:
        raise InvalidInput("; ".join(body.reading.problems))
    for each in body.reading.directives:
        check_ids(each.proposal)
    checked = [check(each, call.deps.screen.redact) for each in body.reading.directives]
    reasons = {each.title: each.reasons for each in checked if each.draft is None}
    if reasons:
        told = "; ".join(f"{title}: {', '.join(found)}" for title, found in reasons.items())
        raise DirectiveRefused(told, refused=[{"title": title, "reasons": found} for title, found in reasons.items()])
    drafts = [each.draft for each in checked if each.draft is not None]
    if not drafts:
        raise InvalidInput("there is no directive in the body")
    return drafts if key is None else [_named(draft, key, place) for place, draft in enumerate(drafts)]


def _named(draft: Draft, key: UUID, place: int) -> Draft:
    """An id that follows from the idempotency key, so that the same request finds what it made."""
    return draft if draft.id else replace(draft, id=f"d-{uuid5(key, str(place))}")


def _found(data: bytes | None, directive_id: str) -> bytes:
    if data is None:
        raise NotFound(f"there is no directive {directive_id}")
    return data
