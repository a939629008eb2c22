"""Random histories: PostgreSQL, the pure model, the second bookkeeper and a rebuild agree, whatever is done."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from ops.postgres.server import Server
from tests.properties.player import play
from tests.properties.task_machine import TaskMachine
from tests.properties.world import World, a_world

HISTORIES = settings(
    max_examples=500,
    stateful_step_count=25,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def world(postgres: Server) -> Iterator[World]:
    """A database for many histories."""
    with a_world(postgres) as world:
        yield world


@pytest.mark.timeout(300)
def test_five_hundred_histories(world: World) -> None:
    """In 500 random histories everything that keeps books agrees after every step."""
    play(TaskMachine, world, HISTORIES)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_twenty_thousand_histories(world: World) -> None:
    """The same in 20 000 histories, twice as long."""
    long = settings(HISTORIES, max_examples=20_000, stateful_step_count=50)
    play(TaskMachine, world, long)
