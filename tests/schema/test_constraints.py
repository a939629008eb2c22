"""Each constraint and each refusal of the database, broken once, by the owner with plain SQL."""

import json
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from asyncpg import Connection

from events import task
from events.catalog import EVENT_TYPES, TRANSITIONS
from events.database_errors import SQLSTATES
from ops.migrate import schema_sql
from tests.projections.history import append, claim, create, execute

INSERT = "INSERT INTO log.events (kind, id, version, type, actor, data) VALUES ($1, $2, $3, $4, 'human:eve', $5)"
TITLE = '{"title": "t"}'


FIRST_EVENTS = [
    (("task", "", 1, "task.created", TITLE), "23514"),
    (("task", "x" * 201, 1, "task.created", TITLE), "23514"),
    (("task", "x", 0, "task.created", TITLE), "23514"),
    (("task", "x", -1, "task.created", TITLE), "23514"),
    (("task", "x", 1, "task.invented", TITLE), "ER006"),
    (("runner", "x", 1, "task.created", TITLE), "ER006"),
    (("task", "x", 1, "runner.started", "{}"), "ER006"),
    (("task", "x", 1, "task.created", "{"), "22P02"),
    (("task", "x", 1, "task.created", "{}"), "23502"),
    (("task", "x", 1, "task.created", '{"title": "a\\u0000b"}'), "22P05"),
    (("task", "x", 1, "task.created", '{"title": "t", "priority": 99999}'), "22003"),
    (("task", "x", 1, "task.created", '{"title": "t", "priority": "high"}'), "22P02"),
    (("task", "x", 2, "task.created", TITLE), "ER001"),
    (("task", "x", 1, "task.claimed", '{"runner": "r", "attempt": 1}'), "ER002"),
    (("task", "x", 1, "task.done", '{"run_id": 1}'), "ER002"),
    (("task", "x", 1, "task.created", '{"title": "t", "depends_on": ["y"]}'), "ER004"),
    (("task", "x", 1, "task.created", '{"title": "t", "depends_on": ["x"]}'), "ER004"),
    (("runner", "r", 1, "runner.stopped", "{}"), "ER002"),
    (("runner", "r", 2, "runner.started", "{}"), "ER001"),
    (("request", "q", 1, "request.provided", "{}"), "ER002"),
    (("request", "q", 2, "request.opened", "{}"), "ER001"),
    (("request", "q", 1, "request.opened", '{"definition": "OpenAI"}'), "ER006"),
    (("directive", "d", 1, "directive.applied", "{}"), "ER002"),
    (("directive", "d", 2, "directive.proposed", '{"title": "t", "digest": "x", "approval": "auto"}'), "ER001"),
    (("directive", "d", 1, "directive.proposed", '{"title": "t", "digest": "x", "approval": "never"}'), "ER006"),
    (("directive", "d", 1, "directive.proposed", '{"title": "t"}'), "ER006"),
    (("planner", "p", 2, "planner.completed", '{"model": "m", "prompt_hash": "x"}'), "ER001"),
    (("planner", "p", 1, "planner.completed", "{}"), "ER006"),
    (("system", "main", 1, "system.resumed", "{}"), "ER002"),
    (("system", "main", 3, "system.paused", "{}"), "ER001"),
]

CHANGES = [
    "UPDATE log.events SET actor = 'nobody'",
    "UPDATE log.events SET actor = 'nobody' WHERE false",
    "DELETE FROM log.events",
    "TRUNCATE log.events",
    "TRUNCATE log.events CASCADE",
    "INSERT INTO log.events (kind, id, version, type, actor, data)"
    " VALUES ('task', 'x', 1, 'task.created', 'human:eve', '{}')"
    " ON CONFLICT (kind, id, version) DO UPDATE SET actor = 'nobody'",
    "MERGE INTO log.events e USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE",
]

