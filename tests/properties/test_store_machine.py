"""The log as a store, against lists: no gap, order kept, conflicts refused, commands carried out once."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec import Struct

from events import catalog
from events.errors import Conflict, ElRusoError
from events.log import NewEvent, append, read_after, read_stream
from events.runner import RunnerHeartbeat
from ops.postgres.server import Server
from tests.properties.player import play
from tests.properties.world import World, a_world

HISTORIES = settings(max_examples=100, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck))
STREAMS = ("a", "b", "c")


class Wish(Struct, frozen=True):
    """An event to append: `off` by how much its version misses the next one, `command` its command's number or 0."""

    stream: str
    free: int
    off: int
    command: int


wishes = st.builds(
    Wish,
    st.sampled_from(STREAMS),
    st.integers(0, 2),
    st.sampled_from([0] * 8 + [-1, 1]),
    st.sampled_from([0, 0, 1, 2, 3, 4]),
)


class StoreMachine(RuleBasedStateMachine):
    """Runners' heartbeats: every one of them is legal, so only versions and commands matter."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.world.run(world.wipe())
        self.streams: dict[str, list[bytes]] = {stream: [] for stream in STREAMS}
        self.order: list[tuple[str, int]] = []
        self.commands: dict[int, NewEvent] = {}

    @rule(drawn=st.lists(wishes, min_size=1, max_size=4))
    def append(self, drawn: list[Wish]) -> None:
        """All of a request is written, or nothing; what was written before under its commands is answered again."""
        events = self._events(drawn)
        new = [(wish, event) for wish, event in zip(drawn, events, strict=True) if wish.command not in self.commands]
        try:
            answer: Any = self.world.run(append(self.world.connection, *events))
        except ElRusoError as refusal:
            answer = refusal
        expected = self._refusal(drawn, events, new)
        if expected is not None:
            assert isinstance(answer, expected), (answer, expected)
            return
        assert not isinstance(answer, Exception), answer
        assert [(event.id, event.version, bytes(event.data)) for event in events] == [
            (event.id, event.version, bytes(event.data)) for event in answer
        ]
        for wish, event in new:
            self.streams[event.id].append(bytes(event.data))
            self.order.append((event.id, event.version))
            if wish.command:
                self.commands[wish.command] = event

    def _events(self, drawn: list[Wish]) -> list[NewEvent]:
        """A known command is sent again as it was, mostly; the others take their stream's next versions."""
        events = []
        lengths = {stream: len(known) for stream, known in self.streams.items()}
        for wish in drawn:
            if wish.command in self.commands and wish.off == 0:
                events.append(self.commands[wish.command])
                continue
            if wish.command not in self.commands:
                lengths[wish.stream] += 1
            command = UUID(int=wish.command) if wish.command else None
            version = max(1, lengths[wish.stream] + wish.off)
            events.append(NewEvent.of(RunnerHeartbeat({"free": wish.free}), wish.stream, version, "runner:r", command))
        return events

    def _refusal(
        self, drawn: list[Wish], events: list[NewEvent], new: list[tuple[Wish, NewEvent]]
    ) -> type[ElRusoError] | None:
        commands = [wish.command for wish, _ in new if wish.command]
        if len(set(commands)) < len(commands):
            return Conflict
        lengths = {stream: len(known) for stream, known in self.streams.items()}
        for _, event in new:
            lengths[event.id] += 1
            if event.version != lengths[event.id]:
                return Conflict  # which one depends on whether the batch or the log shows it first
        for wish, event in zip(drawn, events, strict=True):
            if wish.command in self.commands and not _same(self.commands[wish.command], event):
                return Conflict
        return None

    @invariant()
    def log_is_what_was_appended(self) -> None:
        """Each stream reads back as its list, the whole log as all of them in order."""
        for stream, known in self.streams.items():
            events = self.world.run(read_stream(self.world.connection, "runner", stream))
            assert list(enumerate(known, 1)) == [(event.version, bytes(event.data)) for event in events]
        log = self.world.run(read_after(self.world.connection, 0))
        assert self.order == [(event.id, event.version) for event in log]
        assert sorted(event.seq for event in log) == [event.seq for event in log]
        assert all(catalog.decode(event.type, event.data) for event in log)


def _same(known: NewEvent, event: NewEvent) -> bool:
    return (known.id, known.version, bytes(known.data)) == (event.id, event.version, bytes(event.data))


@pytest.fixture
def world(postgres: Server) -> Iterator[World]:
    """A database for many histories."""
    with a_world(postgres) as world:
        yield world


@pytest.mark.timeout(300)
def test_the_log_is_a_list_of_lists(world: World) -> None:
    """In a hundred random histories the log answers as plain lists would."""
    play(StoreMachine, world, HISTORIES)
