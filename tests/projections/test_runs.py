"""Runs, runners, the system, output and artifacts, as they are shown."""

import msgspec
import pytest
from asyncpg import Connection

from events.errors import InvalidInput
from events.runner import RunnerHeartbeat, RunnerStarted, RunnerStopped
from events.system import SystemPaused, SystemResumed
from events.task import FileChange, TaskDone, TaskRequeued, TaskStep
from projections.output import WholeArtifact
from projections.views import Views
from tests.projections.history import append, claim, create, execute, ids


async def test_a_run_shows_its_steps_and_file_changes(connection: Connection, views: Views) -> None:
    """Its id is a string of digits; steps stand in order, with their exit codes and output; so do the changed files."""
    await create(connection, "a")
    run = await execute(connection, "a")

    shown = msgspec.json.decode(await views.run(run) or b"")

    assert (str(run), "a", "done", "r1", 1, "fine", "abc123", "task/a", 20, None) == tuple(
        shown[x]
        for x in (
            "id",
            "task_id",
            "status",
            "runner",
            "attempt",
            "summary",
            "commit_hash",
            "branch",
            "duration_ms",
            "error",
        )
    )
    (step,) = shown["steps"]
    assert (1, "test", "test", "make test", 0, "output", 18) == tuple(
        step[x] for x in ("number", "name", "step_name", "cmd", "exit_code", "output_excerpt", "duration_ms")
    )
    assert step["started_at"] < step["finished_at"]
    (change,) = shown["file_changes"]
    assert ("a.py", "modified", 2, 1) == tuple(change[x] for x in ("path", "change", "added", "removed"))
    assert [] == shown["artifacts"]
    assert shown["claimed_at"] <= shown["started_at"] <= shown["finished_at"]


async def test_an_unknown_run_is_none(views: Views) -> None:
    """Looking for what does not exist is no error."""
    assert await views.run(1) is None


@pytest.mark.parametrize("limit", [1, 2, 50])
async def test_runs_are_listed_newest_first(connection: Connection, views: Views, limit: int) -> None:
    """All of them, by status, and those of one task, page by page."""
    await create(connection, "a", "b", "c")
    first = await execute(connection, "a", fails=True)
    second = await execute(connection, "b")
    await append(connection, "a", TaskRequeued("again"))
    third = await execute(connection, "a")
    fourth = await claim(connection, "c")

    async def listed(**query: str) -> list[int]:
        page = await views.runs(limit=limit, **query)
        found = ids(page)
        while page.next:
            page = await views.runs(limit=limit, cursor=page.next, **query)
            found += ids(page)
        return [int(run) for run in found]

    assert [fourth, third, second, first] == await listed()
    assert [third, first] == await listed(task_id="a")
    assert [first] == await listed(task_id="a", status="failed")
    assert [first] == await listed(status="failed")
    assert [fourth] == await listed(status="running")
    assert [] == await listed(status="cancelled")
    with pytest.raises(InvalidInput, match="cursor"):
        await views.runs(cursor="task-5-0")


async def test_a_run_has_its_own_end_whatever_becomes_of_the_task(connection: Connection, views: Views) -> None:
    """A run that was taken away is not done and not failed: it says by what it was ended."""
    await create(connection, "a")
    run = await claim(connection, "a")
    await append(connection, "a", TaskRequeued("runner r1 was lost", run))
    again = await claim(connection, "a", attempt=2)
    changes = [FileChange("b"), FileChange("a", "renamed", None, None, "z")]
    await append(
        connection, "a", TaskStep(again, 2, "two"), TaskStep(again, 1, "one"), TaskDone(again, file_changes=changes)
    )

    taken = msgspec.json.decode(await views.run(run) or b"")
    done = msgspec.json.decode(await views.run(again) or b"")

    assert ("requeued", "runner r1 was lost") == (taken["status"], taken["error"])
    assert ["one", "two"] == [step["name"] for step in done["steps"]]
    assert ["a", "b"] == [change["path"] for change in done["file_changes"]]


