"""Directives: lists of them, each with its tasks and what was decided, and what applying one would do."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from asyncpg import Pool
from msgspec import Struct

from events.execution import executed_commands, executor_name, secret_names
from events.statements import load_statements
from projections.ask import ask
from projections.page import FROM_THE_NEWEST, Cursor, Page, count_fitting
from projections.plan import Plan, waves
from projections.plan_warnings import plan_warnings

STATUSES = ("PENDING", "APPLIED", "REJECTED")
COUNTED_MAX = 10_000

_sql = load_statements("projections", "directives.sql")


class Planned(Struct, frozen=True):
    """A planned task; its `status` once it exists."""

    id: str
    plan: Plan
    status: str | None = None


class Summary(Struct, frozen=True):
    """What of a directive decides whether it can be applied."""

    id: str
    status: str
    title: str
    approval: str
    required_requests: list[dict[str, Any]]
    missing_requests: list[str]
    notes: list[str]


_summaries = msgspec.json.Decoder(list[Summary])
_planned = msgspec.json.Decoder(list[Planned])


async def directives_by_id(pool: Pool, ids: Sequence[str], *, with_tasks: bool = True) -> bytes:
    """These directives in the order of the ids, as a JSON array; those unknown are left out.

    What they plan may be large: without it `tasks_to_create` is empty.
    """
    return await ask(pool, _sql["directives_by_id"], ids, with_tasks)


async def find_directive(pool: Pool, directive_id: str, *, with_tasks: bool = True) -> bytes | None:
    """One directive, or None."""
    return (await directives_by_id(pool, [directive_id], with_tasks=with_tasks))[1:-1] or None


async def list_directives(pool: Pool, status: str | None, limit: int, cursor: str | None) -> Page:
    """Directives, newest first; more than COUNTED_MAX are not counted; a page has about PAGE_BYTES.

    Raises InvalidInput for a cursor of another list.
    """
    before = FROM_THE_NEWEST if cursor is None else Cursor.read(cursor, ["directives"]).first
    statuses = STATUSES if status is None else [status]
    rows = await pool.fetch(_sql["list_directives"], before, statuses, limit + 1)
    total = await pool.fetchval(_sql["count_directives"], statuses, COUNTED_MAX)
    limit = min(limit, await count_fitting(pool, _sql["count_fitting"], [row["id"] for row in rows]))
    ids = [row["id"] for row in rows[:limit]]
    following = str(Cursor("directives", rows[limit - 1]["proposed_seq"])) if len(rows) > limit else None
    return Page(await directives_by_id(pool, ids) if ids else b"[]", total, following)


async def preview_directive(pool: Pool, directive_id: str) -> bytes | None:
    """What applying a directive would create and execute, whole and in order; None: there is none.

    `waves` are ids of tasks that can run beside each other, one wave after the other. `commands` is everything that
    runs of its tasks execute; `warnings` name what in their texts misleads a reader. A task that exists already shows
    its `status`; it is not created again. `digest` is that of the plan.
    """
    [*found] = _summaries.decode(await directives_by_id(pool, [directive_id], with_tasks=False))
    if not found:
        return None
    planned = _planned.decode(await ask(pool, _sql["planned_tasks"], directive_id))
    digest = await pool.fetchval(_sql["plan_digest"], directive_id)
    return msgspec.json.encode(_preview(found[0], planned) | {"digest": digest})


def _preview(directive: Summary, planned: Sequence[Planned]) -> dict[str, Any]:
    wave_of = waves((task.id, task.plan.depends_on) for task in planned)
    reasons = {each["request_id"]: each.get("reason") for each in directive.required_requests}
    missing = [{"request_id": name, "reason": reasons.get(name)} for name in directive.missing_requests]
    in_order = sorted(planned, key=lambda task: (wave_of[task.id], task.plan.priority))
    return {
        "directive_id": directive.id,
        "title": directive.title,
        "status": directive.status,
        "approval": directive.approval,
        "applicable": directive.status == "PENDING" and not missing,
        "missing_requests": missing,
        "creates": sum(task.status is None for task in planned),
        "tasks": [_shown(number, task, wave_of) for number, task in enumerate(planned, 1)],
        "waves": [
            [task.id for task in planned if wave_of[task.id] == wave]
            for wave in range(1, max(wave_of.values(), default=0) + 1)
        ],
        "commands": [command for task in in_order for command in executed_commands(task.id, task.plan)],
        "warnings": [warning for task in in_order for warning in plan_warnings(task.id, task.plan)],
        "scopes": sorted({pattern for task in planned for pattern in task.plan.allowed_scope}),
        "notes": directive.notes,
    }


def _shown(number: int, task: Planned, wave_of: Mapping[str, int]) -> dict[str, Any]:
    plan = task.plan
    return {
        "order": number,
        "wave": wave_of[task.id],
        "id": task.id,
        "title": plan.title,
        "body": plan.body,
        "status": task.status,
        "phase": plan.phase,
        "task_type": plan.task_type,
        "priority": plan.priority,
        "max_attempts": plan.max_attempts,
        "depends_on": plan.depends_on,
        "blocked_by": plan.blocked_by,
        "waits_for_others": [name for name in plan.depends_on if name not in wave_of],
        "steps": plan.steps,
        "params": plan.params,
        "prompt": plan.body if executor_name(plan.task_type, bool(plan.steps)) == "agent" else None,
        "acceptance": plan.acceptance,
        "allowed_scope": plan.allowed_scope,
        "timeout_seconds": plan.timeout_seconds,
        "branch": plan.branch,
        "secrets": secret_names(plan),
    }
