"""Every page for everybody: names, contrast, a phone, hostile text, no script."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from events.task import Step, TaskCreated
from tests.panel.browser.looks import complaints_about, overflow_of, unseen_focus_of
from tests.panel.browser.stage import Stage

HOSTILE = "<img src=x onerror=alert(1)>\u202eexe.\u05e9\u05dc\u05d5\u05dd\x1b[31m" + "w" * 400


def pages(panel: Stage) -> Iterator[str]:
    """An address of every kind of page."""
    run = panel.fetch("SELECT max(id) FROM view.runs WHERE task_id = 'invoice-model'")
    failed = panel.fetch("SELECT max(id) FROM view.runs WHERE status = 'failed'")
    blocked = panel.fetch("SELECT max(seq) FROM log.events WHERE type = 'task.blocked'")
    yield from (
        "/panel",
        "/panel/tasks",
        "/panel/tasks?status=blocked&sort=oldest",
        "/panel/tasks/new",
        "/panel/tasks/invoice-api",
    )
    yield from ("/panel/tasks/bulk?deed=cancel&all=1", "/panel/runs", f"/panel/runs/{run}?find=passed")
    yield from ("/panel/directives", "/panel/directives/D-2026-11-24-b", "/panel/requests", "/panel/requests/REQ-020")
    yield from (f"/panel/runs/{failed}", "/panel/runners", "/panel/log", f"/panel/log/{blocked}")


@pytest.fixture(scope="module")
def hostile(panel: Stage) -> str:
    """A task with hostile text in every field, and a run of it that printed a line of a megabyte; its id."""
    task = TaskCreated(
        HOSTILE,
        body=HOSTILE,
        phase=HOSTILE[:150],
        steps=[Step(HOSTILE[:150], "head -c 1000000 /dev/zero | tr '\\0' x; printf '\\033[31m<b>\\0\\n'; exit 1")],
        params={HOSTILE: HOSTILE},
        max_attempts=1,
    )
    panel.do(panel.served.commands.create_tasks([("hostile-\u05e9\u05dc\u05d5\u05dd", task)], "human:" + HOSTILE[:90]))
    return "hostile-\u05e9\u05dc\u05d5\u05dd"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(page: Page, panel: Stage, scheme: str) -> None:
    """Every control has a name and a ring in focus, every page its landmarks and a heading, every text contrast."""
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    for path in pages(panel):
        page.goto(path)
        assert [] == complaints_about(page), path
        assert [] == unseen_focus_of(page), path


def test_it_fits_on_a_phone(page: Page, panel: Stage, hostile: str) -> None:
    """At 390 pixels nothing sticks out, hostile text included."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"/panel/tasks/{hostile}")
    expect(page.locator("#live-why")).to_contain_text("Blocked")
    run = panel.fetch("SELECT max(id) FROM view.runs WHERE task_id = $1", hostile)
    for path in [*pages(panel), f"/panel/tasks/{hostile}", f"/panel/runs/{run}", "/panel/log?id=" + hostile]:
        page.goto(path)
        assert [] == overflow_of(page), path
        assert [] == unseen_focus_of(page), path


def test_hostile_text_does_nothing(page: Page, panel: Stage, hostile: str) -> None:
    """No dialog, no error, no element of theirs; the megabyte is cut and can be downloaded."""
    page.goto(f"/panel/tasks/{hostile}")
    expect(page.locator("#live-why")).to_contain_text("Blocked")
    run = panel.fetch("SELECT max(id) FROM view.runs WHERE task_id = $1", hostile)
    for path in (
        "/panel",
        "/panel/tasks",
        f"/panel/tasks/{hostile}",
        "/panel/runs",
        f"/panel/runs/{run}",
        "/panel/log",
    ):
        page.goto(path)
        assert 0 == page.locator("img, main b").count(), path
        assert [] == complaints_about(page), path
    expect(page.locator("main")).to_contain_text("U+202E")


def test_it_works_without_a_script(browser: Browser, panel: Stage) -> None:
    """Reading, filtering, creating, bulk and pausing are plain pages and forms."""
    context = browser.new_context(base_url=panel.url, java_script_enabled=False, locale="en-GB")
    page = context.new_page()
    page.goto("/panel")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    page.goto("/panel/tasks/new")
    page.get_by_label("Title").fill("Without a script")
    page.get_by_label("Step 1").fill("true")
    page.get_by_role("button", name="Create").click()
    expect(page.locator(".notice")).to_have_text("Task created.")
    page.goto("/panel/tasks?status=ready")
    page.get_by_label("Tick Without a script").check()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".notice")).to_contain_text("Cancelled: 1.")
    page.goto("/panel")
    page.get_by_role("button", name="Resume").click()
    context.close()