async def test_runners_are_online_while_they_are_seen(connection: Connection, views: Views) -> None:
    """Seen within a minute and not stopped: online. What they hold is counted."""
    await append(connection, "gone", RunnerStarted({"host": "a"}), RunnerStopped())
    await append(connection, "here", RunnerStarted({"host": "b"}), RunnerHeartbeat())
    await connection.execute("SELECT set_config('elruso.now', (now() - interval '61 seconds')::text, false)")
    await append(connection, "late", RunnerHeartbeat())
    await connection.execute("RESET elruso.now")
    await create(connection, "a")
    await claim(connection, "a", by="here")

    listed = msgspec.json.decode(await views.runners())

    assert [("here", "online", 1), ("gone", "offline", 0), ("late", "offline", 0)] == [
        (row["runner_id"], row["status"], row["running"]) for row in listed
    ]
    times = {"last_seen_at", "started_at", "stopped_at", "draining_since"}
    assert {"id", "runner_id", "status", "draining_by", "draining_reason", "meta", "running"} | times == set(listed[0])
    assert {"host": "b"} == listed[0]["meta"]


async def test_runners_of_past_starts_are_a_list_of_their_own(connection: Connection, views: Views) -> None:
    """Who left ten minutes ago, or vanished a day ago, and holds nothing, is listed only when the past is asked for."""
    for name, minutes, *events in (
        ("left long ago", 11, RunnerStopped()),
        ("left", 9, RunnerStopped()),
        ("vanished long ago", 1441),
        ("vanished", 1439),
        ("holds", 1500),
    ):
        await connection.execute(f"SELECT set_config('elruso.now', (now() - interval '{minutes} min')::text, false)")
        await append(connection, name, RunnerStarted({}), *events)
        if name == "holds":
            await create(connection, "a")
            await claim(connection, "a", by=name)
    await connection.execute("RESET elruso.now")

    listed, past = [msgspec.json.decode(await views.runners(past=past)) for past in (False, True)]

    assert ["left", "vanished", "holds"] == [row["id"] for row in listed]
    assert {"left", "vanished", "holds", "left long ago", "vanished long ago"} == {row["id"] for row in past}


async def test_the_system_is_active_until_it_is_paused(connection: Connection, views: Views) -> None:
    """A system that was never paused says so too."""
    assert not msgspec.json.decode(await views.system())["paused"]
    await append(connection, "main", SystemPaused("lunch"))
    paused = msgspec.json.decode(await views.system())
    assert ("paused", True, "lunch", "human:ana") == tuple(
        paused[x] for x in ("status", "paused", "reason", "changed_by")
    )
    await append(connection, "main", SystemResumed())
    assert "active" == msgspec.json.decode(await views.system())["status"]


async def test_output_is_read_in_pieces(connection: Connection, views: Views) -> None:
    """In order, of all steps or one, and on from where one stopped."""
    await connection.execute(
        """INSERT INTO log.output (run_id, chunk, step, stream, data)
           SELECT 7, n, 1 + n / 3, 'stdout', 'line ' || n FROM generate_series(1, 5) n"""
    )

    page = await views.output(7, limit=3)
    assert [1, 2, 3] == [piece["number"] for piece in msgspec.json.decode(page.data)]
    assert "3" == page.next
    rest = await views.output(7, after=3, limit=3)
    assert (["line 4", "line 5"], None) == ([piece["data"] for piece in msgspec.json.decode(rest.data)], rest.next)
    assert {"number", "step", "stream", "at", "data"} == set(msgspec.json.decode(rest.data)[0])
    assert [3, 4, 5] == [piece["number"] for piece in msgspec.json.decode((await views.output(7, step=2)).data)]
    assert b"[]" == (await views.output(8)).data


async def test_artifacts_are_named_by_the_run_and_read_one_by_one(connection: Connection, views: Views) -> None:
    """A run lists the kinds it has; each is read by its kind."""
    await create(connection, "a")
    run = await execute(connection, "a")
    await connection.execute("INSERT INTO log.artifacts (run_id, kind, content) VALUES ($1, 'patch', '+ñ')", run)

    assert ["patch"] == msgspec.json.decode(await views.run(run) or b"")["artifacts"]
    assert WholeArtifact("+ñ") == await views.artifact(run, "patch")
    assert await views.artifact(run, "diffstat") is None
