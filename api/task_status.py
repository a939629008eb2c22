"""PATCH /ops/tasks/{id}: the status somebody asks for, translated into the event it means.

Runners of the first El Ruso report a run and its task separately, in either order, and say what they think comes next.
Such an account of a failure (api/failure.py) ends the run as failed, if it has not ended, and the log's policy decides
what follows; the second account changes nothing.
"""

from datetime import UTC, datetime

from api.call import Call
from api.failure import Account, is_account, is_decided, is_of_no_run, take_account
from api.holder import check_permission, check_runner, check_task
from api.known import KnownTask
from api.permissions import Permission
from api.wire.field import SECONDS_MAX
from api.wire.task import TaskChange
from events.errors import InvalidInput, LeaseLost
from events.reports import Report
from events.task import TaskDone

DONE_BY_HAND = "marked as done, without a run"

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
    check_permission(call, _permission(task, change))
    account = is_account(call, change)
    if task.status == change.status or is_decided(task, change.status, account) or is_of_no_run(call, task, change):
        return
    if change.status != "running":
        await check_task(call, task)
    _check_holder(task, change)
    if account and (change.status == "ready" or (task.run_id is not None and change.status in ("blocked", "failed"))):
        rest = _rest_until(change.next_run_at)
        await take_account(call, task, Account(change.status, change.last_error, _actor(call, change), rest))
    else:
        await _append(call, task, change)


def _permission(task: KnownTask, change: TaskChange) -> Permission:
    if change.status == "done" and task.run_id is None:
        return "change tasks" if task.status == "done" else "mark done"
    return PERMISSIONS[change.status]


async def _append(call: Call, task: KnownTask, change: TaskChange) -> None:
    commands, actor = call.deps.commands, _actor(call, change)
    match change.status:
        case "ready":
            attempts = 0 if change.attempts is None else change.attempts
            await commands.requeue(
                task.id, actor=actor, backoff_seconds=_rest_until(change.next_run_at), attempts=attempts
            )
        case "running":
            if change.runner is None:
                raise InvalidInput("a task runs for somebody: name the runner in `claimed_by`")
            await check_runner(call, change.runner)
            await commands.claim_task(change.runner, task.id, actor)
        case "done":
            if task.run_id is None:
                await commands.close(task.id, change.last_error or DONE_BY_HAND, actor)
            else:
                await _finish(call, task.id, int(task.run_id), actor)
        case "failed":
            await commands.fail_task(task.id, change.last_error or "marked as failed", actor)
        case "blocked":
            await commands.block(task.id, change.last_error or "blocked by hand", actor)
        case "cancelled":
            await commands.cancel(task.id, change.last_error, actor)


async def _finish(call: Call, task_id: str, run_id: int, actor: str) -> None:
    [refusal] = await call.deps.commands.report([Report(task_id, run_id, TaskDone(run_id), actor)])
    if refusal is not None:
        raise refusal


def _check_holder(task: KnownTask, change: TaskChange) -> None:
    if task.run_id is None:
        return
    if change.run_id is not None and change.run_id != task.run_id:
        raise LeaseLost(f"run {change.run_id} is not the current run of task {task.id}")
    if change.runner is not None and change.runner != task.claimed_by:
        raise LeaseLost(f"task {task.id} is {task.claimed_by}'s by now; {change.runner} lost it")


def _actor(call: Call, change: TaskChange) -> str:
    return call.actor if change.runner is None else call.caller.acting_as(change.runner)


def _rest_until(moment: datetime | None) -> float:
    """Seconds until `moment`, at least 0 and at most SECONDS_MAX; 0 for None."""
    if moment is None:
        return 0.0
    return min(max(0.0, (moment - datetime.now(UTC)).total_seconds()), SECONDS_MAX)
