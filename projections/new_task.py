"""A task that was created just now, as the view would show it.

Nothing has happened to it, but that a runner may have got it at once; so nobody has to look.
"""

from typing import Any

from msgspec import Raw, Struct
from msgspec.structs import replace

from events import catalog
from events.claims import Claimed
from events.handover import Handed
from events.task import Acceptance, Phase, Step, TaskCreated


class NewTask(Struct, frozen=True):
    """The fields of tasks_by_id (tasks.sql), in its order."""

    id: str
    phase: Phase | None
    title: str
    body: str | None
    status: str
    branch: str | None
    depends_on: list[str]
    blocked_by: list[str]
    directive_id: str | None
    task_type: str
    steps: list[Step]
    params: dict[str, Any]
    priority: int
    attempts: int
    max_attempts: int
    next_run_at: None
    last_error: None
    claimed_by: str | None
    worker_id: str | None
    claimed_at: Raw | None
    started_at: None
    finished_at: None
    created_at: Raw
    ready_at: Raw
    timeout_seconds: float | None
    waiting_on: int
    blocked_parent: None
    run_id: str | None
    acceptance: Acceptance | None
    allowed_scope: list[str]
    version: int


def show_new(task_id: str, asked: TaskCreated, at: Raw) -> bytes | None:
    """As JSON; None for a task that waits for others or for a time, of which the view knows more. `at` is JSON too."""
    if asked.depends_on or asked.next_run_at is not None:
        return None
    return catalog.encode(_new(task_id, asked, at))  # which orders `params` as the log has them


def show_handed(handed: Handed) -> Claimed:
    """The task with what there is to show of it."""
    task = handed.task
    new = _new(task.task_id, catalog.decode("task.created", task.definition), handed.created_at)
    running = replace(
        new,
        status="running",
        attempts=task.attempt,
        claimed_by=handed.runner,
        worker_id=handed.runner,
        claimed_at=handed.claimed_at,
        run_id=str(task.run_id),
        version=task.version,
    )
    return replace(task, shown=Raw(catalog.encode(running)))


def _new(task_id: str, asked: TaskCreated, at: Raw) -> NewTask:
    return NewTask(
        id=task_id,
        phase=asked.phase,
        title=asked.title,
        body=asked.body,
        status="ready",
        branch=asked.branch,
        depends_on=[],
        blocked_by=asked.blocked_by,
        directive_id=asked.directive_id,
        task_type=asked.task_type,
        steps=asked.steps,
        params=asked.params,
        priority=asked.priority,
        attempts=0,
        max_attempts=asked.max_attempts,
        next_run_at=None,
        last_error=None,
        claimed_by=None,
        worker_id=None,
        claimed_at=None,
        started_at=None,
        finished_at=None,
        created_at=at,
        ready_at=at,
        timeout_seconds=_as_stored(asked.timeout_seconds),
        waiting_on=0,
        blocked_parent=None,
        run_id=None,
        acceptance=asked.acceptance,
        allowed_scope=asked.allowed_scope,
        version=1,
    )


def _as_stored(seconds: float | None) -> float | None:
    """PostgreSQL writes whole numbers without a point."""
    return int(seconds) if seconds is not None and seconds.is_integer() else seconds
