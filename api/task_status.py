"""PATCH /ops/tasks/{id}: the status somebody asks for, translated into the event it means.

Old runners report a run and its task separately, and say what they think should come next. What follows from a failed
run is decided when the run is reported (events/commands.sql, fail_runs), so what they say afterwards is often so
already, and asking for that is no error.
"""

from datetime import UTC, datetime

from api.call import Call
from api.holder import check_permission, check_runner, check_task
from api.known import KnownTask
from api.permissions import Permission
from api.wire.field import SECONDS_MAX
from api.wire.task import TaskChange
from events.errors import IllegalTransition, InvalidInput, LeaseLost
from events.reports import Report
from events.task import TaskDone

PERMISSIONS: dict[str, Permission] = {
    "ready": "hand back",  # a runner's, of its own run
    "running": "claim",
    "done": "report",
    "failed": "stop by hand",
    "blocked": "stop by hand",
    "cancelled": "cancel",
}


async def change_status(call: Call, task: KnownTask, change: TaskChange) -> None:
    """Append the event that makes the task what `change` wants it to be, if there is one.

    Raises:
        Forbidden: the caller may not do what this means, or not to this task.
        LeaseLost: the task is held by another runner, or in another run.
        IllegalTransition: the status cannot be reached from here.
        InvalidInput: the runner is not named where it must be.
    """
    check_permission(call, PERMISSIONS[change.status])
    if task.status == change.status or _is_accounted_for(call, task, change):
        return
    if change.status != "running":
        await check_task(call, task)
    _check_holder(task, change)
    commands, actor = call.deps.commands, _actor(call, change)
    match change.status:
        case "ready":
            kept = None if _from_runner(call, change) else 0
            await commands.requeue(
                task.id,
                actor=actor,
                backoff_seconds=_rest_until(change.next_run_at),
                last_error=change.last_error,
                attempts=kept if change.attempts is None else change.attempts,
            )
        case "running":
            if change.runner is None:
                raise InvalidInput("a task runs for somebody: name the runner in `claimed_by`")
            await check_runner(call, change.runner)
            await commands.claim_task(change.runner, task.id, actor)
        case "done":
            await _finish(call, task, actor)
        case "failed":
            await commands.fail_task(task.id, change.last_error or "marked as failed", actor)
        case "blocked":
            await commands.block(task.id, change.last_error or "blocked by hand", actor)
        case "cancelled":
            await commands.cancel(task.id, change.last_error, actor)


async def _finish(call: Call, task: KnownTask, actor: str) -> None:
    if task.run_id is None:
        raise IllegalTransition(f"task {task.id} is {task.status}; only a running task can be done")
    run_id = int(task.run_id)
    [refusal] = await call.deps.commands.report([Report(task.id, run_id, TaskDone(run_id), actor)])
    if refusal is not None:
        raise refusal


def _is_accounted_for(call: Call, task: KnownTask, change: TaskChange) -> bool:
    """A runner says "failed" of a task whose failed run has been dealt with: it waits for its next try, or a human."""
    return (
        change.status == "failed"
        and _from_runner(call, change)
        and task.status in ("ready", "blocked")
        and task.last_error is not None
    )


def _check_holder(task: KnownTask, change: TaskChange) -> None:
    if task.run_id is None:
        return
    if change.run_id is not None and change.run_id != task.run_id:
        raise LeaseLost(f"run {change.run_id} is not the current run of task {task.id}")
    if change.runner is not None and change.runner != task.claimed_by:
        raise LeaseLost(f"task {task.id} is {task.claimed_by}'s by now; {change.runner} lost it")


def _from_runner(call: Call, change: TaskChange) -> bool:
    return call.caller.role == "runner" or change.runner is not None


def _actor(call: Call, change: TaskChange) -> str:
    return call.actor if change.runner is None else call.caller.acting_as(change.runner)


def _rest_until(moment: datetime | None) -> float:
    if moment is None:
        return 0.0
    return min(max(0.0, (moment - datetime.now(UTC)).total_seconds()), SECONDS_MAX)
