"""What every random history needs: play a command, settle what it appended, choose what to do it to."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from msgspec import structs

from events import catalog, task
from events.errors import ElRusoError
from events.event import Event
from events.task import TaskDone, TaskFailed
from tests.properties.choices import IDS, PLACES, Request, Turn
from tests.properties.model import FALLEN, Model, Told
from tests.properties.world import START, Look, World

BOGUS_RUN = 999_999
TASKS_MAX = 12


def is_reaction(event: Event) -> bool:
    """Events of other streams led to it. (A claim's cause is its own task's creation.)"""
    return event.cause is not None and event.type != "task.claimed"


class Player(RuleBasedStateMachine):
    """One history. `world` is shared by all of them and wiped before each."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.commands = world.commands
        self.run = world.run
        self.run(world.wipe())
        self.model = Model(START)
        self.last = 0
        self.sound = True
        self._seen: Look | None = None
        self.with_patch: set[int] = set()  # runs that stored a patch while they were current

    # ------------------------------------------------------------------ playing

    def play(self, command: Awaitable[Any]) -> Any:
        """What the command answers; a refusal is an answer too."""
        self.sound = False
        self._seen = None
        try:
            return self.run(_awaited(command))
        except ElRusoError as refusal:
            return refusal

    def look(self) -> Look:
        """What there is to see, and which events the model does not know of yet. Only a command changes either."""
        if self._seen is None:
            self._seen = self.run(self.world.look(self.last))
        return self._seen

    def settle(self, told: Sequence[Told] = ()) -> list[Event]:
        """Reads what was appended: exactly what was told, and the reactions to it. The model evolves by it."""
        seen = self.look()
        events = seen.events
        before = self.model.fork()
        for event in events:
            if is_reaction(event):
                self._check_reaction(event, events, before)
            self.model.apply(event)
        own = [event for event in events if not is_reaction(event)]
        assert sorted((each.id, each.type) for each in told) == sorted((each.id, each.type) for each in own), (
            told,
            own,
        )
        for each, event in zip(_by_stream(told), _by_stream(own), strict=True):
            assert (each.id, each.type) == (event.id, event.type), (told, own)
            assert each.fits(_unsealed(catalog.decode(event.type, event.data))), (each.type, bytes(event.data))
        self.last = max([self.last, *(event.seq for event in events)])
        self._seen = structs.replace(seen, events=[])
        return own

    def refused(self, answer: Any, *refusals: type[ElRusoError]) -> None:
        """The answer is one of these refusals, and nothing was appended."""
        assert type(answer) in refusals, (answer, refusals)
        self.settle()

    def _check_reaction(self, event: Event, events: Sequence[Event], before: Model) -> None:
        """Only a ready task is blocked by a parent, only one that its parent blocked is requeued; both have a cause."""
        assert event.actor == "system"
        [cause] = [each for each in events if each.seq == event.cause]
        assert cause.seq < event.seq
        if event.type == "task.blocked":
            data = catalog.decode(event.type, event.data)
            assert self.model.state(event.id).status == "ready"
            assert data.parent in self.model.parents(event.id)
            assert data.reason.startswith(f"parent {data.parent} is ")
        else:
            assert event.type == "task.requeued"
            assert self.model.state(event.id).blocked_parent is not None
            assert before.state(event.id).status in ("ready", "blocked")

    # ------------------------------------------------------------------ choosing

    def known(self, place: int) -> str:
        """The id of a known task; the last place is that of a letter, which may be no task's."""
        ids = sorted(self.model.tasks)
        return ids[place % len(ids)] if ids and place < PLACES - 1 else IDS[len(ids) % len(IDS)]

    def one_of(self, pool: Sequence[str], place: int) -> str:
        """The id of a task where the command makes sense, mostly; sometimes any."""
        return pool[place % len(pool)] if pool and place < PLACES - 4 else self.known(place)

    def ended(self) -> list[str]:
        """The tasks whose turn is over, for good or for now."""
        ended = ("done", *FALLEN)
        return sorted(task_id for task_id, known in self.model.tasks.items() if known.state.status in ended)

    def a_run(self, turn: Turn) -> tuple[str, int]:
        """A task and a run of it: one that is held, any, or none at all."""
        held = [(task_id, self.model.state(task_id).run_id or 0) for task_id in self.model.held()]
        pool = held if turn.current and held else [(task_id, run) for run, task_id in sorted(self.model.runs.items())]
        return pool[turn.place % len(pool)] if pool else (self.known(turn.place), BOGUS_RUN)

    def named(self, asked: Sequence[Request]) -> list[tuple[str, task.TaskCreated]]:
        """The requests with their ids and their parents, which may be tasks of the same request or not exist."""
        ids = sorted(self.model.tasks)
        own = []
        for turn, request in enumerate(asked):
            fresh = request.fresh and len(ids) < TASKS_MAX
            own.append(f"{request.letter}{len(ids) + turn}" if fresh else request.letter)
        parents = [*ids, *own[:1], own[-1]]
        named = []
        for task_id, request in zip(own, asked, strict=True):
            due = None if request.due_seconds is None else self.model.now + timedelta(seconds=request.due_seconds)
            chosen = [parents[place % len(parents)] if place < PLACES - 1 else "nobody" for place in request.parents]
            chosen = [parent for parent in chosen if parent != task_id or request.letter == "a"]
            named.append((task_id, structs.replace(request.definition, depends_on=chosen, next_run_at=due)))
        return named


def histories(count: int, steps: int, **differing: Any) -> settings:
    """How Hypothesis plays so many histories of at most so many steps."""
    usual = {"deadline": None, "print_blob": True, "suppress_health_check": list(HealthCheck)}
    return settings(max_examples=count, stateful_step_count=steps, **(usual | differing))


def play(machine: Callable[[World], RuleBasedStateMachine], world: World, how: settings) -> None:
    """Random histories in this world. Raises what the shortest one that fails raises."""
    factory: Any = lambda: machine(world)  # noqa: E731
    run_state_machine_as_test(factory, settings=how)


async def _awaited(command: Awaitable[Any]) -> Any:
    return await command


def _by_stream(events: Any) -> list[Any]:
    """Streams in order of id; within a stream the order stays."""
    return sorted(events, key=lambda event: event.id)


def _unsealed(data: Any) -> Any:
    """An event without the digests of artifacts, which the audit compares with what is stored."""
    return structs.replace(data, artifacts=[]) if isinstance(data, TaskDone | TaskFailed) else data
