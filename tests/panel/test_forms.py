"""A form that is refused is shown again: what was typed stays, the reason stands beside it; without JavaScript."""

import re

import pytest

from events.ids import in_path
from tests.api.serving import Served, serving
from tests.panel.test_directives import propose
from tests.panel.test_pages import page, post, shown_digest

SPANISH = {"Accept-Language": "es"}


async def refused(api: Served, path: str, fields: dict[str, object], status: int = 422, **headers: str) -> str:
    """The page that a refused form is answered with."""
    answer = await post(api, path, fields, **headers)
    assert status == answer.status_code, answer.text
    assert 1 == answer.text.count('id="refused"'), answer.text
    return answer.text


@pytest.mark.parametrize(
    ("wrong", "field", "reason"),
    [
        ({"title": ""}, "title", "una tarea necesita un título"),
        ({"step": ["", " "], "body": ""}, "step", "dale a la tarea comandos"),
        ({"priority": "-1"}, "priority", "no puede ser menor que 0"),
        ({"after": "nobody"}, None, "nobody"),
    ],
)
async def test_a_new_task_keeps_what_was_typed(api: Served, wrong: dict[str, str], field: str, reason: str) -> None:
    """Every field has its value again, the wrong one is marked, the reason is in the reader's language."""
    typed = {"title": 'A "quoted" title', "step": ["for x in 1 2\ndo\n  echo $x\ndone", "make <test>"], "body": "b\n c"}
    typed |= {"phase": "p & q", "priority": "7"} | wrong
    html = await refused(api, "/panel/tasks/new", typed, **SPANISH)
    assert reason in html
    kept = {
        "title": 'value="A &#34;quoted&#34; title"',
        "step": ">\nfor x in 1 2\ndo\n  echo $x\ndone</textarea>",
        "body": ">\nb\n c</textarea>",
        "phase": 'value="p &amp; q"',
        "priority": 'value="7"',
    }
    assert [] == [name for name, text in kept.items() if name not in wrong and text not in html]
    assert ([field] if field else []) == re.findall(r'name="(\w+)"[^>]*aria-invalid="true"', html)[:1]
    assert [] == await api.get("/ops/tasks")


async def test_a_step_may_have_many_lines(api: Served) -> None:
    """A loop is one step; one more step is asked for without JavaScript, and nothing is created by that."""
    loop = "for x in 1 2\r\ndo\r\n  echo $x\r\ndone"
    more = await post(api, "/panel/tasks/new", {"title": "", "step": [loop], "add": "1"})
    assert (200, 2) == (more.status_code, more.text.count('<textarea name="step"'))
    assert loop.replace("\r\n", "\n") in more.text.replace("\r\n", "\n")
    made = await post(api, "/panel/tasks/new", {"title": "T", "step": [loop, "", "echo end"]})
    assert 303 == made.status_code
    [task] = await api.get("/ops/tasks")
    assert [loop.replace("\r\n", "\n"), "echo end"] == [step["cmd"] for step in task["steps"]]


async def test_reasons_that_were_typed_stay(api: Served) -> None:
    """Pause, drain and many at once: the page of the form, its reason in place; the query it had in its address too."""
    await api.post("/ops/runner/heartbeat", {"runner_id": "r/ü", "status": "started"})
    await api.post("/ops/tasks", {"id": "t", "title": "T"})
    drained = await refused(api, f"/panel/runners/{in_path('r/ü')}/drain", {"reason": "x" * 1001})
    assert re.search(r'<details class="confirm" id="drain-r/ü" open>', drained)
    assert 'value="' + "x" * 1001 in drained
    paused = await refused(api, "/panel/pause", {"reason": "why <b>", "more": "1"})
    assert 'value="why &lt;b&gt;"' in paused
    many = {"deed": "priority", "all": "1", "status": "ready", "priority": "5000"}
    asked = await refused(api, "/panel/tasks/bulk", many)
    assert 'value="5000"' in asked
    assert "Change the priority of 1 task?" in asked
    assert 'data-page="/panel/tasks/bulk?deed=priority&amp;all=1&amp;status=ready"' in asked


async def test_a_button_that_comes_too_late_is_told_on_its_page(api: Served) -> None:
    """The page as it is now, the reason at its top, 409. What is not there at all has no page: 404."""
    await api.post("/ops/tasks", {"id": "t", "title": "The task"})
    run = (await api.claim("r"))["run_id"]
    await api.patch(f"/runs/{run}", {"status": "done"})
    html = await refused(api, "/panel/tasks/t/cancel", {}, 409)
    assert 'class="refused on-top"' in html
    assert "The task" in html
    assert 404 == (await post(api, "/panel/tasks/ghost/cancel")).status_code


async def test_a_decision_keeps_its_ticks(database: str) -> None:
    """A task whose dependency was unticked: the ticks are as they were, on the page that shows the whole plan."""
    async with serving(database, approval="manual") as api:
        path = f"/panel/directives/{(await propose(api))['id']}"
        shown = await page(api, f"{path}?whole=1")
        ids = re.findall(r'name="offered" value="([^"]+)"', shown)
        fields = {"offered": ids, "take": ids[1:], "shown": shown_digest(shown), "reason": "half of it"}
        html = await refused(api, f"{path}/apply", fields, Referer=f"{api.url}{path}?whole=1", **SPANISH)
        assert ids[1:] == re.findall(r'name="take" value="([^"]+)" checked', html)
        assert 'value="half of it"' in html
        assert f'data-page="{path}?whole=1"' in html
        assert "descártala también" in html


async def test_a_value_is_never_shown_again(api: Served) -> None:
    """What was typed into a password field is not in the page that says why it was refused."""
    await api.post("/ops/requests", {"id": "R", "service": "S", "scopes": ["K"]})
    html = await refused(api, "/panel/requests/R/value", {"name": ["K", "L"], "value": "typed-value"})
    assert "typed-value" not in html
