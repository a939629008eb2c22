"""The first El Ruso's React panel and its operators: the fetches that it made, in the shapes that it sent and read."""

import pytest

from events.connect import Database
from projections.audit import audit
from tests.api.serving import Served, data_of, refusal_of
from tests.api.test_auth import bearer

TASK = {
    "id": "T-001",
    "phase": 1,
    "title": "T",
    "status": "ready",
    "branch": "task/T-001",
    "depends_on": [],
    "blocked_by": [],
    "task_type": "shell",
    "steps": [{"name": "s", "cmd": "true"}],
    "params": {},
}
ARTIFACTS = {
    "patch_redacted": "diff --git a/f b/f\n+a\n",
    "diffstat": " f | 1 +",
    "before_sha": "0" * 40,
    "after_sha": "1" * 40,
}


async def begin(api: Served) -> str:
    """The run of T-001, begun as the first El Ruso's runner did."""
    await api.post("/ops/tasks", TASK)
    claimed = await api.post("/ops/tasks/claim", {"runner_id": "old-1", "worker_id": "old-1", "task_id": "T-001"})
    assert ("old-1", "old-1") == (claimed["claimed_by"], claimed["worker_id"])
    body = {"task_id": "T-001", "commit_hash": "0123abc", "branch": "", "worker_id": "old-1", "status": "running"}
    run = await api.post("/runs", body)
    assert ("task/T-001", "0123abc") == (run["branch"], run["commit_hash"])
    return str(run["id"])


async def test_runs_with_steps_changes_and_artifacts(api: Served) -> None:
    """Each row names itself and its run; artifacts come by the names that the panel reads."""
    run_id = await begin(api)
    step = await api.post(f"/runs/{run_id}/steps", {"step_name": "s", "cmd": "true", "exit_code": 0})
    await api.post(f"/runs/{run_id}/artifacts", ARTIFACTS)
    changes = [{"path": "f", "change_type": "added", "diffstat": "1 +"}]
    ending = {"status": "done", "file_changes": changes, "artifact_path": f"reports/runs/{run_id}"}
    run = await api.patch(f"/runs/{run_id}", ending)

    assert ("0123abc", "old-1") == (run["commit_hash"], run["worker_id"])
    assert [(step["id"], run_id, "s")] == [(each["id"], each["run_id"], each["step_name"]) for each in run["steps"]]
    assert [(run_id, "f", "added")] == [
        (each["run_id"], each["path"], each["change_type"]) for each in run["file_changes"]
    ]
    assert 1 == len({each["id"] for each in run["file_changes"]})
    assert run["artifact_path"].startswith(f"/runs/{run_id}/artifacts/")
    patch = await api.get(f"/runs/{run_id}/artifacts/patch")
    assert patch["patch"] == patch["content"] == ARTIFACTS["patch_redacted"]
    assert ("0" * 40, "1" * 40) == (patch["before_sha"], patch["after_sha"])
    assert ARTIFACTS["diffstat"] == (await api.get(f"/runs/{run_id}/artifacts/diffstat"))["diffstat"]
    [ended] = [event for event in await api.get("/ops/events?kind=task&id=T-001") if event["type"] == "task.done"]
    assert f"reports/runs/{run_id}" == ended["data"]["artifact_path"]
    assert [("old-1", "0123abc")] == [(each["worker_id"], each["commit_hash"]) for each in await api.get("/runs")]


async def test_artifacts_after_the_end_are_late(api: Served, database: str) -> None:
    """They are taken once, for a quarter of an hour, marked, and shown so; what the end sealed is not added to."""
    run_id = await begin(api)
    await api.post(f"/runs/{run_id}/artifacts", {"diffstat": "sealed"})
    await api.patch(f"/runs/{run_id}", {"status": "done"})
    late = {"patch_redacted": ARTIFACTS["patch_redacted"]}
    for _ in range(2):
        assert ["patch"] == (await api.post(f"/runs/{run_id}/artifacts", late))["late"]
    for forged in ({"patch": "+other"}, {"diffstat": "other"}):
        refused = await api.client.post(f"/runs/{run_id}/artifacts", json=forged)
        assert (409, "lease_lost") == refusal_of(refused)[:2]
    assert [True, False] == [
        (await api.get(f"/runs/{run_id}/artifacts/{kind}"))["late"] for kind in ("patch", "diffstat")
    ]
    assert ["patch"] == (await api.get(f"/runs/{run_id}"))["late_artifacts"]
    assert "came after the run" in (await api.client.get(f"/panel/runs/{run_id}")).text
    assert (await audit(Database(database).connect_direct, lambda *_: None)).identical
    await api.pool.execute("UPDATE view.ended_runs SET finished_at = finished_at - interval '16 minutes'")
    await api.pool.execute("DELETE FROM log.artifacts")
    refused = await api.client.post(f"/runs/{run_id}/artifacts", json=late)
    assert (409, "lease_lost", True) == (*refusal_of(refused)[:2], "before the end" in refused.text)