NONSENSE = [
    ("INSERT INTO log.output (run_id, chunk, step, stream, data) VALUES (1, 1, 1, 'stdlog', 'x')", "23514"),
    ("INSERT INTO log.artifacts (run_id, kind, content) VALUES (1, 'secret', 'x')", "23514"),
    ("INSERT INTO log.tokens (name, role, digest) VALUES ('n', 'king', 'x')", "23514"),
    ("INSERT INTO log.tokens (name, role, digest) VALUES ('a', 'admin', 'x'), ('b', 'admin', 'x')", "23505"),
    ("UPDATE view.tasks SET status = 'odd'", "23514"),
    ("UPDATE view.tasks SET run_id = 1", "23514"),
    ("UPDATE view.tasks SET status = 'running'", "23514"),
    ("UPDATE view.tasks SET status = 'done'", "23514"),
    ("UPDATE view.ended_runs SET status = 'odd'", "23514"),
    ("UPDATE view.ended_runs SET finished_at = NULL", "23502"),
    ("UPDATE view.runners SET status = 'odd'", "23514"),
    ("UPDATE view.requests SET status = 'odd'", "23514"),
    ("UPDATE view.requests SET status = 'PROVIDED'", "23514"),
    ("UPDATE view.directives SET status = 'odd'", "23514"),
    ("UPDATE view.directives SET status = 'APPLIED'", "23514"),
    ("UPDATE view.planner_runs SET status = 'odd'", "23514"),
    ("UPDATE view.system SET status = 'odd'", "23514"),
    ("INSERT INTO view.ready SELECT * FROM view.ready", "23505"),
    ("INSERT INTO view.task_counts (shard) VALUES (0)", "23505"),
]


async def refusal(connection: Connection, statement: str, *arguments: Any) -> str:
    """The SQLSTATE that a statement is refused with; the log is as long as before."""
    before = await connection.fetchval("SELECT count(*) FROM log.events")
    with pytest.raises(asyncpg.PostgresError) as raised:
        await connection.execute(statement, *arguments)
    assert before == await connection.fetchval("SELECT count(*) FROM log.events")
    return str(raised.value.sqlstate)


async def insert_refusal(connection: Connection, id: str, version: int, type: str, **data: Any) -> str:  # noqa: A002
    """The same for an event of a task."""
    return await refusal(connection, INSERT, "task", id, version, type, json.dumps(data))


# ---------------------------------------------------------------------- what an event must be


async def test_first_event_must_fit(connection: Connection) -> None:
    """A first event that is malformed, out of order or impossible is refused with the SQLSTATE that says why."""
    for event, sqlstate in FIRST_EVENTS:
        assert sqlstate == await refusal(connection, INSERT, *event), event


async def test_versions_have_no_gap_and_no_double(connection: Connection) -> None:
    """The next version only: one that exists and one that is too high are refused, each in its way."""
    await create(connection, "x")
    assert "23505" == await insert_refusal(connection, "x", 1, "task.cancelled")
    assert "ER001" == await insert_refusal(connection, "x", 3, "task.cancelled")


async def test_a_run_is_a_fence(connection: Connection) -> None:
    """While a run is on, every event must name it; once it is over, none may."""
    await create(connection, "x")
    run = await claim(connection, "x")
    assert "ER003" == await insert_refusal(connection, "x", 3, "task.done", run_id=run + 1)
    assert "ER003" == await insert_refusal(connection, "x", 3, "task.cancelled")
    await append(connection, "x", task.TaskFailed(run, "boom"))
    assert "ER003" == await insert_refusal(connection, "x", 4, "task.requeued", reason="again", run_id=run)
    assert "ER002" == await insert_refusal(connection, "x", 4, "task.done", run_id=run)


async def test_done_is_final(connection: Connection) -> None:
    """No event of any type may follow task.done."""
    await create(connection, "x")
    run = await execute(connection, "x")
    types = [name for name in TRANSITIONS if name.startswith("task.")]
    for name in types:
        data = {"title": "t", "reason": "r", "runner": "r", "attempt": 1, "error": "e", "number": 1, "name": "n"}
        data |= {"priority": 1, "run_id": run}
        known = {field: value for field, value in data.items() if field in EVENT_TYPES[name].__struct_fields__}
        assert "ER002" == await insert_refusal(connection, "x", 6, name, **known)


