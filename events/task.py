"""The task stream: what can happen to a task, and what a task is after it happened.

`evolve` is the second bookkeeper: it computes in Python, independently, what the fold in schema.sql
writes into `view.tasks`; `elruso audit` compares the two row by row.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field
from msgspec.structs import replace

from events.errors import LeaseLost
from events.event import Event
from events.lifecycle import Transition, Transitions, next_status
from events.limits import (
    Attempts,
    BigCount,
    Brief,
    Count,
    Line,
    MaxAttempts,
    Moment,
    Name,
    Number,
    Path,
    Priority,
    Seq,
    StreamId,
    Text,
    Timeout,
    check_depth,
    check_moment,
)

Phase = Name | Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
DEFAULT_TASK_TYPE, DEFAULT_PRIORITY, DEFAULT_MAX_ATTEMPTS = "generic", 100, 4
ArtifactKind = Literal["patch", "diffstat"]
UnrecordedReason = Literal["unsupported_name", "special_file", "embedded_repository", "submodule", "history", "refused"]


class Step(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One shell command of a task."""

    name: Line
    cmd: Text
    timeout_seconds: Timeout | None = None


class Acceptance(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What must hold after the steps: files that exist, commands that exit 0."""

    expected_files: list[Path] = field(default_factory=list)
    checks: list[Step] = field(default_factory=list)


FILE_CHANGES_MAX = 2000
"""How many of a run's file changes its end lists; the summary counts them all."""


class FileChange(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One path a run changed. Line counts are None for a binary file."""

    path: Path
    change: Literal["added", "modified", "deleted", "renamed"] = "modified"
    added: Count | None = None
    removed: Count | None = None
    renamed_from: Path | None = None


class Artifact(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a run left behind as it was stored: the SHA-256 (hexadecimal) and the size of its UTF-8."""

    kind: ArtifactKind
    sha256: Name
    size_bytes: BigCount


class Unrecorded(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A path in a run's workspace that its commit does not hold, and why.

    `reason`: `unsupported_name` (git refuses the name, e.g. `.GIT`), `special_file` (a socket, a pipe, a device),
    `embedded_repository` (the history of a repository inside the workspace; its files are recorded), `submodule`
    (changes inside one), `history` (commits of the run that are not part of the result; the files are recorded) or
    `refused` (git could not add it).
    """

    path: Path
    reason: UnrecordedReason


class TaskCreated(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The definition of a task, whole. `priority` 0 is the most urgent; times are UTC."""

    title: Line
    body: Text | None = None
    phase: Phase | None = None
    task_type: Line = DEFAULT_TASK_TYPE
    steps: list[Step] = field(default_factory=list)
    params: dict[str, Any] = field(default_factory=dict)
    priority: Priority = DEFAULT_PRIORITY
    max_attempts: MaxAttempts = DEFAULT_MAX_ATTEMPTS
    timeout_seconds: Timeout | None = None
    depends_on: list[StreamId] = field(default_factory=list)
    blocked_by: list[StreamId] = field(default_factory=list)
    directive_id: StreamId | None = None
    branch: Line | None = None
    acceptance: Acceptance | None = None
    allowed_scope: list[Path] = field(default_factory=list)
    next_run_at: Moment | None = None

    def __post_init__(self) -> None:
        if self.next_run_at is not None:
            check_moment("next_run_at", self.next_run_at)
        if self.params:
            check_depth("params", self.params)


class TaskClaimed(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A runner took the task. The run it begins is named by this event's seq."""

    runner: StreamId
    attempt: Attempts


class TaskStarted(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The run began to execute, on this branch and at this commit."""

    run_id: Seq
    branch: Brief | None = None
    commit_hash: Brief | None = None


class TaskStep(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One step of the run ended. `exit_code` None: it was killed, or never ran."""

    run_id: Seq
    number: Count
    name: Line
    cmd: Text | None = None
    exit_code: Number | None = None
    duration_ms: BigCount | None = None
    output_excerpt: Text | None = None
    output_bytes: BigCount = 0
    truncated: bool = False
    error: Text | None = None


class TaskDone(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The run succeeded and so did the task. `run_id` null: no run did it; the actor says that it is done.

    `kept_path` is the folder on the runner's machine where what is `unrecorded` is kept aside, until `kept_until`.
    `artifacts`: the digests of its patch and diffstat, sealed by this event. `artifact_path`: a place of more, as a
    runner of the first El Ruso names it.
    """

    run_id: Seq | None
    duration_ms: BigCount | None = None
    summary: Text | None = None
    result: Any = None
    branch: Brief | None = None
    commit_hash: Brief | None = None
    file_changes: list[FileChange] = field(default_factory=list)
    unrecorded: list[Unrecorded] = field(default_factory=list)
    kept_path: Path | None = None
    kept_until: Moment | None = None
    artifacts: list[Artifact] = field(default_factory=list)
    artifact_path: Path | None = None

    def __post_init__(self) -> None:
        if self.kept_until is not None:
            check_moment("kept_until", self.kept_until)
        if self.result is not None:
            check_depth("result", self.result)


class TaskFailed(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The run failed. What becomes of the task is told by the event after this one, if any. `run_id` null: no run did;
    the actor says that the task failed.

    `kept_path` is the folder on the runner's machine where what is `unrecorded` is kept aside, until `kept_until`.
    `artifacts`: the digests of its patch and diffstat, sealed by this event.
    """

    run_id: Seq | None
    error: Text
    duration_ms: BigCount | None = None
    summary: Text | None = None
    branch: Brief | None = None
    commit_hash: Brief | None = None
    file_changes: list[FileChange] = field(default_factory=list)
    unrecorded: list[Unrecorded] = field(default_factory=list)
    kept_path: Path | None = None
    kept_until: Moment | None = None
    artifacts: list[Artifact] = field(default_factory=list)
    artifact_path: Path | None = None

    def __post_init__(self) -> None:
        check_moment("kept_until", self.kept_until)


class TaskRequeued(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The task is ready again, at once or at `next_run_at`. `run_id` names the run this takes away.

    `attempts` is the count the task goes on with (None keeps it): 0 after an operator's requeue, one less
    after a graceful hand-back, which costs no attempt. `last_error` None keeps the one before.
    """

    reason: Text
    run_id: Seq | None = None
    next_run_at: Moment | None = None
    attempts: Attempts | None = None
    last_error: Text | None = None

    def __post_init__(self) -> None:
        check_moment("next_run_at", self.next_run_at)


class TaskPrioritized(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The task shall come sooner or later than it would have: 0 is the most urgent. Its place among equals stays."""

    priority: Priority


class TaskBlocked(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The task waits for a human. `parent` names the task whose end blocked this one."""

    reason: Text
    run_id: Seq | None = None
    parent: StreamId | None = None


class TaskCancelled(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The task will not run. `run_id` names the run this takes away."""

    reason: Text | None = None
    run_id: Seq | None = None


TaskEvent = (
    TaskCreated
    | TaskClaimed
    | TaskStarted
    | TaskStep
    | TaskDone
    | TaskFailed
    | TaskRequeued
    | TaskPrioritized
    | TaskBlocked
    | TaskCancelled
)

EVENT_TYPES: dict[str, type[Struct]] = {
    "task.created": TaskCreated,
    "task.claimed": TaskClaimed,
    "task.started": TaskStarted,
    "task.step": TaskStep,
    "task.done": TaskDone,
    "task.failed": TaskFailed,
    "task.requeued": TaskRequeued,
    "task.prioritized": TaskPrioritized,
    "task.blocked": TaskBlocked,
    "task.cancelled": TaskCancelled,
}

RUNNING = ("running",)

TRANSITIONS: Transitions = {
    "task.created": Transition(("",), "ready"),
    "task.claimed": Transition(("ready",), "running"),
    "task.started": Transition(RUNNING, "running"),
    "task.step": Transition(RUNNING, "running"),
    "task.done": Transition(("ready", "running"), "done"),
    "task.failed": Transition(("ready", "running"), "failed"),
    "task.requeued": Transition(("running", "failed", "blocked", "cancelled"), "ready"),
    "task.prioritized": Transition(("ready",), "ready"),
    "task.blocked": Transition(("ready", "running", "failed"), "blocked"),
    "task.cancelled": Transition(("ready", "running", "failed", "blocked"), "cancelled"),
}


class Task(Struct, frozen=True):
    """A task after its events: the columns of `view.tasks` that follow from its own stream."""

    version: int = 0
    status: str = ""
    attempts: int = 0
    run_id: int | None = None
    claimed_by: str | None = None
    claimed_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    next_run_at: datetime | None = None
    last_error: str | None = None
    blocked_parent: str | None = None
    """The task whose end blocked this one, while it does."""
    priority: int = 100
    position: int = 0
    """The seq that made it ready last: its place in the claim order among equals."""


def evolve(task: Task, data: TaskEvent, event: Event) -> Task:
    """The task after one more event.

    Raises:
        WrongVersion: its version is not the next one.
        IllegalTransition: the task's status does not allow the event.
        LeaseLost: the event names a run that is not the current one.
    """
    status = next_status(TRANSITIONS, task, event)
    _check_fence(task, data)
    return replace(task, version=event.version, status=status, **_changes(task, data, event.seq, event.at))


def _check_fence(task: Task, data: TaskEvent) -> None:
    """While a run is on, every event but the claim names it; otherwise none names a run."""
    run_id = getattr(data, "run_id", None)
    if run_id != task.run_id:
        raise LeaseLost(f"run {run_id} is not the task's current run ({task.run_id})")


def _changes(task: Task, data: TaskEvent, seq: int, at: datetime) -> dict[str, Any]:
    """The columns that one event sets; whatever is not named keeps its value."""
    match data:
        case TaskCreated():
            return {"position": seq, "next_run_at": data.next_run_at, "priority": data.priority}
        case TaskClaimed():
            return {
                "run_id": seq,
                "claimed_by": data.runner,
                "claimed_at": at,
                "started_at": None,
                "finished_at": None,
                "next_run_at": None,
                "attempts": data.attempt,
            }
        case TaskStarted():
            return {"started_at": at}
        case TaskStep():
            return {}
        case TaskPrioritized():
            return {"priority": data.priority}
        case TaskDone():
            return _ended(at) | {"last_error": None}
        case TaskFailed():
            return _ended(at) | {"last_error": data.error}
        case TaskRequeued():
            return {
                "run_id": None,
                "claimed_by": None,
                "finished_at": None,
                "blocked_parent": None,
                "position": seq,
                "next_run_at": data.next_run_at,
                "attempts": task.attempts if data.attempts is None else data.attempts,
                "last_error": task.last_error if data.last_error is None else data.last_error,
            }
        case TaskBlocked():
            return _ended(at) | {"last_error": data.reason, "blocked_parent": data.parent}
        case TaskCancelled():
            return _ended(at) | {"blocked_parent": None}


def _ended(at: datetime) -> dict[str, Any]:
    return {"run_id": None, "finished_at": at, "next_run_at": None}
