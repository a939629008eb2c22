"""What a handler must know of a task or a run before it acts, read from the view's own JSON."""

from typing import Any

import msgspec
from msgspec import Struct, field

from api.lookup import TaskLookup
from events.errors import NotFound
from projections.views import Views


class KnownTask(Struct, frozen=True):
    """The part of a task that decides what may be done with it."""

    id: str
    status: str
    run_id: str | None = None
    claimed_by: str | None = None
    last_error: str | None = None
    next_run_at: str | None = None
    attempts: int = 0
    max_attempts: int = 0
    branch: str | None = None

    @property
    def is_exhausted(self) -> bool:
        """Whether it has no attempt left: only an operator has it tried again."""
        return self.attempts >= self.max_attempts


class KnownSystem(Struct, frozen=True):
    """Why it is paused."""

    reason: str | None = None


class KnownStep(Struct, frozen=True):
    """A step that has been reported."""

    number: int


class KnownRun(Struct, frozen=True):
    """The part of a run that decides what may be reported about it."""

    id: str
    task_id: str
    status: str
    runner: str
    started_at: str | None = None
    steps: list[KnownStep] = field(default_factory=list)

    @property
    def next_number(self) -> int:
        """The number of the step after the last one known."""
        return max((step.number for step in self.steps), default=0) + 1


_task = msgspec.json.Decoder(KnownTask)
_run = msgspec.json.Decoder(KnownRun)
_system = msgspec.json.Decoder(KnownSystem)


async def read_task(tasks: TaskLookup, task_id: str) -> bytes:
    """A task as JSON. Raises NotFound."""
    return _found(await tasks.find(task_id), f"there is no task {task_id}")


async def know_task(tasks: TaskLookup, task_id: str) -> KnownTask:
    """What is known of a task. Raises NotFound."""
    return _task.decode(await read_task(tasks, task_id))


async def read_run(views: Views, run_id: str) -> bytes:
    """A run with its steps as JSON. Raises NotFound."""
    return _found(await views.run(int(run_id)), f"there is no run {run_id}")


async def know_run(views: Views, run_id: str) -> KnownRun:
    """What is known of a run. Raises NotFound."""
    return _run.decode(await read_run(views, run_id))


async def know_system(views: Views) -> KnownSystem:
    """What is known of the whole system."""
    return _system.decode(await views.system())


def _found(data: Any, otherwise: str) -> bytes:
    if data is None:
        raise NotFound(otherwise)
    return bytes(data)
