"""The audit: two bookkeepers, and every difference between them found."""

from collections.abc import Awaitable, Callable
from hashlib import sha256

import msgspec
import pytest
from asyncpg import Connection

from events.commands import Commands
from events.connect import Database
from events.directive import DirectiveProposed, PlannedTask
from events.errors import Conflict, LeaseLost, NotFound
from events.planner import PlannerFailed
from events.reports import Report
from events.request import RequestDefinition, RequestOpened
from events.runner import RunnerHeartbeat
from events.system import SystemPaused
from events.task import Artifact, TaskCancelled, TaskCreated, TaskDone, TaskFailed, TaskRequeued
from projections.audit import AuditReport, audit
from tests.projections.history import Chance, append, claim, create, execute

Opens = Callable[[], Awaitable[Connection]]


def silent(done: int, total: int) -> None:
    """A progress callback for those who do not ask."""


@pytest.mark.parametrize("seed", range(20, 26))
async def test_the_python_fold_and_the_views_agree(connection: Connection, opens: Opens, seed: int) -> None:
    """After a history with everything in it, no row of any view differs, and every row was compared."""
    await Chance(connection, seed).write(150)

    report = await audit(opens, silent)

    assert [] == report.differences
    assert report.identical
    assert report.events == await connection.fetchval("SELECT count(*) FROM log.events")
    assert report.rows["tasks"] == await connection.fetchval("SELECT count(*) FROM view.tasks")
    assert report.rows["ended_runs"] == await connection.fetchval("SELECT count(*) FROM view.ended_runs")
    assert report.compared == sum(report.rows.values()) > report.rows["tasks"]


async def test_an_empty_log_is_identical(connection: Connection, opens: Opens) -> None:
    """Nothing on both sides is no difference."""
    assert (await audit(opens, silent)).identical


async def _everything(connection: Connection) -> None:
    """At least one row in every view."""
    await create(connection, "parent", "second")
    await create(connection, "child", depends_on=["parent"])
    await execute(connection, "parent")
    await execute(connection, "second", fails=True)
    await claim(connection, "child")
    await create(connection, "waiting", "dropped")
    await append(connection, "dropped", TaskCancelled())
    await append(connection, "r1", RunnerHeartbeat({"host": "here"}))
    await append(connection, "main", SystemPaused("lunch"))
    await append(connection, "REQ-009", RequestOpened(RequestDefinition("OpenAI", scopes=["OPENAI_API_KEY"])))
    plan = [PlannedTask(id="planned", title="planned")]
    await append(connection, "d-1", DirectiveProposed(title="d", digest="x", approval="manual", tasks_to_create=plan))
    await append(connection, "p-1", PlannerFailed(outcome="timeout", error="late", model="gpt-4.1", cost=0.2))