async def test_waiting_task_is_not_claimed(connection: Connection) -> None:
    """A claim by hand does not get past a parent that is not done, not even hidden in a longer chain."""
    await create(connection, "parent")
    await create(connection, "child", depends_on=["parent"])
    assert "ER002" == await insert_refusal(connection, "child", 2, "task.claimed", runner="r", attempt=1)
    chain = """
        INSERT INTO log.events (kind, id, version, type, actor, data)
        VALUES ('task', 'other', 1, 'task.created', 'human:eve', '{"title": "t", "depends_on": ["parent"]}'),
               ('task', 'other', 2, 'task.claimed', 'human:eve', '{"runner": "r", "attempt": 1}')
    """
    assert "ER002" == await refusal(connection, chain)
    await append(connection, "child", task.TaskBlocked("by hand"))
    again = """
        INSERT INTO log.events (kind, id, version, type, actor, data)
        VALUES ('task', 'child', 3, 'task.requeued', 'human:eve', '{"reason": "again"}'),
               ('task', 'child', 4, 'task.claimed', 'human:eve', '{"runner": "r", "attempt": 1}')
    """
    assert "ER002" == await refusal(connection, again)


async def test_one_bad_event_refuses_its_statement(connection: Connection) -> None:
    """Of a statement with a good and a bad event nothing is written, in the log or in the views."""
    statement = """
        INSERT INTO log.events (kind, id, version, type, actor, data)
        VALUES ('task', 'good', 1, 'task.created', 'human:eve', '{"title": "t"}'),
               ('task', 'bad', 1, 'task.done', 'human:eve', '{"run_id": 1}')
    """
    assert "ER002" == await refusal(connection, statement)
    assert 0 == await connection.fetchval("SELECT count(*) FROM view.tasks")


async def test_a_stream_is_written_in_its_order(connection: Connection) -> None:
    """A statement that writes a stream's second event before its first is refused: seq must rise with version."""
    statement = """
        INSERT INTO log.events (kind, id, version, type, actor, data)
        VALUES ($1, $2, 2, $3, 'human:eve', $4), ($1, $2, 1, $5, 'human:eve', $6)
    """
    planned = '{"model": "m", "prompt_hash": "x"}'
    failed = '{"outcome": "refused", "error": "e", "model": "m"}'
    proposed = '{"title": "t", "digest": "x", "approval": "auto"}'
    for kind, id, second, data, first, first_data in (  # noqa: A001
        ("task", "x", "task.blocked", '{"reason": "r"}', "task.created", TITLE),
        ("runner", "x", "runner.heartbeat", "{}", "runner.started", "{}"),
        ("directive", "x", "directive.applied", "{}", "directive.proposed", proposed),
        ("planner", "x", "planner.failed", failed, "planner.completed", planned),
        ("request", "x", "request.provided", "{}", "request.opened", "{}"),
        ("system", "main", "system.resumed", "{}", "system.paused", "{}"),
    ):
        events = (kind, id, second, data, first, first_data)
        assert await refusal(connection, statement, *events) in ("ER001", "ER002"), events


async def test_time_is_the_databases(connection: Connection) -> None:
    """A writer who sets the time of an event is refused, even by a second."""
    statement = """
        INSERT INTO log.events (kind, id, version, type, actor, data, at)
        VALUES ('task', 'x', 1, 'task.created', 'human:eve', '{"title": "t"}', $1)
    """
    assert "ER008" == await refusal(connection, statement, datetime(2020, 1, 1, tzinfo=UTC))
    shifted = statement.replace("$1", "clock_timestamp() - interval '1 second'")
    assert "ER008" == await refusal(connection, shifted)
    assert "ER008" == await refusal(connection, shifted.replace(" - ", " + "))


