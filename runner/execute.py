"""One run, from a claimed task to its outcome."""

import time

import structlog

from events.errors import InvalidInput, LeaseLost
from events.task import Acceptance, TaskStarted
from runner.acceptance import accept, validate
from runner.executors import Executor, choose_executor
from runner.git import GitFailed
from runner.outcome import Outcome, done, failed, unreadable
from runner.run import Claim, Context, Finished, Run, RunFailed
from runner.scope import Scope
from runner.workspace import Workspace

log = structlog.get_logger(__name__)

_NOTHING_ASKED = Acceptance()


async def execute(claimed: Claim, context: Context) -> Outcome:
    """Execute a claimed task. Whatever goes wrong with it is an outcome, not an exception.

    Cancelled, it kills what it started, removes its workspace, and is cancelled.

    Raises:
        LeaseLost: the reporter says that the run was taken away; there is nothing left to report.
    """
    started = time.monotonic()
    try:
        run = Run(claimed, context, started)
    except InvalidInput as refusal:
        return unreadable(claimed.run_id, refusal)
    try:
        return done(run, await _carry_out(run))
    except LeaseLost:
        raise
    except Exception as failure:
        log.info("run.failed", task_id=run.task_id, run_id=run.run_id, error=type(failure).__name__)
        return failed(run, failure)


async def _carry_out(run: Run) -> Finished:
    task, context = run.definition, run.context
    validate(task.acceptance or _NOTHING_ASKED)
    scope = Scope(task.allowed_scope)
    run.take_secrets()
    executor = choose_executor(task, context)
    if not executor.needs_workspace(task, context):
        await context.reporter.started(run.task_id, TaskStarted(run.run_id))
        return await executor.execute(run, None)
    run.branch = context.workspaces.branch_of(run.task_id, task.branch)
    await context.reporter.started(run.task_id, TaskStarted(run.run_id, run.branch))
    async with context.workspaces.open(run.task_id, run.run_id, task.branch) as workspace:
        return await _work_in(workspace, run, executor, scope)


async def _work_in(workspace: Workspace, run: Run, executor: Executor, scope: Scope) -> Finished:
    """The checks come after the snapshot: what they leave behind is not the run's work."""
    try:
        finished = await executor.execute(run, workspace.directory)
    except RunFailed as failure:
        await _record_remains(workspace, run, failure)
        raise
    run.changes = await workspace.snapshot(_message(run), run.context.redactor)
    offenders = scope.offenders(run.changes.files)
    if offenders:
        raise RunFailed(scope.complaint(offenders))
    await accept(run.definition.acceptance or _NOTHING_ASKED, run, workspace.directory)
    workspace.keep()
    return finished


async def _record_remains(workspace: Workspace, run: Run, failure: RunFailed) -> None:
    """What a failed run changed is part of its record; if even that fails, its own error still comes first."""
    try:
        run.changes = await workspace.snapshot(_message(run), run.context.redactor)
    except GitFailed as refusal:
        raise RunFailed(f"{failure.detail}; its changes could not be recorded: {refusal.detail}") from failure


def _message(run: Run) -> str:
    title = run.context.redactor.redact(" ".join(run.definition.title.split()))
    return f"{title[:200]}\n\nTask: {run.task_id}\nRun: {run.run_id}\n"