async def test_artifacts_are_those_that_the_end_sealed(connection: Connection, opens: Opens, database: str) -> None:
    """One that is stored otherwise than its run's end says is a difference; one that was pruned is none, nor is one of
    a run that goes on, was taken away, or ended before ends sealed what they left behind."""
    async with Commands(Database(database)) as commands:
        names = ["sealed", "failed", "by hand", "taken", "running"]
        await commands.create_tasks([(name, TaskCreated(name, max_attempts=1)) for name in names], "human:ana")
        runs = {each.task_id: each.run_id for each in (await commands.claim("r", 5, "runner:r")).tasks}
        for run in runs.values():
            await commands.save_artifact(run, "patch", "ñ\n+a")
            await commands.save_artifact(run, "patch", "ñ\n+a")  # again is no error
            with pytest.raises(Conflict, match="another patch"):
                await commands.save_artifact(run, "patch", "+b")
        await commands.report([Report("sealed", runs["sealed"], TaskDone(runs["sealed"]), "runner:r")])
        await commands.report([Report("failed", runs["failed"], TaskFailed(runs["failed"], "x"), "runner:r")])
        await commands.fail_task("by hand", "x", "human:ana")
        await commands.cancel("taken", None, "human:ana")
        for name, kind in (*((name, "patch") for name in names[:4]), ("taken", "diffstat")):
            with pytest.raises(LeaseLost, match="has ended"):
                await commands.save_artifact(runs[name], kind, "+b")
        assert not await commands.save_artifact(
            runs["by hand"], "diffstat", "late"
        )  # marked, and compared with nothing
        with pytest.raises(NotFound):
            await commands.save_artifact(1, "patch", "+b")
    digest = sha256("ñ\n+a".encode()).hexdigest()
    for name in names[:3]:
        data = await connection.fetchval(
            "SELECT data FROM log.events WHERE id = $1 AND type IN ('task.done', 'task.failed')", name
        )
        assert [Artifact("patch", digest, 5)] == decode_end(data).artifacts
    report = await audit(opens, silent)
    assert ([], 6) == (report.differences, report.rows["artifacts"])

    await connection.execute("DELETE FROM log.artifacts WHERE run_id = $1", runs["failed"])
    await connection.execute(
        "INSERT INTO log.artifacts (run_id, kind, content) VALUES ($1, 'diffstat', 'old')", runs["failed"]
    )
    assert (await audit(opens, silent)).identical

    await connection.execute(
        "UPDATE log.artifacts SET content = '+forged' WHERE run_id = ANY ($1)", list(runs.values())
    )
    late = "INSERT INTO log.artifacts (run_id, kind, content, sha256) VALUES ($1, 'diffstat', 'late', sha256('late'))"
    await connection.execute(late, runs["sealed"])
    found = {(each.key, each.column, each.log_says) for each in (await audit(opens, silent)).differences}
    assert found == {
        (f"{runs['sealed']} patch", "sha256", digest),
        (f"{runs['by hand']} patch", "sha256", digest),
        (f"{runs['sealed']} diffstat", "sha256", None),
    }


def decode_end(data: str) -> TaskDone | TaskFailed:
    """The event that ended a run."""
    return msgspec.json.decode(data, type=TaskFailed if "error" in msgspec.json.decode(data) else TaskDone)


PLANTED = {
    "tasks": ("UPDATE view.tasks SET last_error = 'other' WHERE id = 'second'", "last_error"),
    "tasks, one missing": ("DELETE FROM view.tasks WHERE id = 'second'", None),
    "task_deps": ("DELETE FROM view.task_deps", None),
    "queue": ("UPDATE view.ready SET priority = 5", "priority"),
    "queue, twice": ("INSERT INTO view.ready SELECT priority, position, 'second' FROM view.ready", None),
    "running": ("UPDATE view.running SET runner = 'r9'", "runner"),
    "aside": ("UPDATE view.aside SET created_seq = created_seq + 1 WHERE id = 'dropped'", "created_seq"),
    "lost_runs": ("UPDATE view.lost_runs SET status = 'blocked'", "status"),
    "running, another start": ("UPDATE view.running SET started_at = claimed_at", "started_at"),
    "ended_runs": ("UPDATE view.ended_runs SET status = 'done', error = null WHERE status = 'failed'", "status"),
    "steps": ("UPDATE view.steps SET exit_code = 9 WHERE run_id = (SELECT max(run_id) FROM view.steps)", "exit_code"),
    "file_changes": ("UPDATE view.file_changes SET added = added + 1", "added"),
    "runners": ("""UPDATE view.runners SET meta = '{"host": "there"}'""", "meta"),
    "system": ("UPDATE view.system SET reason = null", "reason"),
    "requests": ("""UPDATE view.requests SET definition = '{"service": "OpenAI"}'""", "definition"),
    "requests, of another time": ("UPDATE view.requests SET opened_at = opened_at - interval '1 s'", "opened_at"),
    "directives": ("UPDATE view.directives SET task_ids = '{}'", "task_ids"),
    "directives, of another mind": ("UPDATE view.directives SET reason = 'other'", "reason"),
    "planner_runs": ("UPDATE view.planner_runs SET cost = cost + 0.01", "cost"),
    "task_counts": ("UPDATE view.task_counts SET done = done + 1 WHERE shard = 3", "count"),
    "run_counts": ("UPDATE view.run_counts SET failed = failed + 1", "failed"),
}


