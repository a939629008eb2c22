"""Tasks over HTTP: created, listed, changed."""

from typing import Any

import httpx
import pytest

from tests.api.serving import WHOLE, Served, bare, data_of, refusal_of

STEPS = [{"name": "say", "cmd": "echo hi"}]


async def test_a_task_is_created_and_shown(api: Served) -> None:
    """POST answers 201 with the task, GET shows the same."""
    response = await api.client.post("/ops/tasks", json={"id": "a", "title": "A", "steps": STEPS, "phase": 2})

    assert 201 == response.status_code
    task = data_of(response)
    assert ("a", "A", "ready", 0, 100) == tuple(task[key] for key in ("id", "title", "status", "attempts", "priority"))
    assert STEPS == [{key: step[key] for key in ("name", "cmd")} for step in task["steps"]]
    assert task == await api.get("/ops/tasks/a")


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"timeout_seconds": 0.25, "phase": "one"},
        {"depends_on": ["parent"]},
        {"next_run_at": "2100-01-01T00:00:00.5Z"},
    ],
    ids=str,
)
async def test_what_a_creation_answers_is_what_the_view_shows(api: Served, more: Any) -> None:
    """Field by field, in the same order and to the last character; the second time, too."""
    await api.post("/ops/tasks", {"id": "parent", "title": "P", "directive_id": "d"})
    answered = [await api.client.post("/ops/tasks", json=WHOLE | more) for _ in range(2)]
    shown = bare(await api.client.get("/ops/tasks/whole"))

    assert [(201, shown), (200, shown)] == [(response.status_code, bare(response)) for response in answered]


async def test_a_task_without_an_id_is_given_one(api: Served) -> None:
    """An id is made up, and the task can be found by it."""
    task = await api.post("/ops/tasks", {"title": "nameless"})

    assert task["id"].startswith("t-")
    assert "nameless" == (await api.get(f"/ops/tasks/{task['id']}"))["title"]


async def test_the_same_task_again_is_the_one_that_exists(api: Served) -> None:
    """The same id and content is answered 200 with the existing task; nothing is created."""
    first = await api.post("/ops/tasks", {"id": "a", "title": "A"})
    again = await api.client.post("/ops/tasks", json={"id": "a", "title": "A"})

    assert (200, first) == (again.status_code, data_of(again))
    assert 1 == len(await api.get("/ops/tasks"))


async def test_an_id_is_not_given_to_other_content(api: Served) -> None:
    """The same id with other content is a 409 and leaves the task as it was."""
    await api.post("/ops/tasks", {"id": "a", "title": "A"})
    status, code, detail = refusal_of(await api.client.post("/ops/tasks", json={"id": "a", "title": "B"}))

    assert (409, "duplicate_id") == (status, code)
    assert "a" in detail
    assert "A" == (await api.get("/ops/tasks/a"))["title"]


@pytest.mark.parametrize("key", ["6f0c6f4e-7f0d-4e7b-9d27-0e6c9d0a5c11", "order 17, twice"])
async def test_an_idempotency_key_makes_a_repeated_request_one(api: Served, key: str) -> None:
    """A request repeated with its key, a UUID or any text, is answered with the first one's task."""
    headers = {"Idempotency-Key": key}
    first = await api.post("/ops/tasks", {"title": "A"}, headers=headers)
    again = await api.post("/ops/tasks", {"title": "A"}, headers=headers)

    assert first == again
    assert 1 == len(await api.get("/ops/tasks"))


@pytest.mark.parametrize("wrap", [lambda tasks: tasks, lambda tasks: {"tasks": tasks}], ids=["array", "object"])
async def test_many_tasks_are_created_together(api: Served, wrap: Any) -> None:
    """An array, bare or as `tasks`, is answered with the tasks in the order asked, whatever they depend on."""
    tasks = [{"id": "c", "title": "C", "depends_on": ["p"]}, {"id": "p", "title": "P"}]
    response = await api.client.post("/ops/tasks", json=wrap(tasks))

    assert 201 == response.status_code
    assert ["c", "p"] == [task["id"] for task in data_of(response)]
    assert ["c", "p"] == [task["id"] for task in await api.get("/ops/tasks")], "the newest first: p was created first"
    assert 1 == (await api.get("/ops/tasks/c"))["waiting_on"]


