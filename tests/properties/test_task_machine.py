"""Random histories: PostgreSQL, the pure model, the second bookkeeper and a rebuild agree, whatever is done."""

import re
from collections.abc import Iterator

import pytest

from ops.postgres.server import Server
from tests.properties.bugs import BUGS
from tests.properties.player import histories, play
from tests.properties.soak import Batch, Played, batches, soak
from tests.properties.task_machine import TaskMachine
from tests.properties.world import World, a_world


@pytest.fixture
def world(postgres: Server) -> Iterator[World]:
    """A database for many histories."""
    with a_world(postgres) as world:
        yield world


@pytest.mark.timeout(300)
def test_five_hundred_histories(world: World) -> None:
    """In 500 random histories everything that keeps books agrees after every step."""
    play(TaskMachine, world, histories(500, steps=25))


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_twenty_thousand_histories(postgres: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """The same in 20 000 histories, twice as long, in a process for each core; `elruso bench soak` does it too."""

    def told(played: Played) -> None:
        with capsys.disabled():
            print(played, flush=True)

    assert soak(postgres, batches(), told)


def test_soak_plays_every_batch(postgres: Server) -> None:
    """Each batch of a soak is played once, with its own seed and in full; the last one is what is left."""
    heard: list[Played] = []
    wanted = [Batch(seed, 3, 5) for seed in (1, 2, 3)]
    assert soak(postgres, wanted, heard.append, workers=2)
    assert wanted == sorted((played.batch for played in heard), key=lambda batch: batch.seed)
    assert all(played.histories >= 3 and played.steps >= 3 for played in heard)
    assert [(1, 250), (2, 250), (3, 20)] == [(batch.seed, batch.histories) for batch in batches(520)]


def test_soak_finds_a_planted_bug_and_says_where(postgres: Server) -> None:
    """What fails ends the soak: it names the seed and the shortest history, and begins no other batch after it."""
    heard: list[Played] = []
    [bug] = [bug for bug in BUGS if bug.name == "a parent's end frees nobody"]
    wanted = [Batch(seed, 30, 10) for seed in range(7, 17)]
    assert not soak(postgres, wanted, heard.append, workers=1, schema=bug.planted())
    found = heard.pop()
    assert f"seed {found.batch.seed}: " in str(found)
    assert re.search(r"state\.(work|report)\(.*\)\nstate\.views_agree\(\)\nstate\.teardown\(\)", str(found))
    assert len(heard) < 9
    assert not any(played.failure for played in heard)
