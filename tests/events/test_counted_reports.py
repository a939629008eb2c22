"""Reports of a runner that counts its runs' events: appended as they stand, and fenced all the same."""

from asyncpg import Connection

from events.claims import Claimed
from events.commands import Commands
from events.errors import LeaseLost
from events.reports import Report, RunEvent
from events.task import TaskCreated, TaskDone, TaskStarted, TaskStep

TYPES = "SELECT array_agg(type ORDER BY version) FROM log.events WHERE id = $1"
ACTOR = "runner:r"


async def claimed(commands: Commands, *ids: str) -> list[Claimed]:
    """New tasks, claimed."""
    await commands.create_tasks([(task_id, TaskCreated("t")) for task_id in ids], "human:ana")
    return (await commands.claim("r", len(ids), ACTOR)).tasks


def counted(task: Claimed, place: int, event: RunEvent) -> Report:
    """A report that says which event of its task it is; `place` 1 follows the claim."""
    return Report(task.task_id, task.run_id, event, ACTOR, version=task.version + place)


def life(task: Claimed) -> list[Report]:
    """Started and done."""
    return [counted(task, 1, TaskStarted(task.run_id)), counted(task, 2, TaskDone(task.run_id))]


async def test_rightly_counted_reports_are_written(commands: Commands, connection: Connection) -> None:
    """Several runs in one batch, in any order of tasks, end done."""
    first, second = await claimed(commands, "b", "a")
    assert [None] * 4 == await commands.report([*life(second), *life(first)])
    for task_id in ("a", "b"):
        types = await connection.fetchval(TYPES, task_id)
        assert ["task.created", "task.claimed", "task.started", "task.done"] == types


async def test_a_wrong_count_costs_nothing(commands: Commands, connection: Connection) -> None:
    """The log refuses the batch, and it is written after all."""
    [task] = await claimed(commands, "a")
    reports = [counted(task, 4, TaskStarted(task.run_id)), counted(task, 7, TaskDone(task.run_id))]
    assert [None, None] == await commands.report(reports)
    assert ["task.created", "task.claimed", "task.started", "task.done"] == await connection.fetchval(TYPES, "a")


async def test_a_right_count_does_not_open_the_fence(commands: Commands, connection: Connection) -> None:
    """A run that was taken away is refused though it guesses the version; the others of its batch are written."""
    lost, other = await claimed(commands, "a", "b")
    await commands.requeue("a", actor="human:ana")
    [again] = (await commands.claim("r2", 1, "runner:r2")).tasks
    guess = Report("a", lost.run_id, TaskDone(lost.run_id), ACTOR, version=again.version + 1)

    refusals = await commands.report([guess, *life(other)])

    assert [True, False, False] == [isinstance(refusal, LeaseLost) for refusal in refusals]
    assert ("running", again.run_id) == tuple(
        await connection.fetchrow("SELECT status, run_id FROM view.tasks WHERE id = 'a'")
    )
    assert "done" == await connection.fetchval("SELECT status FROM view.tasks WHERE id = 'b'")


async def test_two_starts_of_one_run_are_told_in_order(commands: Commands, connection: Connection) -> None:
    """What is not the plain life of a run goes through the general fold, with the same outcome."""
    [task] = await claimed(commands, "a")
    reports = [
        counted(task, 1, TaskStarted(task.run_id)),
        counted(task, 2, TaskStarted(task.run_id, "task/a")),
        counted(task, 3, TaskStep(task.run_id, 1, "test")),
        counted(task, 4, TaskDone(task.run_id)),
    ]
    assert [None] * 4 == await commands.report(reports)
    run = await connection.fetchrow("SELECT status, branch FROM view.runs WHERE task_id = 'a'")
    assert ("done", "task/a") == tuple(run)

    [task] = await claimed(commands, "b")
    twice = [counted(task, place, TaskStarted(task.run_id)) for place in (1, 2)]
    assert [None, None] == await commands.report(twice)
    assert 4 == await connection.fetchval("SELECT version FROM view.tasks WHERE id = 'b'")