@pytest.mark.parametrize("planted", PLANTED)
async def test_a_row_changed_behind_the_logs_back_is_found(connection: Connection, opens: Opens, planted: str) -> None:
    """Whatever the view, the difference names it, its key and the column."""
    statement, column = PLANTED[planted]
    await _everything(connection)
    assert (await audit(opens, silent)).identical

    await connection.execute(statement)
    report = await audit(opens, silent)

    assert not report.identical
    assert (planted.split(",")[0], column) in {(found.view, found.column) for found in report.differences}
    assert {planted.split(",")[0]} == {found.view for found in report.differences}


async def test_a_difference_says_both_sides(connection: Connection, opens: Opens) -> None:
    """The report shows what the log says and what the view says."""
    await create(connection, "a", priority=7)
    await connection.execute("UPDATE view.tasks SET priority = 8")

    (difference,) = (await audit(opens, silent)).differences

    assert ("tasks", "a", "priority", 7, 8) == (
        difference.view,
        difference.key,
        difference.column,
        difference.log_says,
        difference.view_says,
    )


async def test_the_list_of_differences_is_bounded(
    connection: Connection, opens: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All differences are counted, the first ones listed."""
    monkeypatch.setattr("projections.audit.MOST_DIFFERENCES", 3)
    await create(connection, *"abcdefgh")
    await connection.execute("UPDATE view.tasks SET priority = 8")

    report = await audit(opens, silent)

    assert (8, 3) == (report.differing, len(report.differences))


async def test_an_event_no_fold_can_read_is_a_difference(connection: Connection, opens: Opens) -> None:
    """An event with a field that nobody knows, written by a foreign hand, is reported, not passed over."""
    await connection.execute(
        "INSERT INTO log.events (kind, id, version, type, actor, data) "
        """VALUES ('runner', 'r1', 1, 'runner.heartbeat', 'x', '{"metta": {}}')"""
    )

    report = await audit(opens, silent)

    assert "log" == report.differences[0].view
    assert "metta" in report.differences[0].log_says


async def test_a_scheduled_task_that_fell_due_may_be_in_either_queue(connection: Connection, opens: Opens) -> None:
    """Moving a due task from `scheduled` to `ready` is no difference, also when the clock is set back a little after
    that; moving one that is not due is."""
    past = await connection.fetchval("SELECT now() - interval '1 minute'")
    soon = await connection.fetchval("SELECT now() + interval '30 seconds'")
    future = await connection.fetchval("SELECT now() + interval '1 hour'")
    await create(connection, "due", next_run_at=past)
    await create(connection, "due before the clock was set back", next_run_at=soon)
    await create(connection, "later", next_run_at=future)
    move = """WITH gone AS (DELETE FROM view.scheduled WHERE id = $1 RETURNING priority, position, id)
              INSERT INTO view.ready SELECT * FROM gone"""

    await connection.execute(move, "due")
    await connection.execute(move, "due before the clock was set back")
    assert (await audit(opens, silent)).identical
    await connection.execute(move, "later")
    assert "due_at" == (await audit(opens, silent)).differences[0].column


async def test_long_texts_are_compared_whole(connection: Connection, opens: Opens) -> None:
    """Two long texts that differ in their last character differ."""
    await create(connection, "a")
    run = await claim(connection, "a")
    await append(connection, "a", TaskRequeued("lost", run, last_error="x" * 5000 + "y"))
    assert (await audit(opens, silent)).identical

    await connection.execute("UPDATE view.tasks SET last_error = left(last_error, 5000) || 'z'")
    report: AuditReport = await audit(opens, silent)

    assert "last_error" == report.differences[0].column
