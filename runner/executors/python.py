"""Call a registered async function. No process, and no workspace unless somebody asks for one."""

import asyncio
import traceback
from pathlib import Path
from typing import Any

import msgspec

from events.errors import InvalidInput, LeaseLost, NothingToExecute, Unprocessable
from events.json_text import map_text
from events.task import TaskCreated
from runner.handlers import Handler, Task
from runner.output import harmless
from runner.run import Context, Finished, Run, RunFailed

RESULT_LIMIT = 256 * 1024  # bytes of JSON


def wants_workspace(task: TaskCreated, context: Context) -> bool:
    """True when the task says what its files must look like, or its handler was registered with workspace=True."""
    if task.acceptance is not None or task.allowed_scope:
        return True
    handler = _handler(task, context) if task.task_type == "python" else None
    return handler is not None and handler.workspace


async def run_python(run: Run, directory: Path | None) -> Finished:
    """Call the handler that params["handler"] names.

    Raises:
        NothingToExecute: the task names none.
        RunFailed: there is no such handler here, it raised, or it returned something that is no JSON.
    """
    handler = _handler(run.definition, run.context)
    if handler is None:
        raise _nothing_to_call(run)
    task = run.definition
    given = Task(run.task_id, run.run_id, run.attempt, task.title, task.body, task.params, directory, run.secrets)
    result = await _call(handler, given, run)
    return Finished() if result is None else Finished(result=_presentable(result, run))


def _handler(task: TaskCreated, context: Context) -> Handler | None:
    name = task.params.get("handler")
    return context.handlers.find(name) if isinstance(name, str) else None


def _nothing_to_call(run: Run) -> Exception:
    name = run.definition.params.get("handler")
    if not isinstance(name, str):
        return NothingToExecute('a python task needs params: {"handler": "<name>"}')
    known = ", ".join(run.context.handlers.names) or "none; start the runner with --handlers MODULE"
    return RunFailed(f"no handler {name!r} on this runner (it knows {known})")


async def _call(handler: Handler, given: Task, run: Run) -> Any:
    if run.definition.timeout_seconds is None:
        return await _guarded(handler, given, run)
    limit = asyncio.timeout(run.seconds_left())
    try:
        async with limit:
            return await _guarded(handler, given, run)
    except TimeoutError:
        raise run.out_of_time() from None


async def _guarded(handler: Handler, given: Task, run: Run) -> Any:
    """Whatever a handler raises is its run's failure; only our own cancellation passes."""
    try:
        return await handler.function(given)
    except asyncio.CancelledError as stopped:
        current = asyncio.current_task()
        if current is not None and current.cancelling():
            raise
        raise RunFailed(f"handler {handler.name} was cancelled by something it called") from stopped
    except LeaseLost:
        raise
    except (Exception, SystemExit) as problem:
        told = harmless(run.context.redactor.redact("".join(traceback.format_exception(problem))))
        await run.context.reporter.output(run.run_id, 1, "stderr", told[-RESULT_LIMIT:])
        retry = not isinstance(problem, InvalidInput | Unprocessable)
        raise RunFailed(f"{type(problem).__name__}: {problem}", retry) from problem


def _presentable(result: Any, run: Run) -> Any:
    """`result` as plain JSON values, without secrets."""
    try:
        encoded = msgspec.json.encode(result)
    except (TypeError, ValueError, OverflowError, RecursionError) as problem:
        raise RunFailed(f"the handler returned something that is not JSON: {problem}", retry=False) from problem
    size = len(encoded)
    if size > RESULT_LIMIT:
        raise RunFailed(f"the handler returned {size} bytes of JSON; at most {RESULT_LIMIT} are kept", retry=False)
    redact = run.context.redactor.redact
    return map_text(msgspec.json.decode(encoded), lambda text: harmless(redact(text)))
