"""What pushing TASKS.json comes to: which tasks are new, which statuses the file may set, and what it may not change.

The log is the truth and the file an order of work, so the file adds and says what became of a task; it never takes
back what happened (docs/adr/0011). A status in the file counts only if the task was never in it: an old file that says
`cancelled` of a task that was requeued since is behind, not right.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from events.dependencies import in_order
from events.errors import UnknownDependency
from events.task import TaskCreated
from ops.report import Line, brief
from ops.sync.task_entry import TaskEntry, means_the_same

ENDS = ("done", "failed")
"""Statuses that a run ends in: here a task gets there without one, as the file says."""
STOPS = {"blocked": ("ready", "running", "failed"), "cancelled": ("ready", "running", "failed", "blocked")}
"""Statuses that a human may put a task into, and from which."""
RESTING = ("failed", "blocked", "cancelled")


class KnownTask(Struct, frozen=True):
    """A task as the log has it. `been` are the ends and stops it was ever in."""

    id: str
    status: str
    definition: TaskCreated
    been: frozenset[str] = frozenset()
    created_seq: int = 0


class Move(Struct, frozen=True):
    """A task that is to be in another status."""

    id: str
    source: str
    target: str


class TaskPlan(Struct, frozen=True):
    """The events that a push comes to. `same` tasks need none."""

    create: list[TaskEntry]
    """Parents before their children."""
    ends: list[Move]
    """To done or failed."""
    stops: list[Move]
    """To blocked or cancelled."""
    lines: list[Line]
    same: int
    behind: int
    """Tasks that went on in the log since the file was written; a pull brings it up."""

    @property
    def moves(self) -> list[Move]:
        """All of them."""
        return self.ends + self.stops


def plan_tasks(entries: Sequence[TaskEntry], known: Mapping[str, KnownTask]) -> TaskPlan:
    """Compare the file with the log. `known`: the tasks of the file and the parents they name, as far as they exist.

    Raises:
        DependencyCycle, UnknownDependency: new tasks that could never run.
    """
    return _Planning(entries, known).plan()


class _Planning:
    def __init__(self, entries: Sequence[TaskEntry], known: Mapping[str, KnownTask]) -> None:
        self._entries = entries
        self._known = known
        self._statuses = {task.id: task.status for task in known.values()}
        self._lines: list[Line] = []
        self._moves: list[Move] = []
        self._behind = 0

    def plan(self) -> TaskPlan:
        new = [entry for entry in self._entries if entry.id not in self._known]
        _refuse_orphans(new, self._known)
        places = in_order({entry.id: entry.definition.depends_on for entry in new})
        same = sum(self._compare(entry) for entry in self._old_in_order())  # none of them waits for a new one
        create = [self._create(new[place]) for place in places]
        ends = [move for move in self._moves if move.target in ENDS]
        stops = [move for move in self._moves if move.target not in ENDS]
        return TaskPlan(create, ends, stops, self._lines, same, self._behind)

    def _old_in_order(self) -> list[TaskEntry]:
        """Parents before children, so that a child sees what becomes of its parents."""
        old = [entry for entry in self._entries if entry.id in self._known]
        places = in_order({entry.id: self._known[entry.id].definition.depends_on for entry in old})
        return [old[place] for place in places]

    def _create(self, entry: TaskEntry) -> TaskEntry:
        target = entry.status or "ready"
        if target == "running":
            self._lines.append(Line.of("sync.runs_elsewhere", id=entry.id))
            target = "ready"
        definition = entry.definition
        if target in ENDS:  # what has ended waits for nothing
            done, open_ = self._divide(definition.depends_on)
            definition = replace(definition, depends_on=done)
            self._lines += [Line.of("sync.left_out_parent", id=entry.id, status=target, parent=each) for each in open_]
        self._lines.append(Line.of("sync.new", id=entry.id, status=target, title=definition.title))
        self._statuses[entry.id] = target
        if target != "ready":
            self._moves.append(Move(entry.id, "ready", target))
        return replace(entry, definition=definition)

    def _compare(self, entry: TaskEntry) -> bool:
        """Whether nothing is to be said about a task that exists."""
        task = self._known[entry.id]
        before = len(self._lines)
        if task.status not in ("done", "cancelled"):
            self._lines += _differences(entry, task)
        if entry.status not in (None, task.status):
            self._move(task, str(entry.status))
        return len(self._lines) == before

    def _move(self, task: KnownTask, target: str) -> None:
        if target in ("ready", "running") or target in task.been:
            self._behind += 1
            return
        refusal = self._refusal(task, target)
        if refusal is not None:
            self._lines.append(refusal)
            return
        self._lines.append(Line.of("sync.moved", id=task.id, source=task.status, target=target))
        self._moves.append(Move(task.id, task.status, target))
        self._statuses[task.id] = target

    def _refusal(self, task: KnownTask, target: str) -> Line | None:
        facts = {"id": task.id, "source": task.status, "target": target}
        if target in STOPS:
            return None if task.status in STOPS[target] else Line("sync.not_from_there", facts)
        if task.status == "running":
            return Line("sync.not_while_running", facts)
        if task.status not in ("ready", *RESTING):
            return Line("sync.not_from_there", facts)
        _done, open_ = self._divide(task.definition.depends_on)
        return Line("sync.not_before_parents", facts | {"parents": ", ".join(open_[:5])}) if open_ else None

    def _divide(self, parents: Sequence[str]) -> tuple[list[str], list[str]]:
        """Parents that are done, or will be, and the others."""
        done = [parent for parent in parents if self._statuses.get(parent) == "done"]
        return done, [parent for parent in parents if parent not in done]


def _differences(entry: TaskEntry, task: KnownTask) -> Iterator[Line]:
    for field in entry.named:
        ours, theirs = getattr(entry.definition, field), getattr(task.definition, field)
        if not means_the_same(field, ours, theirs):
            yield Line.of("sync.definition_stays", id=entry.id, field=field, log=brief(theirs), file=brief(ours))


def _refuse_orphans(new: Sequence[TaskEntry], known: Collection[str]) -> None:
    there = {entry.id for entry in new} | set(known)
    orphans = [(entry.id, parent) for entry in new for parent in entry.definition.depends_on if parent not in there]
    if orphans:
        named = "; ".join(f"{child} depends on {parent}" for child, parent in orphans[:10])
        raise UnknownDependency(f"{len(orphans)} dependencies are neither in the file nor in the log: {named}")
