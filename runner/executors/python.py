"""Call a registered async function. No process, and no workspace unless somebody asks for one."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import msgspec

from events.errors import InvalidInput, NothingToExecute, Unprocessable
from events.json_text import map_text
from events.limits import check_depth
from events.task import TaskCreated
from runner.containment import Settled, contain, describe, describe_trace
from runner.handlers import Handler, Task
from runner.output import harmless
from runner.run import Context, Finished, Run, RunFailed

RESULT_LIMIT = 256 * 1024  # bytes of JSON
IGNORED_SECONDS = 1.0  # how long a handler may take to end after its timeout cancelled it


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
    left = run.seconds_left()
    settled = await (_contained(handler, given, run) if left is None else _limited(handler, given, run, left))
    if settled.error is not None:
        raise await _failure(handler, settled.error, run) from settled.error
    return settled.value


async def _limited(handler: Handler, given: Task, run: Run, seconds: float) -> Settled:
    """How the handler ended within that time. One that blocked for longer and then returned has failed as well."""
    limit = asyncio.timeout(seconds)
    watch = _abandon_after(seconds + IGNORED_SECONDS, run)
    try:
        async with limit:
            settled = await _contained(handler, given, run, limit)
    except TimeoutError:
        raise run.out_of_time() from None
    finally:
        watch.cancel()
    if limit.expired():  # it ignored that
        raise run.out_of_time()
    run.seconds_left()
    return settled


def _abandon_after(seconds: float, run: Run) -> asyncio.TimerHandle:
    """A handler cannot be stopped against its will, but it can be left behind."""
    reason = f"{run.out_of_time().detail}, and its handler ignores that it was cancelled"
    return asyncio.get_running_loop().call_later(seconds, run.context.control.abandon, run.run_id, reason)


async def _contained(handler: Handler, given: Task, run: Run, limit: asyncio.Timeout | None = None) -> Settled:
    """How the handler ended. If the runner or the timeout cancelled it, that is raised; else it cancelled itself."""
    slot = asyncio.current_task()
    assert slot is not None
    before = slot.cancelling()
    try:
        coroutine = handler.function(given)
    except BaseException as problem:  # it takes other arguments
        return Settled(error=problem)
    settled = await contain(cast(Coroutine[Any, Any, Any], coroutine))
    if slot.cancelling() == before:
        return settled
    if (limit is not None and limit.expired()) or run.context.control.is_cancelled(run.run_id):
        if isinstance(settled.error, asyncio.CancelledError):
            raise settled.error
        return settled
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0)  # it may have cancelled its slot, and returned before that took effect
    while slot.cancelling() > before:
        slot.uncancel()
    return settled


async def _failure(handler: Handler, problem: BaseException, run: Run) -> RunFailed:
    """The failure of a run whose handler raised, after its traceback was printed to the run's output."""
    if isinstance(problem, asyncio.CancelledError):
        return RunFailed(f"handler {handler.name} was cancelled by something it called")
    trace = run.context.redactor.redact(describe_trace(problem)[-2 * RESULT_LIMIT :])
    await run.context.reporter.output(run.run_id, 1, "stderr", harmless(trace)[-RESULT_LIMIT:])
    return RunFailed(describe(problem), retry=not isinstance(problem, InvalidInput | Unprocessable))


def _presentable(result: Any, run: Run) -> Any:
    """`result` as plain JSON values, without secrets."""
    try:
        encoded = msgspec.json.encode(result)
        plain = msgspec.json.decode(encoded)
        check_depth("result", plain)
    except (TypeError, ValueError, OverflowError, RecursionError) as problem:
        raise RunFailed(f"the handler returned something that is not JSON: {problem}", retry=False) from problem
    size = len(encoded)
    if size > RESULT_LIMIT:
        raise RunFailed(f"the handler returned {size} bytes of JSON; at most {RESULT_LIMIT} are kept", retry=False)
    redact = run.context.redactor.redact
    return map_text(plain, lambda text: harmless(redact(text)))
