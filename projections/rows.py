"""The rows of the views: one frozen Struct per table of the `view` schema, fields named as its columns.

What they mean is said in schema.sql, beside the columns. Two tables are seen as the audit sees them: `ready` and
`scheduled` as one (a scheduled task moves over when it falls due, and no event says so), counters without shards.
"""

from datetime import datetime
from typing import Any

from msgspec import Struct

from events.request import RequestDefinition


class TaskRow(Struct, frozen=True, gc=False):
    """view.tasks."""

    id: str
    created_seq: int
    position: int
    ready_at: datetime
    run_id: int | None
    created_at: datetime
    claimed_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    next_run_at: datetime | None
    timeout_seconds: float | None
    version: int
    waiting_on: int
    attempts: int
    max_attempts: int
    priority: int
    status: str
    task_type: str
    phase: str | None
    directive_id: str | None
    claimed_by: str | None
    blocked_parent: str | None
    last_error: str | None
    title: str


class DependencyRow(Struct, frozen=True, gc=False):
    """view.task_deps."""

    parent: str
    child: str


class QueueRow(Struct, frozen=True, gc=False):
    """view.ready and view.scheduled: what may be claimed, now or at `due_at`."""

    id: str
    priority: int
    position: int
    due_at: datetime | None


class RunningRow(Struct, frozen=True, gc=False):
    """view.running."""

    run_id: int
    id: str
    runner: str
    attempt: int
    claimed_at: datetime
    started_at: datetime | None
    branch: str | None
    commit_hash: str | None


class AsideRow(Struct, frozen=True, gc=False):
    """view.aside."""

    id: str
    why: str
    created_seq: int


class LostRunRow(Struct, frozen=True, gc=False):
    """view.lost_runs."""

    id: int
    status: str


class RunRow(Struct, frozen=True, gc=False):
    """view.runs: once it has ended, view.ended_runs."""

    id: int
    task_id: str
    runner: str
    attempt: int
    status: str
    claimed_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration_ms: int | None = None
    branch: str | None = None
    commit_hash: str | None = None
    summary: str | None = None
    error: str | None = None


class StepRow(Struct, frozen=True, gc=False):
    """view.steps."""

    run_id: int
    number: int
    name: str
    cmd: str | None
    exit_code: int | None
    duration_ms: int | None
    output_excerpt: str | None
    output_bytes: int
    truncated: bool
    error: str | None
    at: datetime


class FileChangeRow(Struct, frozen=True, gc=False):
    """view.file_changes."""

    run_id: int
    path: str
    change: str
    added: int | None
    removed: int | None
    renamed_from: str | None


class RunnerRow(Struct, frozen=True):
    """view.runners."""

    id: str
    version: int
    status: str
    started_at: datetime | None
    last_seen_at: datetime | None
    stopped_at: datetime | None
    draining_since: datetime | None
    draining_by: str | None
    draining_reason: str | None
    meta: dict[str, Any]


class SystemRow(Struct, frozen=True):
    """view.system."""

    id: str
    version: int
    status: str
    reason: str | None
    changed_at: datetime | None
    changed_by: str | None


class RequestRow(Struct, frozen=True):
    """view.requests."""

    id: str
    version: int
    status: str
    definition: RequestDefinition | None
    reason: str | None
    place: str | None
    opened_at: datetime | None
    provided_at: datetime | None
    provided_by: str | None
    changed_at: datetime | None
    changed_by: str | None


class DirectiveRow(Struct, frozen=True):
    """view.directives."""

    id: str
    version: int
    status: str
    title: str
    digest: str
    approval: str
    planner_run: str | None
    task_ids: list[str]
    required: list[str]
    proposed_seq: int
    proposed_at: datetime | None
    proposed_by: str
    decided_seq: int | None
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None


class PlannerRunRow(Struct, frozen=True):
    """view.planner_runs."""

    id: str
    version: int
    status: str
    seq: int
    outcome: str
    error: str | None
    model: str
    environment: str
    prompt_tokens: int
    completion_tokens: int
    cost: float
    duration_ms: int
    rounds: int
    directives: int
    tasks: int
    refused: int
    ended_at: datetime | None
    started_by: str


class TaskCountRow(Struct, frozen=True):
    """view.task_counts, summed over its shards, one row per status."""

    status: str
    count: int


class RunCountRow(Struct, frozen=True):
    """view.run_counts, summed over its shards."""

    bucket: datetime
    ended: int
    failed: int
