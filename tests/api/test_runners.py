"""Runners over HTTP: an operator drains one and lets it go on."""

import asyncio

import pytest

from tests.api.serving import Served, refusal_of
from tests.support.waiting import eventually


async def test_drain_and_resume(api: Served) -> None:
    """Both answer with the runner; it stays online; who did it and why is shown; a claim is refused until the end."""
    await api.post("/ops/runner/heartbeat", {"runner_id": "a/b", "status": "started"})
    await api.post("/ops/tasks", {"id": "t", "title": "T"})
    runner = await api.post("/runners/a%2Fb/drain", {"reason": "moving"})
    assert ("online", "human:local", "moving") == tuple(
        runner[name] for name in ("status", "draining_by", "draining_reason")
    )
    assert (await api.post("/ops/runner/heartbeat", {"runner_id": "a/b"}))["draining"]
    for body in ({"runner_id": "a/b"}, {"runner_id": "a/b", "task_id": "t"}):
        status, code, detail = refusal_of(await api.client.post("/ops/tasks/claim", json=body))
        assert (423, "draining") == (status, code)
        assert "/runners/a/b/resume" in detail
    assert (await api.post("/runners/a/b/resume"))["draining_since"] is None
    assert "t" == (await api.claim("a/b"))["id"]


async def test_a_long_poll_ends_when_its_runner_drains(api: Served) -> None:
    """The claim that waits is refused at once; that of another runner waits on and is handed the task."""
    await api.post("/ops/runner/heartbeat", {"runner_id": "r1"})
    waiting = [asyncio.create_task(_claim(api, name)) for name in ("r2", "r1")]
    await eventually(lambda: len(api.app.state.live.waiting) == 2)
    await api.post("/runners/r1/drain")
    assert (423, "draining") == refusal_of(await asyncio.wait_for(waiting[1], 10))[:2]
    await api.post("/ops/tasks", {"id": "t", "title": "T"})
    assert "t" == (await asyncio.wait_for(waiting[0], 10)).json()["data"]["id"]


async def test_a_draining_runner_counts_for_nothing(api: Served) -> None:
    """Why a task is not running: all runners drain. One more that does not, and it is next."""
    await api.post("/ops/tasks", {"id": "t", "title": "T"})
    await api.post("/ops/runner/heartbeat", {"runner_id": "r1"})
    await api.post("/runners/r1/drain")
    [reason] = (await api.get("/ops/tasks/t/why"))["reasons"]
    assert ("draining", {"count": 1}) == (reason["code"], reason["facts"])
    assert {"online": 1, "draining": 1, "total": 1} == (await api.get("/ops/metrics"))["runners"]
    await api.post("/ops/runner/heartbeat", {"runner_id": "r2"})
    [reason] = (await api.get("/ops/tasks/t/why"))["reasons"]
    assert "next" == reason["code"]


@pytest.mark.parametrize("deed", ["drain", "resume"])
async def test_what_cannot_be_drained(api: Served, deed: str) -> None:
    """A runner that nobody knows, and one that has gone."""
    assert (404, "not_found") == refusal_of(await api.client.post(f"/runners/ghost/{deed}"))[:2]
    await api.post("/ops/runner/heartbeat", {"runner_id": "r1"})
    await api.post("/ops/runner/heartbeat", {"runner_id": "r1", "status": "stopped"})
    assert (409, "illegal_transition") == refusal_of(await api.client.post(f"/runners/r1/{deed}"))[:2]


async def test_it_takes_an_operator(api: Served) -> None:
    """A viewer and a runner may not."""
    for role, status in (("viewer", 403), ("runner", 403), ("operator", 404)):
        token = await api.tokens.create_token(role, role)
        headers = {"Authorization": f"Bearer {token}"}
        assert status == (await api.client.post("/runners/ghost/drain", headers=headers)).status_code


async def _claim(api: Served, name: str) -> object:
    return await api.client.post("/ops/tasks/claim", json={"runner_id": name, "wait_seconds": 20})
