"""Runs over HTTP: how a runner without a database reports, and how a run is looked at."""

from hashlib import sha256
from typing import Any

import pytest

from tests.api.serving import Served, data_of, refusal_of


@pytest.fixture
async def run_id(api: Served) -> str:
    """The run of task `a`, claimed by r1."""
    await api.post("/ops/tasks", {"id": "a", "title": "A"})
    return str((await api.claim())["run_id"])


async def test_a_whole_run_over_http(api: Served, run_id: str) -> None:
    """Begin, two steps, the end: the run shows all of it, the task is done, and the events name the runner."""
    begun = await api.client.post("/runs", json={"task_id": "a", "branch": "task/a"})
    assert (201, run_id) == (begun.status_code, data_of(begun)["id"])
    await api.post(f"/runs/{run_id}/steps", {"step_name": "one", "cmd": "true", "exit_code": 0, "output_excerpt": "ok"})
    second = await api.post(f"/runs/{run_id}/steps", {"step_name": "two", "exit_code": 0, "duration_ms": 7})
    assert (2, run_id) == (second["number"], second["run_id"])
    changes = [{"path": "a.txt", "change": "added", "added": 3, "removed": 0}]
    end = {"status": "done", "summary": "fine", "commit_hash": "abc", "file_changes": changes, "result": {"n": 1}}
    run = await api.patch(f"/runs/{run_id}", end)

    assert ("done", "fine", "abc", "r1") == tuple(run[key] for key in ("status", "summary", "commit_hash", "runner"))
    steps = [(step["number"], step["name"], step["exit_code"]) for step in run["steps"]]
    assert [(1, "one", 0), (2, "two", 0)] == steps
    assert [("a.txt", "added", 3)] == [(file["path"], file["change"], file["added"]) for file in run["file_changes"]]
    assert "done" == (await api.get("/ops/tasks/a"))["status"]
    events = await api.get("/ops/events?id=a")
    assert ["created", "claimed", "started", "step", "step", "done"] == [event["type"][5:] for event in events]
    assert ["human:local", *["runner:r1"] * 5] == [event["actor"] for event in events]


async def test_a_long_path_does_not_cost_the_run(api: Served, run_id: str) -> None:
    """A path of 2 800 characters is longer than an entry of an index can be; it is stored whole, its twin once."""
    path = "/".join(sha256(str(number).encode()).hexdigest() for number in range(43))
    changes = [{"path": path, "change": "added"}, {"path": path, "change": "deleted"}, {"path": "a"}]
    run = await api.patch(f"/runs/{run_id}", {"status": "done", "file_changes": changes})
    assert [(path, "added"), ("a", "modified")] == [(each["path"], each["change"]) for each in run["file_changes"]]


async def test_runs_are_listed_newest_first(api: Served, run_id: str) -> None:
    """The list names each run with its task; filters narrow it."""
    await api.patch(f"/runs/{run_id}", {"status": "done"})
    await api.post("/ops/tasks", {"id": "b", "title": "B"})
    newest = (await api.claim())["run_id"]

    assert [newest, run_id] == [run["id"] for run in await api.get("/runs")]
    assert [run_id] == [run["id"] for run in await api.get("/runs?task_id=a")]
    assert [newest] == [run["id"] for run in await api.get("/runs?status=running&limit=5")]
    page = (await api.client.get("/runs?limit=1")).json()
    assert [run_id] == [run["id"] for run in await api.get("/runs", params={"cursor": page["meta"]["next"]})]


@pytest.mark.parametrize("word", ["done", "success", "succeeded", "completed"])
async def test_words_for_success(api: Served, run_id: str, word: str) -> None:
    """Older runners say it otherwise; saying it twice is no error."""
    assert "done" == (await api.patch(f"/runs/{run_id}", {"status": word}))["status"]
    assert "done" == (await api.patch(f"/runs/{run_id}", {"status": word}))["status"]


@pytest.mark.parametrize("word", ["failed", "error"])
async def test_a_failed_run_is_tried_again(api: Served, run_id: str, word: str) -> None:
    """The run ends failed with its error; its task rests and is then ready again."""
    run = await api.patch(f"/runs/{run_id}", {"status": word, "error": "boom"})

    assert ("failed", "boom") == (run["status"], run["error"])
    task = await api.get("/ops/tasks/a")
    assert ("ready", "boom", 1) == (task["status"], task["last_error"], task["attempts"])
    assert task["next_run_at"] is not None


async def test_a_failure_that_need_not_be_tried_again(api: Served, run_id: str) -> None:
    """With `retry` false the task is blocked for a human."""
    await api.patch(f"/runs/{run_id}", {"status": "failed", "error": "no such handler", "retry": False})

    assert "blocked" == (await api.get("/ops/tasks/a"))["status"]


async def test_file_changes_in_the_words_of_old_runners(api: Served, run_id: str) -> None:
    """`change_type` and git's letters are understood, further fields ignored: here and nowhere else."""
    changes = [
        {"path": "1", "change_type": "A", "diffstat": "+3 -0"},
        {"path": "2", "change_type": "removed", "mode": 644},
        {"path": "3", "change": "renamed", "renamed_from": "0"},
        {"path": "4"},
    ]
    run = await api.patch(f"/runs/{run_id}", {"status": "done", "file_changes": changes})

    assert ["added", "deleted", "renamed", "modified"] == [change["change"] for change in run["file_changes"]]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/steps", {"step_name": "late"}),
        ("PATCH", "", {"status": "done"}),
        ("POST", "/output", {"chunks": [{"number": 1, "step": 1, "stream": "stdout", "data": "late"}]}),
    ],
)
async def test_a_zombie_is_refused(api: Served, run_id: str, method: str, path: str, body: Any) -> None:
    """Reports of a run that was taken away are a 409, and change nothing."""
    await api.post("/ops/tasks/a/requeue")
    again = (await api.claim("r2"))["run_id"]
    before = await api.get("/ops/events")

    response = await api.client.request(method, f"/runs/{run_id}{path}", json=body)
    assert (409, "lease_lost") == refusal_of(response)[:2]
    assert before == await api.get("/ops/events")
    assert again == (await api.get("/ops/tasks/a"))["run_id"]


