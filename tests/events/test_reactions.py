"""What follows in the log from events of other streams."""

import asyncpg

from events.commands import Commands
from events.connect import Database
from events.task import TaskCreated

GO_ON = """
    INSERT INTO log.events (kind, id, version, type, actor, data)
    SELECT 'task', 'parent', t.version + e.place, e.type, 'human:psql', e.data::json
    FROM view.tasks t, (VALUES (1, 'task.requeued', '{"reason":"mended"}'),
                               (2, 'task.claimed', '{"runner":"r","attempt":1}')) AS e (place, type, data)
    WHERE t.id = 'parent' ORDER BY e.place
"""


async def test_children_rise_with_a_parent_that_has_gone_on(database: str) -> None:
    """A parent requeued and claimed in one statement revives the child that its end had blocked."""
    connection = await asyncpg.connect(database)
    async with Commands(Database(database)) as commands:
        tasks = [("parent", TaskCreated("a parent")), ("child", TaskCreated("a child", depends_on=["parent"]))]
        await commands.create_tasks(tasks, "human:test")
        await commands.block("parent", "a test", "human:test")
    status = "SELECT status FROM view.tasks WHERE id = 'child'"
    assert "blocked" == await connection.fetchval(status)
    await connection.execute(GO_ON)
    assert "ready" == await connection.fetchval(status)
    await connection.close()
