"""What holds the steps of a task on this system (docs/adr/0018 and 0019)."""

import os
from collections.abc import AsyncIterator

from ops.checks.finding import Finding
from ops.config import Config
from runner.linux import IS_LINUX


async def check_steps(_config: Config) -> AsyncIterator[Finding]:
    """A note where a step can reach more than it should."""
    if not IS_LINUX:
        yield Finding("note", "doctor.steps_in_groups")
    elif os.geteuid() == 0:
        yield Finding("note", "doctor.steps_as_root")
    else:
        yield Finding("fine", "doctor.steps_held")
