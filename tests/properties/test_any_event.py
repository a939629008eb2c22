"""Whatever psql inserts into the log is refused, or the engine can live with it: no event stops it for the others."""

import asyncio
import itertools
from collections.abc import Awaitable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import httpx
import pytest
import uvloop
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from events.catalog import EVENT_TYPES, TRANSITIONS, decode, kind_of
from events.connect import Database
from events.errors import InvalidInput
from events.ids import in_path
from ops.postgres.server import Server
from projections.audit import audit
from tests.api.serving import Served, serving
from tests.properties.event_json import LATE, WHOLE, Written, written_events
from tests.support.postgres import create_database, drop_database, ensure_template

INSERT = "INSERT INTO log.events (kind, id, version, type, actor, data) VALUES ($1, $2, $3, $4, $5, $6) RETURNING seq"
STREAMS = """
    SELECT id, version, status, run_id FROM view.tasks WHERE $1 = 'task'
    UNION ALL SELECT id, version, status, NULL FROM view.runners WHERE $1 = 'runner'
    UNION ALL SELECT id, version, status, NULL FROM view.requests WHERE $1 = 'request'
    UNION ALL SELECT id, version, status, NULL FROM view.directives WHERE $1 = 'directive'
    UNION ALL SELECT id, version, status, NULL FROM view.system WHERE $1 = 'system'
    ORDER BY version, id
"""
SEEN = """
    SELECT (SELECT array_agg(DISTINCT e.id) FROM log.events e WHERE e.seq > $1 AND e.kind = 'task') AS tasks,
           (SELECT array_agg(DISTINCT e.id) FROM log.events e WHERE e.seq > $1 AND e.kind = 'directive') AS directives,
           (SELECT array_agg(DISTINCT e.id) FROM log.events e WHERE e.seq > $1 AND e.kind = 'request') AS requests,
           (SELECT array_agg(e.seq) FROM log.events e WHERE e.seq > $1) AS seqs,
           (SELECT array_agg(r.id) FROM view.runs r WHERE r.id > $1) AS runs
"""
LISTS = [
    *(
        "/ops/tasks",
        "/ops/tasks?status=blocked",
        "/ops/tasks?status=ready",
        "/runs",
        "/ops/runner/status",
        "/ops/metrics",
    ),
    *("/ops/directives", "/ops/requests", "/ops/system/status", "/ops/events?after=0", "/ops/gpt/runs"),
    *("/panel", "/panel/tasks", "/panel/runs", "/panel/runners", "/panel/directives", "/panel/requests", "/panel/log"),
]
OF_ONE = {
    "tasks": ("/ops/tasks/{}", "/ops/tasks/{}/why", "/panel/tasks/{}"),
    "directives": ("/ops/directives/{}", "/panel/directives/{}"),
    "requests": ("/panel/requests/{}",),
    "seqs": ("/panel/log/{}",),
    "runs": ("/runs/{}", "/panel/runs/{}"),
}


