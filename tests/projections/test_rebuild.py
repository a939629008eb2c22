"""The rebuild: the same views, made anew from the log, while everybody goes on working."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from asyncpg import Connection

from events.statements import load_statements
from events.task import FileChange, TaskCancelled, TaskCreated, TaskDone, TaskRequeued, TaskStarted, TaskStep
from projections.rebuild import rebuild
from tests.projections.history import Chance, append, claim, contents, create, execute
from tests.support.waiting import eventually

Opens = Callable[[], Awaitable[Connection]]


def silent(done: int, total: int) -> None:
    """A progress callback for those who do not ask."""


@pytest.mark.parametrize("seed", range(6))
async def test_rebuilt_views_are_the_live_ones(
    connection: Connection, opens: Opens, view_sql: str, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """After a history with everything in it, a rebuild changes no row of any view, however it cuts the log."""
    monkeypatch.setattr("projections.rebuild.RANGE", (1, 7, 25_000)[seed % 3])
    monkeypatch.setattr("projections.rebuild.SLICE", (100, 7, 100_000)[seed % 3])
    await Chance(connection, seed).write(200)
    live = await contents(connection, "view")

    report = await rebuild(opens, view_sql, silent)

    assert live == await contents(connection, "view")
    assert report.events == await connection.fetchval("SELECT count(*) FROM log.events")
    assert report.dropped
    assert not await connection.fetchval("SELECT count(*) FROM pg_namespace WHERE nspname IN ('rebuild', 'retired')")


@pytest.mark.parametrize("seed", range(6))
async def test_only_the_order_within_a_stream_matters(connection: Connection, view_sql: str, seed: int) -> None:
    """Folded in slices of any size, its streams shuffled in any way, the log gives the same views."""
    await Chance(connection, seed).write(150)
    live = await contents(connection, "view")
    chance = random.Random(seed)
    await _make_views(connection, "other", view_sql)

    order = await _shuffled(connection, chance)
    while order:
        size = chance.choice([1, 2, 7, 40, 400])
        await connection.execute(
            """INSERT INTO other.intake SELECT e.* FROM unnest($1::bigint[]) WITH ORDINALITY AS n (seq, place)
               JOIN log.events e USING (seq) ORDER BY n.place""",
            order[:size],
        )
        order = order[size:]

    assert live == await contents(connection, "other")


async def test_straight_lives_get_the_rows_that_the_folds_give(
    connection: Connection, opens: Opens, view_sql: str
) -> None:
    """Lives without a turn, with and without steps, files, parents and a rest before; and, beside them, one under way,
    one whose run had a step before it said that it began, and one that was handed back."""
    later = datetime.now(UTC) - timedelta(seconds=5)
    for number in range(12):
        name = f"straight-{number}"
        parents = [f"straight-{number - 1}"] if number % 3 == 1 else []
        rests = later if number % 4 == 0 else None
        await append(connection, name, TaskCreated(title=name, depends_on=parents, next_run_at=rests, priority=number))
        run = await claim(connection, name)
        said = [TaskStarted(run, "began" if number % 2 else None)]
        said += [TaskStep(run, place, f"step {place}", "true", 0, 3, "ok") for place in range(1, number % 4)]
        changes = [FileChange("a.py", "modified", 1, 2)] if number % 5 == 0 else []
        await append(connection, name, *said, TaskDone(run, 5, "fine", branch="task/b", file_changes=changes))
    await create(connection, "claimed", "hasty", "again")
    await claim(connection, "claimed")
    run = await claim(connection, "hasty")
    await append(connection, "hasty", TaskStep(run, 1, "first"), TaskStarted(run), TaskDone(run))
    run = await claim(connection, "again")
    await append(connection, "again", TaskRequeued("lost", run))
    live = await contents(connection, "view")

    await rebuild(opens, view_sql, silent)

    assert live == await contents(connection, "view")


@pytest.mark.parametrize(
    ("harm", "sqlstate"),
    [
        ("""UPDATE log.events SET data = '{"run_id": 1}' WHERE type = 'task.done'""", "ER002"),
        ("""UPDATE log.events SET data = '{"run_id": 1}' WHERE type = 'task.step'""", "ER002"),
        ("DELETE FROM log.events WHERE type = 'task.claimed'", "ER002"),
        ("DELETE FROM log.events WHERE version = 1", "ER001"),
        ("UPDATE log.events SET type = 'task.done' WHERE type = 'task.started'", "ER002"),
        ("UPDATE log.events SET seq = DEFAULT WHERE type = 'task.claimed'", "ER002"),
    ],
)
async def test_a_history_that_cannot_have_been_is_refused(
    connection: Connection, opens: Opens, view_sql: str, harm: str, sqlstate: str
) -> None:
    """Whoever tampered with the log behind its triggers' back hears of it, and the live views stay as they were."""
    await create(connection, "a")
    run = await claim(connection, "a")
    await append(connection, "a", TaskStarted(run), TaskStep(run, 1, "one"), TaskStep(run, 2, "two"), TaskDone(run))
    live = await contents(connection, "view")
    await connection.execute(f"ALTER TABLE log.events DISABLE TRIGGER USER; {harm}")

    with pytest.raises(asyncpg.PostgresError, match="task a") as refusal:
        await rebuild(opens, view_sql, silent)

    assert refusal.value.sqlstate == sqlstate
    assert live == await contents(connection, "view")


