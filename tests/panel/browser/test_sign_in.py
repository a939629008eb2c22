"""Tokens and roles, in a browser."""

from playwright.sync_api import Page, expect

from tests.panel.browser.stage import Stage


def test_roles_decide_what_can_be_done(page: Page, panel: Stage) -> None:
    """The token opens the page that was asked for; a viewer's buttons are disabled, an operator's are not."""
    tokens = panel.served.tokens
    viewer = panel.do(tokens.create_token("vera", "viewer"))
    operator = panel.do(tokens.create_token("olga", "operator"))
    page.goto("/panel/tasks?status=blocked")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.get_by_label("Token").fill(viewer)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/panel/tasks?status=blocked")
    expect(page.get_by_role("button", name="Requeue")).to_be_disabled()
    assert "" == page.evaluate("document.cookie"), "no script can read it"
    expect(page.locator("[data-live-state]")).to_have_attribute("data-live-state", "on")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Token").fill(operator)
    page.get_by_role("button", name="Sign in").click()
    page.goto("/panel/tasks?status=blocked")
    expect(page.get_by_role("button", name="Requeue")).to_be_enabled()
    expect(page.locator(".who")).to_contain_text("olga · operator")
