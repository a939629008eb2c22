"""An operator's walk through the panel, in a real browser, with a real runner at work."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.panel.browser.stage import Stage


def remember(page: Page) -> None:
    """Mark the page, so that a reload would be noticed."""
    page.evaluate("window.remembered = true")


def was_not_reloaded(page: Page) -> bool:
    """Whether the mark is still there."""
    return bool(page.evaluate("window.remembered === true"))


def wait_until_live(page: Page) -> None:
    """The page hears what happens."""
    expect(page.locator("[data-live-state]")).to_have_attribute("data-live-state", "on")


def test_a_task_is_created_and_becomes_done_before_ones_eyes(page: Page, panel: Stage) -> None:
    """By the form; then its page and the first page tell how it goes, without a reload."""
    page.goto("/panel")
    page.get_by_role("link", name="Tasks", exact=True).click()
    page.get_by_role("link", name="New task").click()
    page.get_by_label("Title").fill("Say hello")
    gate = panel.folder / "hello"
    page.get_by_label("Step 1").fill(f"while [ ! -e {gate} ]; do sleep 0.02; done")
    page.get_by_role("button", name="Create").click()
    expect(page.locator("#live-why")).to_contain_text("running")
    wait_until_live(page)
    remember(page)
    gate.touch()
    expect(page.locator("#live-why")).to_contain_text("It is done.")
    expect(page.locator("#live-story")).to_contain_text("Step 1")
    expect(page.locator("#live-runs")).to_contain_text("done")
    assert was_not_reloaded(page)


def test_output_is_followed_as_it_arrives(page: Page, panel: Stage) -> None:
    """What a command prints stands there while it runs; colours and all; the end is told too."""
    gate = panel.folder / "go"
    wait = f"while [ ! -e {gate} ]; do sleep 0.02; done"
    panel.shell("chatty", f"printf 'first \\033[32mgreen\\n'; {wait}; printf 'second\\033[0m third <i>\\n'")
    page.goto("/panel/tasks/chatty")
    page.get_by_role("link", name="Watch it run").click()
    output = page.locator("#output")
    expect(output).to_contain_text("first green")
    remember(page)
    gate.touch()
    expect(output).to_contain_text("second third <i>")
    expect(output.locator(".sgr-f2").last).to_have_text("second")
    expect(page.locator("#live-run .pill")).to_contain_text("done")
    expect(page.locator("#live-steps")).to_contain_text("exit 0")
    assert was_not_reloaded(page)


def test_work_is_paused_and_resumed(page: Page, panel: Stage) -> None:
    """Paused, a task says why it waits and by whom; resumed, it runs."""
    page.goto("/panel")
    page.get_by_label("Reason").fill("deploy")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".notice")).to_contain_text("Paused")
    panel.shell("patient", "true")
    page.goto("/panel/tasks/patient")
    expect(page.locator("#live-why")).to_contain_text("The system is paused, by human:local. Reason: deploy.")
    page.get_by_role("link", name="Resume").click()
    page.get_by_role("button", name="Resume").click()
    page.goto("/panel/tasks/patient")
    expect(page.locator("#live-why")).to_contain_text("It is done.")


def test_tasks_are_filtered_and_requeued_together(page: Page, panel: Stage) -> None:
    """By status and text; all that the filter finds, after a look at how many."""
    for name in ("broken-1", "broken-2"):
        panel.shell(name, "exit 1", max_attempts=1, title=f"Broken thing {name}")
    page.goto("/panel/tasks?status=blocked")
    page.get_by_label("Title or id").fill("broken thing")
    expect(page.locator("#live-tasks")).to_contain_text("Broken thing broken-2")
    page.get_by_role("button", name="Filter").click()
    assert "text=broken+thing" in page.url
    expect(page.locator("[data-row]")).to_have_count(2)
    page.get_by_label("All that the filter finds").check()
    page.get_by_role("button", name="Requeue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Requeue 2 tasks?")
    page.get_by_role("button", name="Requeue").click()
    expect(page.locator(".notice")).to_contain_text("Requeued: 2.")
    query = (
        "SELECT count(*) FROM log.events WHERE type = 'task.requeued' AND actor = 'human:local' AND id LIKE 'broken-%'"
    )
    assert 2 == panel.fetch(query)


def test_one_task_is_ticked_and_cancelled(page: Page, panel: Stage) -> None:
    """A tick survives the page keeping itself true; the count stands beside it."""
    panel.do(panel.served.commands.pause(None, "human:test"))
    panel.shell("unwanted", "true")
    page.goto("/panel/tasks?status=ready")
    wait_until_live(page)
    page.get_by_label("Tick unwanted").check()
    panel.shell("another", "true")
    expect(page.locator("#live-tasks")).to_contain_text("another")
    expect(page.get_by_label("Tick unwanted")).to_be_checked()
    expect(page.locator("[data-ticked]")).to_have_text("1 ticked")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_label("Reason").fill("not wanted")
    page.get_by_role("button", name="Cancel").click()
    page.goto("/panel/tasks/unwanted")
    expect(page.locator("#live-story")).to_contain_text("not wanted")
    panel.do(panel.served.commands.resume("human:test"))


def test_the_keyboard_is_enough(page: Page, panel: Stage) -> None:
    """From the first page to a task and its cancelling, without the mouse."""
    panel.do(panel.served.commands.pause(None, "human:test"))
    panel.shell("by-keyboard", "true", title="Found by keyboard")
    page.goto("/panel")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("g")
    page.keyboard.press("t")
    page.wait_for_url("**/panel/tasks")
    page.keyboard.press("/")
    expect(page.get_by_label("Title or id")).to_be_focused()
    page.keyboard.type("found by")
    page.keyboard.press("Enter")
    page.wait_for_url("**text=found+by**")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/panel/tasks/by-keyboard")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == "Cancel":
            break
    page.keyboard.press("Enter")
    expect(page.locator("#live-why")).to_contain_text("It was cancelled.")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    panel.do(panel.served.commands.resume("human:test"))


def test_the_log_grows_while_one_looks(page: Page, panel: Stage) -> None:
    """Filtered to one stream it shows what happens there; an event opens to its data."""
    page.goto("/panel/log?type=task.done")
    wait_until_live(page)
    remember(page)
    panel.shell("logged", "true")
    row = page.locator("[data-row]").filter(has_text="logged")
    expect(row).to_have_count(1)
    assert was_not_reloaded(page)
    row.get_by_role("link").first.click()
    expect(page.locator("main pre")).to_contain_text('"run_id"')


def test_old_addresses_lead_to_their_page(page: Page) -> None:
    """The first El Ruso's #/… addresses."""
    for old, now in (
        ("/#/runs", "/panel/runs"),
        ("/#/tasks", "/panel/tasks"),
        ("/#/runners", "/panel/runners"),
        ("/#/setup", "/panel/requests/REQ-020"),
    ):
        page.goto("about:blank")
        page.goto(old)
        page.wait_for_url(f"**{now}")