async def test_a_run_begins_with_a_claim(api: Served, run_id: str) -> None:
    """A task nobody claimed has no run to begin; one that was claimed begins once, and only for its runner."""
    await api.post("/ops/tasks", {"id": "b", "title": "B"})

    assert (409, "not_eligible") == refusal_of(await api.client.post("/runs", json={"task_id": "b"}))[:2]
    assert (404, "not_found") == refusal_of(await api.client.post("/runs", json={"task_id": "c"}))[:2]
    stranger = {"task_id": "a", "runner_id": "r2"}
    assert (409, "lease_lost") == refusal_of(await api.client.post("/runs", json=stranger))[:2]
    assert run_id == (await api.post("/runs", {"task_id": "a"}))["id"]
    assert run_id == (await api.post("/runs", {"task_id": "a", "runner_id": "r1"}))["id"]
    started = [event for event in await api.get("/ops/events?id=a") if event["type"] == "task.started"]
    assert 1 == len(started)


async def test_an_unknown_run_is_a_404(api: Served) -> None:
    """Whatever is asked of it, and whatever its id looks like."""
    requests: list[tuple[str, str, Any]] = [
        ("GET", "", None),
        ("PATCH", "", {"status": "done"}),
        ("POST", "/steps", {"step_name": "s"}),
        ("GET", "/output", None),
        ("GET", "/artifacts/patch", None),
        ("POST", "/artifacts", {"patch": "x"}),
    ]
    for unknown in ("999999", "abc", "99999999999999999999"):
        for method, path, body in requests:
            response = await api.client.request(method, f"/runs/{unknown}{path}", json=body)
            assert (404, "not_found") == refusal_of(response)[:2], (method, path)


async def test_output_is_stored_once_and_read_in_pieces(api: Served, run_id: str) -> None:
    """A piece sent twice is kept once; pages and steps narrow what is read."""
    pieces = [
        {"number": number, "step": step, "stream": "stdout", "data": f"line {number}\n"}
        for number, step in ((1, 1), (2, 1), (3, 2))
    ]
    await api.post(f"/runs/{run_id}/output", {"chunks": pieces[:2]})
    await api.post(f"/runs/{run_id}/output", {"chunks": pieces})

    assert [1, 2, 3] == [piece["number"] for piece in await api.get(f"/runs/{run_id}/output")]
    assert ["line 3\n"] == [piece["data"] for piece in await api.get(f"/runs/{run_id}/output?step=2")]
    page = (await api.client.get(f"/runs/{run_id}/output?limit=2")).json()
    rest = await api.get(f"/runs/{run_id}/output", params={"after": page["meta"]["next"]})
    assert [3] == [piece["number"] for piece in rest]


async def test_artifacts(api: Served, run_id: str) -> None:
    """A patch can be stored in two ways and read in two; a kind that is none is not found."""
    await api.post(f"/runs/{run_id}/artifacts", {"kind": "patch", "content": "--- a\n+++ b\n"})
    await api.post(f"/runs/{run_id}/artifacts", {"diffstat": " 1 file changed"})

    assert "--- a\n+++ b\n" == (await api.get(f"/runs/{run_id}/artifacts/patch"))["content"]
    plain = await api.client.get(f"/runs/{run_id}/artifacts/diffstat", headers={"Accept": "text/plain"})
    assert " 1 file changed" == plain.text
    assert (404, "not_found") == refusal_of(await api.client.get(f"/runs/{run_id}/artifacts/photo"))[:2]
    assert (400, "invalid_input") == refusal_of(await api.client.post(f"/runs/{run_id}/artifacts", json={}))[:2]


async def test_the_end_seals_what_the_run_left_behind(api: Served, run_id: str) -> None:
    """The event holds the digests of what is stored, redacted or not; from then on nothing replaces it."""
    await api.post(f"/runs/{run_id}/artifacts", {"patch": "+ñ\n", "diffstat": "d"})
    await api.patch(f"/runs/{run_id}", {"status": "done"})
    [end] = [event for event in await api.get("/ops/events") if event["type"] == "task.done"]
    assert [
        {"kind": "diffstat", "sha256": sha256(b"d").hexdigest(), "size_bytes": 1},
        {"kind": "patch", "sha256": sha256("+ñ\n".encode()).hexdigest(), "size_bytes": 4},
    ] == end["data"]["artifacts"]

    late = await api.client.post(f"/runs/{run_id}/artifacts", json={"patch": "+forged\n"})
    assert (409, "lease_lost", True) == (*refusal_of(late)[:2], "before the end" in late.text)
    assert "+ñ\n" == (await api.get(f"/runs/{run_id}/artifacts/patch"))["content"]
    await api.post(f"/runs/{run_id}/artifacts", {"patch": "+ñ\n"})  # sent again, as after a lost answer


async def test_a_patch_is_stored_once(api: Served, run_id: str) -> None:
    """Another content is refused while the run goes on, so that no end can seal what was replaced meanwhile."""
    await api.post(f"/runs/{run_id}/artifacts", {"patch": "+a\n"})
    response = await api.client.post(f"/runs/{run_id}/artifacts", json={"patch": "+b\n"})
    assert (409, "conflict") == refusal_of(response)[:2]
    assert "+a\n" == (await api.get(f"/runs/{run_id}/artifacts/patch"))["content"]
