"""Run a handler's coroutine so that neither what it throws nor a fork of it reaches the runner.

Handlers are other people's code in the runner's own process and event loop. `contain` awaits one and returns how it
ended, whatever it raised: KeyboardInterrupt and GeneratorExit are results as much as ValueError. A process that the
handler forks ends as soon as it would go on as a copy of the runner, with the runner's connections.
"""

import asyncio
import os
import traceback
import types
import weakref
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

from msgspec import Struct

MESSAGE_LIMIT = 64 * 1024  # characters
FORKED_STATUS = 70  # EX_SOFTWARE of sysexits.h: the exit status of a forked copy
_MESSAGE = b"a process forked by a handler did not end itself; it was ended before it could act as the runner\n"


class Settled(Struct, frozen=True, gc=False):
    """How a coroutine ended: its value, or what it raised."""

    value: Any = None
    error: BaseException | None = None


@types.coroutine
def contain(coroutine: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Settled]:
    """Await `coroutine`; returns what it raised instead of raising it. Closing it raises GeneratorExit, as usual."""
    generation = _generation.forks
    step, argument = coroutine.send, None
    if not _contained.get():
        _contained.set(True)  # for good: whatever else this task creates may be contained as well
    while True:
        settled = None
        try:
            awaited = step(argument)
        except StopIteration as end:
            settled = Settled(end.value)
        except BaseException as error:
            settled = Settled(None, error)
        if _generation.forks != generation:
            _end_copy()
        if settled is not None:
            return settled
        try:
            argument = yield awaited
            step = coroutine.send
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as thrown:
            step, argument = coroutine.throw, thrown


def contain_call(process: int, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Call `function` in a thread of `process`. A copy of the process that it forked ends instead of returning."""
    try:
        return function(*arguments, **named)
    finally:
        if os.getpid() != process:
            _end_copy()


def guard_forks(loop: asyncio.AbstractEventLoop) -> None:
    """Contain the tasks that handlers create in `loop`, and end copies of the process that a callback forked.

    A copy that returned to the loop would send what the runner's connections have buffered a second time.
    """
    loop.set_task_factory(_create_task)
    _guarded.add(loop)


def describe(error: BaseException) -> str:
    """The type and message of an exception, whatever its own methods do."""
    name = "exception"
    with suppress(BaseException):
        name = type(error).__name__
    try:
        message = str(error)
    except BaseException:
        message = "(its message cannot be read)"
    return f"{name}: {message[:MESSAGE_LIMIT]}"


def describe_trace(error: BaseException) -> str:
    """The traceback of an exception, or as much as can be had of it."""
    try:
        return "".join(traceback.format_exception(error))
    except BaseException:
        return describe(error)


def _create_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> "asyncio.Task[Any]":
    return asyncio.Task(_contain_task(coroutine) if _contained.get() else coroutine, loop=loop, **options)


async def _contain_task(coroutine: Coroutine[Any, Any, Any]) -> Any:
    settled = await contain(coroutine)
    if settled.error is not None:
        raise settled.error
    return settled.value


class _Generation:
    """How many forks lie between this process and the one that imported this module. Asking for the pid is slower."""

    forks = 0


_generation = _Generation()
_contained: ContextVar[bool] = ContextVar("contained", default=False)
_guarded: "weakref.WeakSet[asyncio.AbstractEventLoop]" = weakref.WeakSet()


def _end_copy() -> None:
    with suppress(OSError):
        os.write(2, _MESSAGE)
    os._exit(FORKED_STATUS)


def _begin_copy() -> None:
    _generation.forks += 1
    for loop in _guarded:
        if loop.is_running():
            loop.call_soon(_end_copy)


os.register_at_fork(after_in_child=_begin_copy)
