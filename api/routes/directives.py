"""Directives: list, propose, look at, decide."""

from uuid import UUID, uuid5

import msgspec
from msgspec.structs import replace
from starlette.responses import Response

from api.call import Call
from api.envelope import answer
from api.idempotency import command_id
from api.routes.tasks import answer_page
from api.wire.directive import ApplyDirective, DirectiveChange, DirectiveFilter, DirectiveId, NewDirectives, status_of
from events.directives import Applied, Decision, Proposals
from events.draft import Draft
from events.errors import DirectiveRefused, IllegalTransition, InvalidInput, NotFound
from events.guardrails import Checked, check, check_ids
from events.planner import RefusedProposal
from events.proposal import Proposed, split_problem


async def list_directives(call: Call, query: DirectiveFilter) -> Response:
    """Directives, newest first, each with its tasks and how far they are."""
    page = await call.deps.views.directives(status=status_of(query.status), limit=query.limit, cursor=query.cursor)
    return answer_page(page)


async def propose_directives(call: Call, body: NewDirectives) -> Response:
    """Propose one directive or many, in the shape in which the planner's model answers, in either contract.

    Of many, one that cannot be taken refuses none of the others: `meta.refused` names it, with its reason. Their tasks
    are created with them, or when they are applied, as ELRUSO_APPROVAL says. The same again, by id or by
    Idempotency-Key, is answered with what exists. Unknown fields are kept as `extra`, by their place, and noted.
    """
    key = command_id(call.header("idempotency-key"))
    drafts, refused = _draft(call, body, key)
    many = len(drafts) + len(refused) > 1
    proposals = Proposals(drafts, call.actor, call.deps.approval, call.deps.known_requests(), key=key, lenient=many)
    proposed = await call.deps.commands.directives.propose(proposals)
    refused += proposed.refused
    if not proposed.directives:
        raise _refuse_all(refused)
    data = await call.deps.views.directives_by_id(proposed.directives)
    meta = msgspec.json.encode({"refused": refused}) if refused else None
    return answer(data[1:-1] if body.single else data, meta=meta, status=200 if proposed.again else 201)


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
    status = status_of(body.status)
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


def _draft(call: Call, body: NewDirectives, key: UUID | None) -> tuple[list[Draft], list[RefusedProposal]]:
    """What can be proposed, and what cannot. Raises InvalidInput, DirectiveRefused when nothing can."""
    checked = [_check(call, each) for each in body.reading.directives]
    drafts = [each.draft for each in checked if each.draft is not None]
    refused = [RefusedProposal(each.title, "; ".join(each.reasons)) for each in checked if each.draft is None]
    if len(checked) == 1:
        check_ids(body.reading.directives[0].proposal)
    if not drafts and body.reading.problems:
        raise InvalidInput("; ".join(body.reading.problems))
    if not drafts and not refused:
        raise InvalidInput("there is no directive in the body")
    if not drafts:
        raise _refuse_all(refused)
    refused += [RefusedProposal(*split_problem(problem)) for problem in body.reading.problems]
    return drafts if key is None else [_named(draft, key, place) for place, draft in enumerate(drafts)], refused


def _check(call: Call, proposed: Proposed) -> Checked:
    try:
        check_ids(proposed.proposal)
    except InvalidInput as refusal:
        return Checked(proposed.proposal.title, None, [refusal.detail])
    return check(proposed, call.deps.screen.redact)


def _refuse_all(refused: list[RefusedProposal]) -> DirectiveRefused:
    detail = "; ".join(f"{each.title}: {each.reason}" for each in refused)
    reasons = [{"title": each.title, "reasons": each.reason.split("; ")} for each in refused]
    return DirectiveRefused(detail, refused=reasons)


def _named(draft: Draft, key: UUID, place: int) -> Draft:
    """An id that follows from the idempotency key, so that the same request finds what it made."""
    return draft if draft.id else replace(draft, id=f"d-{uuid5(key, str(place))}")


def _found(data: bytes | None, directive_id: str) -> bytes:
    if data is None:
        raise NotFound(f"there is no directive {directive_id}")
    return data
