"""A task that is done, or failed, without a run: an operator says so."""

import msgspec
import pytest
from asyncpg import Connection

from events.commands import Commands
from events.connect import Database
from events.errors import IllegalTransition, NotFound
from events.reports import Report
from events.task import TaskDone
from projections.audit import audit
from projections.views import Views
from tests.events.test_dependency_stories import HUMAN, create, states, work

NOTE = "done in the field"


@pytest.mark.parametrize("before", ["ready", "waiting", "failed", "blocked", "cancelled"])
async def test_done_without_a_run(commands: Commands, connection: Connection, database: str, before: str) -> None:
    """From wherever it rests: its children go on, no run is counted, and the log says who said so."""
    await create(commands, parent=[], a=["parent"] if before == "waiting" else [], child=["a"])
    match before:
        case "failed":
            await commands.fail_task("a", "no", HUMAN)
        case "blocked":
            await commands.block("a", "no", HUMAN)
        case "cancelled":
            await commands.cancel("a", "no", HUMAN)
    await commands.close("a", NOTE, HUMAN)
    await commands.close("a", NOTE, HUMAN)  # twice is no error

    found = await states(connection)
    assert (("done", None), "ready") == (found["a"], found["child"][0])
    [event] = await connection.fetch("SELECT actor, data FROM log.events WHERE id = 'a' AND type = 'task.done'")
    assert (HUMAN, {"run_id": None, "summary": NOTE}) == (event["actor"], msgspec.json.decode(event["data"]))
    assert [] == await connection.fetch("SELECT FROM view.runs UNION ALL SELECT FROM view.run_counts")
    assert ["parent", "child"] == await work(commands)
    assert [] == (await audit(Database(database).connect_direct, lambda *_: None)).differences


async def test_done_tasks_are_listed_whoever_did_them(commands: Commands, database: str) -> None:
    """By their runs, newest first; behind them those without one. Page by page, none twice, none left out."""
    await create(commands, **{f"t{number}": [] for number in range(4)}, **{f"c{number}": [] for number in range(3)})
    for number in range(3):
        await commands.close(f"c{number}", NOTE, HUMAN)
    assert ["t0", "t1", "t2", "t3"] == await work(commands)
    expected = ["t3", "t2", "t1", "t0", "c2", "c1", "c0"]
    async with Database(database).pool(2) as pool:
        for limit in (1, 2, 4, 7):
            page = await Views(pool).tasks(status="done", limit=limit)
            found = msgspec.json.decode(page.data)
            while page.next is not None:
                page = await Views(pool).tasks(status="done", limit=limit, cursor=page.next)
                found += msgspec.json.decode(page.data)
            assert (expected, 7) == ([task["id"] for task in found], page.total)


async def test_a_run_under_way_is_not_passed_over(commands: Commands, connection: Connection) -> None:
    """While a run is current only its own end ends the task; an unknown task is none."""
    await create(commands, a=[])
    [claimed] = (await commands.claim("r", 1, "runner:r")).tasks
    with pytest.raises(IllegalTransition):
        await commands.close("a", NOTE, HUMAN)
    with pytest.raises(NotFound):
        await commands.close("b", NOTE, HUMAN)
    done = Report("a", claimed.run_id, TaskDone(claimed.run_id), "runner:r")
    assert [None] == await commands.report([done])
    assert ("done", None) == (await states(connection))["a"]
