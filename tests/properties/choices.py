"""What random histories are made of: requests for tasks, reports of runs, links of raw chains."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from hypothesis import strategies as st
from msgspec import Struct, structs

from events import task
from events.reports import RunEvent

IDS = "abcdefgh"
RUNNERS = ("r1", "r2")

PLACES = 20

places = st.integers(0, PLACES - 1)
task_ids = st.sampled_from(IDS)
runner_ids = st.sampled_from(RUNNERS)
texts = st.sampled_from(["x", "y"])


class Request(Struct, frozen=True):
    """A task to be created: a fresh one, mostly; parents are places among the known tasks."""

    letter: str
    fresh: bool
    parents: tuple[int, ...]
    due_seconds: int | None
    definition: task.TaskCreated


requests = st.builds(
    Request,
    task_ids,
    st.sampled_from([True, True, True, False]),
    st.lists(places, max_size=3).map(tuple),
    st.sampled_from([None, None, None, 5, 40, -10]),
    st.builds(
        task.TaskCreated,
        title=texts,
        priority=st.sampled_from([0, 100, 100, 1000]),
        max_attempts=st.integers(1, 3),
        timeout_seconds=st.sampled_from([None, None, 20.0]),
    ),
)


class Turn(Struct, frozen=True):
    """One report to come: of a run that is still held or of any, ever; or, in a raw chain, one event."""

    place: int
    current: bool
    kind: type[Struct]
    retry: bool
    wrong: bool = False


turns = st.builds(
    Turn,
    places,
    st.sampled_from([True, True, True, False]),
    st.sampled_from([task.TaskStarted, task.TaskStep, task.TaskDone, task.TaskDone, task.TaskFailed]),
    st.sampled_from([True, True, False]),
)
links = st.builds(
    Turn,
    places,
    st.sampled_from([True] * 9 + [False]),
    st.sampled_from(list(task.EVENT_TYPES.values())),
    st.booleans(),
    st.sampled_from([False] * 11 + [True]),
)


def report_event(turn: Turn, run: int) -> RunEvent:
    """What a run says."""
    match turn.kind:
        case task.TaskStep:
            return task.TaskStep(run, turn.place % 3 + 1, "step", "true", turn.place)
        case task.TaskDone:
            return task.TaskDone(run, turn.place, "fine", file_changes=[task.FileChange("a.py", added=turn.place)])
        case task.TaskFailed:
            return task.TaskFailed(run, "boom", turn.place)
    return task.TaskStarted(run, "task/branch" if turn.retry else None)


def raw_event(kind: type[Struct], link: Turn, run: int | None, known: Sequence[str], now: datetime) -> Struct:
    """An event of this kind as a stranger might write it by hand; `known` are the ids of tasks."""
    due = now + timedelta(seconds=link.place - 3) if link.retry else None
    match kind:
        case task.TaskCreated:
            ids = [*known, *IDS]
            parents = [ids[link.place % len(ids)]] if link.retry else []
            return task.TaskCreated(
                "raw", priority=link.place, next_run_at=due if link.place > 4 else None, depends_on=parents
            )
        case task.TaskClaimed:
            return task.TaskClaimed("r2", link.place)
        case task.TaskRequeued:
            return task.TaskRequeued(
                "raw", run, due, link.place if link.retry else None, "raw" if link.place > 5 else None
            )
        case task.TaskPrioritized:
            return task.TaskPrioritized(link.place * 50)
        case task.TaskBlocked:
            return task.TaskBlocked("raw", run)
        case task.TaskCancelled:
            return task.TaskCancelled("raw" if link.retry else None, run)
    return report_event(structs.replace(link, kind=kind), run or 0)
