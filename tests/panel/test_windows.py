"""Long lists: what was looked at, how one goes on, and what is found at once however old it is."""

import re
from html import unescape

import pytest

from events.reports import Report
from events.task import FileChange, TaskCreated, TaskDone, TaskStarted, TaskStep
from tests.api.serving import Served

MANY = 51_000
FILL = """
    INSERT INTO log.events (kind, id, version, type, actor, data)
    SELECT 'task', 't' || n, 1, 'task.created', 'gpt', '{"title":"t","phase":"new"}'
    FROM generate_series(1, $1::integer) n
"""


async def page(api: Served, path: str) -> str:
    """A page that is there."""
    answer = await api.client.get(path)
    assert 200 == answer.status_code, answer.text
    return answer.text


def further(html: str) -> str:
    """Where a list goes on."""
    return unescape(re.findall(r'href="([^"]*)" rel="next"', html)[0])


@pytest.fixture
async def old(api: Served) -> Served:
    """An API over two old tasks, one of which failed, with very many newer ones behind them."""
    await api.commands.create_tasks(
        [("the-one", TaskCreated("A kumquat", phase="old")), ("sad", TaskCreated("Sad"))], "human:ana"
    )
    claimed = await api.commands.claim_task("r1", "sad", "runner:r1")
    await api.patch(f"/runs/{claimed.run_id}", {"status": "failed", "error": "boom"})
    await api.commands.cancel("sad", None, "human:ana")
    await api.commands.pause("quiet", "human:ana")
    await api.pool.execute(FILL, MANY)
    return api


async def test_old_things_are_found(old: Served) -> None:
    """What is rare stands in a list of its own; what is searched for is sought part by part, and the page says so."""
    assert "Sad" in await page(old, "/panel/tasks?status=cancelled")
    assert "Sad" in await page(old, "/panel/tasks?status=cancelled&text=sad")
    assert "boom" in await page(old, "/panel/runs?status=requeued") + await page(old, "/panel/runs?status=failed")
    assert "quiet" in await page(old, "/panel/log?kind=system")
    assert "quiet" in await page(old, "/panel/log?type=system.paused")
    assert ["system.paused"] == [event["type"] for event in await old.get("/ops/events?kind=system")]
    assert "A kumquat" in await page(old, "/panel/tasks?text=the-one")

    looked = 0
    html = await page(old, "/panel/tasks?text=kumquat")
    while "A kumquat" not in html:
        assert "20,000 were looked at" in html
        html, looked = await page(old, further(html)), looked + 1
    assert 2 == looked


async def test_a_deed_for_many_goes_on(old: Served) -> None:
    """It looks at so many tasks, takes so many, and leads to those that come next."""
    first = await page(old, "/panel/tasks/bulk?deed=cancel&all=1&phase=new")
    assert "10,000 are taken at a time" in first
    none = await page(old, "/panel/tasks/bulk?deed=cancel&all=1&phase=old")
    assert "50,000 tasks were looked at" in none
    assert "A kumquat" in await page(old, further(none))
    cursor = further(none).partition("cursor=")[2]
    await old.client.post(
        "/panel/tasks/bulk",
        data={"deed": "cancel", "all": "1", "phase": "old", "cursor": cursor},
        headers={"Origin": old.url},
    )
    assert "cancelled" == (await old.get("/ops/tasks/the-one"))["status"]


async def test_of_a_long_run_its_end_is_shown(api: Served) -> None:
    """The last steps, the first files, the beginning of the patch; pages of their own show all of each."""
    await api.commands.create_tasks([("a", TaskCreated("A"))], "human:ana")
    run = (await api.commands.claim_task("r1", "a", "runner:r1")).run_id
    steps = [TaskStep(run, number, f"step {number}") for number in range(1, 251)]
    done = TaskDone(run, file_changes=[FileChange(f"f{number:03}") for number in range(230)])
    patch = "".join(f"diff --git a/p{n:03} b/p{n:03}\n@@ -1 +1 @@\n" + 6 * "+x\n" for n in range(230))
    await api.post(f"/runs/{run}/artifacts", {"kind": "patch", "content": patch})
    for event in (TaskStarted(run), *steps, done):
        await api.commands.report([Report("a", run, event, "runner:r1")])
    path = f"/panel/runs/{run}"
    html = await page(api, path)
    assert "The last 100 of 250." in html
    assert ("step 250</bdi>" in html, "step 150</bdi>" in html) == (True, False)
    assert ("f099" in html, "f100" in html, "Show all 230 files" in html) == (True, False, True)
    assert ("p049" in html, "p050" in html, "The patch is long" in html) == (True, False, True)
    for part, found, count in (
        ("steps", r"step \d+</bdi>", 250),
        ("changes", r"<bdi>f\d{3}", 230),
        ("patch", r"<bdi>p\d{3}", 230),
    ):
        assert f'href="{path}/{part}"' in html
        assert count == len(set(re.findall(found, await whole(api, f"{path}/{part}"))))
    assert 250 == len((await api.get(f"/runs/{run}"))["steps"])
    assert 404 == (await api.client.get("/panel/runs/999/patch")).status_code


async def test_a_file_with_more_lines_than_a_page_is_cut(api: Served) -> None:
    """Its beginning is shown, and that there is more; the next page begins with the next file."""
    await api.commands.create_tasks([("a", TaskCreated("A"))], "human:ana")
    run = (await api.commands.claim_task("r1", "a", "runner:r1")).run_id
    long = "diff --git a/long b/long\n@@ -1 +1 @@\n" + 60_000 * "+long\n"
    await api.post(
        f"/runs/{run}/artifacts", {"kind": "patch", "content": f"{long}diff --git a/last b/last\nnew file\n"}
    )
    first = await page(api, f"/panel/runs/{run}/patch")
    assert ("This file has more lines" in first, "<bdi>last" in first) == (True, False)
    second = await page(api, further(first))
    assert ("<bdi>last" in second, 'rel="next"' in second) == (True, False)


async def whole(api: Served, path: str) -> str:
    """All pages of a list, one behind the other."""
    pages = [await page(api, path)]
    while 'rel="next"' in pages[-1]:
        pages.append(await page(api, further(pages[-1])))
    return "".join(pages)


async def test_of_many_runners_a_page_is_shown(api: Served) -> None:
    """Sixty at a time, by name."""
    for number in range(70):
        await api.post("/ops/runner/heartbeat", {"runner_id": f"r{number:02}"})
    first = await page(api, "/panel/runners")
    assert ('id="runner-r00"' in first, 'id="runner-r60"' in first) == (True, False)
    second = await page(api, further(first))
    assert ('id="runner-r59"' in second, 'id="runner-r69"' in second) == (False, True)


async def test_of_many_parents_the_first_are_named_and_the_others_counted(api: Served) -> None:
    """The page of a task that waits for 23 names 20 of them and says that there are 3 more, in either language."""
    parents = [f"parent-{place:02}" for place in range(23)]
    named = [(name, TaskCreated(name)) for name in parents]
    await api.commands.create_tasks([*named, ("child", TaskCreated("C", depends_on=parents))], "human:ana")
    assert "and 3 more" in (await api.client.get("/panel/tasks/child")).text
    assert "y 3 más" in (await api.client.get("/panel/tasks/child", headers={"Accept-Language": "es"})).text
