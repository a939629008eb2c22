"""What random histories are made of: requests for tasks, reports of runs, links of raw chains."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from math import prod
from typing import Any

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


class Turn(Struct, frozen=True):
    """One report to come: of a run that is still held or of any, ever; or, in a raw chain, one event."""

    place: int
    current: bool
    kind: type[Struct]
    retry: bool
    wrong: bool = False


def pick(draw: st.DrawFn, choices: Sequence[Sequence[Any]]) -> Iterator[Any]:
    """One of each, all chosen by one draw: a draw costs Hypothesis as much as a row costs PostgreSQL."""
    number = draw(st.integers(0, prod(map(len, choices)) - 1))
    for choice in choices:
        number, place = divmod(number, len(choice))
        yield choice[place]


PARENTS_MAX = 3
MOSTLY = (True, True, True, False)
DEFINITIONS = [
    task.TaskCreated(title=title, priority=priority, max_attempts=max_attempts, timeout_seconds=timeout_seconds)
    for title in ("x", "y")
    for priority in (0, 100, 100, 1000)
    for max_attempts in (1, 2, 3)
    for timeout_seconds in (None, None, 20.0)
]
PARENTS = [range(PARENTS_MAX + 1), *[range(PLACES)] * PARENTS_MAX]
REQUESTS = [IDS, MOSTLY, (None, None, None, 5, 40, -10), DEFINITIONS]
REPORTED = (task.TaskStarted, task.TaskStep, task.TaskDone, task.TaskDone, task.TaskFailed)
TURNS = [range(PLACES), MOSTLY, REPORTED, (True, True, False)]
LINKS = [
    range(PLACES),
    [True] * 9 + [False],
    list(task.EVENT_TYPES.values()),
    (False, True),
    [False] * 3 + [True],
]


@st.composite
def any_request(draw: st.DrawFn) -> Request:
    """A request for a task with up to PARENTS_MAX parents."""
    letter, fresh, due_seconds, definition = pick(draw, REQUESTS)
    count, *parents = pick(draw, PARENTS)
    return Request(letter, fresh, tuple(parents[:count]), due_seconds, definition)


@st.composite
def any_turn(draw: st.DrawFn, choices: Sequence[Sequence[Any]]) -> Turn:
    """A turn made of these choices."""
    return Turn(*pick(draw, choices))


requests, turns, links = any_request(), any_turn(TURNS), any_turn(LINKS)


def report_event(turn: Turn, run: int) -> RunEvent:
    """What a run says."""
    match turn.kind:
        case task.TaskStep:
            return task.TaskStep(run, turn.place % 3 + 1, "step", "true", turn.place)
        case task.TaskDone:
            return task.TaskDone(run, turn.place, "fine", file_changes=[task.FileChange("a.py", added=turn.place)])
        case task.TaskFailed:
            return task.TaskFailed(run, "boom", turn.place)
    return task.TaskStarted(run, "task/branch" if turn.retry else None, None if turn.retry else "0123abc")


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
