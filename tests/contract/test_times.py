"""Every time that leaves: 2026-02-13T10:00:00.123Z, which jq, JavaScript and Python read."""

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.api.serving import Served, data_of

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*")
WANTED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ANSWERS = {
    "/ops/tasks": {"created_at", "ready_at", "claimed_at", "started_at", "finished_at", "next_run_at"},
    "/ops/tasks?status=ready": {"created_at", "ready_at", "claimed_at", "next_run_at"},
    "/ops/tasks/done": {"created_at", "ready_at", "claimed_at", "started_at", "finished_at"},
    "/ops/tasks/failed/why": {"since", "until"},
    "/runs": {"claimed_at", "started_at", "finished_at"},
    "/runs/{run}": {"claimed_at", "started_at", "finished_at"},
    "/runs/{run}/output": {"at"},
    "/ops/runner/status": {"last_seen_at", "started_at", "draining_since", "stopped_at"},
    "/ops/directives": {"created_at", "decided_at", "applied_at"},
    "/ops/requests": {"opened_at", "changed_at"},
    "/ops/system/status": {"changed_at"},
    "/ops/metrics": {"last_run_at"},
    "/ops/events": {"at"},
}
"""The addresses whose answers hold times, and where these stand."""


async def make_history(api: Served) -> str:
    """Something of everything that has a time. The id of a run that is done."""
    created = await api.post("/ops/tasks", {"id": "done", "title": "D", "task_type": "shell"})
    assert WANTED.fullmatch(created["created_at"])
    claimed = await api.claim("old-1")
    assert WANTED.fullmatch(claimed["claimed_at"])
    run_id = str(claimed["run_id"])
    await api.post("/runs", {"task_id": "done"})
    await api.post(f"/runs/{run_id}/steps", {"step_name": "s", "exit_code": 0, "duration_ms": 7})
    chunk = {"number": 1, "step": 1, "stream": "stdout", "data": "2026-01-01T00:00:00+00:00"}
    await api.post(f"/runs/{run_id}/output", {"chunks": [chunk]})
    await api.patch(f"/runs/{run_id}", {"status": "done"})
    await api.post("/ops/tasks", {"id": "failed", "title": "F", "priority": 1})
    failed = (await api.claim("old-1"))["run_id"]
    await api.patch(f"/runs/{failed}", {"status": "failed", "error": "2026-01-01T00:00:00.123456+00:00"})
    for status in ("online", "stopped"):
        await api.post("/ops/runner/heartbeat", {"runner_id": "old-1", "status": status})
    await api.post("/ops/runner/heartbeat", {"runner_id": "old-2"})
    await api.post("/runners/old-2/drain")
    await api.post("/ops/directives", {"id": "d", "title": "D"})
    await api.post("/ops/directives/d/apply")
    await api.post("/ops/requests", {"id": "REQ-1", "service": "S"})
    await api.post("/ops/system/pause")
    return run_id


def times(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """The names of fields that hold a time, but for those of texts and of what the log keeps as it was written."""
    match value:
        case dict():
            for key, inner in value.items():
                if key not in ("data", "error", "last_error"):
                    yield from times(inner, key)
        case list():
            for inner in value:
                yield from times(inner, name)
        case str() if TIME.fullmatch(value):
            yield name, value


async def test_every_answer_has_times_of_one_form(api: Served) -> None:
    """Milliseconds and Z, in lists, single answers and the answers to writes; nothing else is touched."""
    run_id = await make_history(api)
    for path, names in ANSWERS.items():
        found = list(times(await api.get(path.replace("{run}", run_id))))
        assert names == {name for name, _value in found}, path
        assert [] == [(path, name, value) for name, value in found if not WANTED.fullmatch(value)]
    [piece] = await api.get(f"/runs/{run_id}/output")
    assert "2026-01-01T00:00:00+00:00" == piece["data"]


async def test_the_stream_and_the_panel_agree(api: Served) -> None:
    """Server-sent events and the panel's machine-readable times have the same form."""
    await make_history(api)
    async with api.client.stream("GET", "/ops/events/stream?after=0") as response:
        line = [line async for line in _until_data(response.aiter_lines())][-1]
    assert WANTED.fullmatch(json.loads(line.removeprefix("data: "))["at"])
    page = (await api.client.get("/panel/tasks/done")).text
    stamps = re.findall(r'<time datetime="([^"]*)"', page)
    assert stamps
    assert [] == [stamp for stamp in stamps if not WANTED.fullmatch(stamp)]


async def _until_data(lines: Any) -> Any:
    async for line in lines:
        yield line
        if line.startswith("data: "):
            return


async def test_no_ended_run_lacks_its_start(api: Served) -> None:
    """A run that ended without a report of its start began with its claim."""
    await api.post("/ops/tasks", [{"id": "a", "title": "A"}, {"id": "b", "title": "B"}])
    run = await api.claim("old-1")
    assert (await api.get(f"/runs/{run['run_id']}"))["started_at"] is None
    ended = data_of(await api.client.patch(f"/runs/{run['run_id']}", json={"status": "done"}))
    assert ended["started_at"] == ended["claimed_at"]
    await api.claim("old-1")
    await api.post("/ops/tasks/b/cancel")
    assert [] == [each for each in await api.get("/runs") if each["started_at"] is None]
