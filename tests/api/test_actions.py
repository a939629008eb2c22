"""POST /ops/actions: commands that run where the API runs."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.serving import Served, serving


@pytest.fixture
async def api(database: str, tmp_path: Path) -> AsyncIterator[Served]:
    """An API with a workspace that holds two tasks and no requests."""
    (tmp_path / "ops").mkdir()
    (tmp_path / "ops" / "REQUESTS.json").write_text("[]")
    write(tmp_path, [{"id": "a", "title": "a"}, {"id": "b", "title": "b", "depends_on": ["a"]}])
    async with serving(database, workspace=tmp_path) as served:
        yield served


def write(workspace: Path, tasks: list[dict[str, Any]]) -> None:
    """Make TASKS.json say this."""
    (workspace / "ops" / "TASKS.json").write_text(json.dumps(tasks))


async def act(api: Served, action: str, **wish: bool) -> dict[str, Any]:
    """The result of an action."""
    response = await api.client.post(f"/ops/actions/{action}", content=json.dumps(wish) if wish else b"")
    assert 200 == response.status_code, response.text
    result: dict[str, Any] = response.json()["data"]
    assert {"ok", "output", "exitCode"} == result.keys()
    return result


async def test_push_brings_the_workspaces_tasks(api: Served) -> None:
    """sync-push creates the tasks of the workspace's file, under the caller's name, and wakes who waits for them."""
    claim = {"runner_id": "r1", "wait_seconds": 20}
    rehearsed = await act(api, "sync-push", dry_run=True)
    assert [] == (await api.client.get("/ops/tasks")).json()["data"]
    waiting = api.client.post("/ops/tasks/claim", json=claim)
    pushed, claimed = await act(api, "sync-push"), await waiting
    assert (True, 0) == (pushed["ok"], pushed["exitCode"])
    assert pushed["output"].splitlines() == rehearsed["output"].splitlines()[:-1]
    assert "a" == claimed.json()["data"]["id"]
    [created, *_] = (await api.client.get("/ops/events?kind=task")).json()["data"]
    assert "human:local" == created["actor"]


async def test_pull_writes_the_workspaces_file(api: Served, tmp_path: Path) -> None:
    """sync-pull writes what the log says into the workspace's file; of what is over, with `open`, nothing."""
    await act(api, "sync-push")
    write(tmp_path, [{"id": "a", "title": "a"}])
    await api.client.post("/ops/tasks/b/cancel", content=b"{}")
    await act(api, "sync-pull", open=True)
    assert ["a"] == [task["id"] for task in json.loads((tmp_path / "ops" / "TASKS.json").read_text())]
    await act(api, "sync-pull")
    assert ["ready", "cancelled"] == [
        task["status"] for task in json.loads((tmp_path / "ops" / "TASKS.json").read_text())
    ]


async def test_refused_action_is_a_result(api: Served, tmp_path: Path) -> None:
    """What the command line would end with 1 for is exitCode 1 with the same text."""
    write(tmp_path, [{"id": "a", "title": "a", "depends_on": ["nowhere"]}])
    result = await act(api, "sync-push")
    assert (False, 1) == (result["ok"], result["exitCode"])
    assert "a depends on nowhere" in result["output"]
    (tmp_path / "ops" / "TASKS.json").write_text("nonsense")
    assert "is not JSON" in (await act(api, "sync-push"))["output"]


async def test_migrate(api: Served) -> None:
    """migrate says what the command says."""
    assert {"ok": True, "output": "The database is up to date.", "exitCode": 0} == await act(api, "migrate")
