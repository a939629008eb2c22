"""The lives that a large history is made of: tasks of every fate, the runners, directives, requests and the rest.

Some are there to be looked for: a task with a thousand children, one with thousands of events, a run with a thousand
steps, a directive with two thousand tasks, a rare phase, a rare word. What ended badly ended long ago: whoever looks
for it from the newest on has the longest way.
"""

from collections.abc import Iterator
from hashlib import sha256

from msgspec import Struct
from msgspec.structs import replace

from events.directive import DirectiveApplied, DirectiveProposed, DirectiveRejected, PlannedTask
from events.planner import PlannerCompleted, PlannerFailed, Usage
from events.request import RequestDefinition, RequestOpened, RequestProvided, RequestWithdrawn
from events.runner import RunnerHeartbeat, RunnerStarted, RunnerStopped
from events.system import SystemPaused, SystemResumed
from events.task import (
    FileChange,
    Step,
    TaskBlocked,
    TaskCancelled,
    TaskClaimed,
    TaskCreated,
    TaskDone,
    TaskFailed,
    TaskRequeued,
    TaskStarted,
    TaskStep,
)
from tests.bench.history import DAY, MINUTE, SECOND, Stream, World, moment

SPAN = 180 * DAY
HUB, VETERAN, LONG_RUN, LARGE = "hub", "veteran", "long-run", "D-large"
RARE_PHASE, RARE_WORD, COMMON_WORD = "audit-2019", "kumquat", "invoice"
PHASES = ("model", "api", "panel", "docs", "ops", "billing", "search", "mobile")
VERBS = ("Write", "Check", "Mend", "Migrate", "Measure", "Describe", "Remove", "Translate")
NOUNS = (COMMON_WORD, COMMON_WORD, "ledger", "customer page", "search index", "backup", "mail template", "report")
COMMANDS = ("make lint", "pytest -q", "make build", "make check", "git diff --stat", "make package")
ALIVE = 200  # runners
GONE = 1000
PER_DIRECTIVE = 100  # every so many tasks a directive begins


def runner_name(number: int) -> str:
    """The name of a runner that stays."""
    return f"forge-{number:03}"


