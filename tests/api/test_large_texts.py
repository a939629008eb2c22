"""Texts add up: what one task, step or list may hold is bounded in bytes, and everything is reachable."""

from typing import Any

from api.deps import Limits
from events.log import PAGE_BYTES
from events.task import TaskCreated
from tests.api.serving import Served, refusal_of, serving

BIG = "x" * 900_000
COUNT = 21  # of BIG ones: more than two pages
LARGE = Limits(body_bytes=64 << 20)


async def test_fields_of_a_task_add_up(database: str) -> None:
    """Each of them is within its limit, all of them are not: a 413 that names the task, and nothing is created."""
    async with serving(database, LARGE) as api:
        body = {"id": "a", "title": "T", "body": BIG, "steps": [{"name": "s", "cmd": BIG}]}
        status, code, detail = refusal_of(await api.client.post("/ops/tasks", json=body))
        assert (413, "too_large") == (status, code)
        assert "the task a (T) takes" in detail
        assert [] == await api.get("/ops/tasks")


async def test_a_directive_adds_up_as_well(database: str) -> None:
    """With all its tasks."""
    tasks = [{"title": str(number), "body": "x" * 190_000} for number in range(30)]
    async with serving(database, LARGE) as api:
        response = await api.client.post("/ops/directives", json={"title": "D", "tasks_to_create": tasks})
        assert (413, "too_large") == refusal_of(response)[:2]
        assert [[], []] == [await api.get("/ops/directives"), await api.get("/ops/tasks")]


async def test_lists_are_cut_by_bytes(database: str) -> None:
    """A page is short and has a next one, until all have been seen, once and in order."""
    async with serving(database, LARGE) as api:
        await api.commands.create_tasks([(f"t{n:02}", _task()) for n in range(COUNT)], "human:x")
        ids = [f"t{n:02}" for n in range(COUNT)]
        assert ids[::-1] == await _walk(api, "/ops/tasks", "cursor")
        assert ids == await _walk(api, "/ops/tasks?status=ready", "cursor")
        assert ids == await _walk(api, "/ops/events", "after")
        assert ids == await _walk(api, "/ops/events?kind=task", "after")


async def test_runs_and_output_are_cut_by_bytes(database: str) -> None:
    """Their summaries, and the pieces of what they printed; a step keeps the end of a long excerpt."""
    async with serving(database, LARGE) as api:
        await api.post("/ops/tasks", [{"id": str(n), "title": "T"} for n in range(COUNT)])
        runs = [(await api.claim())["run_id"] for _ in range(COUNT)]
        for number in range(1, 13):
            piece = {"number": number, "step": 1, "stream": "stdout", "data": BIG}
            await api.post(f"/runs/{runs[0]}/output", {"chunks": [piece]})
        assert list(range(1, 13)) == await _walk(api, f"/runs/{runs[0]}/output", "after", "number")
        await api.post(f"/runs/{runs[0]}/steps", {"step_name": "s", "output_excerpt": BIG + "end"})
        [step] = (await api.get(f"/runs/{runs[0]}"))["steps"]
        assert (65_536, "end", True) == (len(step["output_excerpt"]), step["output_excerpt"][-3:], step["truncated"])
        for run in runs:
            await api.patch(f"/runs/{run}", {"status": "done", "summary": BIG})
        assert runs[::-1] == await _walk(api, "/runs?limit=1000", "cursor")
        await api.post("/ops/tasks", [{"id": f"b{n:02}", "title": "T"} for n in range(COUNT)])
        for number in range(COUNT):
            await api.patch(f"/ops/tasks/b{number:02}", {"status": "blocked", "last_error": BIG})
        blocked = [f"b{number:02}" for number in range(COUNT)]
        assert blocked[::-1] == await _walk(api, "/ops/tasks?status=blocked", "cursor")


async def test_a_run_of_many_long_steps(database: str) -> None:
    """Its last steps are shown, with how many there are; the log has all of them."""
    async with serving(database, LARGE) as api:
        await api.post("/ops/tasks", {"id": "a", "title": "T"})
        run = (await api.claim())["run_id"]
        for number in range(1, 13):
            await api.post(f"/runs/{run}/steps", {"step_name": "s", "number": number, "cmd": BIG})
        answer = await api.client.get(f"/runs/{run}")
        shown = [step["number"] for step in answer.json()["data"]["steps"]]
        assert list(range(13 - len(shown), 13)) == shown
        assert {"steps": 12, "file_changes": 0} == answer.json()["meta"]
        assert len(answer.content) < PAGE_BYTES + 1.2 * len(BIG)
        assert {"number": 13} == {"number": (await api.post(f"/runs/{run}/steps", {"step_name": "next"}))["number"]}, (
            "the next number follows from the last step"
        )


async def _walk(api: Served, address: str, parameter: str, key: str = "id") -> list[Any]:
    """What all pages of a list name, in order; there are several pages, and none is much larger than it may be."""
    seen: list[Any] = []
    pages, following, mark = 0, "", "&" if "?" in address else "?"
    while following is not None:
        response = await api.client.get(f"{address}{mark}{parameter}={following}")
        page = response.json()
        assert len(response.content) < PAGE_BYTES + 1.2 * len(BIG)
        seen += [row[key] for row in page["data"]]
        pages, following = pages + 1, page["meta"]["next"]
    assert pages > 1
    return seen


def _task() -> TaskCreated:
    return TaskCreated("T", body=BIG)
