"""Another priority for a task that waits."""

from datetime import UTC, datetime, timedelta

import pytest
from asyncpg import Connection

from events.commands import Commands
from events.errors import IllegalTransition, NotFound
from events.task import TaskCreated

HUMAN = "human:ana"


async def queue(connection: Connection) -> list[tuple[str, int]]:
    """What can be claimed, in order."""
    rows = await connection.fetch("SELECT id, priority FROM view.ready ORDER BY priority, position")
    return [(row["id"], row["priority"]) for row in rows]


async def test_it_changes_the_claim_order(commands: Commands, connection: Connection) -> None:
    """The last one comes first; among equals the order of creation stays, and claims follow."""
    await commands.create_tasks([(name, TaskCreated("T")) for name in "abcd"], HUMAN)
    assert ["b", "d"] == await commands.prioritize_many(["d", "b", "b"], 5, HUMAN)
    assert [("b", 5), ("d", 5), ("a", 100), ("c", 100)] == await queue(connection)
    assert ["b", "d"] == [task.task_id for task in (await commands.claim("r", 2, "runner:r")).tasks]


async def test_what_rests_and_what_waits_keeps_doing_so(commands: Commands, connection: Connection) -> None:
    """A task that is due later stays so, one that waits for a parent too; freed, they have their new priority."""
    due = datetime.now(UTC) + timedelta(hours=1)
    tasks = [
        ("late", TaskCreated("T", next_run_at=due)),
        ("p", TaskCreated("T")),
        ("c", TaskCreated("T", depends_on=["p"])),
    ]
    await commands.create_tasks(tasks, HUMAN)
    await commands.prioritize_many(["late", "c"], 7, HUMAN)
    assert [("p", 100)] == await queue(connection)
    row = await connection.fetchrow("SELECT due_at, priority FROM view.scheduled WHERE id = 'late'")
    assert (due, 7) == tuple(row)
    await commands.cancel("p", None, HUMAN)
    await commands.requeue("p", actor=HUMAN)
    assert 7 == await connection.fetchval("SELECT priority FROM view.tasks WHERE id = 'c' AND status = 'ready'")


async def test_only_what_waits_can_be_prioritized(commands: Commands, connection: Connection) -> None:
    """One task: refused when it is not ready, a no-op when it has that priority. Many: the others are left."""
    await commands.create_tasks([("a", TaskCreated("T")), ("b", TaskCreated("T"))], HUMAN)
    await commands.prioritize("a", 100, HUMAN)
    await commands.cancel("b", None, HUMAN)
    with pytest.raises(IllegalTransition):
        await commands.prioritize("b", 1, HUMAN)
    with pytest.raises(NotFound):
        await commands.prioritize("none", 1, HUMAN)
    assert ["a"] == await commands.prioritize_many(["a", "b"], 1, HUMAN)
    assert 4 == await connection.fetchval("SELECT count(*) FROM log.events")
