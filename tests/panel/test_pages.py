"""The panel without a browser: pages, forms, filters, and what is refused."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api.panel.pages import PAGES
from events.reports import Report
from events.task import Step, TaskCreated, TaskDone, TaskStarted, TaskStep
from tests.api.serving import Served

HOSTILE = "<script>alert('x')</script>\"'>&{{7*7}}\u202egnp.exe\x1b[31m"


async def page(api: Served, path: str, status: int = 200, **options: Any) -> str:
    """A page, which must have that status."""
    answer = await api.client.get(path, **options)
    assert status == answer.status_code, answer.text
    return answer.text


async def post(api: Served, path: str, fields: Any = None, **headers: str) -> httpx.Response:
    """A form, as a browser posts it from one of our pages."""
    return await api.client.post(path, data=fields or {}, headers={"Origin": api.url, **headers})


def shown_digest(html: str) -> str:
    """The digest of what a page showed, which its forms carry; empty when it has none."""
    found = re.search('name="shown" value="([0-9a-f]*)"', html)
    return found[1] if found else ""


async def run_once(api: Served, task_id: str) -> int:
    """Create a task and let it run, with a step and some output; its run."""
    await api.commands.create_tasks([(task_id, TaskCreated("T", steps=[Step("one", "echo")]))], "human:ana")
    claimed = await api.commands.claim_task("r1", task_id, "runner:r1")
    run = claimed.run_id
    step = TaskStep(run, 1, "one", "echo", 0, 12, "hello", 5)
    for event in (TaskStarted(run), step, TaskDone(run, 15, "1 step", {"ok": True})):
        if isinstance(event, TaskDone):
            pieces = [{"number": 1, "step": 1, "stream": "stdout", "data": "\x1b[32mhel"}]
            pieces += [{"number": 2, "step": 1, "stream": "stdout", "data": "lo\x1b[0m <b>\n"}]
            await api.post(f"/runs/{run}/output", {"chunks": pieces})
            await api.post(f"/runs/{run}/artifacts", {"patch": "diff --git a/x b/x\n@@ -1 +1 @@\n-a\n+b\n"})
        await api.commands.report([Report(task_id, run, event, "runner:r1")])
    return run


async def test_every_page_is_a_page(api: Served) -> None:
    """Each address of the table answers, on an empty system and on one with work; nothing may be cached or framed."""
    for work in (False, True):
        for path in addresses(await run_once(api, "a b ü") if work else None):
            answer = await api.client.get(path, params={"deed": "requeue", "all": "1"} if "bulk" in path else None)
            assert answer.status_code in (200, 303), (path, answer.text)
            if "static" not in path and answer.status_code == 200:
                assert "default-src 'none'" in answer.headers["content-security-policy"]
                assert "no-store" == answer.headers["cache-control"]


def addresses(run: int | None) -> Iterator[str]:
    """The pages that can be read, of a run and its task or without any."""
    known = {"task_id": "a b ü", "run_id": str(run), "seq": "1", "name": "panel.css", "rest": ""}
    for entry in PAGES:
        names = set(entry.path_names)
        if "directive_id" in names or "request_id" in names or entry.path.endswith("/prompt"):
            continue  # test_directives.py, test_requests.py
        if entry.method == "GET" and entry.path != "/panel/live" and (run or not names - {"name", "rest"}):
            yield re.sub(r"\{(\w+)(?::path)?\}", lambda match: known[match[1]], entry.path)


async def test_the_old_addresses_lead_to_the_panel(api: Served) -> None:
    """/ is the panel; a browser keeps what stands behind the #, and the navigation has it as anchors."""
    answer = await api.client.get("/")
    assert "/panel" == answer.headers["location"]
    home = await page(api, "/panel")
    assert all(f'id="/{name}"' in home for name in ("runs", "tasks", "runners"))


