"""An environment variable that marks processes with the runner process that started them.

It distinguishes processes of a dead runner from those of a live one.
"""

import os
from functools import cache

from msgspec import Struct

from runner.process_tree import read_process

MARK = "ELRUSO_RUNNER_PROCESS"


class RunnerMark(Struct, frozen=True):
    """A runner's process: its process-id namespace, its id, and when it started (clock ticks since boot)."""

    namespace: int
    pid: int
    start: int

    @classmethod
    def parse(cls, text: str) -> "RunnerMark | None":
        """Parse the variable's value; None: it is not a mark."""
        parts = text.split("-")
        if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
            return None
        return cls(*map(int, parts))

    @property
    def is_alive(self) -> bool:
        """Whether the runner's process still runs. Valid only for a mark of this process's own namespace."""
        process = read_process(self.pid)
        return process is not None and process.is_running and process.start == self.start

    def __str__(self) -> str:
        return f"{self.namespace}-{self.pid}-{self.start}"


def process_namespace(pid: int | str = "self") -> int:
    """The process-id namespace of a process. Raises OSError if it cannot be read."""
    return os.stat(f"/proc/{pid}/ns/pid").st_ino  # noqa: PTH116


def own_mark() -> str:
    """The mark of this process, for the processes it starts."""
    return _mark_of(os.getpid())


@cache
def _mark_of(pid: int) -> str:
    process = read_process(pid)
    assert process is not None, "this process runs"
    return str(RunnerMark(process_namespace(), pid, process.start))