async def test_writers_that_go_on_lose_nothing(
    connection: Connection, opens: Opens, view_sql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events written while the views are rebuilt, swapped and dropped are all in the new views."""
    monkeypatch.setattr("projections.rebuild.RANGE", 100)
    monkeypatch.setattr("projections.rebuild.SLICE", 500)
    monkeypatch.setattr("projections.rebuild.LITTLE", 100)
    await Chance(connection, 7).write(100)
    stop = asyncio.Event()
    writers = [asyncio.create_task(_keep_writing(opens, stop, name)) for name in ("x", "y", "z")]
    try:
        for _ in range(3):
            await rebuild(opens, view_sql, silent)
    finally:
        stop.set()
        written = sum(await asyncio.gather(*writers))

    assert written > 10
    assert written == await connection.fetchval("SELECT count(*) FROM view.tasks WHERE id ~ '^[xyz]'")
    await _make_views(connection, "other", view_sql)
    await connection.execute("INSERT INTO other.intake SELECT * FROM log.events ORDER BY seq")
    assert await contents(connection, "other") == await contents(connection, "view")


async def test_an_append_that_is_not_committed_yet_is_waited_for(
    connection: Connection, opens: Opens, view_sql: str
) -> None:
    """An event whose seq was drawn early and committed late is not passed over."""
    late = await opens()
    transaction = late.transaction()
    await transaction.start()
    await create(late, "late")
    await create(connection, "early")

    rebuilding = asyncio.create_task(rebuild(opens, view_sql, silent))
    await eventually(lambda: connection.fetchval("SELECT to_regclass('rebuild.tasks') IS NOT NULL"))
    assert not rebuilding.done()
    await transaction.commit()
    await late.close()
    await rebuilding

    assert [("early",), ("late",)] == [
        tuple(row) for row in await connection.fetch("SELECT id FROM view.tasks ORDER BY 1")
    ]


async def test_statements_prepared_before_go_on_working(connection: Connection, opens: Opens, view_sql: str) -> None:
    """A session that prepared the claim before the swap claims from the new views after it."""
    await create(connection, "a", "b", "c")
    claims = await connection.prepare(load_statements("events", "commands.sql")["claim_tasks"])
    arguments = (0, 0, 1, '"r1"', "runner:r1", False)
    assert ["a"] == [row["id"] for row in await claims.fetch(*arguments)]

    await rebuild(opens, view_sql, silent)

    assert ["b"] == [row["id"] for row in await claims.fetch(*arguments)]
    assert "running" == await connection.fetchval("SELECT status FROM view.tasks WHERE id = 'b'")
    await execute(connection, "c")
    assert "done" == await connection.fetchval("SELECT status FROM view.tasks WHERE id = 'c'")


async def test_the_new_views_guard_the_log(connection: Connection, opens: Opens, view_sql: str) -> None:
    """After the swap an illegal event is refused as before it, and reactions still happen."""
    await create(connection, "parent")
    await create(connection, "child", depends_on=["parent"])

    await rebuild(opens, view_sql, silent)

    with pytest.raises(asyncpg.PostgresError, match="task parent") as refusal:
        await append(connection, "parent", TaskStarted(1))
    assert refusal.value.sqlstate == "ER002"
    run = await claim(connection, "parent")
    await append(connection, "parent", TaskCancelled("no", run))
    assert "blocked" == await connection.fetchval("SELECT status FROM view.tasks WHERE id = 'child'")


NEW_PROJECTION = """
    CREATE TABLE authors (actor text PRIMARY KEY, events bigint NOT NULL);
    CREATE FUNCTION fold_authors() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    BEGIN
        INSERT INTO authors AS a SELECT actor, count(*) FROM batch GROUP BY actor
        ON CONFLICT (actor) DO UPDATE SET events = a.events + excluded.events;
        RETURN NULL;
    END $$;
"""


async def test_a_new_projection_knows_all_of_history(connection: Connection, opens: Opens, view_sql: str) -> None:
    """A fold added to the views is filled from the log and goes on from there; taken out again, it leaves nothing."""
    await create(connection, "a", "b")

    await rebuild(opens, view_sql + NEW_PROJECTION, silent)
    await create(connection, "c")
    assert 3 == await connection.fetchval("SELECT events FROM view.authors WHERE actor = 'human:ana'")

    assert (await rebuild(opens, view_sql, silent)).dropped
    await create(connection, "d")
    assert await connection.fetchval("SELECT to_regclass('view.authors') IS NULL")
    assert 4 == await connection.fetchval("SELECT count(*) FROM view.tasks")


async def test_what_a_killed_rebuild_left_is_removed(connection: Connection, opens: Opens, view_sql: str) -> None:
    """A half-made `rebuild` and an undropped `retired` schema do not stop the next rebuild."""
    await create(connection, "a")
    await connection.execute("CREATE SCHEMA rebuild; CREATE TABLE rebuild.tasks (); CREATE SCHEMA retired")

    report = await rebuild(opens, view_sql, silent)

    assert (report.events, report.dropped) == (1, True)


async def test_a_view_that_is_gone_is_made_again(connection: Connection, opens: Opens, view_sql: str) -> None:
    """Rows lost from the views come back: the log is all that is needed."""
    await Chance(connection, 11).write(60)
    live = await contents(connection, "view")
    await connection.execute("TRUNCATE view.tasks, view.ended_runs, view.ready, view.runners, view.task_deps")

    await rebuild(opens, view_sql, silent)

    assert live == await contents(connection, "view")


async def test_two_rebuilds_at_once_follow_each_other(connection: Connection, opens: Opens, view_sql: str) -> None:
    """The second waits for the first; both end well."""
    await Chance(connection, 5).write(40)
    live = await contents(connection, "view")

    reports = await asyncio.gather(rebuild(opens, view_sql, silent), rebuild(opens, view_sql, silent))

    assert len({report.events for report in reports}) == 1
    assert live == await contents(connection, "view")


async def test_readers_of_the_old_views_are_not_in_the_way(connection: Connection, opens: Opens, view_sql: str) -> None:
    """A long read of the views delays only the dropping of the retired ones, not the swap."""
    await create(connection, "a")
    reader = await opens()
    async with reader.transaction():
        await reader.execute("SELECT * FROM view.tasks")
        rebuilding = asyncio.create_task(rebuild(opens, view_sql, silent))
        await eventually(lambda: connection.fetchval("SELECT to_regclass('retired.tasks') IS NOT NULL"))
        await execute(connection, "a")
        assert not rebuilding.done()
    assert (await rebuilding).dropped
    await reader.close()


async def test_progress_ends_at_the_whole(connection: Connection, opens: Opens, view_sql: str) -> None:
    """The last word of the progress is: all of it."""
    await Chance(connection, 3).write(30)
    told: list[tuple[int, int]] = []

    await rebuild(opens, view_sql, lambda done, total: told.append((done, total)))

    assert told
    assert told[-1][0] == told[-1][1] == await connection.fetchval("SELECT max(seq) FROM log.events")


async def _keep_writing(opens: Opens, stop: asyncio.Event, name: str) -> int:
    connection = await opens()
    number = 0
    while not stop.is_set():
        await create(connection, f"{name}-{number}", depends_on=[f"{name}-{number - 1}"] if number else [])
        await execute(connection, f"{name}-{number}", by=name)
        number += 1
    await connection.close()
    return number


async def _make_views(connection: Connection, schema: str, view_sql: str) -> None:
    async with connection.transaction():
        await connection.execute(f"CREATE SCHEMA {schema}; SET LOCAL search_path = {schema}, pg_temp")
        await connection.execute(view_sql)
        await connection.execute(f"CREATE TABLE {schema}.intake (LIKE log.events)")
        await connection.execute(f"SELECT log.attach_folds('{schema}.intake', '{schema}')")


async def _shuffled(connection: Connection, chance: random.Random) -> list[int]:
    """The seqs of the log in another order that keeps that of each stream."""
    streams: dict[tuple[str, str], list[int]] = {}
    for row in await connection.fetch("SELECT kind, id, seq FROM log.events ORDER BY seq DESC"):
        streams.setdefault((row["kind"], row["id"]), []).append(row["seq"])
    order = []
    while streams:
        key = chance.choice(list(streams))
        order.append(streams[key].pop())
        if not streams[key]:
            del streams[key]
    return order
