"""The pure model: what should happen, worked out in Python from the events alone, with no word from schema.sql.

The machine asks it what a command must do (`Outcome`), plays the command, reads what was appended, and lets the model
evolve by that: an event that is not legal in the model is an error, whoever wrote it.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from msgspec import Struct
from msgspec.structs import replace

from events import catalog, request, runner, system, task
from events.errors import DuplicateId, ElRusoError, IllegalTransition, InvalidInput, UnknownDependency
from events.event import Event
from events.lifecycle import status_after

FALLEN = ("failed", "blocked", "cancelled")
RESTS = (10.0, 30.0, 120.0)
JITTER = 0.15

Test = Callable[[Any], bool]


class Told(Struct, frozen=True):
    """An event that a command must append; `fits` looks at its data."""

    id: str
    type: str
    fits: Test = lambda data: True


class Known(Struct):
    """A task: what was asked for, and what it is now."""

    seq: int
    created_at: datetime
    definition: task.TaskCreated
    state: task.Task
    ready_at: datetime


class Model:
    """Everything the machine believes."""

    def __init__(self, now: datetime) -> None:
        self.now = self.latest = now
        self.early: set[str] = set()
        self.tasks: dict[str, Known] = {}
        self.runners: dict[str, runner.Runner] = {}
        self.requests: dict[str, request.Request] = {}
        self.system = system.System()
        self.runs: dict[int, str] = {}
        self.commands: dict[UUID, str] = {}
        self._agreed: dict[str, tuple[Any, ...]] = {}

    def fork(self) -> "Model":
        """A copy to try something on."""
        other = Model(self.now)
        other.latest, other.early = self.latest, self.early
        other.tasks = {task_id: replace(known) for task_id, known in self.tasks.items()}
        other.runners, other.system, other.requests = dict(self.runners), self.system, dict(self.requests)
        other.runs, other.commands = dict(self.runs), dict(self.commands)
        return other

    # ------------------------------------------------------------------ what is

    @property
    def paused(self) -> bool:
        return self.system.status == "paused"

    def drains(self, name: str) -> bool:
        """Whether nothing is handed to this runner."""
        return self.runners.get(name, runner.Runner()).draining_since is not None

    def state(self, task_id: str) -> task.Task:
        """The task's state; that of a task which does not exist is empty."""
        return self.tasks[task_id].state if task_id in self.tasks else task.Task()

    def version_of(self, kind: str, id: str) -> int:  # noqa: A002
        """The version of a stream that is no task's; 0 when it does not exist."""
        if kind == "system":
            return self.system.version
        streams: dict[str, Any] = {"runner": self.runners, "request": self.requests}[kind]
        return int(streams[id].version) if id in streams else 0

    def parents(self, task_id: str) -> set[str]:
        return set(self.tasks[task_id].definition.depends_on)

    def waiting_on(self, task_id: str) -> int:
        return sum(self.state(parent).status != "done" for parent in self.parents(task_id))

    def claimable(self) -> list[str]:
        """What a claim may hand out now, in claim order."""
        return sorted(
            (task_id for task_id, known in self.tasks.items() if self.is_claimable(task_id, known)), key=self.claim_key
        )

    def is_claimable(self, task_id: str, known: Known) -> bool:
        """A claim may hand it out. What fell due stays claimable although the clock is set back then."""
        return self.is_eligible(task_id, known, self.latest if task_id in self.early else self.now)

    def is_eligible(self, task_id: str, known: Known, now: datetime) -> bool:
        """It is ready, waits for nobody, and due at that time."""
        due = known.state.next_run_at is None or known.state.next_run_at <= now
        return known.state.status == "ready" and due and not self.waiting_on(task_id)

    def claim_key(self, task_id: str) -> tuple[int, int, str]:
        known = self.tasks[task_id]
        return known.state.priority, known.state.position, task_id

    def held(self) -> list[str]:
        """The tasks that are running."""
        return sorted(task_id for task_id, known in self.tasks.items() if known.state.run_id is not None)

    def due_in(self) -> list[float]:
        """In how many seconds the scheduled tasks fall due."""
        times = [
            known.state.next_run_at or self.now
            for task_id, known in self.tasks.items()
            if self.is_eligible(task_id, known, known.state.next_run_at or self.now)
        ]
        return sorted((at - self.now).total_seconds() for at in times if at > self.now)

    def fell_due(self) -> list[str]:
        """The tasks that were scheduled and may be claimed now."""
        return [task_id for task_id in self.claimable() if self.tasks[task_id].state.next_run_at is not None]

    # ------------------------------------------------------------------ what happened

    def time_passes(self, seconds: float) -> None:
        """Or is set back."""
        self.now += timedelta(seconds=seconds)
        self.latest = max(self.latest, self.now)

    def apply(self, event: Event) -> None:
        """Takes an event into account. Raises ElRusoError when it is not legal."""
        data = catalog.decode(event.type, event.data)
        if event.kind == "runner":
            before = self.runners.get(event.id, runner.Runner())
            self.runners[event.id] = runner.evolve(before, data, event)
        elif event.kind == "request":
            known = self.requests.get(event.id, request.Request())
            self.requests[event.id] = request.evolve(known, data, event)
        elif event.kind == "system":
            self.system = system.evolve(self.system, data, event)
        else:
            self._apply_task(event, data)

    def _apply_task(self, event: Event, data: Any) -> None:
        before = self.state(event.id)
        after = task.evolve(before, data, event)
        if isinstance(data, task.TaskCreated):
            self.tasks[event.id] = Known(event.seq, event.at, data, after, event.at)
            if event.command_id:
                self.commands[event.command_id] = event.id
        elif isinstance(data, task.TaskClaimed):
            if self.waiting_on(event.id):
                raise IllegalTransition(f"{event.id} was claimed although it waits")
            self.runs[event.seq] = event.id
        known = self.tasks[event.id]
        known.state = after
        if after.status == "ready" and not isinstance(data, task.TaskPrioritized):
            known.ready_at = max(event.at, after.next_run_at or event.at)

    # ------------------------------------------------------------------ what must happen

    def create(
        self, asked: Sequence[tuple[str, task.TaskCreated]], command_id: UUID | None
    ) -> list[Told] | type[ElRusoError]:
        """The events of a request whose ids differ and which has no cycle, or its refusal."""
        names = [
            command_id if not place else command_id and uuid5(command_id, str(place)) for place in range(len(asked))
        ]
        new = {
            task_id: definition
            for (task_id, definition), name in zip(asked, names, strict=True)
            if task_id not in self.tasks and name not in self.commands
        }
        if any(parent not in self.tasks and parent not in new for each in new.values() for parent in each.depends_on):
            return UnknownDependency
        for (task_id, definition), name in zip(asked, names, strict=True):
            if task_id not in new:
                known = self.tasks[task_id if task_id in self.tasks else self.commands[name]]  # type: ignore[index]
                if known.definition != definition:
                    return DuplicateId
        return [Told(task_id, "task.created", _equals(definition)) for task_id, definition in new.items()]

    def failure(self, task_id: str, retry: bool, error: str) -> list[Told]:
        """What a run's failure must append: the failure, and what becomes of the task."""
        known = self.tasks[task_id]
        failed = Told(task_id, "task.failed", lambda data: data.error == error)
        if retry and known.state.attempts < known.definition.max_attempts:
            return [failed, Told(task_id, "task.requeued", self.rests(known.state.attempts))]
        return [failed, Told(task_id, "task.blocked", lambda data: data.reason == error and data.parent is None)]

    def rests(self, attempts: int) -> Test:
        """A requeue after the n-th failure comes 10, 30 or 120 s later, give or take 15 %."""
        rest = RESTS[min(max(attempts, 1), len(RESTS)) - 1]
        return lambda data: abs((data.next_run_at - self.now).total_seconds() - rest) <= rest * JITTER + 1e-6

    def stuck(self, lease_seconds: float, seen: str | None = None) -> list[Told]:
        """What a sweep must append; a runner that is `seen` at this very moment keeps its lease."""
        lease = timedelta(seconds=lease_seconds)
        told = []
        for task_id in self.held():
            known = self.tasks[task_id]
            holder = self.runners.get(known.state.claimed_by or "", runner.Runner())
            times = [at for at in (holder.last_seen_at, known.state.claimed_at) if at is not None]
            limit = known.definition.timeout_seconds
            overrun = (
                limit
                and known.state.started_at
                and known.state.started_at + timedelta(seconds=limit) + lease < self.now
            )
            lost = max(times) + lease < self.now and known.state.claimed_by != seen
            if lost or overrun:
                again = known.state.attempts < known.definition.max_attempts
                told.append(Told(task_id, "task.requeued" if again else "task.blocked", _names_run(known.state.run_id)))
        return told

    def stop(self, task_id: str, event_type: str, data: Callable[[int | None], Any]) -> list[Told] | None:
        """What cancelling, blocking, failing or requeueing must append, or None when the status forbids it."""
        state = self.state(task_id)
        if status_after(task.TRANSITIONS, state.status, event_type) is None:
            return None
        return [Told(task_id, event_type, _equals(data(state.run_id)))]

    # ------------------------------------------------------------------ what always holds

    def check_reactions(self) -> None:
        """A ready task has no fallen parent; whoever is blocked by a parent has that parent, and it is fallen."""
        for task_id, known in self.tasks.items():
            fallen = {parent for parent in self.parents(task_id) if self.state(parent).status in FALLEN}
            assert known.state.status != "ready" or not fallen, f"{task_id} is ready though {fallen} fell"
            culprit = known.state.blocked_parent
            assert culprit is None or culprit in fallen, f"{task_id} is blocked by {culprit}, which is fine"

    def check(self, seen: dict[str, Any]) -> None:
        """The views say what the model says."""
        rows = {row["id"]: row for row in seen["tasks"]}
        assert rows.keys() == self.tasks.keys(), (rows.keys(), self.tasks.keys())
        for task_id, known in self.tasks.items():
            self._check_task(rows[task_id], task_id, known)
        ready = [
            task_id
            for task_id, known in self.tasks.items()
            if known.state.status == "ready" and not self.waiting_on(task_id)
        ]
        queue, scheduled = [row[0] for row in seen["queue"]], [row["id"] for row in seen["scheduled"]]
        assert sorted(ready) == sorted(queue + scheduled), (ready, queue, scheduled)
        assert queue == sorted(queue, key=self.claim_key)
        assert all(self.is_eligible(task_id, self.tasks[task_id], self.latest) for task_id in queue)
        self.early = {task_id for task_id in queue if not self.is_eligible(task_id, self.tasks[task_id], self.now)}
        assert all(self.state(task_id).next_run_at is not None for task_id in scheduled)
        assert [(task_id, self.state(task_id).run_id) for task_id in self.held()] == [
            (row["id"], row["run_id"]) for row in seen["running"]
        ]
        counts = dict.fromkeys(seen["counts"], 0)
        for known in self.tasks.values():
            counts[known.state.status] += 1
        assert counts == seen["counts"], (counts, seen["counts"])
        self._check_runs(seen["runs"])
        assert {
            name: (each.version, each.status, each.meta, each.draining_by) for name, each in self.runners.items()
        } == {row["id"]: (row["version"], row["status"], row["meta"], row["draining_by"]) for row in seen["runners"]}
        assert {name: (each.version, each.status, each.changed_at) for name, each in self.requests.items()} == {
            row["id"]: (row["version"], row["status"], _time(row["changed_at"])) for row in seen["requests"]
        }
        told = [(self.system.version, self.system.status, self.system.reason)] if self.system.version else []
        assert told == [(row["version"], row["status"], row["reason"]) for row in seen["system"]]

    def _check_task(self, row: dict[str, Any], task_id: str, known: Known) -> None:
        both = (row, known.state, known.ready_at, self.waiting_on(task_id))
        if self._agreed.get(task_id) == both:
            return  # neither side has changed since they agreed
        expected = {name: getattr(known.state, name) for name in task.Task.__struct_fields__}
        expected |= {"created_seq": known.seq, "created_at": known.created_at, "ready_at": known.ready_at}
        expected |= {name: getattr(known.definition, name) for name in ("title", "max_attempts", "timeout_seconds")}
        expected |= {"waiting_on": self.waiting_on(task_id)}
        found = {name: _time(row[name]) if name.endswith("_at") else row[name] for name in expected}
        assert expected == found, (
            f"{task_id}: {[(name, expected[name], found[name]) for name in expected if expected[name] != found[name]]}"
        )
        self._agreed[task_id] = both

    def _check_runs(self, rows: Iterable[dict[str, Any]]) -> None:
        seen = {row["id"]: (row["task_id"], row["status"] == "running") for row in rows}
        assert {run: (task_id, self.state(task_id).run_id == run) for run, task_id in self.runs.items()} == seen


def judge(events: Collection[Event], model: Model) -> ElRusoError | None:
    """Why a batch of events must be refused, were they appended together. `model` is spent afterwards."""
    try:
        created = {
            event.id
            for event in events
            if event.type == "task.created" and catalog.decode(event.type, event.data).depends_on
        }
        if any(event.type == "task.claimed" and event.id in created for event in events):
            return IllegalTransition("a task with parents cannot be claimed by the statement that creates it")
        for event in events:
            if event.type not in catalog.TRANSITIONS or catalog.kind_of(event.type) != event.kind:
                return InvalidInput(f"{event.type} in a {event.kind} stream")
            model.apply(event)
        for event in events:
            if event.type == "task.created":
                for parent in model.parents(event.id):
                    if parent not in model.tasks or model.tasks[parent].seq >= event.seq:
                        return UnknownDependency(parent)
    except ElRusoError as refusal:
        return refusal
    return None


def _equals(expected: Any) -> Test:
    return lambda data: data == expected


def _names_run(run_id: int | None) -> Test:
    return lambda data: data.run_id == run_id


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
