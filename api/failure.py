"""A failure that a client reports by the task, beside or instead of its run.

One failure is decided once, by the log's own policy (fail_runs in events/commands.sql): again after a rest while
attempts are left, else blocked. What the client thinks should follow counts for nothing, in particular neither the
`attempts` it counted nor the rest it chose. See docs/adr/0026.
"""

from msgspec import Struct

from api.call import Call
from api.known import KnownTask
from api.wire.task import TaskChange
from events.reports import Report
from events.task import TaskFailed

NO_REASON = "the runner gave no reason"


def is_account(call: Call, change: TaskChange) -> bool:
    """Whether `change` is a runner's account of its run, not an operator's order.

    It comes with a runner's token, names its runner, or carries what only a runner of the first El Ruso sends: the
    error of a retry, or the attempts and the end of a task that failed.
    """
    if _is_from_runner(call, change):
        return True
    if change.status == "ready":
        return change.last_error is not None
    return change.status in ("failed", "blocked") and (change.attempts is not None or change.finished_at is not None)


def is_decided(task: KnownTask, status: str, account: bool) -> bool:
    """Whether what followed from the task's failure is decided already, so that an account of it changes nothing.

    Without further sign, `failed` is taken for the second account of a failure while the task rests after it: marked as
    failed it would never be tried again.
    """
    if task.run_id is not None or task.last_error is None:
        return False
    if status == "failed" and (account or (task.attempts > 0 and task.next_run_at is not None)):
        return task.status in ("ready", "blocked")
    if status == "blocked":
        return account and task.status in ("ready", "failed")
    return status == "ready" and account and task.status != "ready" and task.is_exhausted


def is_of_no_run(call: Call, task: KnownTask, change: TaskChange) -> bool:
    """Whether a runner tells of a failure after its run was taken from it or handed back: the task is not charged."""
    is_failure = change.status in ("failed", "blocked") and _is_from_runner(call, change)
    return is_failure and task.run_id is None and task.status == "ready"


def _is_from_runner(call: Call, change: TaskChange) -> bool:
    return call.caller.role == "runner" or change.runner is not None


class Account(Struct, frozen=True):
    """What a client says of a task whose run failed or was given up: with which error, and when it may run again."""

    status: str
    error: str | None
    actor: str
    rest_seconds: float = 0.0


async def take_account(call: Call, task: KnownTask, account: Account) -> None:
    """End the current run as failed; or, without a run or an error, make the task ready with its attempts kept.

    Raises:
        LeaseLost: the run is not current any more.
        IllegalTransition: the task is done.
    """
    given_up = account.status == "ready" and account.error is None
    if task.run_id is not None and (task.is_exhausted or not given_up):
        await _fail_run(call, task, int(task.run_id), account)
    elif task.run_id is not None or (task.status != "ready" and not task.is_exhausted):
        await call.deps.commands.requeue(
            task.id,
            actor=account.actor,
            backoff_seconds=account.rest_seconds,
            last_error=account.error,
            attempts=None,
        )


async def _fail_run(call: Call, task: KnownTask, run_id: int, account: Account) -> None:
    event = TaskFailed(run_id, account.error or NO_REASON)
    [refusal] = await call.deps.commands.report([Report(task.id, run_id, event, account.actor)])
    if refusal is not None:
        raise refusal
