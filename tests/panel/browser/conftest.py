"""One Chromium and one served panel per module, one tab per test: without errors, without other hosts."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from ops.postgres.server import Server
from tests.panel.browser.stage import Stage, stage

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 15_000  # milliseconds until something that must be seen is given up


def find_chromium() -> str:
    """The path of a Chromium. Without one the test is skipped, but never where CI is set: .ci/run installs it."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        assert not os.environ.get("CI"), "there is no Chromium; .ci/run installs it"
        pytest.skip("there is no Chromium: apt-get install chromium, or run .ci/run")
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real browser, the system's own; Playwright never downloads one.

    Not for the session: as long as it lives, Playwright's loop runs in this thread, and asyncio's tests could not.
    """
    path = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def panel(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A served panel with a runner, after a morning's work."""
    with stage(postgres, Path(tmp_path_factory.mktemp("panel"))) as staged:
        yield staged


@pytest.fixture
def context(browser: Browser, panel: Stage) -> Iterator[BrowserContext]:
    """A browser profile of one's own, in English."""
    context = browser.new_context(base_url=panel.url, locale="en-GB", viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, panel: Stage) -> Iterator[Page]:
    """A tab. Afterwards: no error on the console, no request to another host, no dialog."""
    page, complaints = context.new_page(), list[str]()
    host = urlsplit(panel.url).netloc
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
    page.on("request", lambda request: complaints.append(request.url) if urlsplit(request.url).netloc != host else None)
    yield page
    page.close()
    assert [] == complaints
