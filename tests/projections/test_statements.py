"""The SQL of the read side: it parses, and its work does not grow with the history."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from importlib.resources import files
from typing import Any

import pytest
from asyncpg import Connection

from events.statements import load_statements
from ops.postgres.server import Server
from projections.page import FROM_THE_NEWEST, WINDOW
from tests.projections.history import connect
from tests.support.postgres import create_database, drop_database, ensure_template

TASKS = 50_000
SCRIPTS = {"rebuild.sql"}  # several statements at once, or of tables that exist only then: the rebuild's tests run them
BIG = {"tasks", "runs", "events", "steps", "file_changes", "task_deps", "output", "artifacts", "directives"}

FILES = sorted(path.name for path in files("projections").iterdir() if path.name.endswith(".sql"))
NAMED = [(file, name) for file in FILES if file not in SCRIPTS for name in load_statements("projections", file)]

# One task in five waits for the one before it, one in a hundred failed; the last 200 are ready, the 20 before run.
CREATE = """
    INSERT INTO log.events (kind, id, version, type, actor, data)
    SELECT 'task', 't' || k, 1, 'task.created', 'human:ana',
           json_build_object('title', 't', 'directive_id', 'd-' || k % 500, 'depends_on',
                             CASE WHEN k % 5 = 0 THEN json_build_array('t' || k - 1) ELSE '[]' END)
    FROM generate_series(1, $1::integer) k ORDER BY k
"""
CLAIM = """
    INSERT INTO log.events (kind, id, version, type, actor, data)
    SELECT 'task', id, version + 1, 'task.claimed', 'runner:r1', '{"runner":"r1","attempt":1}'
    FROM view.tasks WHERE status = 'ready' AND waiting_on = 0 AND created_seq <= $1::integer - 200 ORDER BY created_seq
"""
END = """
    INSERT INTO log.events (kind, id, version, type, actor, data)
    SELECT 'task', id, version + 1, CASE WHEN created_seq % 100 = 0 THEN 'task.failed' ELSE 'task.done' END, 'x',
           json_build_object('error', 'e', 'run_id', run_id)
    FROM view.tasks WHERE status = 'running' AND created_seq <= $1::integer - 220 ORDER BY created_seq
"""

# What a run leaves behind does not matter to any other table, so it need not come from events.
TRACES = """
    INSERT INTO view.steps (run_id, number, name, output_bytes, truncated, at)
    SELECT id, 1, 'test', 0, false, claimed_at FROM view.runs;
    INSERT INTO view.file_changes (run_id, path, change) SELECT id, 'a.py', 'modified' FROM view.runs;
    INSERT INTO view.directives (id, version, status, title, digest, approval, task_ids, required, proposed_seq,
                                 proposed_at, proposed_by, decided_at)
    SELECT 'd-' || k, 1, CASE WHEN k % 100 = 0 THEN 'PENDING' ELSE 'APPLIED' END, 't', 'x', 'auto', ARRAY['t' || k],
           '{}', k, now(), 'gpt', CASE WHEN k % 100 > 0 THEN now() END FROM generate_series(1, 20000) k;
    INSERT INTO log.output (run_id, chunk, step, stream, data) SELECT id, 1, 1, 'stdout', 'output' FROM view.runs;
    INSERT INTO log.artifacts (run_id, kind, content) SELECT id, 'patch', 'patch' FROM view.runs;
