"""What the streams have in common: a transition table, and the question whether an event is legal.

Each stream module holds its own table as data (`TRANSITIONS`), its state Struct and a pure
`evolve(state, event)`. The same table stands in schema.sql as `log.transitions`; a test compares them,
and docs/state-machines.md is drawn from it.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime

from msgspec import Struct


class Transition(Struct, frozen=True):
    """One event type: the statuses it may come from, and the one it leads to.

    `sources` holds "" for a stream that does not exist yet.
    """

    sources: tuple[str, ...]
    target: str


Transitions = Mapping[str, Transition]


class Placed(Struct, frozen=True):
    """What of an event's envelope may matter to the state after it."""

    version: int
    seq: int
    at: datetime
    actor: str


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
