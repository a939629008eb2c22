"""Start a child process so that a cancellation meanwhile neither leaks it nor hangs.

asyncio's own create_subprocess_exec, cancelled before its pipes are connected, waits for ever on some versions of
Python (gh-119710), and kills the child only, not its group.
"""

import asyncio
from typing import Any

from runner.process_group import end_group


async def spawn(*arguments: str, **options: Any) -> asyncio.subprocess.Process:
    """create_subprocess_exec in a session of its own; cancelled, it ends the child's process group first.

    Raises:
        OSError, ValueError: it cannot be started.
    """
    starting = asyncio.ensure_future(asyncio.create_subprocess_exec(*arguments, start_new_session=True, **options))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        process = await starting
        await end_group(process.pid, 0.0)
        raise
