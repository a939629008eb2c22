"""Where dead rows make a look from the beginning dear, it is made now and then; what is heard of is found at once."""

import pytest

from events import looks
from events.commands import Commands
from events.connect import Database
from events.hint import Hint
from events.task import TaskCreated
from tests.support.waiting import eventually

ACTOR = "runner:r"
TASK = TaskCreated("t")


@pytest.fixture
def dear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look is a dear one, and the rest after it outlasts the test."""
    monkeypatch.setattr(looks, "DEAR_SECONDS", -1.0)
    monkeypatch.setattr(looks, "REST_PER_SECOND", 1e7)


@pytest.fixture
async def others(database: str) -> Commands:
    """Another process, whose hints go unheard."""
    return Commands(Database(database))


async def created(others: Commands) -> tuple[int, int]:
    """A task that is ready; the key under which it waits."""
    async with others:
        [task] = await others.create_tasks([(None, TASK)], "human:h")
    return TASK.priority, task.seq


@pytest.mark.usefixtures("dear")
async def test_a_dear_look_is_not_made_again_at_once(commands: Commands, others: Commands) -> None:
    """Nothing was found, twice: the next claim leaves out what lies before it, and is told when to ask again."""
    once = await commands.claim("r", 1, ACTOR)
    assert once.due_seconds is None
    await commands.claim("r", 1, ACTOR)
    await created(others)
    resting = await commands.claim("r", 1, ACTOR)
    assert not resting.tasks
    assert resting.due_seconds is not None
    assert resting.due_seconds > 1


@pytest.mark.usefixtures("dear")
async def test_what_is_heard_of_is_found_whatever_looking_costs(commands: Commands, others: Commands) -> None:
    """The hint names the key, and the claim begins there."""
    await commands.claim("r", 1, ACTOR)
    await commands.claim("r", 1, ACTOR)
    key = await created(others)
    commands.hear(Hint(ready=key))
    assert 1 == len((await commands.claim("r", 1, ACTOR)).tasks)


async def test_after_the_rest_everything_is_found(
    commands: Commands, others: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody told of waits for the next look, and no longer."""
    monkeypatch.setattr(looks, "DEAR_SECONDS", -1.0)
    await commands.claim("r", 1, ACTOR)
    await commands.claim("r", 1, ACTOR)
    await created(others)

    async def found() -> bool:
        return bool((await commands.claim("r", 1, ACTOR)).tasks)

    assert await eventually(found)


@pytest.mark.usefixtures("dear")
async def test_one_slow_look_is_chance(commands: Commands, others: Commands) -> None:
    """The one after it is made all the same."""
    await commands.claim("r", 1, ACTOR)
    await created(others)
    assert 1 == len((await commands.claim("r", 1, ACTOR)).tasks)


@pytest.mark.usefixtures("dear")
def test_only_looks_that_end_well_count() -> None:
    """One that fails is neither dear nor cheap, and what was no look is neither."""
    desk = looks.Looks()
    with desk.one(True):
        pass
    with pytest.raises(OSError, match="away"), desk.one(True):
        raise OSError("away")
    with desk.one(False):
        pass
    assert not desk.rest_seconds
    with desk.one(True):
        pass
    assert desk.rest_seconds


@pytest.mark.usefixtures("dear")
async def test_a_heartbeat_goes_on_without_looking(commands: Commands, others: Commands) -> None:
    """It says that it did not look, and is a sign of life all the same."""
    await commands.heartbeat("r", None, ACTOR, 15.0)
    looked = await commands.heartbeat("r", None, ACTOR, 15.0)
    await created(others)
    resting = await commands.heartbeat("r", None, ACTOR, 15.0)
    assert looked.held == []
    assert resting.held is None
    assert not resting.ready
    assert resting.seq > looked.seq
