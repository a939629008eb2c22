"""Keeps a child process running: starts it again when it ends by itself, ends it when the keeper is cancelled."""

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence

from events.backoff import Backoff
from ops.environment_transfer import EnvironmentTransfer

STEADY_SECONDS = 60.0  # a child that lived this long has earned a quick restart
GRACE_SECONDS = 15.0


async def keep_running(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    started: Callable[[int], None],
    ended: Callable[[int, float], None],
) -> None:
    """Run the command for as long as this is not cancelled.

    The child has a session of its own, so that a Ctrl-C here is not meant for it, and a pipe as its stdin, whose end
    tells it that its keeper is gone.

    `started(pid)` is told each start, `ended(status, seconds until the next)` each end that was not asked for.
    """
    backoff = Backoff(0.5, 30.0)
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        with EnvironmentTransfer(environment) as transfer:
            child = await asyncio.create_subprocess_exec(
                *arguments,
                env=transfer.visible,
                pass_fds=transfer.descriptors,
                stdin=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
            started(child.pid)
            try:
                await transfer.deliver()
                status = await child.wait()
            except asyncio.CancelledError:
                await _end(child)
                raise
        if loop.time() - began > STEADY_SECONDS:
            backoff.reset()
        delay = backoff.next_delay()
        ended(status, delay)
        await asyncio.sleep(delay)


async def _end(child: asyncio.subprocess.Process) -> None:
    """SIGTERM, and SIGKILL when that is not heeded in time."""
    child.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(GRACE_SECONDS):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()