@pytest.mark.parametrize(
    "path", ["/panel/tasks/none", "/panel/runs/7", "/panel/log/7", "/panel/nothing", "/panel/runs/x"]
)
async def test_what_is_not_there_is_a_page_too(api: Served, path: str) -> None:
    """404, in words."""
    assert "There is nothing here" in await page(api, path, 404)


async def test_it_speaks_both_languages(api: Served) -> None:
    """The browser's language, until another one is chosen."""
    assert "Tareas" in await page(api, "/panel/tasks", headers={"Accept-Language": "es-AR,en;q=0.5"})
    answer = await post(api, "/panel/preferences", {"language": "es", "back": "/panel/tasks?status=ready"})
    assert (303, "/panel/tasks?status=ready") == (answer.status_code, answer.headers["location"])
    assert "Tareas" in await page(api, "/panel/tasks")


@pytest.mark.parametrize("back", ["https://evil.example", "//evil.example", "/panel\\evil", "javascript:alert(1)"])
async def test_nobody_is_sent_elsewhere(api: Served, back: str) -> None:
    """Where a form leads afterwards is always the panel."""
    assert "/panel" == (await post(api, "/panel/preferences", {"theme": "dark", "back": back})).headers["location"]


async def test_hostile_text_is_text(api: Served) -> None:
    """Markup, quotes and template syntax are shown, not obeyed, in every field of a task and a runner."""
    clean = HOSTILE.replace("\x1b[31m", "")
    name = clean.replace("/", "")
    task = {"id": name, "title": HOSTILE, "body": HOSTILE, "phase": clean, "directive_id": clean, "branch": clean}
    task |= {"steps": [{"name": HOSTILE, "cmd": HOSTILE}], "params": {HOSTILE: HOSTILE}, "allowed_scope": [HOSTILE]}
    await api.post("/ops/tasks", task)
    await api.post("/ops/runner/heartbeat", {"runner_id": clean, "meta": {"host": HOSTILE, "mode": HOSTILE}})
    run = (await api.claim(clean))["run_id"]
    await api.post(f"/runs/{run}/steps", {"step_name": HOSTILE, "cmd": HOSTILE, "exit_code": 1, "error": HOSTILE})
    changes = [{"path": HOSTILE, "renamed_from": HOSTILE}]
    await api.patch(f"/runs/{run}", {"status": "failed", "error": HOSTILE, "summary": HOSTILE, "file_changes": changes})
    quoted = httpx.URL("http://x").copy_with(path=f"/panel/tasks/{name}").raw_path.decode()
    paths = ["/panel", "/panel/tasks", quoted, "/panel/runs", f"/panel/runs/{run}", "/panel/runners", "/panel/log"]
    paths += [f"/panel/log/{seq}" for seq in range(1, 6)]
    for path in paths:
        html = await page(api, path)
        assert "<script>alert" not in html, path
        assert "49" not in re.findall(r"&amp;(\d+)", html), path
        assert "\u202e" not in re.sub(r'="[^"]*"', "", html), path
        assert not re.search(r'="[^"]*<span', html), f"{path}: markup in an attribute"


# ------------------------------------------------------------------------------------------------------ forms


async def test_a_task_is_created_requeued_and_cancelled_by_forms(api: Served) -> None:
    """Each form leads back to a page that says what became of it, once."""
    answer = await post(api, "/panel/tasks/new", {"title": "New", "step": ["echo 1", "", "echo 2"], "priority": "7"})
    assert 303 == answer.status_code
    path = answer.headers["location"]
    task = await api.get(path.replace("/panel/tasks", "/ops/tasks"))
    assert (["echo 1", "echo 2"], 7) == ([step["cmd"] for step in task["steps"]], task["priority"])
    assert "Task created." in await page(api, path)
    assert "Task created." not in await page(api, path)
    await post(api, f"{path}/cancel", {"reason": "no"})
    assert "Task cancelled." in await page(api, path)
    assert "The task is ready again." in await page(api, (await post(api, f"{path}/requeue")).headers["location"])
    assert "Nothing has changed: the task was ready already." in await page(
        api, (await post(api, f"{path}/requeue")).headers["location"]
    )
    assert "ready" == (await api.get(path.replace("/panel/tasks", "/ops/tasks")))["status"]