async def test_ten_thousand_tasks_at_once(api: Served) -> None:
    """The largest batch is created in one request, small tasks fitting into the default body limit."""
    response = await api.client.post("/ops/tasks", json=[{"title": str(number)} for number in range(10_000)])

    assert (201, 10_000) == (response.status_code, len(data_of(response)))


async def test_more_than_ten_thousand_are_refused(api: Served) -> None:
    """One more is a 400, and none is created."""
    response = await api.client.post("/ops/tasks", json=[{"title": "x"}] * 10_001)

    assert (400, "invalid_input") == refusal_of(response)[:2]
    assert [] == await api.get("/ops/tasks")


async def test_a_cycle_is_refused_by_name(api: Served) -> None:
    """Tasks that wait for each other are a 422 that draws the cycle; none of the batch is created."""
    tasks = [{"id": "a", "title": "A", "depends_on": ["b"]}, {"id": "b", "title": "B", "depends_on": ["a"]}]
    status, code, detail = refusal_of(await api.client.post("/ops/tasks", json=[*tasks, {"id": "z", "title": "Z"}]))

    assert (422, "dependency_cycle") == (status, code)
    assert "a → b → a" in detail or "b → a → b" in detail
    assert [] == await api.get("/ops/tasks")


async def test_an_unknown_dependency_is_refused_by_name(api: Served) -> None:
    """A task that depends on one that does not exist is a 422 naming it."""
    response = await api.client.post("/ops/tasks", json={"title": "A", "depends_on": ["ghost"]})
    status, code, detail = refusal_of(response)

    assert (422, "unknown_dependency") == (status, code)
    assert "ghost" in detail


async def test_tasks_are_listed_by_status_and_phase(api: Served) -> None:
    """Filters narrow the list; limit and cursor page through it."""
    await api.post("/ops/tasks", [{"id": str(number), "title": "T", "phase": number % 2} for number in range(5)])
    await api.claim()

    assert ["0"] == [task["id"] for task in await api.get("/ops/tasks?status=running")]
    assert ["3", "1"] == [task["id"] for task in await api.get("/ops/tasks?phase=1")]
    assert list("1234") == [task["id"] for task in await api.get("/ops/tasks?status=ready")]
    page = (await api.client.get("/ops/tasks?limit=3")).json()
    rest = (await api.client.get("/ops/tasks", params={"limit": 3, "cursor": page["meta"]["next"]})).json()
    assert list("43210") == [task["id"] for task in page["data"] + rest["data"]]
    assert (5, None) == (page["meta"]["total"], rest["meta"]["next"])


async def test_requeue_and_cancel(api: Served) -> None:
    """A cancelled task can be requeued, at once or after a rest; what is so already is left alone."""
    await api.post("/ops/tasks", {"id": "a", "title": "A"})

    assert "cancelled" == (await api.post("/ops/tasks/a/cancel", {"reason": "no"}))["status"]
    assert "cancelled" == (await api.post("/ops/tasks/a/cancel"))["status"]
    task = await api.post("/ops/tasks/a/requeue", {"backoff_seconds": 60, "last_error": "again"})
    assert ("ready", "again") == (task["status"], task["last_error"])
    assert task["next_run_at"] is not None
    assert "ready" == (await api.post("/ops/tasks/a/requeue"))["status"]


async def test_a_runner_hands_its_run_back(api: Served) -> None:
    """Requeue with a run id gives the task back without counting the attempt; with an old one it is refused."""
    await api.post("/ops/tasks", {"id": "a", "title": "A"})
    run_id = (await api.claim())["run_id"]

    task = await api.post("/ops/tasks/a/requeue", {"run_id": run_id})
    assert ("ready", 0) == (task["status"], task["attempts"])
    again = await api.client.post("/ops/tasks/a/requeue", json={"run_id": run_id})
    assert (409, "lease_lost") == refusal_of(again)[:2]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/ops/tasks/x"),
        ("PATCH", "/ops/tasks/x"),
        ("POST", "/ops/tasks/x/requeue"),
        ("POST", "/ops/tasks/x/cancel"),
    ],
)
async def test_an_unknown_task_is_a_404(api: Served, method: str, path: str) -> None:
    """Whatever is asked of a task that does not exist."""
    body = {"status": "done"} if method == "PATCH" else None

    assert (404, "not_found") == refusal_of(await api.client.request(method, path, json=body))[:2]


