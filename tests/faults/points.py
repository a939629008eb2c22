"""Where a run can be stopped, and by what. Points are found by a run that nothing stops, so new code is covered too."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from msgspec import Struct

from tests.faults.stack import LINKS, Link

Place = Literal[
    "git-before",
    "git-after",
    "message",
    "step",  # the step goes on after recovery
    "step-end",  # the step ends while the fault lasts
]
Fault = Literal[
    "runner",  # kill -9 of the runner; what it waited for never happens
    "runner-late",  # the same, but its git call is carried out while the next attempt runs
    "git",  # kill -9 of the git process
    "step",  # kill -9 of every process of the step
    "shell",  # kill -9 of the step's first process only
    "api",  # kill -9 of the API, started again at once
    "api-long",  # started again when the lease is over
    "postmaster",
    "postmaster-long",
    "cut",  # every connection is closed, new ones are accepted
    "cut-long",  # none is accepted until the lease is over
    "silence",  # nothing arrives any more until the lease is over, and nothing is closed
    "takeover",  # every connection of the runner is cut until another runner has begun the next attempt
]
Story = Literal["chain", "failing"]

_ANYWHERE: tuple[Fault, ...] = ("runner", "postmaster", "postmaster-long", "cut", "cut-long", "silence", "takeover")
_FAULTS: dict[Place, tuple[Fault, ...]] = {
    "git-before": ("git", "runner-late", *_ANYWHERE),
    "git-after": ("git", *_ANYWHERE),
    "message": _ANYWHERE,
    "step": ("step", "shell", *_ANYWHERE),
    "step-end": _ANYWHERE,
}
_OF_HTTP: tuple[Fault, ...] = ("api", "api-long")
STRIDE = 17  # prime, and no divisor of the number of calls or messages
STORIES: tuple[Story, ...] = ("chain", "failing")


class Point(Struct, frozen=True):
    """A fault at the `number`-th call or message of a story, or in the middle of a step (then the number is 1)."""

    story: Story
    place: Place
    number: int
    fault: Fault

    @property
    def is_in_step(self) -> bool:
        """Whether the fault waits for a step instead of a call or a message."""
        return self.place.startswith("step")

    @property
    def takes_the_run_away(self) -> bool:
        """Whether the run cannot go on after it."""
        return self.fault in ("runner", "step", "shell", "silence", "takeover") or self.fault.endswith("-long")

    def __str__(self) -> str:
        """As `read_point` takes it."""
        return f"{self.story}:{self.place}:{self.number}:{self.fault}"


class Found(Struct, frozen=True):
    """How many calls of git and messages one story takes when nothing stops it."""

    story: Story
    calls: int
    messages: int

    def numbers(self, place: Place) -> range:
        """Every number that a point in this place can have."""
        counts = {"git-before": self.calls, "git-after": self.calls, "message": self.messages}
        return range(1, counts.get(place, 1) + 1)


def read_point(text: str) -> Point:
    """The point that a failure names."""
    story, place, number, fault = text.split(":")
    return Point(story, place, int(number), fault)  # type: ignore[arg-type]


def every_point(link: Link, found: Iterable[Found]) -> Iterator[Point]:
    """All of them."""
    for story in found:
        for place, fault in _kinds(link):
            for number in story.numbers(place):
                yield Point(story.story, place, number, fault)


SAMPLED = 9  # of so many kinds one is played in the normal suite, which must stay short; -m soak plays all


def sample(link: Link, found: Sequence[Found]) -> list[Point]:
    """Every ninth kind of point, once, other ones on each link. Always the same ones for the same code.

    The numbers are spread over the whole way of a run.
    """
    kinds = _kinds(link)[LINKS.index(link) :: SAMPLED]
    chosen = []
    for turn, (place, fault) in enumerate(kinds):
        story = found[turn % 4 == 3]  # the chain is the longer way
        numbers = story.numbers(place)
        chosen.append(Point(story.story, place, numbers[turn * STRIDE % len(numbers)], fault))
    return chosen


def _kinds(link: Link) -> list[tuple[Place, Fault]]:
    more = _OF_HTTP if link == "http" else ()
    return [(place, fault) for place, faults in _FAULTS.items() for fault in (*faults, *more)]
