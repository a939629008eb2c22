"""Tasks: list, create, look at, change."""

import msgspec
from starlette.responses import Response

from api.call import Call
from api.envelope import answer
from api.failure import Account, is_decided, take_account
from api.holder import check_task
from api.idempotency import command_id
from api.known import KnownTask, know_task, read_task
from api.task_status import change_status
from api.wire.field import TaskId
from api.wire.task import Cancel, NewTasks, Prioritize, Requeue, TaskChange, TaskFilter
from events.creation import CreatedTask
from events.errors import LeaseLost
from events.task import TaskCreated
from projections.new_task import show_new
from projections.page import Page


async def list_tasks(call: Call, query: TaskFilter) -> Response:
    """Tasks: ready ones in claim order, others newest first. `text` stands in the title or the id."""
    page = await call.deps.views.tasks(
        status=query.status,
        phase=query.phase,
        directive_id=query.directive_id,
        text=query.text,
        limit=query.limit,
        cursor=query.cursor,
    )
    return answer_page(page)


async def create_tasks(call: Call, body: NewTasks) -> Response:
    """Create one task or many, all or none.

    The same again, by id or by Idempotency-Key, is answered with what exists.
    """
    key = command_id(call.header("idempotency-key"))
    wanted = [(task.id, task.definition()) for task in body.tasks]
    created = await call.deps.commands.create_tasks(wanted, call.actor, key, call.live.waiting)
    status = 201 if any(task.created for task in created) else 200
    if body.single:
        return answer(await _show_created(call, created[0], wanted[0][1]), status=status)
    return answer(await call.deps.views.tasks_by_id([task.id for task in created]), status=status)


async def _show_created(call: Call, task: CreatedTask, asked: TaskCreated) -> bytes:
    """From what was written, if that is all there is to know."""
    known = None if task.at is None else show_new(task.id, asked, task.at)
    return known or await read_task(call.live.tasks, task.id)


async def show_task(call: Call, task_id: TaskId) -> Response:
    """One task, with all that was asked for and what became of it."""
    return answer(await read_task(call.live.tasks, task_id))


async def change_task(call: Call, task_id: TaskId, body: TaskChange) -> Response:
    """Ask for a status; it is translated into the event it means. What is so already is left as it is."""
    await change_status(call, await know_task(call.live.tasks, task_id), body)
    return await show_task(call, task_id)


async def requeue_task(call: Call, task_id: TaskId, body: Requeue) -> Response:
    """Make a task ready again, at once or after a rest; or hand a run back.

    From a runner, or with `last_error`, it is an account of a failure: that of the current run, which is decided by the
    usual backoff. Then attempts are never reset, and a task that has none left stays as it is.
    """
    task = await know_task(call.live.tasks, task_id)
    if call.caller.role == "runner" and not is_decided(task, "ready", account=True):
        await check_task(call, task)
    if body.run_id is not None:
        await _hand_back(call, task, int(body.run_id), body.reason or "handed back")
    elif call.caller.role == "runner" or body.last_error is not None:
        actor = call.actor if task.run_id is None else call.caller.acting_as(task.claimed_by or "unknown")
        await take_account(call, task, Account("ready", body.last_error, actor, body.backoff_seconds))
    else:
        await call.deps.commands.requeue(
            task_id,
            actor=call.actor,
            backoff_seconds=body.backoff_seconds,
            reason=body.reason or "requeued by hand",
        )
    return await show_task(call, task_id)


async def _hand_back(call: Call, task: KnownTask, run_id: int, reason: str) -> None:
    actor = call.caller.acting_as(task.claimed_by or "unknown")
    if not await call.deps.commands.hand_back([(task.id, run_id)], reason, actor):
        raise LeaseLost(f"run {run_id} is not the current run of task {task.id}")


async def prioritize_task(call: Call, task_id: TaskId, body: Prioritize) -> Response:
    """Give a task that waits another priority; its place among equals stays."""
    await call.deps.commands.prioritize(task_id, body.priority, call.actor)
    return await show_task(call, task_id)


async def cancel_task(call: Call, task_id: TaskId, body: Cancel) -> Response:
    """Never run a task; if it runs, its runner loses it."""
    await call.deps.commands.cancel(task_id, body.reason or body.last_error, call.actor)
    return await show_task(call, task_id)


def answer_page(page: Page) -> Response:
    """A part of a list, and where the next one begins."""
    return answer(page.data, meta=msgspec.json.encode({"total": page.total, "next": page.next}))
