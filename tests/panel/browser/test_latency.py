"""From an event to the page: how long it takes is recorded, not judged. `elruso test -s` shows it, junit keeps it."""

from collections.abc import Callable

from playwright.sync_api import Page

from tests.panel.browser.stage import Stage
from tests.panel.browser.test_walk import wait_until_live

EVENTS = 10
WRITTEN = "SELECT extract(epoch FROM at)::float8 * 1000 FROM log.events WHERE kind = 'task' AND id = $1 AND version = 1"
# Resolves with the time (ms since 1970) at which the row of a task stands in the document.
ARRIVAL = """
    id => { window.arrival = new Promise(resolve => {
        const look = () => document.getElementById("task-" + id) && resolve(Date.now());
        new MutationObserver(look).observe(document.body, {childList: true, subtree: true}); }); }
"""


def test_event_to_dom(page: Page, panel: Stage, record_property: Callable[[str, object], None]) -> None:
    """Each new task stands in the list of tasks, without a reload; between its event's time and that, so long."""
    page.goto("/panel/tasks")
    wait_until_live(page)
    waits = []
    for number in range(EVENTS):
        name = f"latency-{number}"
        page.evaluate(ARRIVAL, name)
        panel.shell(name, "true")
        arrived = page.evaluate("window.arrival")
        written = panel.fetch(WRITTEN, name)
        waits.append(round(arrived - written))
    waits.sort()
    record_property("event_to_dom_ms", waits)
    print(f"event to DOM: median {waits[EVENTS // 2]} ms, longest {waits[-1]} ms, of {EVENTS}")
    assert EVENTS == len(waits)
