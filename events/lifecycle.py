"""What the streams have in common: a transition table, and the question whether an event is legal.

Each stream module holds its own table as data (`TRANSITIONS`), its state Struct and a pure
`evolve(state, data, event)`, where `data` is what the event says. The same table stands in schema.sql as
`log.transitions`; a test compares them, and docs/state-machines.md is drawn from it.
"""

from collections.abc import Iterator, Mapping
from typing import Protocol

from msgspec import Struct

from events.errors import IllegalTransition, WrongVersion
from events.event import Event


class Transition(Struct, frozen=True):
    """One event type: the statuses it may come from, and the one it leads to.

    `sources` holds "" for a stream that does not exist yet.
    """

    sources: tuple[str, ...]
    target: str


Transitions = Mapping[str, Transition]


class State(Protocol):
    """What the state of any stream knows; at first version 0 and no status."""

    @property
    def version(self) -> int:
        """How many events there were."""

    @property
    def status(self) -> str:
        """Where they led to."""


def next_status(table: Transitions, state: State, event: Event) -> str:
    """The status after one more event. Raises WrongVersion if it is not the next one; IllegalTransition."""
    if event.version != state.version + 1:
        raise WrongVersion(f"expected version {state.version + 1}, got {event.version}")
    status = status_after(table, state.status, event.type)
    if status is None:
        raise IllegalTransition(f"{event.type} is not possible while the {event.kind} is {state.status or 'unknown'}")
    return status


def status_after(table: Transitions, status: str, event_type: str) -> str | None:
    """The status that `event_type` leads to from `status`, or None when the table forbids it."""
    transition = table.get(event_type)
    if transition is None or status not in transition.sources:
        return None
    return transition.target


def mermaid(table: Transitions) -> Iterator[str]:
    """The table as the lines of a Mermaid state diagram."""
    yield "stateDiagram-v2"
    for event_type, transition in table.items():
        for source in transition.sources:
            yield f"    {source or '[*]'} --> {transition.target}: {event_type}"
