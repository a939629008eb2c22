"""Health, numbers, runners, pause; and the runbook's questions as its curl lines ask them."""

import asyncio
import shutil
import subprocess

import httpx
import pytest

from tests.api.serving import Served, data_of


async def test_health(api: Served) -> None:
    """A served process is healthy and says which version it is."""
    health = await api.get("/health")

    assert ("healthy", "0.0.0") == (health["status"], health["version"])


async def test_metrics_count_what_there_is(api: Served) -> None:
    """The runbook's numbers, before and after some work."""
    empty = await api.get("/ops/metrics")
    assert 0 == empty["tasks"]["ready"] == empty["runners"]["total"]
    assert empty["runs"]["fail_rate_last_20"] is None
    assert empty["backlog"]["oldest_ready_age_seconds"] is None

    await api.post("/ops/tasks", [{"title": "T"} for _ in range(3)])
    await api.post("/ops/runner/heartbeat", {"runner_id": "r1"})
    run_id = (await api.claim())["run_id"]
    await api.patch(f"/runs/{run_id}", {"status": "done"})
    await api.claim()
    metrics = await api.get("/ops/metrics")
    assert {"ready": 1, "running": 1, "done": 1, "failed": 0, "blocked": 0, "cancelled": 0} == metrics["tasks"]
    assert {"online": 1, "draining": 0, "total": 1} == metrics["runners"]
    assert (0.0, 1) == (metrics["runs"]["fail_rate_last_20"], metrics["runs"]["last_24h"])
    assert metrics["backlog"]["oldest_ready_age_seconds"] >= 0


async def test_the_same_numbers_for_prometheus(api: Served) -> None:
    """Every number of the JSON is a gauge; what is null is left out."""
    await api.post("/ops/tasks", [{"title": "T"} for _ in range(3)])
    response = await api.client.get("/metrics")

    assert "text/plain; version=0.0.4; charset=utf-8" == response.headers["content-type"]
    lines = response.text.splitlines()
    assert 'elruso_tasks{status="ready"} 3.0' in lines
    assert "elruso_runners_total 0.0" in lines
    assert any(line.startswith("elruso_backlog_oldest_ready_age_seconds ") for line in lines)
    assert not any("fail_rate" in line for line in lines)
    assert any(line in ("elruso_listening 1.0", "elruso_listening 0.0") for line in lines)


async def test_runners_come_and_go(api: Served) -> None:
    """A heartbeat makes a runner online and says whether there is work; "stopped" takes it offline at once."""
    beat = await api.post("/ops/runner/heartbeat", {"runner_id": "r1", "status": "started", "meta": {"host": "h"}})
    assert (False, False) == (beat["ready"], beat["paused"])
    await api.post("/ops/tasks", {"title": "T"})
    assert (await api.post("/ops/runner/heartbeat", {"runner_id": "r1", "status": "online"}))["ready"]
    [runner] = await api.get("/ops/runner/status")
    assert ("r1", "r1", "online", {"host": "h"}) == tuple(runner[key] for key in ("id", "runner_id", "status", "meta"))
    assert runner["last_seen_at"]
    for path in ("/ops/runner/status", "/ops/metrics"):
        assert (await api.client.get(path)).json()["meta"]["listener"] in ("listening", "polling")

    await api.post("/ops/runner/heartbeat", {"runner_id": "r1", "status": "stopped"})
    assert ["offline"] == [runner["status"] for runner in await api.get("/ops/runner/status")]


async def test_a_runner_gives_back_what_it_does_not_know_of(api: Served) -> None:
    """A heartbeat names the runs that the runner holds; those it gives back are ready again, at no cost."""
    await api.post("/ops/tasks", [{"id": "a", "title": "A"}, {"id": "b", "title": "B"}])
    kept, lost = [task["run_id"] for task in await api.claim("r1", limit=2)]
    assert {kept, lost} == set((await api.post("/ops/runner/heartbeat", {"runner_id": "r1"}))["held"])

    await api.post("/ops/runner/release", {"runner_id": "r1", "runs": [lost], "reason": "never heard of it"})
    assert [kept] == (await api.post("/ops/runner/heartbeat", {"runner_id": "r1"}))["held"]
    task = await api.get("/ops/tasks/b")
    assert ("ready", 0) == (task["status"], task["attempts"])


