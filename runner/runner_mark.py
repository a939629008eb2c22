"""The mark by which a process is known to belong to a runner: a variable of its environment that names the runner's
process, so that what outlived a runner can be told from what belongs to one that lives."""

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
        """The mark, or None if that is none."""
        parts = text.split("-")
        if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
            return None
        return cls(*map(int, parts))

    @property
    def is_alive(self) -> bool:
        """Whether that very process runs; only to be asked of a mark of our own namespace."""
        process = read_process(self.pid)
        return process is not None and process.is_running and process.start == self.start

    def __str__(self) -> str:
        return f"{self.namespace}-{self.pid}-{self.start}"


def process_namespace(pid: int | str = "self") -> int:
    """The process-id namespace a process lives in. Raises OSError when that cannot be seen."""
    return os.stat(f"/proc/{pid}/ns/pid").st_ino  # noqa: PTH116


def own_mark() -> str:
    """The mark of this process, for those it starts."""
    return _mark_of(os.getpid())


@cache
def _mark_of(pid: int) -> str:
    process = read_process(pid)
    assert process is not None, "we run"
    return str(RunnerMark(process_namespace(), pid, process.start))
