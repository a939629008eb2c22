"""Directives and the planner in the panel: decided by forms, with the real client and a scripted model."""

from typing import Any

import httpx
import pytest

from tests.api.serving import Served, serving
from tests.ops.planner.planning import planning
from tests.panel.test_pages import page, post, shown_digest
from tests.support.openai_server import openai_server, proposes
from tests.support.waiting import eventually

DIRECTIVE: dict[str, Any] = {
    "title": "Ship invoices <b>",
    "body": "Three small steps.",
    "acceptance_criteria": ["an invoice can be sent"],
    "risks": ["mail may bounce"],
    "tasks_to_create": [
        {"title": "Model", "steps": [{"name": "m", "cmd": "make model"}], "allowed_scope": ["src/"]},
        {"title": "Mail", "steps": [{"name": "s", "cmd": "make mail"}], "depends_on": ["Model"]},
        {"title": "Extra", "steps": [{"name": "x", "cmd": "make extra"}]},
    ],
}


async def propose(api: Served, **more: Any) -> Any:
    """A directive, proposed over HTTP."""
    return await api.post("/ops/directives", DIRECTIVE | more)


async def test_one_task_is_unticked_and_the_rest_applied(database: str) -> None:
    """The page shows what applying creates, as a list and as a picture; what was unticked is left out."""
    async with serving(database, approval="manual") as api:
        directive = (await propose(api))["id"]
        shown = await page(api, f"/panel/directives/{directive}")
        assert all(word in shown for word in ("make model", "an invoice can be sent", "mail may bounce", 'class="dag"'))
        assert "Ship invoices &lt;b&gt;" in await page(api, "/panel/directives")
        assert "Directives that wait for you: 1." in await page(api, "/panel")
        ids = [task["id"] for task in (await api.get(f"/ops/directives/{directive}/preview"))["tasks"]]
        fields = {"offered": ids, "take": ids[:2], "shown": shown_digest(shown)}
        answer = await post(api, f"/panel/directives/{directive}/apply", fields)
        assert 303 == answer.status_code, answer.text
        assert ids[:2] == sorted((task["id"] for task in await api.get("/ops/tasks")), key=ids.index)
        assert "left out" in await page(api, f"/panel/directives/{directive}")


async def test_a_long_plan_has_pages(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one page has no room for stands on the next; it is applied from the page that shows all of it."""
    monkeypatch.setattr("api.panel.directives.PLANNED_PER_PAGE", 2)
    async with serving(database, approval="manual") as api:
        path = f"/panel/directives/{(await propose(api))['id']}"
        first = await page(api, path)
        assert all(word in first for word in ("make model", "make mail", "3 tasks", "Tasks 1 to 2 of 3."))
        assert "make extra" not in first
        assert f'href="{path}?after=2" rel="next"' in first
        second = await page(api, f"{path}?after=2")
        assert all(word in second for word in ("make extra", 'start="3"', "Tasks 3 to 3 of 3.", "wave 1"))
        assert f'href="{path}" rel="first"' in second
        assert "" == shown_digest(first) == shown_digest(second)
        whole = await page(api, f"{path}?whole=1")
        assert all(word in whole for word in ("make model", "make mail", "make extra"))
        offered = [task["id"] for task in (await api.get(path.replace("/panel", "/ops") + "/preview"))["tasks"]][2:]
        await post(api, f"{path}/apply", {"offered": offered, "shown": shown_digest(whole)})
        assert ["Mail", "Model"] == sorted(task["title"] for task in await api.get("/ops/tasks"))


async def test_a_directive_is_rejected_with_a_reason(database: str) -> None:
    """The reason stands on its page; afterwards it cannot be applied."""
    async with serving(database, approval="manual") as api:
        directive = (await propose(api))["id"]
        await post(api, f"/panel/directives/{directive}/reject", {"reason": "not this <quarter>"})
        assert "not this &lt;quarter&gt;" in await page(api, f"/panel/directives/{directive}")
        assert 409 == (await post(api, f"/panel/directives/{directive}/apply")).status_code
        assert "Ship invoices" in await page(api, "/panel/directives?status=REJECTED")
        assert "Ship invoices" not in await page(api, "/panel/directives?status=PENDING")


async def test_gpt_is_run_from_the_panel(database: str) -> None:
    """It goes on behind the page, which shows how far it is, then what it proposed, its tokens and its cost."""
    async with openai_server() as model, planning(database, model) as desk:
        model.will(proposes(DIRECTIVE, stalls=True))
        answer = await post(desk.api, "/panel/directives/run", {"environment": "staging"})
        assert (303, "/panel/directives") == (answer.status_code, answer.headers["location"])
        await model.saw(1)
        assert "Asking the model" in await page(desk.api, "/panel/directives")
        model.released.set()

        async def shown() -> bool:
            return "Ship invoices" in await page(desk.api, "/panel/directives")

        await eventually(shown)
        ended = await page(desk.api, "/panel/directives")
        assert "1 directive, 3 tasks" in ended
        assert "1,200 tokens" in ended
        assert "staging" not in await page(desk.api, "/panel/directives/prompt")
        assert 1 == len(model.asked), "looking at the prompt asks nothing"


async def test_without_a_key_it_says_so(database: str) -> None:
    """The button is off and leads to where the key is put; a form all the same is refused in words."""
    async with openai_server() as model, planning(database, model) as desk:
        desk.secrets.values.clear()
        assert "The OpenAI key is missing." in await page(desk.api, "/panel/directives")
        answer: httpx.Response = await post(desk.api, "/panel/directives/run")
        assert 409 == answer.status_code
        assert "GPT has no key" in answer.text


@pytest.mark.parametrize("path", ["/panel/directives/none", "/panel/directives/prompt"])
async def test_what_is_not_there(api: Served, path: str) -> None:
    """An unknown directive is a 404, a planner that this process has not a 503; both in words."""
    assert (await api.client.get(path)).status_code in (404, 503)