async def test_pause_and_resume(api: Served) -> None:
    """The switch on the first page, with its reason."""
    await api.post("/ops/tasks", {"id": "a", "title": "A"})
    await post(api, "/panel/pause", {"reason": "deploy <now>"})
    home = await page(api, "/panel")
    assert "deploy &lt;now&gt;" in home
    assert "The system is paused, and 1 task waits." in home
    assert "The system is paused, by human:local. Reason: deploy" in await page(api, "/panel/tasks/a")
    await post(api, "/panel/resume")
    assert "active" == (await api.get("/ops/system/status"))["status"]


async def test_many_at_once(api: Served) -> None:
    """By filter: first how many, then the deed; what cannot be done is left as it is."""
    tasks = [(f"t{place}", TaskCreated("T", phase="x" if place % 2 else "y")) for place in range(300)]
    await api.commands.create_tasks(tasks, "human:ana")
    await api.commands.cancel("t1", None, "human:ana")
    preview = await page(api, "/panel/tasks/bulk?deed=cancel&all=1&phase=x")
    assert "Cancel 149 tasks?" in preview
    answer = await post(api, "/panel/tasks/bulk", {"deed": "cancel", "all": "1", "phase": "x", "reason": "enough"})
    assert "/panel/tasks?phase=x" == answer.headers["location"]
    assert {"cancelled": 150, "ready": 150} == await counts(api)
    assert "Change the priority of 150 tasks?" in await page(api, "/panel/tasks/bulk?deed=priority&all=1&phase=y")
    await post(api, "/panel/tasks/bulk", {"deed": "priority", "all": "1", "phase": "y", "priority": "3"})
    assert {3} == {task["priority"] for task in await api.get("/ops/tasks?phase=y")}
    assert "Requeue 2 tasks?" in await page(api, "/panel/tasks/bulk?deed=requeue&task=t1&task=t3&task=t2")
    await post(api, "/panel/tasks/bulk", {"deed": "requeue", "task": ["t1", "t3", "t2"]})
    assert {"cancelled": 148, "ready": 152} == await counts(api)
    assert 400 == (await api.client.get("/panel/tasks/bulk?deed=requeue")).status_code


async def counts(api: Served) -> dict[str, int]:
    """How many tasks are in which status, without zeros."""
    return {name: count for name, count in (await api.get("/ops/metrics"))["tasks"].items() if count}


async def test_lists_are_filtered_and_go_on(api: Served) -> None:
    """Filters stand in the address; what does not fit on a page is behind a link."""
    tasks = [(f"t{place:03}", TaskCreated(f"Task {place:03}", phase=str(place % 2))) for place in range(120)]
    await api.commands.create_tasks(tasks, "human:ana")
    first = await page(api, "/panel/tasks?phase=1&sort=oldest")
    assert 50 == first.count("data-row")
    assert first.index("Task 001") < first.index("Task 003")
    assert "Task 002" not in first
    [following] = re.findall(r'href="([^"]*)" rel="next"', first)
    second = await page(api, following.replace("&amp;", "&"))
    assert 10 == second.count("data-row")
    assert "Task 119" in second
    assert 1 == (await page(api, "/panel/tasks?text=task+007")).count("data-row")
    queue = await page(api, "/panel/tasks?status=running&sort=priority")
    assert '<option value="priority" selected>By priority</option>' in queue
    assert 'href="/panel/tasks?status=ready"' in queue, "which cannot be had in that order"
    assert 'value="oldest" selected' in await page(api, "/panel/runs?sort=oldest")
    assert "sort: priority is for running tasks" in await page(api, "/panel/tasks?status=done&sort=priority", 400)
    assert "None agrees with the filter." in await page(api, "/panel/tasks?text=nothing")


