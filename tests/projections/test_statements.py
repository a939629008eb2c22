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
from tests.projections.history import connect
from tests.projections.queries import LARGE, QUERIES, TASKS
from tests.support.postgres import create_database, drop_database, ensure_template

SCRIPTS = {"rebuild.sql"}  # several statements at once, or of tables that exist only then: the rebuild's tests run them
WHOLE = {"audit.sql"}  # reads everything, and is meant to

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

BEAT = """
    INSERT INTO log.events (kind, id, version, type, actor, data)
    SELECT 'runner', 'r9', v, 'runner.heartbeat', 'runner:r9', '{}' FROM generate_series(1, 5000) v ORDER BY v
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
    INSERT INTO view.run_counts (bucket, shard, ended, failed)
    SELECT date_bin('5 minutes', now(), 'epoch') - k * interval '5 minutes', 1, 1, 0 FROM generate_series(1, 20000) k;
    INSERT INTO view.scheduled (due_at, id, priority, position)
    SELECT now() + k * interval '1 minute', 's' || k, 100, k FROM generate_series(1, 20000) k;
    INSERT INTO view.planner_runs (id, version, status, seq, outcome, model, environment, prompt_tokens,
                                   completion_tokens, cost, duration_ms, rounds, directives, tasks, refused, ended_at,
                                   started_by)
    SELECT 'p-' || k, 1, CASE WHEN k % 200 = 0 THEN 'failed' ELSE 'completed' END, k, 'created', 'm', 'production', 1,
           1, 0.01, 1, 1, 0, 0, 0, now() - (20000 - k) * interval '15 minutes', 'gpt' FROM generate_series(1, 20000) k;
    INSERT INTO view.task_deps (parent, child)
    SELECT 't' || k, 'last' FROM generate_series(49801, 50000) k
    UNION ALL SELECT 'first', 'c' || k FROM generate_series(1, 5000) k;
    INSERT INTO view.runners (id, version, status, started_at, last_seen_at, meta)
    SELECT 'pod-' || k, 1, 'alive', now(), now() - k * interval '1 hour', '{}' FROM generate_series(1, 20000) k;
    INSERT INTO log.output (run_id, chunk, step, stream, data) SELECT id, 1, 1, 'stdout', 'output' FROM view.runs;
    INSERT INTO log.artifacts (run_id, kind, content) SELECT id, 'patch', 'patch' FROM view.runs;
"""


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
    await connection.execute(BEAT)
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
    """Each uses the index that is meant for it and reads a bounded number of rows, however it is planned."""
    wrong = []
    for mode in ("force_custom_plan", "force_generic_plan"):
        await big.execute(f"SET plan_cache_mode = {mode}")
        for asked, query in QUERIES.items():
            file, _, name = query.statement.partition(".")
            plan = await _plan(big, load_statements(query.package, f"{file}.sql")[name], query.arguments)
            scans = [node for node in _nodes(plan) if node.get("Relation Name") in LARGE]
            whole = {node["Relation Name"] for node in scans if node["Node Type"] in ("Seq Scan", "Bitmap Heap Scan")}
            used = {node["Index Name"] for node in _nodes(plan) if "Index Name" in node}
            read = sum(_rows_read(node) for node in scans)
            if whole or not query.indexes <= used or read > query.most:
                wrong.append(f"{asked}: uses {used}, scans {whole or 'nothing'}, reads {read:.0f} rows ({mode})")
    assert not wrong, "\n".join(wrong)


def test_every_query_is_planned() -> None:
    """No statement of the read side is missing from these tests."""
    asked = {query.statement for query in QUERIES.values() if query.package == "projections"}
    assert asked == {f"{file.removesuffix('.sql')}.{name}" for file, name in NAMED if file not in WHOLE}


def _rows_read(node: dict[str, Any]) -> float:
    """The rows that a scan looked at, whether they were wanted or not."""
    left_out = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return float((node["Actual Rows"] + left_out) * node["Actual Loops"])


async def test_metrics_touch_a_bounded_number_of_pages(big: Connection) -> None:
    """However long the history, the numbers cost the same few pages."""
    plan = await _plan(big, load_statements("projections", "metrics.sql")["show_metrics"], (60.0, 1000))

    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 600


async def _plan(connection: Connection, statement: str, arguments: tuple[Any, ...]) -> dict[str, Any]:
    rows = await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", *arguments)
    plan: dict[str, Any] = json.loads(rows[0][0])[0]["Plan"]
    return plan


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