class Stage:
    """One database, an API on it, and a session as psql opens one."""

    def __init__(self, loop: asyncio.Runner, api: Served, url: str, psql: asyncpg.Connection) -> None:
        self._loop = loop
        self._api = api
        self._url = url
        self._psql = psql
        self._numbers = itertools.count(1)
        self._checked = 0
        self.accepted = 0

    def play(self, written: list[Written]) -> None:
        """Insert the events, one by one, and look whether everything still works."""
        self._loop.run(self._play(written))

    async def _play(self, written: list[Written]) -> None:
        for event in written:
            await self._insert(event)
        await self._resume()
        await self._work()
        await self._look()

    async def _insert(self, event: Written) -> None:
        stream, version, run_id = await self._stream(event)
        text, actor = event.text(run_id), event.actor if event.actor is not None else "human:eve"
        fits = _fits(event.type, text)
        try:
            await self._psql.execute(INSERT, kind_of(event.type), stream, version, event.type, actor, text)
        except (asyncpg.PostgresError, UnicodeEncodeError) as refusal:
            is_malformed = getattr(refusal, "sqlstate", "") == "ER006" and event.has_usual_envelope
            if is_malformed and fits:
                pytest.fail(f"{event.type} {text} is refused: {refusal}")
        else:
            self.accepted += 1
            assert fits, (event.type, text)

    async def _stream(self, event: Written) -> tuple[str, int, int | None]:
        """An id, the next version and the current run, of a stream that the event can follow in, if there is one."""
        rows = await self._psql.fetch(STREAMS, kind_of(event.type))
        fitting = [row for row in rows if row["status"] in TRANSITIONS[event.type].sources]
        if event.id is not None or not fitting:
            name = event.id if event.id is not None else f"{kind_of(event.type)}-{next(self._numbers)}"
            return ("main" if event.type.startswith("system.") and event.id is None else name), 1, None
        row = fitting[event.place % len(fitting)]
        return row["id"], row["version"] + 1, row["run_id"]

    async def _resume(self) -> None:
        await self._ask("POST", "/ops/system/resume", {})

    async def _work(self) -> None:
        """A runner beats, a task that comes first is claimed, begun and done."""
        runner = f"worker-{next(self._numbers)}"
        await self._ask("POST", "/ops/runner/heartbeat", {"runner_id": runner})
        [task] = await self._ask(
            "POST", "/ops/tasks", [{"title": "t", "priority": 0, "id": f"own-{next(self._numbers)}"}]
        )
        claimed = await self._ask("POST", "/ops/tasks/claim", {"runner_id": runner, "limit": 1000})
        [run] = [each["run_id"] for each in claimed if each["id"] == task["id"]]
        await self._ask("POST", "/runs", {"task_id": task["id"], "runner_id": runner})
        await self._ask("PATCH", f"/runs/{run}", {"status": "done"})
        await self._ask("POST", "/ops/runner/heartbeat", {"runner_id": runner, "status": "stopped"})
        await self._api.commands.sweep(0.001)

    async def _look(self) -> None:
        row = await self._psql.fetchrow(SEEN, self._checked)
        assert row is not None
        self._checked = max(row["seqs"])
        for path in [*LISTS, *(path.format(in_path(str(name))) for path, name in self._each(row))]:
            await self._ask("GET", path)
        report = await audit(lambda: Database(self._url).connect(), lambda *_: None)
        assert report.identical, report.differences[:3]

    def _each(self, row: asyncpg.Record) -> Iterator[tuple[str, Any]]:
        return ((path, name) for what, paths in OF_ONE.items() for name in (row[what] or [])[:4] for path in paths)

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        response: httpx.Response = await self._api.client.request(method, path, json=body)
        assert response.status_code < 400, (method, path, response.status_code, response.text[:500])
        return response.json()["data"] if not path.startswith("/panel") else None


@pytest.fixture(scope="module")
def stage(postgres: Server) -> Iterator[Stage]:
    """Where all examples are played, one after the other: what is accepted stays."""
    stack = AsyncExitStack()

    async def begin() -> tuple[str, Served, asyncpg.Connection]:
        await ensure_template(postgres)
        name = await create_database(postgres)
        url = postgres.url(name)
        stack.push_async_callback(drop_database, postgres, name)
        psql = await asyncpg.connect(url, server_settings={"application_name": "psql"})
        stack.push_async_callback(psql.close)
        return url, await stack.enter_async_context(serving(url)), psql

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        url, api, psql = loop.run(begin())
        stage = Stage(loop, api, url, psql)
        yield stage
        assert stage.accepted > 50, "too few of the events are accepted for this to say anything"
        loop.run(_close(stack.aclose()))


def _fits(event_type: str, text: str) -> bool:
    """Whether the Struct itself accepts the data, and not only its tolerant twin."""
    try:
        return type(decode(event_type, text)) is EVENT_TYPES[event_type]
    except InvalidInput:
        return False


async def _close(closing: Awaitable[None]) -> None:
    await closing


CREATED = WHOLE["task.created"]


@pytest.mark.timeout(600)
@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), print_blob=True)
@given(written=st.lists(written_events(), min_size=8, max_size=24))
@example(written=[Written(name, data, 0) for name, data in WHOLE.items()])
@example(
    written=[
        *(Written("task.created", CREATED | {"priority": value}, 0) for value in (-1, "5", 1001, 32768)),
        *(
            Written("task.created", CREATED | {"next_run_at": value}, 0)
            for value in (LATE, "infinity", "2026-01-01T00:00:00")
        ),
        *(Written("task.created", CREATED | {"timeout_seconds": value}, 0) for value in (1e300, 0, -1)),
        Written("task.created", {"title": "t"}, 0),
        Written("task.blocked", {"reason": "r"}, 0),
        Written("task.requeued", {"reason": "r", "attempts": 2147483647}, 0),
        Written("task.requeued", {"reason": "r", "attempts": 1000000}, 0),
        Written("runner.started", {"meta": {"mode": 5, "slots": "x", "host": [], "pid": {}, "version": None}}, 0),
    ]
)
def test_any_event_is_refused_or_bearable(stage: Stage, written: list[Written]) -> None:
    """Refused, or claims, heartbeats, the sweep, all lists and pages, and the audit work on as before."""
    stage.play(written)
