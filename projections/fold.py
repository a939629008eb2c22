"""The second bookkeeper: the views, computed in Python from the events and their meaning alone.

Nothing here is taken from schema.sql. What a task, a runner or the system is after an event, `evolve` knows (events/);
what belongs to several streams (dependencies, queues, counts) and what a task leaves behind (runs, steps, file
changes) is worked out below. `elruso audit` compares the result with what the database keeps.

It holds everything in memory: about a kilobyte per task with its run, half of one per step. Texts longer than
LONGEST_TEXT are held as their digest, so that a step's output costs no more than its name.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, replace

from events import directive, planner, request, runner, system, task
from events.catalog import decode
from events.event import Event
from projections.rows import (
    AsideRow,
    DependencyRow,
    DirectiveRow,
    FileChangeRow,
    LostRunRow,
    PlannerRunRow,
    QueueRow,
    RequestRow,
    RunCountRow,
    RunnerRow,
    RunningRow,
    RunRow,
    StepRow,
    SystemRow,
    TaskCountRow,
    TaskRow,
)

LONGEST_TEXT = 200
BUCKET = timedelta(minutes=5)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STATUSES = tuple(sorted({transition.target for transition in task.TRANSITIONS.values()}))


class Definition(Struct, frozen=True, gc=False):
    """What a task was created with, as far as the view of it shows that."""

    created_seq: int
    created_at: datetime
    title: str
    task_type: str
    phase: str | None
    directive_id: str | None
    max_attempts: int
    timeout_seconds: float | None


class Fold:
    """The state of everything after the events applied so far; any order that keeps each stream's own will do."""

    def __init__(self) -> None:
        self._tasks: dict[str, task.Task] = {}
        self._definitions: dict[str, Definition] = {}
        self._ready_since: dict[str, datetime] = {}
        self._parents: dict[str, frozenset[str]] = {}
        self._runs: dict[int, RunRow] = {}
        self._steps: dict[tuple[int, int], StepRow] = {}
        self._changes: dict[tuple[int, str], FileChangeRow] = {}
        self._closed: set[str] = set()
        self._sealed: dict[tuple[int, str], task.Artifact] = {}
        self._ended: Counter[datetime] = Counter()
        self._failed: Counter[datetime] = Counter()
        self._runners: dict[str, runner.Runner] = {}
        self._systems: dict[str, system.System] = {}
        self._requests: dict[str, request.Request] = {}
        self._directives: dict[str, directive.Directive] = {}
        self._planner_runs: dict[str, planner.PlannerRun] = {}

    def apply(self, event: Event) -> None:
        """Take one more event into account. Raises ElRusoError when it is malformed or does not follow; nothing has
        changed then."""
        data = decode(event.type, event.data)
        match event.kind:
            case "task":
                self._apply_task(event, data)
            case "runner":
                before = self._runners.get(event.id, runner.Runner())
                self._runners[event.id] = runner.evolve(before, data, event)
            case "system":
                known = self._systems.get(event.id, system.System())
                self._systems[event.id] = system.evolve(known, data, event)
            case "request":
                asked = self._requests.get(event.id, request.Request())
                self._requests[event.id] = request.evolve(asked, data, event)
            case "directive":
                proposed = self._directives.get(event.id, directive.Directive())
                self._directives[event.id] = directive.evolve(proposed, data, event)
            case "planner":
                run = self._planner_runs.get(event.id, planner.PlannerRun())
                self._planner_runs[event.id] = planner.evolve(run, data, event)

    def _apply_task(self, event: Event, data: task.TaskEvent) -> None:
        before = self._tasks.get(event.id, task.Task())
        after = task.evolve(before, data, event)
        self._tasks[event.id] = after
        if after.status == "ready" and not isinstance(data, task.TaskPrioritized):
            self._ready_since[event.id] = max(event.at, after.next_run_at or event.at)
        match data:
            case task.TaskCreated():
                self._define(event, data)
            case task.TaskClaimed():
                self._runs[event.seq] = RunRow(event.seq, event.id, data.runner, data.attempt, "running", event.at)
            case task.TaskStarted():
                run = self._runs[data.run_id]
                branch = run.branch if data.branch is None else data.branch
                commit = run.commit_hash if data.commit_hash is None else data.commit_hash
                self._runs[run.id] = replace(run, started_at=event.at, branch=branch, commit_hash=commit)
            case task.TaskStep():
                self._steps[data.run_id, data.number] = _step(data, event.at)
            case task.TaskDone(run_id=None):
                self._closed.add(event.id)
            case _ if before.run_id is not None:
                self._end_run(self._runs[before.run_id], event, data)

    def _define(self, event: Event, data: task.TaskCreated) -> None:
        self._definitions[event.id] = Definition(
            created_seq=event.seq,
            created_at=event.at,
            title=brief(data.title),
            task_type=data.task_type,
            phase=None if data.phase is None else str(data.phase),
            directive_id=data.directive_id,
            max_attempts=data.max_attempts,
            timeout_seconds=data.timeout_seconds,
        )
        if data.depends_on:
            self._parents[event.id] = frozenset(data.depends_on)

    def _end_run(self, run: RunRow, event: Event, data: Any) -> None:
        """A report of the runner, or whoever takes the run away: an operator, a sweep, a hand-back."""
        reported = isinstance(data, task.TaskDone | task.TaskFailed)
        self._runs[run.id] = replace(
            run,
            status=event.type.removeprefix("task."),
            finished_at=event.at,
            duration_ms=data.duration_ms if reported else None,
            branch=data.branch if reported and data.branch is not None else run.branch,
            commit_hash=data.commit_hash if reported and data.commit_hash is not None else run.commit_hash,
            summary=brief(data.summary) if reported else None,
            error=brief(data.error if isinstance(data, task.TaskFailed) else getattr(data, "reason", None)),
        )
        for change in data.file_changes if reported else ():
            fields = (change.change, change.added, change.removed, change.renamed_from)
            self._changes.setdefault((run.id, change.path), FileChangeRow(run.id, change.path, *fields))
        for artifact in data.artifacts if reported else ():
            self._sealed[run.id, artifact.kind] = artifact
        bucket = event.at - (event.at - EPOCH) % BUCKET
        self._ended[bucket] += 1
        self._failed[bucket] += event.type == "task.failed"

    def sealed(self, run_id: int, kind: str) -> task.Artifact | None:
        """What the end of a run says of its patch or diffstat; None: nothing."""
        return self._sealed.get((run_id, kind))

    def sealed_at(self, run_id: int) -> datetime | None:
        """When a run ended as done or failed, which seals what it left behind; None: it goes on, or was taken away."""
        run = self._runs.get(run_id)
        return run.finished_at if run is not None and run.status in ("done", "failed") else None

    def tasks(self) -> Iterator[TaskRow]:
        """Every task; `waiting_on` counts the distinct parents that are not done."""
        for id, state in self._tasks.items():  # noqa: A001
            definition = self._definitions[id]
            yield TaskRow(
                id=id,
                created_seq=definition.created_seq,
                position=state.position,
                ready_at=self._ready_since[id],
                run_id=state.run_id,
                created_at=definition.created_at,
                claimed_at=state.claimed_at,
                started_at=state.started_at,
                finished_at=state.finished_at,
                next_run_at=state.next_run_at,
                timeout_seconds=definition.timeout_seconds,
                version=state.version,
                waiting_on=self._waiting_on(id),
                attempts=state.attempts,
                max_attempts=definition.max_attempts,
                priority=state.priority,
                status=state.status,
                task_type=definition.task_type,
                phase=definition.phase,
                directive_id=definition.directive_id,
                claimed_by=state.claimed_by,
                blocked_parent=state.blocked_parent,
                last_error=brief(state.last_error),
                title=definition.title,
            )

    def task_statuses(self) -> dict[str, str]:
        """The status of every task, by id."""
        return {id: state.status for id, state in self._tasks.items()}  # noqa: A001

    def _waiting_on(self, id: str) -> int:  # noqa: A002
        parents = (self._tasks.get(parent) for parent in self._parents.get(id, ()))
        return sum(parent is None or parent.status != "done" for parent in parents)

    def dependencies(self) -> Iterator[DependencyRow]:
        """Every edge from parent to child."""
        for child, parents in self._parents.items():
            yield from (DependencyRow(parent, child) for parent in parents)

    def queue(self) -> Iterator[QueueRow]:
        """What may be claimed, now or once it is due."""
        for id, state in self._tasks.items():  # noqa: A001
            if state.status == "ready" and not self._waiting_on(id):
                yield QueueRow(id, state.priority, state.position, state.next_run_at)

    def running(self) -> Iterator[RunningRow]:
        """The runs in flight."""
        for id, state in self._tasks.items():  # noqa: A001
            if state.run_id is not None:
                run = self._runs[state.run_id]
                times = (run.claimed_at, run.started_at)
                yield RunningRow(run.id, id, run.runner, run.attempt, *times, run.branch, run.commit_hash)

    def aside(self) -> Iterator[AsideRow]:
        """What is neither in the queue nor in flight nor done by a run."""
        for id, state in self._tasks.items():  # noqa: A001
            waits = state.status == "ready" and self._waiting_on(id)
            if waits or state.status in ("failed", "blocked", "cancelled") or id in self._closed:
                yield AsideRow(id, "waiting" if waits else state.status, self._definitions[id].created_seq)

    def lost_runs(self) -> Iterator[LostRunRow]:
        """The runs that ended, but not well."""
        for run in self._runs.values():
            if run.status not in ("running", "done"):
                yield LostRunRow(run.id, run.status)

    def ended_runs(self) -> Iterator[RunRow]:
        """Every other run."""
        yield from (run for run in self._runs.values() if run.status != "running")

    def steps(self) -> Iterator[StepRow]:
        """Every step of every run; reported twice, the later report counts."""
        yield from self._steps.values()

    def file_changes(self) -> Iterator[FileChangeRow]:
        """Every path that a run changed; named twice, the first counts."""
        yield from self._changes.values()

    def runners(self) -> Iterator[RunnerRow]:
        """Every runner that was ever seen."""
        for id, state in self._runners.items():  # noqa: A001
            yield RunnerRow(id=id, **asdict(replace(state, draining_reason=brief(state.draining_reason))))

    def systems(self) -> Iterator[SystemRow]:
        """The system, once it has been paused for the first time."""
        for id, state in self._systems.items():  # noqa: A001
            yield SystemRow(id, state.version, state.status, state.reason, state.changed_at, state.changed_by)

    def requests(self) -> Iterator[RequestRow]:
        """Every credential that was ever asked for."""
        for id, state in self._requests.items():  # noqa: A001
            yield RequestRow(
                id=id,
                version=state.version,
                status=state.status,
                definition=state.definition,
                reason=brief(state.reason),
                place=state.place,
                opened_at=state.opened_at,
                provided_at=state.provided_at,
                provided_by=state.provided_by,
                changed_at=state.changed_at,
                changed_by=state.changed_by,
            )

    def directives(self) -> Iterator[DirectiveRow]:
        """Every directive that was ever proposed."""
        for id, state in self._directives.items():  # noqa: A001
            shown = replace(state, title=brief(state.title), reason=brief(state.reason))
            yield DirectiveRow(id=id, **asdict(shown))

    def planner_runs(self) -> Iterator[PlannerRunRow]:
        """Every run of the planner that has ended."""
        for id, state in self._planner_runs.items():  # noqa: A001
            yield PlannerRunRow(id=id, **asdict(replace(state, error=brief(state.error))))

    def task_counts(self) -> Iterator[TaskCountRow]:
        """How many tasks there are in each status."""
        counts = Counter(state.status for state in self._tasks.values())
        yield from (TaskCountRow(status, counts[status]) for status in STATUSES)

    def run_counts(self) -> Iterator[RunCountRow]:
        """How many runs ended, and how many of them failed, in each five minutes."""
        yield from (RunCountRow(bucket, ended, self._failed[bucket]) for bucket, ended in self._ended.items())


def _step(data: task.TaskStep, at: datetime) -> StepRow:
    return StepRow(
        run_id=data.run_id,
        number=data.number,
        name=data.name,
        cmd=brief(data.cmd),
        exit_code=data.exit_code,
        duration_ms=data.duration_ms,
        output_excerpt=brief(data.output_excerpt),
        output_bytes=data.output_bytes,
        truncated=data.truncated,
        error=brief(data.error),
        at=at,
    )


def brief(text: Any) -> Any:
    """A long text as its beginning, its length and its digest; anything else as it is."""
    if not isinstance(text, str) or len(text) <= LONGEST_TEXT:
        return text
    return f"{text[:40]}… {len(text)} characters, BLAKE2 {blake2b(text.encode(), digest_size=16).hexdigest()}"
