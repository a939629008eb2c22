"""A net is only as good as what it catches: each bug planted here must be found by a few random histories."""

import pytest
from hypothesis import Phase

from ops.postgres.server import Server
from tests.properties.bugs import BUGS, Bug
from tests.properties.player import histories, play
from tests.properties.task_machine import TaskMachine
from tests.properties.world import a_world

HUNT = histories(
    1000,
    steps=25,
    database=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,  # or as many histories again are played to find another way to fail
    print_blob=False,
)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_planted_bug_is_found(postgres: Server, bug: Bug) -> None:
    """Random histories find it."""
    with a_world(postgres, bug.planted()) as world, pytest.raises((AssertionError, BaseExceptionGroup)):
        play(TaskMachine, world, HUNT)
