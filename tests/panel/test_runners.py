"""The page of the runners: drain one, hand it work again, without a script."""

import re

import asyncpg
import pytest

from events.task import TaskCreated
from tests.api.serving import Served
from tests.panel.test_pages import page, post


async def test_a_runner_is_drained_by_a_form(api: Served) -> None:
    """A disclosure asks first; then the card says who, why and that it is empty; Home says what follows; and back."""
    await api.post("/ops/runner/heartbeat", {"runner_id": "r/ü", "status": "started"})
    await api.commands.create_tasks([("t", TaskCreated("T"))], "human:ana")
    shown = await page(api, "/panel/runners")
    assert re.search(
        r'<details class="confirm" id="drain-r/ü">\s*<summary class="button">Drain…</summary>\s*<form',
        shown,
    )
    answer = await post(api, "/panel/runners/r/%C3%BC/drain", {"reason": "new <disk>"})
    assert (303, "/panel/runners") == (answer.status_code, answer.headers["location"])
    shown = await page(api, "/panel/runners")
    assert 'class="pill is-drained"' in shown
    assert "Told to drain by human:local at" in shown
    assert "new &lt;disk&gt;" in shown
    assert "Every runner that is online is draining (1), and 1 task waits." in await page(api, "/panel")
    assert "Every runner that is online is draining (1)." in await page(api, "/panel/tasks/t")
    assert "Todos los runners" in await page(api, "/panel", headers={"Accept-Language": "es"})
    assert 303 == (await post(api, "/panel/runners/r/%C3%BC/resume")).status_code
    assert "Drain…" in await page(api, "/panel/runners")
    assert "is draining" not in await page(api, "/panel")


@pytest.mark.parametrize("code", ["missing", "not_a_repository", "full", "read_only", "broken", "silent", "new"])
async def test_an_unfit_runner_is_seen(api: Served, code: str) -> None:
    """Home, the runner's card and the task say what is wrong, in both languages; a code of a newer runner too."""
    fault = {"code": code, "path": "/mnt/<work>", "detail": "/mnt/<work>: Stale file handle"}
    await api.post("/ops/runner/heartbeat", {"runner_id": "r", "meta": {"unfit": fault}})
    await api.commands.create_tasks([("t", TaskCreated("T"))], "human:ana")
    for path in ("/panel", "/panel/runners"):
        english, spanish = await page(api, path), await page(api, path, headers={"Accept-Language": "es"})
        assert "Runner r cannot work:" in english
        assert "El runner r no puede trabajar:" in spanish
        assert "/mnt/&lt;work&gt;" in english
    assert "Stale file handle" in await page(api, "/panel/tasks/t")


async def test_draining_until_what_it_holds_has_ended(api: Served) -> None:
    """While it holds tasks it is draining, after them it is drained."""
    await api.post("/ops/runner/heartbeat", {"runner_id": "r", "status": "started"})
    await api.commands.create_tasks([("t", TaskCreated("T"))], "human:ana")
    run = (await api.claim("r"))["run_id"]
    await post(api, "/panel/runners/r/drain")
    assert 'class="pill is-draining"' in await page(api, "/panel/runners")
    await api.patch(f"/runs/{run}", {"status": "done"})
    assert 'class="pill is-drained"' in await page(api, "/panel/runners")


async def test_a_drain_that_comes_too_late_is_told_in_words(api: Served) -> None:
    """A runner that has gone cannot be drained: 409, on a page."""
    await api.post("/ops/runner/heartbeat", {"runner_id": "r", "status": "started"})
    await api.post("/ops/runner/heartbeat", {"runner_id": "r", "status": "stopped"})
    assert 409 == (await post(api, "/panel/runners/r/drain")).status_code
    assert 404 == (await post(api, "/panel/runners/ghost/drain")).status_code


async def test_runners_of_past_starts_are_a_link_away(api: Served, database: str) -> None:
    """Who stopped an hour ago is not on the page, but on the one that it leads to; over HTTP it is `past`."""
    connection = await asyncpg.connect(database)
    await connection.execute("SELECT set_config('elruso.now', (now() - interval '1 hour')::text, false)")
    insert = (
        "INSERT INTO log.events (kind, id, version, type, actor, data) VALUES ('runner', 'old', $1, $2, 'me', '{}')"
    )
    for version, event in enumerate(("runner.started", "runner.stopped"), 1):
        await connection.execute(insert, version, event)
    await connection.close()
    shown = await page(api, "/panel/runners")
    assert 'id="runner-old"' not in shown
    [link] = re.findall(r'href="(/panel/runners\?past=1)"', shown)
    assert 'id="runner-old"' in await page(api, link)
    assert [] == await api.get("/ops/runner/status")
    assert ["old"] == [runner["id"] for runner in await api.get("/ops/runner/status?past=true")]