"""

QUERIES: dict[str, tuple[str, str, tuple[Any, ...], set[str]]] = {
    "a task": ("tasks.sql", "tasks_by_id", (["t7"], None), {"tasks_pkey", "events_pkey"}),
    "a page of tasks": (
        "tasks.sql",
        "tasks_by_id",
        ([f"t{k}" for k in range(1000)], None),
        {"tasks_pkey", "events_pkey"},
    ),
    "all tasks": (
        "tasks.sql",
        "list_newest",
        (FROM_THE_NEWEST, WINDOW, None, None, None, 1001, None),
        {"tasks_by_creation"},
    ),
    "failed tasks": (
        "tasks.sql",
        "list_newest",
        (FROM_THE_NEWEST, WINDOW, "failed", None, None, 51, None),
        {"tasks_by_creation"},
    ),
    "tasks of a phase": (
        "tasks.sql",
        "list_newest",
        (90_000, WINDOW, None, "3", None, 51, None),
        {"tasks_by_creation"},
    ),
    "the next window": ("tasks.sql", "last_of_newest", (FROM_THE_NEWEST, WINDOW, None), {"tasks_by_creation"}),
    "a directive": (
        "tasks.sql",
        "list_directive",
        (FROM_THE_NEWEST, WINDOW, None, None, None, 51, "d-3"),
        {"tasks_by_directive"},
    ),
    "ready tasks": ("tasks.sql", "list_ready", (100, 3, 1001), {"ready_pkey"}),
    "waiting tasks": ("tasks.sql", "list_waiting", (0, 0, 1001), {"task_deps_pkey", "tasks_pkey"}),
    "running tasks": (
        "tasks.sql",
        "list_running",
        (FROM_THE_NEWEST, WINDOW, "running", None, None, 51, None),
        {"tasks_pkey"},
    ),
    "longest running": ("tasks.sql", "list_longest", (0, WINDOW, "running", None, None, 51, None), {"tasks_pkey"}),
    "running by priority": ("tasks.sql", "list_urgent", (100, 5, "running", None, None, 51, None), {"tasks_pkey"}),
    "the oldest of a directive": (
        "tasks.sql",
        "list_directive_oldest",
        (0, WINDOW, None, None, None, 51, "d-3"),
        {"tasks_by_directive"},
    ),
    "the oldest runs": ("runs.sql", "list_oldest", (0, WINDOW, "failed", 51, None), {"runs_pkey"}),
    "the next window of the oldest runs": ("runs.sql", "last_of_oldest", (0, WINDOW), {"runs_pkey"}),
    "attempts of a task": (
        "runs.sql",
        "list_task_oldest",
        (0, WINDOW, None, 51, "t7"),
        {"events_stream_version", "runs_pkey"},
    ),
    "all runs": ("runs.sql", "list_newest", (FROM_THE_NEWEST, WINDOW, None, 51, None), {"runs_pkey"}),
    "failed runs": ("runs.sql", "list_newest", (FROM_THE_NEWEST, WINDOW, "failed", 51, None), {"runs_pkey"}),
    "runs of a task": (
        "runs.sql",
        "list_task",
        (FROM_THE_NEWEST, WINDOW, None, 51, "t7"),
        {"events_stream_version", "runs_pkey"},
    ),
    "a page of runs": ("runs.sql", "runs_by_id", (list(range(TASKS + 1, TASKS + 51)), None), {"runs_pkey"}),
    "a run": ("runs.sql", "run_with_steps", (TASKS + 1,), {"runs_pkey", "steps_pkey", "file_changes_pkey"}),
    "metrics": ("metrics.sql", "show_metrics", (60.0,), {"runs_pkey", "tasks_pkey", "ready_pkey"}),
    "the oldest tasks": (
        "tasks.sql",
        "list_oldest",
        (0, 20_000, "blocked", None, None, 51, None),
        {"tasks_by_creation"},
    ),
    "the next window of the oldest": ("tasks.sql", "last_of_oldest", (0, 20_000, None), {"tasks_by_creation"}),
    "lines of tasks": ("briefs.sql", "briefs_of_tasks", ([f"t{k}" for k in range(50)],), {"tasks_pkey"}),
    "lines of runs": (
        "briefs.sql",
        "briefs_of_runs",
        (list(range(TASKS + 1, TASKS + 51)),),
        {"runs_pkey", "tasks_pkey"},
    ),
    "statuses of many": ("briefs.sql", "count_statuses", ([f"t{k}" for k in range(5000)],), {"tasks_pkey"}),
    "lines of directives": (
        "briefs.sql",
        "briefs_of_directives",
        (["d-5", "d-100"],),
        {"directives_pkey", "tasks_pkey"},
    ),
    "pending directives": ("briefs.sql", "list_pending", (50,), {"directives_pending"}),
    "decided directives": ("briefs.sql", "list_decided", (FROM_THE_NEWEST, 5000, None, 51), {"directives_by_proposal"}),
    "why a task waits": ("why.sql", "look_at_task", (f"t{TASKS}", 60.0, 1000), {"tasks_pkey", "ready_pkey"}),
    "what it waits for": ("why.sql", "list_unfinished_parents", ("t5", 20), {"task_deps_by_child", "tasks_pkey"}),
    "parents": ("neighbours.sql", "list_parents_of", (["t5", "t10"], 200), {"task_deps_by_child"}),
    "children": ("neighbours.sql", "list_children_of", (["t4", "t9"], 200), {"task_deps_pkey"}),
    "the latest events": (
        "story.sql",
        "list_latest",
        (FROM_THE_NEWEST, 20_000, "task", "task.blocked", None, True, 101),
        {"events_pkey"},
    ),
    "the next window of events": ("story.sql", "last_of_latest", (FROM_THE_NEWEST, 20_000), {"events_pkey"}),
    "the story of a task": ("story.sql", "list_stream", ("task", "t7", 2**31 - 1, 101), {"events_stream_version"}),
    "effects": (
        "story.sql",
        "list_effects",
        (7, 20_000, 100, "task", "t7", 1),
        {"events_pkey", "events_stream_version"},
    ),
    "an event": ("story.sql", "find_event", (7, 1000), {"events_pkey"}),
    "the end of the output": ("output.sql", "tail_output", (TASKS + 1, 300_000, 500), {"output_pkey"}),
    "the next output": ("output.sql", "next_output", (TASKS + 1, 0, 300_000, 500), {"output_pkey"}),
    "a patch": ("output.sql", "cut_artifact", (TASKS + 1, "patch", 1000), {"artifacts_pkey"}),
    "output": ("output.sql", "list_output", (TASKS + 1, None, 0, 1001), {"output_pkey"}),
}


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[f"{file}:{name}" for file, name in NAMED])
async def test_every_statement_is_understood(connection: Connection, file: str, name: str) -> None:
    """PostgreSQL can prepare it against the schema as it is."""
    await connection.prepare(load_statements("projections", file)[name])


@pytest.fixture(scope="module")
def long_history(postgres: Server) -> Iterator[str]:
    """The address of a database with TASKS tasks behind it, analysed. To be read only."""
    name = asyncio.run(_live_long(postgres))
    yield postgres.url(name)
    asyncio.run(drop_database(postgres, name))


async def _live_long(postgres: Server) -> str:
    await ensure_template(postgres)
    name = await create_database(postgres)
    connection = await connect(postgres.url(name))
    for statement in (CREATE, CLAIM, END, CLAIM, END):
        await connection.execute(statement, TASKS)
    await connection.execute(TRACES)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()
    return name


@pytest.fixture
async def big(long_history: str) -> AsyncIterator[Connection]:
    """A connection to it."""
    connection = await connect(long_history)
    yield connection
    await connection.close()


async def test_no_query_reads_all_of_history(big: Connection) -> None:
    """Each uses the index that is meant for it, none scans a big table, planned for its values or for any."""
    for mode in ("force_custom_plan", "force_generic_plan"):
        await big.execute(f"SET plan_cache_mode = {mode}")
        for asked, (file, name, arguments, indexes) in QUERIES.items():
            plan = await _plan(big, load_statements("projections", file)[name], arguments)
            scans = [node for node in _nodes(plan) if node["Node Type"] in ("Seq Scan", "Bitmap Heap Scan")]
            scanned = {node["Relation Name"] for node in scans}
            used = {node["Index Name"] for node in _nodes(plan) if "Index Name" in node}
            assert not scanned & BIG, f"{asked}: scans {scanned & BIG} ({mode})"
            assert indexes <= used, f"{asked}: uses {used} ({mode})"


async def test_metrics_touch_a_bounded_number_of_pages(big: Connection) -> None:
    """However long the history, the numbers cost the same few pages."""
    plan = await _plan(big, load_statements("projections", "metrics.sql")["show_metrics"], (60.0,))

    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 600


async def _plan(connection: Connection, statement: str, arguments: tuple[Any, ...]) -> dict[str, Any]:
    rows = await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", *arguments)
    plan: dict[str, Any] = json.loads(rows[0][0])[0]["Plan"]
    return plan


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
