"""Runs: what was executed, and how runners without a database report it.

A report counts only while its run is the task's current one; later it is refused with `lease_lost` and changes nothing.
"""

import msgspec
from starlette.responses import Response

from api.call import Call
from api.envelope import answer, answer_value
from api.failure import NO_REASON
from api.holder import check_run, check_task
from api.known import KnownRun, know_run, know_task, read_run
from api.routes.tasks import answer_page
from api.wire.field import RunId
from api.wire.run import ENDS, NewRun, NewRunStep, RunChange, RunFilter
from events.errors import LeaseLost, NotEligible
from events.log import PAGE_BYTES
from events.reports import Report, RunEvent
from events.task import TaskDone, TaskFailed, TaskStarted, TaskStep

EXCERPT_CHARACTERS = 64 << 10
"""The end of a step's output that its event keeps; POST /runs/{id}/output takes all of it."""


async def list_runs(call: Call, query: RunFilter) -> Response:
    """Runs, newest first."""
    page = await call.deps.views.runs(
        status=query.status, task_id=query.task_id, limit=query.limit, cursor=query.cursor
    )
    return answer_page(page)


async def show_run(call: Call, run_id: RunId) -> Response:
    """One run, with its steps, the files it changed, and the `result` that its Python handler returned.

    Of more than 8 MiB of steps the last ones are shown, of file changes the first ones; `meta` says how many there are,
    and GET /ops/events?kind=task&id= has them all.
    """
    run = await read_run(call.deps.views, run_id)
    if len(run) < PAGE_BYTES:
        return answer(run)
    steps, changes = await call.deps.views.count_traces(int(run_id))
    return answer(run, meta=msgspec.json.encode({"steps": steps, "file_changes": changes}))


async def start_run(call: Call, body: NewRun) -> Response:
    """The current run of a claimed task begins."""
    task = await know_task(call.live.tasks, body.task_id)
    if task.run_id is None:
        raise NotEligible(f"task {task.id} is {task.status}; claim it first with POST /ops/tasks/claim")
    await check_task(call, task)
    if body.runner not in (None, task.claimed_by):
        raise LeaseLost(f"task {task.id} is {task.claimed_by}'s by now; {body.runner} lost it")
    run = await know_run(call.deps.views, task.run_id)
    if run.started_at is None:
        await report(call, run, TaskStarted(int(run.id), body.branch or task.branch, body.commit_hash or None))
    return answer(await read_run(call.deps.views, run.id), status=201)


async def add_step(call: Call, run_id: RunId, body: NewRunStep) -> Response:
    """A step of a run has ended."""
    run = await know_run(call.deps.views, run_id)
    await check_run(call, run)
    step = TaskStep(
        run_id=int(run.id),
        number=body.number or run.next_number,
        name=body.step_name,
        cmd=body.cmd,
        exit_code=body.exit_code,
        duration_ms=body.duration_ms,
        output_excerpt=body.output_excerpt and body.output_excerpt[-EXCERPT_CHARACTERS:],
        output_bytes=len((body.output_excerpt or "").encode()) if body.output_bytes is None else body.output_bytes,
        truncated=body.truncated or len(body.output_excerpt or "") > EXCERPT_CHARACTERS,
        error=body.error,
    )
    await report(call, run, step)
    named = {"id": f"{run.id}-{step.number}", "run_id": run.id, "number": step.number}
    return answer_value(named | {"name": step.name, "step_name": step.name}, status=201)


async def finish_run(call: Call, run_id: RunId, body: RunChange) -> Response:
    """A run has ended, well or not, which seals its patch and diffstat. Saying so twice is no error."""
    run = await know_run(call.deps.views, run_id)
    await check_run(call, run)
    if run.status != ENDS[body.status]:
        await report(call, run, _end(run, body), retry=body.retry)
    return await show_run(call, run_id)


async def report(call: Call, run: KnownRun, event: RunEvent, *, retry: bool = True) -> None:
    """Append what happened to a run. Raises LeaseLost when it is not the task's current run any more."""
    actor = call.caller.acting_as(run.runner)
    [refusal] = await call.deps.commands.report([Report(run.task_id, int(run.id), event, actor, retry)])
    if refusal is not None:
        raise refusal


def _end(run: KnownRun, body: RunChange) -> TaskDone | TaskFailed:
    run_id = int(run.id)
    changes = [change.event() for change in body.file_changes]
    end = (body.branch, body.commit_hash, changes, body.unrecorded, body.kept_path, body.kept_until)
    if ENDS[body.status] == "done":
        return TaskDone(run_id, body.duration_ms, body.summary, body.result, *end, artifact_path=body.artifact_path)
    error = body.error or body.summary or NO_REASON
    return TaskFailed(run_id, error, body.duration_ms, body.summary, *end, artifact_path=body.artifact_path)
