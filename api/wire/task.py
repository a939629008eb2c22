"""What is said about tasks."""

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, field

from api.wire.field import (
    Attempts,
    Limit,
    Line,
    MaxAttempts,
    Moment,
    Path,
    Priority,
    RunId,
    RunnerId,
    Seconds,
    TaskId,
    Text,
    Timeout,
)
from events.limits import check_depth, check_moment
from events.task import Phase, TaskCreated

TASKS_MAX = 10_000

Status = Literal["ready", "running", "done", "failed", "blocked", "cancelled"]


class NewStep(Struct, frozen=True, forbid_unknown_fields=True):
    """A command of a task."""

    name: Line
    cmd: Annotated[str, Meta(min_length=1, max_length=1_000_000)]
    timeout_seconds: Timeout | None = None


class NewAcceptance(Struct, frozen=True, forbid_unknown_fields=True):
    """What must hold after the steps: files that exist, commands that exit 0."""

    expected_files: list[Path] = field(default_factory=list)
    checks: list[NewStep] = field(default_factory=list)


class NewTask(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A task to be done. Without steps it is a prompt for an agent."""

    id: TaskId | None = None
    title: Line
    body: Text | None = None
    phase: Phase | None = None
    task_type: Line = "generic"
    steps: Annotated[list[NewStep], Meta(max_length=1000)] = field(default_factory=list)
    params: dict[str, Any] = field(default_factory=dict)
    priority: Priority = 100
    max_attempts: MaxAttempts = 4
    timeout_seconds: Timeout | None = None
    depends_on: Annotated[list[TaskId], Meta(max_length=TASKS_MAX)] = field(default_factory=list)
    blocked_by: Annotated[list[TaskId], Meta(max_length=TASKS_MAX)] = field(default_factory=list)
    directive_id: TaskId | None = None
    branch: Line | None = None
    acceptance: NewAcceptance | None = None
    allowed_scope: list[Path] = field(default_factory=list)
    next_run_at: Moment | None = None
    status: Literal["ready"] = "ready"
    """What it is once it is created; clients of the first El Ruso say so."""

    def __post_init__(self) -> None:
        check_moment("next_run_at", self.next_run_at)
        check_depth("params", self.params)

    def definition(self) -> TaskCreated:
        """The event that creates it."""
        return msgspec.convert(self, TaskCreated, from_attributes=True)


ManyTasks = Annotated[list[NewTask], Meta(min_length=1, max_length=TASKS_MAX)]


class TaskBatch(Struct, frozen=True, forbid_unknown_fields=True):
    """Many tasks, created together or not at all. They may depend on each other, in any order."""

    tasks: ManyTasks


class NewTasks(Struct, frozen=True):
    """What POST /ops/tasks accepts: one task, an array of tasks, or an object with `tasks`."""

    shapes: ClassVar[tuple[Any, ...]] = (
        NewTask,
        ManyTasks,
        TaskBatch,
    )

    tasks: list[NewTask]
    single: bool

    @classmethod
    def read(cls, body: bytes) -> "NewTasks":
        """Decide by the first bracket, then by the one field. Raises what msgspec raises."""
        if body.startswith(b"["):
            return cls(_many.decode(body), single=False)
        if b'"tasks"' in body and _shape.decode(body).tasks is not UNSET:
            return cls(_batch.decode(body).tasks, single=False)
        return cls([_one.decode(body)], single=True)


class _Shape(Struct):
    tasks: msgspec.Raw | UnsetType = UNSET


_one, _many, _batch = (msgspec.json.Decoder(shape) for shape in NewTasks.shapes)
_shape = msgspec.json.Decoder(_Shape)


class TaskFilter(Struct, frozen=True, forbid_unknown_fields=True):
    """Which tasks to list."""

    status: Status | None = None
    phase: str | None = None
    directive_id: TaskId | None = None
    text: Annotated[str, Meta(max_length=200)] | None = None
    limit: Limit = 1000
    cursor: Annotated[str, Meta(max_length=100)] | None = None


class TaskChange(Struct, frozen=True, forbid_unknown_fields=True):
    """The status a task shall have. Times and names are those of the old runner; the log has its own clock."""

    status: Status
    last_error: Text | None = None
    next_run_at: Moment | None = None
    attempts: Attempts | None = None
    finished_at: Moment | None = None
    claimed_by: RunnerId | None = None
    claimed_at: Moment | None = None
    worker_id: RunnerId | None = None
    run_id: RunId | None = None

    @property
    def runner(self) -> str | None:
        """The runner that speaks, if it names itself."""
        return self.worker_id or self.claimed_by


class Requeue(Struct, frozen=True, forbid_unknown_fields=True):
    """Make a task ready again. With `run_id`, a runner hands its run back: at once, and the attempt does not count."""

    backoff_seconds: Seconds = 0.0
    last_error: Text | None = None
    reason: Text | None = None
    run_id: RunId | None = None


class Prioritize(Struct, frozen=True, forbid_unknown_fields=True):
    """Another priority for a task that waits."""

    priority: Priority


class Cancel(Struct, frozen=True, forbid_unknown_fields=True):
    """Do not run a task; whoever runs it loses it."""

    reason: Text | None = None
    last_error: Text | None = None
    backoff_seconds: Seconds | None = None


class Claim(Struct, frozen=True, forbid_unknown_fields=True):
    """A runner asks for work: a named task, one task, or up to `limit` tasks; and how long it would wait for it."""

    runner_id: RunnerId
    task_id: TaskId | None = None
    limit: Limit | None = None
    wait_seconds: Annotated[float, Meta(ge=0, le=60)] = 0.0
    worker_id: RunnerId | None = None
    """The first El Ruso's name for the runner, beside `runner_id`."""
