# ruff: noqa: D103 (a behaviour is called what it does)
"""Handlers that misbehave, each in its own way; a runner loads them with `--handlers tests.runner.misbehaving`."""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from events.errors import LeaseLost, NotFound
from runner.git import GitFailed
from runner.handlers import Handlers, Task
from runner.workspace.repository import WorkspaceUnusable

handlers = Handlers()


class Odd(BaseException):
    """Neither an Exception nor anything that Python knows."""


class Mute(Exception):
    """Its message cannot be read."""

    def __str__(self) -> str:
        raise ValueError("no message")


class Deadly(Exception):
    """Reading its message interrupts."""

    def __str__(self) -> str:
        raise KeyboardInterrupt


class Wordless(Exception):
    """Its message is no text."""

    def __str__(self) -> str:
        return 42  # type: ignore[return-value]


class Locked(Exception):
    """It cannot be pickled."""

    def __init__(self) -> None:
        super().__init__("locked")
        self.lock = threading.Lock()

    def __reduce__(self) -> Any:
        raise TypeError("not to be pickled")


def _circular() -> Exception:
    error = ValueError("circular")
    error.__cause__ = RuntimeError("its cause")
    error.__cause__.__cause__ = error
    return error


def _nested(depth: int) -> BaseException:
    error: BaseException = KeyboardInterrupt()
    for _ in range(depth):
        error = BaseExceptionGroup("nested", [error])
    return error


def _noted() -> Exception:
    error = ValueError("noted")
    error.__notes__ = 7  # type: ignore[assignment]
    return error


RAISED: dict[str, Callable[[], BaseException]] = {
    "ValueError": lambda: ValueError("wrong"),
    "KeyboardInterrupt": KeyboardInterrupt,
    "SystemExit": lambda: SystemExit(3),
    "SystemExit with 0": lambda: SystemExit(0),
    "GeneratorExit": GeneratorExit,
    "CancelledError": asyncio.CancelledError,
    "StopIteration": lambda: StopIteration(1),
    "StopAsyncIteration": StopAsyncIteration,
    "MemoryError": MemoryError,
    "RecursionError": RecursionError,
    "TimeoutError": TimeoutError,
    "InvalidStateError": asyncio.InvalidStateError,
    "BaseException": BaseException,
    "BaseException of its own": lambda: Odd("odd"),
    "ExceptionGroup": lambda: ExceptionGroup("both", [ValueError("one"), OSError(5, "two")]),
    "BaseExceptionGroup": lambda: BaseExceptionGroup("both", [KeyboardInterrupt(), SystemExit(1)]),
    "nested groups": lambda: _nested(3000),
    "message that raises": Mute,
    "message that interrupts": Deadly,
    "message that is no text": Wordless,
    "notes that are no list": _noted,
    "not picklable": Locked,
    "unprintable message": lambda: ValueError("a\0b\ud800c\x1b[2J"),
    "huge message": lambda: ValueError("x" * 10_000_000),
    "its own cause": _circular,
    "LeaseLost": lambda: LeaseLost("not true"),
    "NotFound": lambda: NotFound("nothing"),
    "GitFailed": lambda: GitFailed("Input/output error"),
    "WorkspaceUnusable": lambda: WorkspaceUnusable("not true"),
    "OSError": lambda: OSError(28, "No space left on device"),
}

Behaviour = Callable[[Task], Awaitable[Any]]
BEHAVIOURS: dict[str, Behaviour] = {}


def behaviour(function: Behaviour) -> Behaviour:
    """Note a way to misbehave under the function's name."""
    BEHAVIOURS[function.__name__.replace("_", " ")] = function  # type: ignore[attr-defined]
    return function


@handlers.task("fine")
async def fine(task: Task) -> str:
    """As it should be."""
    return "fine"


@handlers.task("raises")
async def raises(task: Task) -> None:
    """Raise at once, or after the event loop had a turn."""
    if task.params.get("later"):
        await asyncio.sleep(0)
    raise RAISED[task.params["what"]]()


@handlers.task("behaves")
async def behaves(task: Task) -> Any:
    """Misbehave as params["what"] says."""
    return await BEHAVIOURS[task.params["what"]](task)


@handlers.task("takes more")
async def takes_more(task: Task, more: Any) -> None:
    """It cannot be called."""


def _slot() -> "asyncio.Task[Any]":
    slot = asyncio.current_task()
    assert slot is not None
    return slot


async def _never() -> None:
    await asyncio.get_running_loop().create_future()


async def _a_moment() -> None:
    loop = asyncio.get_running_loop()
    passed: asyncio.Future[None] = loop.create_future()
    loop.call_later(0.01, passed.set_result, None)
    await passed


def _mark(task: Task) -> None:
    """Show that the handler has begun."""
    if "mark" in task.params:
        Path(task.params["mark"]).touch()


@behaviour
async def cancels_itself(task: Task) -> None:
    _slot().cancel()
    await _never()


@behaviour
async def cancels_itself_and_returns(task: Task) -> str:
    _slot().cancel()
    return "returned"