class TestChange:
    """PATCH /ops/tasks/{id} translates a status into the event it means."""

    @pytest.fixture
    async def run_id(self, api: Served) -> str:
        """The run of task `a`, claimed by r1."""
        await api.post("/ops/tasks", {"id": "a", "title": "A"})
        return str((await api.claim())["run_id"])

    async def change(self, api: Served, **body: Any) -> httpx.Response:
        return await api.client.patch("/ops/tasks/a", json=body)

    async def events(self, api: Served) -> list[tuple[str, str]]:
        return [(event["type"], event["actor"]) for event in await api.get("/ops/events?kind=task&id=a")]

    @pytest.mark.usefixtures("run_id")
    async def test_done(self, api: Served) -> None:
        """A running task becomes done, and saying it again changes nothing."""
        assert "done" == data_of(await self.change(api, status="done"))["status"]
        assert "done" == data_of(await self.change(api, status="done"))["status"]
        assert ("task.done", "human:local") == (await self.events(api))[-1]

    @pytest.mark.usefixtures("run_id")
    async def test_failed_by_a_human_stays_failed(self, api: Served) -> None:
        """Nothing is decided in the operator's place."""
        task = data_of(await self.change(api, status="failed", last_error="broken"))

        assert ("failed", "broken") == (task["status"], task["last_error"])

    @pytest.mark.usefixtures("run_id")
    async def test_ready_with_an_error_is_a_failure(self, api: Served) -> None:
        """The old runner's words for a retry: ready, with attempts, error and time. When it is tried again, we say."""
        task = data_of(
            await self.change(
                api, status="ready", attempts=1, last_error="e", next_run_at="2999-01-01T00:00:00Z", worker_id="r1"
            )
        )

        assert ("ready", 1, "e") == (task["status"], task["attempts"], task["last_error"])
        assert [("task.failed", "runner:r1"), ("task.requeued", "system")] == (await self.events(api))[-2:]
        assert task["next_run_at"] < "2999"

    @pytest.mark.usefixtures("run_id")
    async def test_blocked_and_cancelled(self, api: Served) -> None:
        """Each is its event, with the error as reason."""
        assert "why" == data_of(await self.change(api, status="blocked", last_error="why"))["last_error"]
        assert "cancelled" == data_of(await self.change(api, status="cancelled"))["status"]

    async def test_running_is_a_claim(self, api: Served) -> None:
        """The old way to claim; without a runner's name it is a 400."""
        await api.post("/ops/tasks", {"id": "a", "title": "A"})

        assert (400, "invalid_input") == refusal_of(await self.change(api, status="running"))[:2]
        task = data_of(await self.change(api, status="running", claimed_by="old"))
        assert ("running", "old") == (task["status"], task["claimed_by"])

    async def test_another_runner_cannot_end_it(self, api: Served, run_id: str) -> None:
        """A runner, or a run, that is not the current one is refused and changes nothing."""
        for body in ({"worker_id": "r2"}, {"run_id": "1"}):
            assert (409, "lease_lost") == refusal_of(await self.change(api, status="done", **body))[:2]
        task = await api.get("/ops/tasks/a")
        assert ("running", run_id) == (task["status"], task["run_id"])

    async def test_reporting_run_and_task_separately(self, api: Served, run_id: str) -> None:
        """After a run was reported as failed, "failed" is what its task has been dealt with for."""
        await api.patch(f"/runs/{run_id}", {"status": "failed", "error": "boom"})
        before = await self.events(api)

        assert "ready" == data_of(await self.change(api, status="failed", worker_id="r1"))["status"]
        assert before == await self.events(api)

    async def test_illegal(self, api: Served) -> None:
        """What the state machine does not allow is a 409."""
        await api.post("/ops/tasks", {"id": "a", "title": "A"})
        await api.post("/ops/tasks/a/cancel")

        assert (409, "illegal_transition") == refusal_of(await self.change(api, status="failed"))[:2]