class Extent(Struct, frozen=True):
    """How much history: so many tasks, and about ten events for each."""

    tasks: int

    @property
    def waiting(self) -> int:
        """The last tasks of all, which nobody has claimed yet."""
        return self.tasks * 3 // 100

    @property
    def running(self) -> int:
        """Tasks in flight at the end."""
        return min(400, self.tasks // 50)

    @property
    def children(self) -> int:
        """Tasks that wait for HUB."""
        return min(1000, self.tasks // 10)

    @property
    def large(self) -> int:
        """Tasks of the directive LARGE."""
        return min(2000, self.tasks // 10)

    @property
    def long(self) -> int:
        """Steps of LONG_RUN, and files it changed."""
        return min(1000, self.tasks // 10)

    @property
    def attempts(self) -> int:
        """Runs of VETERAN; six events each."""
        return min(500, self.tasks // 20)

    @property
    def heartbeats(self) -> int:
        """Of all runners: what is missing to ten events for each task."""
        return self.tasks * 28 // 10


class Fate(Struct, frozen=True):
    """What becomes of a task. `failures` attempts fail first; `end` None: it goes on working, or was not claimed."""

    end: str | None = "done"
    failures: int = 0
    pace: int = 4 * SECOND  # how long a step takes, about
    claimed: bool = True


def fill(world: World, extent: Extent) -> None:
    """Let everything begin."""
    begin = world.end - SPAN
    world.spawn(create(world, extent, begin))
    for number in range(ALIVE):
        world.spawn(runner(world, runner_name(number), begin, SPAN * ALIVE // extent.heartbeats))
    for number in range(min(GONE, extent.tasks // 10)):
        world.spawn(pod(f"pod-{number:04}", begin + SPAN * number // GONE))
    for number in range(60):
        world.spawn(request(number, begin + number * DAY))
    for number in range(45):
        world.spawn(pause(f"{number + 1}", begin + number * 4 * DAY, 2 * number))
    for number in range(min(4300, extent.tasks // 100)):
        world.spawn(planner_run(number, begin + number * 60 * MINUTE))
    for number in range(min(40, extent.tasks // 100)):
        world.spawn(directive(proposal(f"D-open-{number}", "manual", _plans(f"open-{number}", 5)), world.end - DAY))


# -------------------------------------------------------------------------------------------------- tasks


def create(world: World, extent: Extent, begin: int) -> Stream:
    """Creates one task after the other; the last ones, which nobody has claimed, within the last hour."""
    special = {
        extent.tasks // 10: _veteran,
        extent.tasks * 2 // 5: _large,
        extent.tasks // 2: _hub,
        extent.tasks * 9 // 10: _long_run,
    }
    claimed = extent.tasks - extent.waiting
    members: Iterator[tuple[str, TaskCreated]] = iter(())
    for number in range(extent.tasks):
        waiting = number >= claimed
        at = begin + (SPAN - 60 * MINUTE) * number // claimed
        if waiting:
            at = world.end - 60 * MINUTE + 59 * MINUTE * (number - claimed) // extent.waiting
        yield at, None
        if number in special:
            special[number](world, extent, at)
        if number % PER_DIRECTIVE == 0 and not waiting:
            members = _propose(world, extent, number, at)
        id, created = next(members, (f"t-{number:07}", _definition(world, extent, number)))  # noqa: A001
        if waiting:
            created = _held_back(created, number, at)
        world.spawn(life(world, id, created, at + SECOND, fate(world, extent, number)))


def fate(world: World, extent: Extent, number: int) -> Fate:
    """Nearly all are done; what ended badly lies in the older part."""
    claimed = extent.tasks - extent.waiting
    luck = world.chance.random()
    if number >= claimed:
        return Fate(None, claimed=False)
    if number >= claimed - extent.running:
        return Fate(None, pace=DAY)
    if number < extent.tasks * 6 // 10 and luck < 0.01:
        return (Fate("failed", 1), Fate("blocked", 4), Fate("cancelled"))[number % 3]
    return Fate(failures=1 if luck > 0.95 else 0)


def life(world: World, id: str, created: TaskCreated, at: int, fate: Fate) -> Stream:  # noqa: A002
    """One task."""
    chance = world.chance
    yield at, (id, 1, "gpt" if created.directive_id else "human:ana", created, None)
    if not fate.claimed:
        return
    version, attempt = 2, 1
    at += chance.randrange(2 * SECOND, 60 * SECOND)
    for parent in created.depends_on:
        while parent not in world.ended:
            at += 30 * SECOND
            yield at, None
        status, seq = world.ended[parent]
        if status != "done":
            blocked = TaskBlocked(f"parent {parent} is {status}", parent=parent)
            world.ended[id] = ("blocked", (yield at, (id, version, "system", blocked, seq)))
            return
    if fate.end == "cancelled":
        world.ended[id] = ("cancelled", (yield at, (id, version, "human:ana", TaskCancelled("not needed"), None)))
        return
    while True:
        runner = runner_name(chance.randrange(ALIVE))
        actor = f"runner:{runner}"
        run_id = yield at, (id, version, actor, TaskClaimed(runner, attempt), None)
        yield at + 20_000, (id, version + 1, actor, TaskStarted(run_id, f"task/{id}"), None)
        version += 2
        at += 30_000
        for place, step in enumerate(created.steps, 1):
            took = chance.randrange(fate.pace // 10, fate.pace * 2)
            at += took
            yield at, (id, version, actor, _ended_step(run_id, place, step, took), None)
            version += 1
        if attempt > fate.failures:
            if fate.end is None:
                return
            seq = yield at + 9_000, (id, version, actor, _result(run_id, id, chance.randrange(10), at), None)
            world.ended[id] = ("done", seq)
            return
        seq = yield at + 9_000, (id, version, actor, TaskFailed(run_id, "step tests ended with 1", at % 90_000), None)
        if attempt == fate.failures and fate.end != "done":
            if fate.end == "blocked":
                seq = yield at + 9_000, (id, version + 1, "system", TaskBlocked("step tests ended with 1"), seq)
            world.ended[id] = (fate.end or "failed", seq)
            return
        due = at + 30 * SECOND
        again = TaskRequeued("attempt failed", next_run_at=moment(due), last_error="step tests ended with 1")
        yield at + 9_000, (id, version + 1, "system", again, seq)
        version, attempt, at = version + 2, attempt + 1, due + SECOND


def _definition(world: World, extent: Extent, number: int) -> TaskCreated:
    rare = number < extent.tasks // 25 and number % max(1, extent.tasks // 1000) == 1
    words = (VERBS[number % 8], "the", NOUNS[number // 8 % 8], str(number), RARE_WORD if rare else "")
    return TaskCreated(
        title=" ".join(filter(None, words)),
        body="Keep to the conventions of the project. Say what you changed and why.",
        phase=RARE_PHASE if rare else PHASES[number % 8],
        task_type="shell",
        steps=_steps(world.chance.randrange(1, 6)),
        priority=(100, 100, 100, 50, 200)[number % 5],
    )


def _held_back(created: TaskCreated, number: int, at: int) -> TaskCreated:
    """Of the tasks that wait, one in five waits for the one before it, one in twenty for its time."""
    if number % 5 == 1:
        return replace(created, depends_on=[f"t-{number - 1:07}"])
    return replace(created, next_run_at=moment(at + DAY)) if number % 20 == 2 else created


def _steps(count: int) -> list[Step]:
    return [Step(command.split()[-1], command) for command in (COMMANDS * (count // 6 + 1))[:count]]


def _ended_step(run_id: int, number: int, step: Step, took: int) -> TaskStep:
    return TaskStep(run_id, number, step.name, step.cmd, 0, took // 1000, "41 passed, 1 skipped", 20)


def _result(run_id: int, id: str, changes: int, at: int) -> TaskDone:  # noqa: A002
    files = [FileChange(f"src/{id}/part_{n}.py", "modified", 12, 3) for n in range(changes - 6)]
    return TaskDone(run_id, at % 90_000, "all steps ended with 0", branch=f"task/{id}", file_changes=files)


# ------------------------------------------------------------------------------------- tasks to be looked for


def _veteran(world: World, extent: Extent, at: int) -> None:
    """Was tried very many times."""
    created = TaskCreated("Reach the flaky partner", phase="ops", steps=_steps(1), max_attempts=1000)
    world.spawn(life(world, VETERAN, created, at, Fate(failures=extent.attempts)))


def _hub(world: World, extent: Extent, at: int) -> None:
    """Very many wait for it, and one for all of those."""
    world.spawn(life(world, HUB, TaskCreated("Raise the platform", phase="ops", steps=_steps(2)), at, Fate()))
    children = [f"hub-{number:04}" for number in range(extent.children)]
    for child in children:
        created = TaskCreated(f"Build upon it: {child}", phase="ops", steps=_steps(1), depends_on=[HUB])
        world.spawn(life(world, child, created, at + SECOND, Fate()))
    last = TaskCreated("Inaugurate it", phase="ops", steps=_steps(1), depends_on=children)
    world.spawn(life(world, "hub-end", last, at + 2 * SECOND, Fate()))


def _long_run(world: World, extent: Extent, at: int) -> None:
    """A run of very many steps, which changed very many files."""
    world.spawn(_long(extent, at))


def _long(extent: Extent, at: int) -> Stream:
    steps = _steps(extent.long)
    yield at, (LONG_RUN, 1, "human:ana", TaskCreated("Rename everything", phase="ops", steps=steps), None)
    actor = "runner:forge-000"
    run_id = yield at + SECOND, (LONG_RUN, 2, actor, TaskClaimed("forge-000", 1), None)
    yield at + SECOND, (LONG_RUN, 3, actor, TaskStarted(run_id, f"task/{LONG_RUN}"), None)
    for place, step in enumerate(steps, 1):
        yield at + (place + 1) * SECOND, (LONG_RUN, place + 3, actor, _ended_step(run_id, place, step, SECOND), None)
    files = [FileChange(f"src/part_{n:04}.py", "modified", 12, 3) for n in range(extent.long)]
    done = TaskDone(run_id, len(steps) * 1000, "everything has a new name", file_changes=files)
    yield at + (len(steps) + 2) * SECOND, (LONG_RUN, len(steps) + 4, actor, done, None)


def _large(world: World, extent: Extent, at: int) -> None:
    """A directive with very many tasks."""
    names = [f"large-{number:04}" for number in range(extent.large)]
    plans = [PlannedTask(id=name, title=f"Move {name}", phase="ops", steps=_steps(1)) for name in names]
    world.spawn(directive(proposal(LARGE, "auto", plans), at, applied=at + DAY))
    for plan in plans:
        world.spawn(life(world, plan.id, plan.definition(LARGE), at + SECOND, Fate()))


# --------------------------------------------------------------------------------------------- the others


def _propose(world: World, extent: Extent, number: int, at: int) -> Iterator[tuple[str, TaskCreated]]:
    """A directive of a few tasks, each waiting for the one before it; every fiftieth is rejected and gets none."""
    name = f"D-{number:07}"
    if number % (50 * PER_DIRECTIVE) == 0:
        world.spawn(directive(proposal(name, "manual", _plans(name, 3)), at, rejected=at + DAY))
        return iter(())
    size = 2 + number // PER_DIRECTIVE % 11
    plans = []
    for place in range(number, number + size):
        created = _definition(world, extent, place)
        before = [f"t-{place - 1:07}"] if place > number else []
        plans.append(
            PlannedTask(
                id=f"t-{place:07}",
                title=created.title,
                phase=created.phase,
                task_type="shell",
                steps=created.steps,
                depends_on=before,
            )
        )
    world.spawn(directive(proposal(name, "auto", plans), at, world=world))
    return iter([(plan.id, plan.definition(name)) for plan in plans])


class Proposal(Struct, frozen=True):
    """A directive before it is proposed."""

    id: str
    event: DirectiveProposed


def proposal(id: str, approval: str, plans: list[PlannedTask]) -> Proposal:  # noqa: A002
    """A directive with these tasks."""
    event = DirectiveProposed(
        title=f"Improve the {NOUNS[len(id) % 8]} ({id})",
        digest=sha256(id.encode()).hexdigest(),
        approval="auto" if approval == "auto" else "manual",
        body="Customers asked for it.",
        acceptance_criteria=["The suite is green"],
        tasks_to_create=plans,
    )
    return Proposal(id, event)


def _plans(name: str, count: int) -> list[PlannedTask]:
    return [PlannedTask(id=f"{name}-{n}", title=f"Step {n} of {name}", steps=_steps(1)) for n in range(count)]


def directive(
    proposed: Proposal, at: int, world: World | None = None, applied: int | None = None, rejected: int | None = None
) -> Stream:
    """One directive. With a `world` it is applied when all its tasks are done, and never when one of them is not."""
    yield at, (proposed.id, 1, "gpt", proposed.event, None)
    cause: int | None = None
    if world:
        ids = [plan.id for plan in proposed.event.tasks_to_create]
        while not all(id in world.ended for id in ids):  # noqa: A001
            at += 10 * MINUTE
            yield at, None
        if {world.ended[id][0] for id in ids} == {"done"}:  # noqa: A001
            applied, cause = at, max(world.ended[id][1] for id in ids)  # noqa: A001
    if applied:
        yield applied, (proposed.id, 2, "system", DirectiveApplied(reason="all its tasks are done"), cause)
    if rejected:
        yield rejected, (proposed.id, 2, "human:ana", DirectiveRejected("not this year"), None)


def runner(world: World, id: str, at: int, pause: int) -> Stream:  # noqa: A002
    """A runner that stays."""
    yield at, (id, 1, f"runner:{id}", RunnerStarted({"version": "0.1.0", "host": id, "concurrency": 4}), None)
    version = 2
    at += world.chance.randrange(pause)
    while True:
        yield at, (id, version, f"runner:{id}", RunnerHeartbeat(), None)
        version += 1
        at += pause if at == world.end else min(pause, max(1, world.end - at))


def pod(id: str, at: int) -> Stream:  # noqa: A002
    """A runner that was started for a day under a name of its own."""
    yield at, (id, 1, f"runner:{id}", RunnerStarted({"version": "0.1.0", "host": id}), None)
    yield at + DAY, (id, 2, f"runner:{id}", RunnerStopped("stopped"), None)


def request(number: int, at: int) -> Stream:
    """A credential: one in three is still waited for, one in six not wanted any more."""
    id = f"REQ-{number:03}"  # noqa: A001
    definition = RequestDefinition(f"Service {number}", scopes=[f"SERVICE_{number}_KEY"], purpose="To speak to it.")
    yield at, (id, 1, "gpt", RequestOpened(definition), None)
    if number % 3:
        yield at + DAY, (id, 2, "human:ana", RequestProvided([f"SERVICE_{number}_KEY"], "vault"), None)
    if number % 6 == 5:
        yield at + 2 * DAY, (id, 3, "human:ana", RequestWithdrawn("another service took its place"), None)


def pause(reason: str, at: int, version: int) -> Stream:
    """Somebody stops everything for a while."""
    yield at, ("main", version + 1, "human:ana", SystemPaused(f"window {reason}"), None)
    yield at + 30 * MINUTE, ("main", version + 2, "human:ana", SystemResumed(), None)


def planner_run(number: int, at: int) -> Stream:
    """One run of the planner; one in twenty comes to nothing."""
    id, usage = f"run-{number:05}", Usage(prompt_tokens=9_000, completion_tokens=700)  # noqa: A001
    completed = PlannerCompleted(model="gpt-4.1", prompt_hash="0" * 64, usage=usage, cost=0.02, duration_ms=9_000)
    failed = PlannerFailed(outcome="timeout", error="no answer within 180 s", model="gpt-4.1", usage=usage)
    yield at, (id, 1, "human:ana", failed if number % 20 == 19 else completed, None)
