"""An operator takes a runner out of work and lets it go on, in a real browser, with a real runner."""

from playwright.sync_api import Page, expect

from tests.panel.browser.stage import Stage
from tests.panel.browser.test_walk import remember, wait_until_live, was_not_reloaded

CLAIMED_AFTER_RESUMING = """
    SELECT claimed.seq > resumed.seq FROM log.events claimed, log.events resumed
    WHERE claimed.type = 'task.claimed' AND claimed.id = 'left-alone' AND resumed.type = 'runner.resumed'
"""


def test_a_runner_is_drained_before_ones_eyes_and_goes_on(page: Page, panel: Stage) -> None:
    """A button and its confirmation; what it holds ends, what is new waits, the card tells; then it takes that too."""
    gate = panel.folder / "drained"
    panel.shell("in-hand", f"while [ ! -e {gate} ]; do sleep 0.02; done", title="The last one in hand")
    page.goto("/panel/runners")
    wait_until_live(page)
    card = page.locator("#runner-taller-1")
    pill = card.locator(".card-head .pill")
    expect(card).to_contain_text("The last one in hand")
    expect(pill).to_have_text("online")
    sure = card.get_by_role("button", name="Yes, drain it")
    expect(sure).to_be_hidden()
    card.get_by_text("Drain…").click()
    card.get_by_label("Reason").fill("new disk")
    sure.click()
    expect(page.locator(".notice")).to_have_text("Runner taller-1 is draining.")
    expect(pill).to_have_text("draining")
    expect(card).to_contain_text("Drained by human:local since")
    expect(card.locator(".quote")).to_have_text("new disk")
    wait_until_live(page)
    remember(page)
    panel.shell("left-alone", "true")
    gate.touch()
    expect(pill).to_have_text("drained")
    expect(card).to_contain_text("Drained: stopped now, it gives nothing back.")
    expect(card).not_to_contain_text("The last one in hand")
    assert was_not_reloaded(page)
    card.get_by_role("button", name="Hand it work again").click()
    expect(page.locator(".notice")).to_have_text("Runner taller-1 takes tasks again.")
    expect(pill).to_have_text("online")
    page.goto("/panel/tasks/left-alone")
    expect(page.locator("#live-why")).to_contain_text("It is done.")
    assert panel.fetch(CLAIMED_AFTER_RESUMING)
