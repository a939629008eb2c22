"""Where dead rows make a look from the beginning dear, it is made now and then; what is heard of is found at once."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import pytest
from asyncpg import Connection
from msgspec.structs import replace

from events import claims, looks
from events.commands import Commands
from events.connect import Database
from events.directive import PlannedTask, RequiredRequest
from events.directives import Proposals
from events.draft import Draft, DraftTask
from events.hint import CHANNEL, Hint
from events.notifier import Notifier
from events.reports import Report
from events.request import RequestProvided
from events.task import TaskCreated, TaskDone
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


URGENT = TaskCreated("urgent", priority=1)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
REQUEUE = """
    INSERT INTO log.events (kind, id, version, type, actor, data)
    SELECT 'task', id, version + 1, 'task.requeued', 'human:ana', '{"reason": "again"}'
    FROM view.tasks WHERE id = 'urgent'
"""
Way = AsyncIterator[None]
"""Prepares an urgent task, which is not ready yet; then makes it ready."""


async def falls_due(others: Commands, _stranger: Connection) -> Way:
    """It was to rest until long ago; nobody tells of that."""
    await others.create_tasks([("urgent", replace(URGENT, next_run_at=LONG_AGO))], "human:h")
    yield


async def requeued(others: Commands, _stranger: Connection) -> Way:
    """It had been cancelled."""
    await others.create_tasks([("urgent", URGENT)], "human:h")
    await others.cancel("urgent", None, "human:h")
    yield
    await others.requeue("urgent", actor="human:h")


async def freed(others: Commands, _stranger: Connection) -> Way:
    """The one that it waited for is done."""
    await others.create_tasks([("p", TASK), ("urgent", replace(URGENT, depends_on=["p"]))], "human:h")
    claimed = await others.claim_task("other", "p", "runner:other")
    yield
    await others.report([Report("p", claimed.run_id, TaskDone(claimed.run_id), "runner:other")])


async def freed_by_a_runner_that_counts(others: Commands, _stranger: Connection) -> Way:
    """The same, in the other statement."""
    await others.create_tasks([("p", TASK), ("urgent", replace(URGENT, depends_on=["p"]))], "human:h")
    claimed = await others.claim_task("other", "p", "runner:other")
    yield
    await others.report([Report("p", claimed.run_id, TaskDone(claimed.run_id), "runner:other", version=3)])


async def prioritized(others: Commands, _stranger: Connection) -> Way:
    """It was less urgent than others before."""
    await others.create_tasks([("urgent", replace(URGENT, priority=500))], "human:h")
    yield
    await others.prioritize("urgent", 1, "human:h")


async def handed_back(others: Commands, _stranger: Connection) -> Way:
    """A runner that leaves gives it back."""
    await others.create_tasks([("urgent", URGENT)], "human:h")
    claimed = await others.claim_task("other", "urgent", "runner:other")
    yield
    await others.hand_back([("urgent", claimed.run_id)], "leaving", "runner:other")


async def risen(others: Commands, _stranger: Connection) -> Way:
    """It was blocked by its parent, which is requeued and done."""
    await others.create_tasks([("p", TASK), ("urgent", replace(URGENT, depends_on=["p"]))], "human:h")
    await others.cancel("p", None, "human:h")
    yield
    await others.requeue("p", actor="human:h")
    claimed = await others.claim_task("other", "p", "runner:other")
    await others.report([Report("p", claimed.run_id, TaskDone(claimed.run_id), "runner:other")])


async def planned(others: Commands, _stranger: Connection) -> Way:
    """The credential comes that its directive waited for."""
    tasks = [DraftTask(PlannedTask(id="urgent", title="u", priority=1), 1)]
    draft = Draft("d", "d", None, [], [], [RequiredRequest("r")], tasks)
    await others.directives.propose(Proposals([draft], "gpt", "auto"))
    yield
    await others.requests.provide("r", RequestProvided(), "human:h")


async def requeued_by_a_stranger(others: Commands, stranger: Connection) -> Way:
    """By psql."""
    await others.create_tasks([("urgent", URGENT)], "human:h")
    await others.cancel("urgent", None, "human:h")
    yield
    await stranger.execute(REQUEUE)


WAYS = [falls_due, requeued, freed, freed_by_a_runner_that_counts, prioritized, handed_back, risen, planned]


@pytest.mark.usefixtures("dear")
@pytest.mark.parametrize("way", [*WAYS, requeued_by_a_stranger])
async def test_what_becomes_ready_is_not_overtaken(
    commands: Commands,
    database: str,
    stranger: Connection,
    way: Callable[[Commands, Connection], Way],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While scans rest, whatever makes an urgent task ready names its place, and the next claim begins there."""
    monkeypatch.setattr(claims, "FLOOR_SECONDS", 0.0)
    heard: list[Hint] = []
    async with Notifier(Database(database)) as notifier, Commands(Database(database), notifier=notifier) as others:
        await commands.claim("r", 1, ACTOR)
        await commands.claim("r", 1, ACTOR)
        becoming = way(others, stranger)
        await anext(becoming)
        await stranger.add_listener(CHANNEL, lambda *told: heard.append(Hint.parse(str(told[-1]))))
        await others.create_tasks([("later", TASK)], "human:h")
        await anext(becoming, None)
        await eventually(
            lambda: way is falls_due or any(hint.ready is not None and hint.ready[0] == 1 for hint in heard),
            describe="the place is named",
        )
        for hint in heard:
            commands.hear(hint)
        assert ["urgent"] == [task.task_id for task in (await commands.claim("r", 1, ACTOR)).tasks]