def test_language_and_colours_are_remembered(page: Page) -> None:
    """Chosen once, kept on the next page."""
    page.goto("/panel/runs")
    page.get_by_role("button", name="Español").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ejecuciones")
    page.get_by_role("button", name="Colores: sistema").click()
    page.goto("/panel/tasks")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.get_by_role("heading", level=1)).to_have_text("Tareas")


def test_a_run_shows_what_it_changed(page: Page, panel: Stage, tmp_path: Path) -> None:
    """Files, lines before and after, and the patch as a file."""
    run = panel.fetch("SELECT max(id) FROM view.runs WHERE task_id = 'invoice-model'")
    page.goto(f"/panel/runs/{run}?find=rounding")
    expect(page.locator(".found li")).to_have_count(1)
    expect(page.locator(".diff")).to_have_count(2)
    expect(page.locator(".line-removed").first).to_contain_text("amount = 0")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the patch").click()
    download.value.save_as(tmp_path / "patch")
    assert "diff --git a/NOTES.md" in (tmp_path / "patch").read_text()


def test_a_directive_is_applied_without_one_of_its_tasks(page: Page, panel: Stage) -> None:
    """First the credential that it needs is handed in; then one task is unticked and the rest runs."""
    page.goto("/panel/directives")
    page.get_by_role("link", name="Let customers pay an invoice by card").click()
    expect(page.get_by_role("button", name="Apply")).to_be_disabled()
    page.get_by_role("link", name="REQ-020").click()
    page.get_by_label("PAYMENTS_KEY").fill("pk_live_0123456789")
    page.get_by_label("PAYMENTS_WEBHOOK_SECRET").fill("whsec_0123456789")
    page.get_by_role("button", name="Store and try").click()
    expect(page.locator(".notice")).to_contain_text("Stored and tried")
    expect(page.locator("#live-request")).to_contain_text("All of its values are stored.")
    assert "pk_live" not in page.content()
    page.get_by_role("link", name="Let customers pay an invoice by card").click()
    page.get_by_label("A button on the invoice page").uncheck()
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".notice")).to_contain_text("Directive applied.")
    expect(page.locator(".plan")).to_contain_text("left out")
    assert 3 == panel.fetch("SELECT count(*) FROM view.tasks WHERE directive_id = 'D-2026-11-24-b'")
    assert not panel.fetch("SELECT count(*) FROM log.events WHERE data::text LIKE '%pk_live%'")


@pytest.mark.parametrize("scripts", [True, False])
def test_a_refused_form_keeps_what_was_typed(browser: Browser, panel: Stage, scripts: bool) -> None:
    """With and without scripts: the loop is one step, a second step is added, the error stands above what was typed."""
    context = browser.new_context(base_url=panel.url, locale="en-GB", java_script_enabled=scripts)
    page = context.new_page()
    page.goto("/panel/tasks/new")
    page.get_by_label("Title").fill("Count")
    loop = "for i in 1 2\ndo\n  echo $i\ndone"
    page.get_by_label("Step 1").fill(loop)
    page.get_by_role("button", name="Add a step").click()
    page.get_by_label("Step 2").fill("echo end")
    page.get_by_label("After").fill("nobody")
    page.get_by_label("Title").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("depends on nobody")
    assert [loop, "echo end"] == [page.get_by_label(f"Step {number}").input_value() for number in (1, 2)]
    page.get_by_label("After").fill("")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="Count")).to_be_visible()
    expect(page.locator(".command")).to_have_count(2)
    context.close()


def test_the_page_of_a_refused_form_is_live(browser: Browser, panel: Stage) -> None:
    """Its address is that of the page, so that it goes on hearing what happens; the reason stays until it is left."""
    context = browser.new_context(base_url=panel.url, locale="en-GB")
    page = context.new_page()
    page.goto("/panel")
    page.get_by_label("Reason").evaluate("field => { field.removeAttribute('maxlength'); field.name = 'odd'; }")
    page.get_by_label("Reason").fill("deploy")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("alert")).to_contain_text("unknown field")
    assert page.url.endswith("/panel")
    expect(page.locator("[data-live-state]")).to_have_attribute("data-live-state", "on")
    panel.shell("after-refusal", "true")
    expect(page.locator("#live-latest")).to_contain_text("after-refusal")
    expect(page.get_by_role("alert")).to_be_visible()
    context.close()