@behaviour
async def cancels_itself_often(task: Task) -> None:
    for _ in range(5):
        _slot().cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await _never()


@behaviour
async def has_its_slot_cancelled_when_idle(task: Task) -> None:
    asyncio.get_running_loop().call_later(0.05, _slot().cancel)


@behaviour
async def ignores_its_timeout(task: Task) -> None:
    _mark(task)
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await _never()


@behaviour
async def returns_after_its_timeout(task: Task) -> str:
    with contextlib.suppress(asyncio.CancelledError):
        await _never()
    return "late"


@behaviour
async def blocks_past_its_timeout(task: Task) -> str:
    threading.Event().wait(1)
    return "late"


@behaviour
async def blocks_for_long(task: Task) -> None:
    _mark(task)
    threading.Event().wait(600)


@behaviour
async def blocks_a_thread_for_long(task: Task) -> None:
    _mark(task)
    await asyncio.to_thread(threading.Event().wait, 600)


@behaviour
async def raises_at_its_timeout(task: Task) -> None:
    try:
        await _never()
    finally:
        raise KeyboardInterrupt


async def _exit() -> None:
    raise SystemExit(4)


async def _interrupt() -> None:
    raise KeyboardInterrupt


@behaviour
async def awaits_a_task_that_exits(task: Task) -> None:
    await asyncio.create_task(_exit())


@behaviour
async def gathers_an_interrupt(task: Task) -> None:
    await asyncio.gather(asyncio.sleep(0), _interrupt())


@behaviour
async def groups_an_interrupt(task: Task) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_interrupt())
        group.create_task(_never())


@behaviour
async def leaves_a_task_that_exits(task: Task) -> None:
    BEHAVIOURS["kept"] = asyncio.create_task(_exit())  # type: ignore[assignment]


@behaviour
async def leaves_a_task_that_never_ends(task: Task) -> None:
    BEHAVIOURS["kept"] = asyncio.create_task(ignores_its_timeout(task))  # type: ignore[arg-type,assignment]


def _raise_exit() -> None:
    raise SystemExit(5)


@behaviour
async def exits_in_a_callback(task: Task) -> None:
    asyncio.get_running_loop().call_soon(_raise_exit)
    await _a_moment()


@behaviour
async def stops_the_loop(task: Task) -> None:
    asyncio.get_running_loop().stop()
    await _a_moment()


@behaviour
async def closes_the_loop(task: Task) -> None:
    asyncio.get_running_loop().close()


@behaviour
async def exits_in_a_thread(task: Task) -> None:
    await asyncio.to_thread(_raise_exit)


class _Garbage:
    def __await__(self) -> Iterator[Any]:
        yield 42


@behaviour
async def awaits_garbage(task: Task) -> None:
    await _Garbage()


class _Endless:
    """Awaiting it cannot be interrupted by an exception."""

    def __await__(self) -> Iterator[Any]:
        with contextlib.suppress(BaseException):
            yield
        raise Odd("interrupted")


@behaviour
async def awaits_what_cannot_be_interrupted(task: Task) -> Any:
    return await _Endless()


async def _ended(pid: int) -> int:
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)  # noqa: ASYNC222 (it does not block)
        if found:
            return os.waitstatus_to_exitcode(status)
        await _a_moment()


@behaviour
async def forks_a_child_that_returns(task: Task) -> str | int:
    pid = os.fork()
    return await _ended(pid) if pid else "clone"


@behaviour
async def forks_a_child_that_raises(task: Task) -> int:
    pid = os.fork()
    if not pid:
        raise ValueError("clone")
    return await _ended(pid)


@behaviour
async def forks_a_child_that_awaits(task: Task) -> int:
    pid = os.fork()
    if not pid:
        await asyncio.get_running_loop().create_future()
    return await _ended(pid)


@behaviour
async def forks_in_a_task(task: Task) -> int:
    async def fork() -> int:
        return os.fork()

    return await _ended(await asyncio.create_task(fork()))


@behaviour
async def forks_in_a_thread(task: Task) -> int:
    return await _ended(await asyncio.to_thread(os.fork))


@behaviour
async def returns_a_set_of_objects(task: Task) -> Any:
    return {object()}


@behaviour
async def returns_a_coroutine(task: Task) -> Any:
    return _exit()


@behaviour
async def returns_half_a_character(task: Task) -> str:
    return "\ud800"


@behaviour
async def returns_a_deep_list(task: Task) -> Any:
    found: list[Any] = []
    for _ in range(100_000):
        found = [found]
    return found


@behaviour
async def returns_a_huge_number(task: Task) -> Any:
    return 10**5000


@behaviour
async def returns_too_much(task: Task) -> Any:
    return "x" * 1_000_000


class _Strange(dict[str, Any]):
    def __len__(self) -> int:
        raise KeyboardInterrupt

    def __iter__(self) -> Iterator[str]:
        raise KeyboardInterrupt


@behaviour
async def returns_a_strange_dict(task: Task) -> Any:
    return _Strange(a=1)


@behaviour
async def takes_signals(task: Task) -> None:
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    os.kill(os.getpid(), signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)
