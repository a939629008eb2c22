"""Detect whether `elruso` was started by a step of a run, and of which."""

import os
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from ops.config import inherited_environment
from runner.linux import IS_LINUX
from runner.process_tree import SUBREAPER_NAME, read_process


class SurroundingRun(Struct, frozen=True):
    """The run, from the environment of its steps; `?` if a step cleared it."""

    task_id: str
    run_id: str


def find_surrounding_run() -> SurroundingRun | None:
    """The run that this process is part of, or None. By descent on Linux, elsewhere by environment."""
    environment = inherited_environment()
    named = SurroundingRun(environment.get("ELRUSO_TASK_ID", "?"), environment.get("ELRUSO_RUN_ID", "?"))
    if IS_LINUX:
        return named if _descends_from_subreaper() else None
    return named if named.run_id != "?" else None


def _descends_from_subreaper() -> bool:
    pid = os.getppid()
    while pid > 1 and (process := read_process(pid)) is not None:
        with suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text().strip() == SUBREAPER_NAME:
                return True
        pid = process.parent
    return False