async def test_only_ready_tasks_are_created(api: Served) -> None:
    """`status: ready` is what a new task is; another one is refused by name."""
    status, code, detail = refusal_of(await api.client.post("/ops/tasks", json=TASK | {"status": "done"}))
    assert (400, "invalid_input", True) == (status, code, "$.status" in detail)


async def test_requests_come_with_their_status(api: Served) -> None:
    """A request may be provided, or rejected, as it is opened; REJECTED is WITHDRAWN."""
    body = {"service": "S", "type": "credentials", "scopes": ["A_KEY"], "purpose": "p", "where_to_set": "vault"}
    given = {"id": "REQ-1", "status": "PROVIDED", "provided_at": "2026-02-13T10:00:00.123Z"}
    provided = await api.post("/ops/requests", given | body)
    assert ("PROVIDED", True) == (provided["status"], provided["provided_at"] is not None)
    assert "WITHDRAWN" == (await api.post("/ops/requests", {"id": "REQ-2", "status": "REJECTED"} | body))["status"]
    assert "WAITING" == (await api.post("/ops/requests", {"id": "REQ-3", "status": "WAITING"} | body))["status"]
    changed = await api.patch("/ops/requests/REQ-3", {"status": "REJECTED", "provided_at": None})
    assert "WITHDRAWN" == changed["status"]
    assert ["REQ-2", "REQ-3"] == [each["id"] for each in await api.get("/ops/requests?status=REJECTED")]
    assert "PROVIDED" == (await api.post("/ops/requests", given | body))["status"]
    headers = bearer(await api.tokens.create_token("ana", "operator"))
    refused = await api.client.post("/ops/requests", json={"id": "REQ-4", "status": "PROVIDED"} | body, headers=headers)
    assert (403, "forbidden") == refusal_of(refused)[:2]


@pytest.mark.parametrize("word", ["APPLIED", "APPROVED"])
async def test_directives_are_decided_in_either_words(api: Served, word: str) -> None:
    """PENDING_REVIEW is PENDING and changes nothing; APPROVED is APPLIED, which is final."""
    directive = {"id": "D-1", "title": "D", "tasks_to_create": [{"title": "T"}], "source": "gpt"}
    assert "gpt" == (await api.post("/ops/directives", directive))["source"]
    waiting = await api.patch("/ops/directives/D-1", {"status": "PENDING_REVIEW"})
    assert "PENDING" == waiting["status"]
    assert ["D-1"] == [each["id"] for each in await api.get("/ops/directives?status=PENDING_REVIEW")]
    assert "APPLIED" == (await api.patch("/ops/directives/D-1", {"status": word}))["status"]
    again = await api.client.patch("/ops/directives/D-1", json={"status": "PENDING_REVIEW"})
    assert (409, "illegal_transition") == refusal_of(again)[:2]


async def test_applying_says_what_it_did(api: Served) -> None:
    """How many tasks were created, how many not, whether it had been applied; and what it lacks."""
    tasks = [{"title": "A"}, {"title": "B"}]
    await api.post("/ops/directives", {"id": "D-1", "title": "D", "tasks_to_create": tasks})
    first = await api.post("/ops/directives/D-1/apply")
    told = ("directive_id", "tasks_created", "tasks_skipped", "idempotent", "status")
    assert ["D-1", 0, 2, False, "APPLIED"] == [first[name] for name in told]  # created with the proposal
    assert ["D-1", 0, 2, True, "APPLIED"] == [(await api.post("/ops/directives/D-1/apply"))[name] for name in told]

    lacking = {"id": "D-2", "title": "L", "required_requests": [{"request_id": "REQ-1"}], "tasks_to_create": tasks}
    await api.post("/ops/directives", lacking)
    refused = await api.client.post("/ops/directives/D-2/apply")
    assert 409 == refused.status_code
    assert ["REQ-1"] == refused.json()["meta"]["blocked_by_requests"]
    await api.patch("/ops/requests/REQ-1", {"status": "PROVIDED"})
    assert data_of(await api.client.post("/ops/directives/D-2/apply"))["tasks_skipped"] == 2


async def test_an_operator_says_what_no_run_did(api: Served) -> None:
    """Done or failed without a run, by an operator's token; the event names nobody's run."""
    await api.post("/ops/tasks", [{"id": name, "title": name} for name in ("done", "failed", "running")])
    await api.claim("old-1", task_id="running")
    headers = bearer(await api.tokens.create_token("ana", "operator"))
    for status in ("done", "failed"):
        path, body = f"/ops/tasks/{status}", {"status": status, "last_error": "in the field"}
        for _ in range(2):
            assert status == (await api.patch(path, body, headers=headers))["status"]
        [event] = await api.get(f"/ops/events?kind=task&id={status}&after=3", headers=headers)
        assert (f"task.{status}", "human:ana", None) == (event["type"], event["actor"], event["data"]["run_id"])
    assert ["done"] == [task["id"] for task in await api.get("/ops/tasks?status=done", headers=headers)]
    running = await api.client.patch("/ops/tasks/running", json={"status": "done"}, headers=headers)
    assert (403, "forbidden") == refusal_of(running)[:2]