@pytest.mark.parametrize(
    ("word", "type", "data"),
    [
        ("task.claimed", "task.created", '{"title": "t"}'),
        ("task.created", "task.created", '{"title": "t", "depends_on": ["parent"]}'),
        ("task.created", "task.cancelled", "{}"),
        ("task.cancelled", "task.cancelled", "{}"),
    ],
)
async def test_a_statement_is_held_to_its_word(connection: Connection, word: str, type: str, data: str) -> None:  # noqa: A002
    """A statement that says beforehand what it brings, to keep other folds asleep, may not bring anything else."""
    await create(connection, "parent", "x")
    stream, version = ("x", 2) if type == "task.cancelled" else ("y", 1)
    await connection.execute("SELECT set_config('elruso.brings', $1, false)", word)
    assert "ER006" == await refusal(connection, INSERT, "task", stream, version, type, data)


async def test_a_word_holds_for_one_statement(connection: Connection) -> None:
    """What a statement said beforehand is forgotten with it: the next one in the same transaction is folded as ever."""
    async with connection.transaction():
        await connection.execute("SELECT set_config('elruso.brings', 'task.created', true)")
        await connection.execute(INSERT, "task", "x", 1, "task.created", '{"title": "t"}')
        await connection.execute(INSERT, "task", "x", 2, "task.cancelled", "{}")
    assert "cancelled" == await connection.fetchval("SELECT status FROM view.tasks WHERE id = 'x'")


async def test_seq_is_the_databases(connection: Connection) -> None:
    """A writer who sets the position of an event is refused."""
    statement = """
        INSERT INTO log.events (seq, kind, id, version, type, actor, data)
        VALUES (7, 'task', 'x', 1, 'task.created', 'human:eve', '{"title": "t"}')
    """
    assert "428C9" == await refusal(connection, statement)


async def test_command_is_carried_out_once(connection: Connection) -> None:
    """A command id stands in the log once."""
    statement = """
        INSERT INTO log.events (kind, id, version, type, actor, data, command_id)
        VALUES ('task', $1, 1, 'task.created', 'human:eve', '{"title": "t"}', '00000000-0000-0000-0000-000000000001')
    """
    await connection.execute(statement, "x")
    assert "23505" == await refusal(connection, statement, "y")


# ---------------------------------------------------------------------- history is final


async def test_history_is_final(connection: Connection, superuser: Connection) -> None:
    """Neither the owner nor a superuser changes, deletes or empties the log."""
    await create(connection, "x")
    for statement in CHANGES:
        assert "ER005" == await refusal(connection, statement), statement
        assert "ER005" == await refusal(superuser, statement), statement


# ---------------------------------------------------------------------- the other tables


async def test_tables_refuse_nonsense(connection: Connection) -> None:
    """The tables themselves refuse what no fold would write."""
    await create(connection, "ended", "waits")
    await execute(connection, "ended")
    for type, id in (("runner.started", "x"), ("request.opened", "x"), ("system.paused", "main")):  # noqa: A001
        await connection.execute(INSERT, type.partition(".")[0], id, 1, type, "{}")
    proposed = '{"title": "t", "digest": "x", "approval": "auto"}'
    await connection.execute(INSERT, "directive", "x", 1, "directive.proposed", proposed)
    await connection.execute(INSERT, "planner", "x", 1, "planner.completed", '{"model": "m", "prompt_hash": "x"}')
    for statement, sqlstate in NONSENSE:
        which = " WHERE id = 'waits'" if statement.startswith("UPDATE view.tasks") else ""
        assert sqlstate == await refusal(connection, statement + which), statement


async def test_every_refusal_is_known_to_python() -> None:
    """Each SQLSTATE that schema.sql raises has an exception, and none is left over that it never raises."""
    raised = {state for state in SQLSTATES if f"ERRCODE = '{state}'" in schema_sql()}
    assert {"ER001", "ER002", "ER003", "ER004", "ER005", "ER006", "ER008"} == raised