# ------------------------------------------------------------------------------------------------------- runs


async def test_output_is_coloured_found_and_downloaded(api: Served) -> None:
    """In HTML with its colours across pieces; as a file as it was; and searched line by line."""
    run = await run_once(api, "a")
    shown = await page(api, f"/panel/runs/{run}?find=HELLO")
    assert '<span class="sgr-f2">hel</span><span class="sgr-f2">lo</span> &lt;b&gt;' in shown
    assert "Lines with this text: 1" in shown
    assert "\x1b[32mhello\x1b[0m <b>\n" == await page(api, f"/panel/runs/{run}/output.log")
    part = await api.client.get(f"/panel/runs/{run}/output", params={"after": 1, "classes": "f2"})
    assert '<span class="sgr-f2">lo</span> &lt;b&gt;\n' == part.text
    assert ("2", "", "1") == tuple(part.headers[f"x-{name}"] for name in ("after", "classes", "running"))
    assert "0" == (await api.client.get(f"/panel/runs/{run}/output", params={"after": 2})).headers["x-running"]
    assert (await page(api, f"/panel/runs/{run}/changes.patch")).endswith("+b\n")
    assert 'class="line-added"' in shown


async def test_what_a_handler_returned_is_shown(api: Served) -> None:
    """On the page of its run, harmless and as far as there is room; whole as a file, and over HTTP."""
    result = {"hello": HOSTILE.replace("\x1b[31m", ""), "list": ["x" * 50] * 800, "z": "THE-END"}
    await api.post("/ops/tasks", {"id": "t", "title": "T"})
    run = (await api.claim("r"))["run_id"]
    assert 'id="result"' not in await page(api, f"/panel/runs/{run}")
    await page(api, f"/panel/runs/{run}/result.json", 404)
    await api.patch(f"/runs/{run}", {"status": "done", "result": result})
    assert result == (await api.get(f"/runs/{run}"))["result"]
    shown = await page(api, f"/panel/runs/{run}")
    assert "&lt;script&gt;alert" in shown
    assert ("It is longer" in shown, "THE-END" in shown) == (True, False)
    assert result == json.loads(await page(api, f"/panel/runs/{run}/result.json"))
    assert "result" not in (await api.get("/runs"))[0], "a list has no room for it"


async def test_times_of_reasons_are_the_readers(api: Served) -> None:
    """A task that starts later says when, in an element that the script shows in the reader's zone; and no error."""
    await api.post("/ops/tasks", {"id": "t", "title": "T", "next_run_at": "2126-05-04T03:02:01Z"})
    english, spanish = [await page(api, "/panel/tasks/t", headers={"Accept-Language": each}) for each in ("en", "es")]
    time = '<time datetime="2126-05-04T03:02:01.000Z" class="" title="2126-05-04 03:02:01 UTC">'
    assert f"It is scheduled: it does not start before {time}" in english
    assert f"Está programada: no empieza antes de {time}" in spanish
    assert "Error:" not in english
    assert "not before <time" in await page(api, "/panel/tasks")


async def test_an_event_leads_to_its_cause_and_its_effects(api: Served) -> None:
    """A parent that is cancelled blocks its child: each of the two events shows the other."""
    await api.commands.create_tasks(
        [("parent", TaskCreated("P")), ("child", TaskCreated("C", depends_on=["parent"]))], "human:ana"
    )
    await api.commands.cancel("parent", "enough", "human:ana")
    events = {event["type"]: event["seq"] for event in await api.get("/ops/events")}
    cause, effect = events["task.cancelled"], events["task.blocked"]
    assert f'id="event-{effect}"' in await page(api, f"/panel/log/{cause}")
    assert f'id="event-{cause}"' in await page(api, f"/panel/log/{effect}")
    log = await page(api, "/panel/log?type=task.blocked")
    assert 1 == log.count("data-row")
    assert "parent parent is cancelled" in log