async def test_pause_and_resume(api: Served) -> None:
    """The system says that it is paused, since when, why and by whom; twice is no error."""
    assert "active" == (await api.get("/ops/system/status"))["status"]
    for _ in range(2):
        status = await api.post("/ops/system/pause", {"reason": "stock-taking"})
        assert ("paused", "stock-taking", "human:local") == tuple(
            status[key] for key in ("status", "reason", "changed_by")
        )
    for _ in range(2):
        assert "active" == (await api.post("/ops/system/resume"))["status"]


@pytest.mark.parametrize("path", ["/ops/tasks/a/cancel", "/ops/tasks/a/requeue", "/ops/system/pause"])
async def test_no_body_is_an_empty_one(api: Served, path: str) -> None:
    """`curl -X POST` without -d."""
    await api.post("/ops/tasks", {"id": "a", "title": "A"})

    assert (await api.client.post(path)).is_success


async def test_every_answer_carries_its_request_id(api: Served) -> None:
    """The client's own if it is a sane one, else a new one; on refusals too."""
    assert "abc-1" == (await api.client.get("/health", headers={"X-Request-ID": "abc-1"})).headers["x-request-id"]
    made = [(await api.client.get(path)).headers["x-request-id"] for path in ("/health", "/nothing", "/ops/tasks/x")]
    assert 3 == len({*made})
    for insane in ("x" * 200, "a b", "a\tb"):
        assert insane != (await api.client.get("/health", headers={"X-Request-ID": insane})).headers["x-request-id"]


async def test_the_root_leads_to_the_panel(api: Served) -> None:
    """A person who types the address finds the panel."""
    response = await api.client.get("/", follow_redirects=True)
    assert "/panel" == response.url.path
    assert response.headers["content-type"].startswith("text/html")


@pytest.mark.skipif(shutil.which("jq") is None or shutil.which("curl") is None, reason="needs curl and jq")
async def test_the_lines_of_the_runbook(api: Served) -> None:
    """Its curl and jq lines of sections 1 to 4, as they stand, print sensible values."""
    await api.post("/ops/tasks", [{"id": task_id, "title": "T"} for task_id in "abc"])
    await api.post("/ops/runner/heartbeat", {"runner_id": "r1"})
    run_id = (await api.claim())["run_id"]
    await api.patch(f"/runs/{run_id}", {"status": "done"})
    await api.claim()

    for line, expected in [
        ('curl -s "$API_BASE_URL/ops/metrics" | jq -c .data.tasks.ready', "1"),
        ('curl -s "$API_BASE_URL/ops/runner/status" | jq -c "[.data[] | .status]"', '["online"]'),
        (
            """curl -s "$API_BASE_URL/ops/tasks" | jq -c '.data | group_by(.status) """
            """| map({status:.[0].status, count:length})'""",
            '[{"status":"done","count":1},{"status":"ready","count":1},{"status":"running","count":1}]',
        ),
        ("""curl -s "$API_BASE_URL/ops/tasks?status=ready" | jq '.data | length'""", "1"),
        ("""curl -s "$API_BASE_URL/ops/tasks?status=running" | jq -r '.data[] | .id'""", "b"),
        (
            """curl -s "$API_BASE_URL/runs" | jq -r '.data[:5] | .[] | {id,task_id,status,started_at} | .task_id'""",
            "b\na",
        ),
        (f'curl -s "$API_BASE_URL/runs/{run_id}" | jq -r .data.status', "done"),
        ("""curl -s -X POST "$API_BASE_URL/ops/tasks/b/requeue" -d '{"backoff_seconds":10}' | jq .ok""", "true"),
    ]:
        assert expected == await shell(line, API_BASE_URL=api.url), line


async def shell(line: str, **environment: str) -> str:
    """What a line of shell prints."""
    process = await asyncio.create_subprocess_shell(
        line, stdout=subprocess.PIPE, env={"PATH": "/usr/bin:/bin:/usr/local/bin", **environment}
    )
    printed, _ = await process.communicate()
    return printed.decode().strip()


async def test_data_and_nothing_else(api: Served) -> None:
    """A success has `ok` and `data`, lists have `meta`."""
    response: httpx.Response = await api.client.get("/ops/tasks")

    assert {"ok", "data", "meta"} == set(response.json())
    assert [] == data_of(response)
