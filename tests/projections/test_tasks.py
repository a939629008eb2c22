"""Lists of tasks, and each with all that is known about it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from asyncpg import Connection

from events.errors import InvalidInput
from events.task import Acceptance, Step, TaskCancelled, TaskCreated, TaskRequeued
from projections.views import Views
from tests.projections.history import append, claim, create, execute, ids

FIELDS = """
    id phase title body status branch depends_on blocked_by directive_id task_type steps params priority attempts
    max_attempts next_run_at last_error claimed_by claimed_at started_at finished_at created_at timeout_seconds
    waiting_on run_id acceptance allowed_scope version blocked_parent ready_at worker_id
"""


async def all_ids(views: Views, limit: int, **query: Any) -> list[str]:
    """The ids of a whole list, read page by page."""
    page = await views.tasks(limit=limit, **query)
    found = ids(page)
    while page.next is not None:
        page = await views.tasks(limit=limit, cursor=page.next, **query)
        assert len(ids(page)) <= limit
        found += ids(page)
    return found


async def test_a_task_shows_all_its_fields(connection: Connection, views: Views) -> None:
    """What was asked for comes from the event that created the task, what became of it from the view."""
    definition = TaskCreated(
        title="Build",
        body="all of it",
        phase=3,
        steps=[Step("test", "make test", 5.0)],
        params={"deep": {"a": [1, None]}},
        acceptance=Acceptance(["a.py"]),
        allowed_scope=["src/**"],
        branch="main",
        blocked_by=["elsewhere"],
        directive_id="d-1",
    )
    await append(connection, "a", definition)
    run = await claim(connection, "a")

    task = msgspec.json.decode(await views.task("a") or b"")

    assert set(FIELDS.split()) == set(task)
    assert (3, str(run), "running", "r1", 1) == tuple(
        task[x] for x in ("phase", "run_id", "status", "claimed_by", "attempts")
    )
    assert {"deep": {"a": [1, None]}} == task["params"]
    assert [{"name": "test", "cmd": "make test", "timeout_seconds": 5.0}] == task["steps"]
    assert (["a.py"], ["src/**"], "main", ["elsewhere"]) == (
        task["acceptance"]["expected_files"],
        task["allowed_scope"],
        task["branch"],
        task["blocked_by"],
    )


async def test_what_was_not_asked_for_has_its_default(connection: Connection, views: Views) -> None:
    """Lists are empty lists, params an empty object, the rest null."""
    await create(connection, "a")

    task = msgspec.json.decode(await views.task("a") or b"")

    assert [[], [], [], {}, []] == [task[x] for x in ("depends_on", "blocked_by", "steps", "params", "allowed_scope")]
    nothing = (
        "body",
        "phase",
        "branch",
        "directive_id",
        "acceptance",
        "run_id",
        "next_run_at",
        "last_error",
        "timeout_seconds",
    )
    assert {None} == {task[x] for x in nothing}
    assert ("generic", 100, 4, 0, "ready") == tuple(
        task[x] for x in ("task_type", "priority", "max_attempts", "attempts", "status")
    )


async def test_a_phase_keeps_its_type(connection: Connection, views: Views) -> None:
    """3 and "3" are listed under the same phase, each as it was written."""
    await create(connection, "number", phase=3)
    await create(connection, "text", phase="3")
    await create(connection, "none")

    page = await views.tasks(phase="3")

    assert ["3", 3] == [row["phase"] for row in msgspec.json.decode(page.data)]


async def test_an_unknown_task_is_none(views: Views) -> None:
    """Looking for what does not exist is no error."""
    assert await views.task("nobody") is None
    assert b"[]" == await views.tasks_by_id(["nobody"])


async def test_tasks_by_id_keep_the_order_asked_for(connection: Connection, views: Views) -> None:
    """The answer follows the ids; unknown ones are left out."""
    await create(connection, "a", "b", "c")

    assert ["c", "a"] == [row["id"] for row in msgspec.json.decode(await views.tasks_by_id(["c", "x", "a"]))]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_ready_lists_claimable_then_scheduled_then_waiting(
    connection: Connection, views: Views, limit: int
) -> None:
    """Whatever is ready is listed once, in the order in which it will be claimed, page by page."""
    now = datetime.now(UTC)
    await create(connection, "low", priority=500)
    await create(connection, "first", "second")
    await create(connection, "urgent", priority=0)
    await create(connection, "later", next_run_at=now + timedelta(hours=2))
    await create(connection, "sooner", "sooner too", next_run_at=now + timedelta(hours=1))
    await create(connection, "child", depends_on=["low"])
    await create(connection, "grandchild", depends_on=["child", "later"])
    await create(connection, "done", "failed")
    await execute(connection, "done")
    await execute(connection, "failed", fails=True)

    expected = ["urgent", "first", "second", "low", "sooner", "sooner too", "later", "child", "grandchild"]
    assert expected == await all_ids(views, limit, status="ready")
    assert 9 == (await views.tasks(status="ready", limit=limit)).total


async def test_what_waits_for_a_running_or_scheduled_parent_is_ready(connection: Connection, views: Views) -> None:
    """A child of a parent in flight is listed as ready, with the count of parents it waits for."""
    await create(connection, "parent")
    await create(connection, "child", depends_on=["parent"])
    run = await claim(connection, "parent")
    assert ["child"] == ids(await views.tasks(status="ready"))

    later = datetime.now(UTC) + timedelta(hours=1)
    await append(connection, "parent", TaskRequeued("lost", run, later))
    page = await views.tasks(status="ready")
    assert [("parent", 0), ("child", 1)] == [(row["id"], row["waiting_on"]) for row in msgspec.json.decode(page.data)]


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_all_others_are_listed_newest_first(connection: Connection, views: Views, limit: int) -> None:
    """Without a filter, by status, by phase and by directive; the total is known where the counters know it."""
    await create(connection, "a", "b", phase="one")
    await create(connection, "c", "d", phase="two", directive_id="d-1")
    await create(connection, "e", directive_id="d-1")
    await execute(connection, "a")
    await execute(connection, "d")
    await execute(connection, "c", fails=True)
    await claim(connection, "b")

    assert ["e", "d", "c", "b", "a"] == await all_ids(views, limit)
    assert ["d", "a"] == await all_ids(views, limit, status="done")
    assert ["b"] == await all_ids(views, limit, status="running")
    assert [] == await all_ids(views, limit, status="cancelled")
    assert ["d", "c"] == await all_ids(views, limit, phase="two")
    assert ["e", "d", "c"] == await all_ids(views, limit, directive_id="d-1")
    assert ["e"] == await all_ids(views, limit, directive_id="d-1", status="ready")
    assert ["d"] == await all_ids(views, limit, phase="two", status="done")
    assert ["c"] == await all_ids(views, limit, text="TASK c")
    assert [5, 2, 0, None] == [
        (await views.tasks(limit=limit, **query)).total
        for query in ({}, {"status": "done"}, {"status": "blocked"}, {"phase": "two"})
    ]


async def test_a_rare_word_is_found_window_by_window(
    connection: Connection, views: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page looks at so many tasks and no more; its `next` leads on to what lies behind them."""
    monkeypatch.setattr("projections.tasks.WINDOW", 3)
    await create(connection, "needle", *"abcdefgh")

    page = await views.tasks(text="eedl")
    assert ([], None) == (ids(page), page.total)
    assert page.next
    assert ["needle"] == await all_ids(views, 10, text="eedl")
    assert [] == await all_ids(views, 10, phase="nowhere")


