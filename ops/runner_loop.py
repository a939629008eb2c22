"""The event loop of a runner's process, which handlers share with the runner.

asyncio ends a loop when a task or a callback raises SystemExit or KeyboardInterrupt, or calls its `stop`. Here the loop
is entered again: only the runner's own main coroutine ends it. At the end nothing is waited for without a limit: a task
that ignores its cancellation, and a thread that blocks, end with the process.
"""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import structlog
import uvloop

from runner.containment import contain_call, guard_forks
from runner.subreaper_client import shared_subreaper

CANCEL_SECONDS = 1.0  # how long tasks may take to end after the main coroutine has ended
THREAD_SECONDS = 1.0  # and threads

log = structlog.get_logger(__name__)


class RunnerLoop:
    """Runs one main coroutine, which handles signals itself, and then ends the process."""

    def __init__(self) -> None:
        self._loop = uvloop.new_event_loop()
        self._threads = _Threads(thread_name_prefix="runner")
        self._stuck: list[str] = []

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        """Run `main` to its end. Raises what it raises."""
        asyncio.set_event_loop(self._loop)
        self._loop.set_default_executor(self._threads)
        guard_forks(self._loop)
        try:
            self._run_until_done(self._loop.create_task(main, name="runner"))
        finally:
            self._loop.run_until_complete(self._cancel_all())
            self._threads.shutdown(wait=False, cancel_futures=True)

    def leave(self) -> None:
        """End the process if something is left that would keep it from ending; call it last."""
        deadline = time.monotonic() + THREAD_SECONDS
        others = [each for each in threading.enumerate() if not each.daemon and each is not threading.main_thread()]
        for thread in others:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._stuck += [thread.name for thread in others if thread.is_alive()]
        if self._stuck:
            log.warning("runner.left_behind", stuck=self._stuck)
            end_process(0)

    def _run_until_done(self, task: "asyncio.Task[None]") -> None:
        while not task.done():
            try:
                self._loop.run_until_complete(task)
            except (SystemExit, KeyboardInterrupt, RuntimeError) as error:
                if task.done():
                    raise
                log.error("loop.interrupted", error=repr(error))

    async def _cancel_all(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            _, pending = await asyncio.wait(tasks, timeout=CANCEL_SECONDS)
            self._stuck += [task.get_name() for task in pending]
        with suppress(TimeoutError):
            async with asyncio.timeout(CANCEL_SECONDS):
                await asyncio.get_running_loop().shutdown_asyncgens()


class _Threads(ThreadPoolExecutor):
    """The loop's default executor. A process that a call forks ends where the call would return in it."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> "Future[Any]":
        """See ThreadPoolExecutor."""
        return super().submit(contain_call, os.getpid(), function, *arguments, **named)


def end_process(status: int) -> None:
    """End the process at once, and the commands that it runs."""
    shared_subreaper().close()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
