"""One run, from a claimed task to its reported end."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import PurePosixPath

import structlog
from msgspec.structs import replace

from events.errors import ElRusoError, InvalidInput, LeaseLost
from events.run_state import RunState
from events.task import Acceptance, FileChange, TaskStarted
from runner.acceptance import accept, validate
from runner.executors import Executor, choose_executor
from runner.git import GitFailed
from runner.outcome import Outcome, done, failed, unreadable
from runner.run import Claim, Context, Finished, Run, RunFailed
from runner.scope import Scope
from runner.workspace import Workspace
from runner.workspace.fitness import Unfit

log = structlog.get_logger(__name__)

_NOTHING_ASKED = Acceptance()


async def execute(claimed: Claim, context: Context) -> Outcome:
    """Execute a claimed task and report its end. A failure of the task is an outcome, not an exception.

    The run's branch moves only after the log accepted its end. On cancellation, processes of the run are killed and its
    workspace is closed before CancelledError is raised.

    Raises:
        LeaseLost: the run was taken away; there is nothing left to report.
        Unfit: it met a fault of this machine; it must be given back.
    """
    started = time.monotonic()
    try:
        run = Run(claimed, context, started)
    except InvalidInput as refusal:
        return await _ended(context, claimed.run_id, unreadable(claimed.run_id, refusal))
    try:
        executor = _prepare(run)
        if executor.needs_workspace(run.definition, context):
            return await _execute_in_workspace(run, executor)
        await context.reporter.started(run.task_id, TaskStarted(run.run_id))
        outcome = done(run, await executor.execute(run, None))
    except (LeaseLost, Unfit):
        raise
    except Exception as failure:
        outcome = _failure(run, failure)
    return await _ended(context, run.run_id, outcome)


def _prepare(run: Run) -> Executor:
    """Refuse what cannot be executed before anything is done."""
    validate(run.definition.acceptance or _NOTHING_ASKED)
    Scope(run.definition.allowed_scope)
    run.take_secrets()
    return choose_executor(run.definition, run.context)


async def _execute_in_workspace(run: Run, executor: Executor) -> Outcome:
    """The workspace stays open until the log has accepted or refused the run's end."""
    context = run.context
    run.branch = context.workspaces.branch_of(run.task_id, run.definition.branch)
    async with _opened(run) as workspace:
        run.restart_clock()
        await context.reporter.started(run.task_id, TaskStarted(run.run_id, run.branch))
        try:
            outcome = done(run, await _work_in(workspace, run, executor))
        except LeaseLost:
            raise
        except Exception as failure:
            await context.workspaces.fitness.judge(failure)
            outcome = _failure(run, failure)
        state = await context.reporter.confirmed_end(run.run_id, outcome)
        if state is not None:
            await _finish(workspace, run, state)
        return outcome


@asynccontextmanager
async def _opened(run: Run) -> AsyncIterator[Workspace]:
    """The run's workspace. Raises Unfit if it cannot be opened because of this machine."""
    workspaces = run.context.workspaces
    async with AsyncExitStack() as stack:
        opening = workspaces.open(run.task_id, run.run_id, run.definition.branch)
        try:
            workspace = await stack.enter_async_context(opening)
        except (ElRusoError, OSError) as failure:
            await workspaces.fitness.judge(failure)
            raise
        yield workspace


async def _finish(workspace: Workspace, run: Run, state: RunState) -> None:
    """Move the branch. The end is in the log already; the workspace retries a failure in the background."""
    try:
        await workspace.finish(state)
    except ElRusoError as refusal:
        log.warning("branch.not_finished", task_id=run.task_id, run_id=run.run_id, detail=refusal.detail)


async def _work_in(workspace: Workspace, run: Run, executor: Executor) -> Finished:
    """Acceptance checks run after the snapshot, so files that they write are not part of the result."""
    try:
        finished = await executor.execute(run, workspace.directory)
    except RunFailed as failure:
        await _record_remains(workspace, run, failure)
        raise
    run.changes = await workspace.snapshot(_message(run), run.context.redactor)
    if run.changes.problems:
        raise RunFailed("; ".join(run.changes.problems))
    scope = Scope(run.definition.allowed_scope)
    offenders = scope.offenders(_relative(run.changes.files, workspace.prefix))
    if offenders:
        raise RunFailed(scope.complaint(offenders))
    await accept(run.definition.acceptance or _NOTHING_ASKED, run, workspace)
    return finished


async def _record_remains(workspace: Workspace, run: Run, failure: RunFailed) -> None:
    """Record the changes of a failed run. If that fails too, the run's own error comes first in the message."""
    try:
        run.changes = await workspace.snapshot(_message(run), run.context.redactor)
    except GitFailed as refusal:
        raise RunFailed(f"{failure.detail}; its changes could not be recorded: {refusal.detail}") from failure
    if run.changes.problems:
        raise RunFailed("; ".join([failure.detail, *run.changes.problems]), failure.retry) from failure


def _failure(run: Run, failure: Exception) -> Outcome:
    log.info("run.failed", task_id=run.task_id, run_id=run.run_id, error=type(failure).__name__)
    return failed(run, failure)


async def _ended(context: Context, run_id: int, outcome: Outcome) -> Outcome:
    await context.reporter.end(run_id, outcome)
    return outcome


def _relative(changes: list[FileChange], prefix: str) -> list[FileChange]:
    """The changes with paths relative to the workspace; paths outside it begin with `../`."""
    if not prefix:
        return changes
    up = "../" * len(PurePosixPath(prefix).parts)

    def inside(path: str) -> str:
        return path.removeprefix(prefix) if path.startswith(prefix) else up + path

    return [
        replace(change, path=inside(change.path), renamed_from=change.renamed_from and inside(change.renamed_from))
        for change in changes
    ]


def _message(run: Run) -> str:
    title = run.context.redactor.redact(" ".join(run.definition.title.split()))
    return f"{title[:200]}\n\nTask: {run.task_id}\nRun: {run.run_id}\n"