async def test_a_rare_status_is_found_at_once(
    connection: Connection, views: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is done, stopped or waits is found without looking at what is newer, until it comes back."""
    monkeypatch.setattr("projections.tasks.WINDOW", 3)
    await create(connection, "a", "b", "parent")
    await create(connection, "child", depends_on=["parent"])
    await execute(connection, "a")
    await append(connection, "b", TaskCancelled())
    await create(connection, *"cdefgh")
    for status, expected in (("done", ["a"]), ("cancelled", ["b"])):
        page = await views.tasks(status=status)
        assert (expected, 1, None) == (ids(page), page.total, page.next)
    waiting = await all_ids(views, 2, status="ready")
    assert "child" == waiting[-1]
    await append(connection, "b", TaskRequeued("after all"))
    await execute(connection, "parent")
    assert [] == await all_ids(views, 2, status="cancelled")
    assert {"b", "child", *"cdefgh"} == set(await all_ids(views, 2, status="ready"))
    assert [] == await connection.fetch("SELECT * FROM view.aside")


@pytest.mark.parametrize(
    "cursor", ["", "x", "newest", "newest-1-2-3", "ready-1-1", "newest--1", "newest-99999999999999999999"]
)
async def test_a_cursor_of_another_list_is_refused(views: Views, cursor: str) -> None:
    """A cursor that this list did not give is a 400, not an empty page."""
    with pytest.raises(InvalidInput, match="cursor"):
        await views.tasks(cursor=cursor)
