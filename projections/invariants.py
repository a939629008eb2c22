"""What must hold between streams, whoever wrote first: checked on what the log says, task by task, then by directive.

A stream's own history is checked as it is written. What one stream may do because of another is up to reactions and
locks in the database (schema.sql, lock order); a race that they missed leaves a state that no single event made wrong.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

from msgspec import Struct

from projections.fold import Fold
from projections.rows import DirectiveRow, TaskRow

Code = Literal[
    "ready_behind_fallen",
    "blocked_without_cause",
    "ran_before_parent",
    "alive_though_rejected",
    "waiting_though_provided",
    "pending_though_done",
]
FALLEN = frozenset({"failed", "blocked", "cancelled"})


class Violation(Struct, frozen=True):
    """A state that no sequence of commands, one after the other, leads to.

    ready_behind_fallen      `id`, a task, is ready, but its parent `other` failed, is blocked or was cancelled
    blocked_without_cause    `id`, a task, is blocked because of its parent `other`, which has not fallen
    ran_before_parent        `id`, a task, runs, but its parent `other` is not done
    alive_though_rejected    `id`, a task, was left in the queue, or created, when its directive `other` was rejected
    waiting_though_provided  `id`, a directive, waits for nothing, but its task `other` was not created
    pending_though_done      `id`, a directive, is pending though its tasks are done, the last of them `other`
    """

    code: Code
    id: str
    other: str


def violations(fold: Fold) -> Iterator[Violation]:
    """Every violation in the state after the events of `fold`."""
    statuses = fold.task_statuses()
    for edge in fold.dependencies():
        code = _between(statuses[edge.child], statuses.get(edge.parent, ""))
        if code is not None:
            yield Violation(code, edge.child, edge.parent)
    directives = {row.id: row for row in fold.directives()}
    rejected = {row.id: row for row in directives.values() if row.status == "REJECTED"}
    for task in fold.tasks():
        if task.blocked_parent is not None and statuses.get(task.blocked_parent) not in FALLEN:
            yield Violation("blocked_without_cause", task.id, task.blocked_parent)
        directive = rejected.get(task.directive_id or "")
        if directive is not None and _was_left(task, directive):
            yield Violation("alive_though_rejected", task.id, directive.id)
    provided = {row.id for row in fold.requests() if row.status == "PROVIDED"}
    for directive in directives.values():
        if directive.status == "PENDING":
            yield from _pending(directive, statuses, provided)


def _between(child: str, parent: str) -> Code | None:
    if child == "ready" and parent in FALLEN:
        return "ready_behind_fallen"
    if child == "running" and parent != "done":
        return "ran_before_parent"
    return None


def _was_left(task: TaskRow, directive: DirectiveRow) -> bool:
    """A rejection cancels what has not started; what somebody requeues later is his wish."""
    if task.id not in directive.task_ids or directive.decided_seq is None:
        return False
    if task.created_seq > directive.decided_seq:
        return True
    if task.position != task.created_seq:
        return False  # requeued
    claimed_later = task.run_id is not None and task.run_id > directive.decided_seq
    return claimed_later or (task.status in ("ready", "blocked") and not task.attempts)


def _pending(directive: DirectiveRow, statuses: Mapping[str, str], provided: set[str]) -> Iterator[Violation]:
    missing = [task_id for task_id in directive.task_ids if task_id not in statuses]
    if missing and directive.approval == "auto" and provided.issuperset(directive.required):
        yield Violation("waiting_though_provided", directive.id, missing[0])
    if directive.task_ids and all(statuses.get(task_id) == "done" for task_id in directive.task_ids):
        yield Violation("pending_though_done", directive.id, directive.task_ids[-1])
