"""The pictures in docs/img show the panel. ELRUSO_TEST_WRITE_DOCS=1 ./elruso test tests/panel/browser makes them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from ops.postgres.server import Server
from tests.panel.browser.stage import Stage, stage
from tests.support.waiting import eventually_now

IMAGES = Path(__file__).parent.parent.parent.parent / "docs" / "img"
BYTES_MAX = 200_000
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}

Pictures = dict[str, tuple[str, dict[str, int], str]]

PICTURES: Pictures = {
    "home": ("/panel", DESK, "light"),
    "task": ("/panel/tasks/invoice-api", DESK, "light"),
    "run": ("/panel/runs/{run}", DESK, "dark"),
    "directive": ("/panel/directives/D-2026-11-24-b", DESK, "light"),
    "phone": ("/panel", PHONE, "dark"),
    "tasks": ("/panel/tasks?status=running&sort=priority", DESK, "dark"),
}
WHILE_DRAINING: Pictures = {"runners": ("/panel/runners", DESK, "light")}
AT_WORK = {"ledger-close": ("Close the ledger of October", 10), "shop-index": ("Refresh the search index", 100)}


@pytest.fixture(scope="module")
def panel(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A panel with a day behind it."""
    with stage(postgres, Path(tmp_path_factory.mktemp("pictures")), yesterday=True) as staged:
        gate = staged.folder / "evening"
        for task_id, (title, priority) in AT_WORK.items():
            command = f"while [ ! -e {gate} ]; do sleep 0.1; done"
            staged.shell(task_id, command, title=title, phase="ops", priority=priority)
        yield staged
        gate.touch()


def take(browser: Browser, panel: Stage, pictures: Pictures, folder: Path) -> None:
    """Photograph these pages, each once it is live."""
    run = panel.fetch("SELECT max(id) FROM view.runs WHERE task_id = 'invoice-model'")
    for name, (path, size, scheme) in pictures.items():
        context = browser.new_context(base_url=panel.url, locale="en-GB", viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(path.format(run=run))
        expect(page.locator("[data-live-state]")).to_have_attribute("data-live-state", "on")
        page.screenshot(path=folder / f"{name}.png")
        context.close()


def test_the_pictures_can_be_made(browser: Browser, panel: Stage, tmp_path: Path) -> None:
    """Each page can be looked at; the pictures in docs/img are there, small, and referred to."""
    folder = IMAGES if os.environ.get("ELRUSO_TEST_WRITE_DOCS") else tmp_path
    folder.mkdir(exist_ok=True)
    running = "SELECT count(*) FROM view.tasks WHERE status = 'running'"
    eventually_now(lambda: panel.fetch(running) == len(AT_WORK), describe="the runner is at work")
    take(browser, panel, PICTURES, folder)
    panel.do(panel.served.commands.runners.drain("taller-1", "a new disk", "human:ana"))
    take(browser, panel, WHILE_DRAINING, folder)
    assert set(PICTURES | WHILE_DRAINING) == {path.stem for path in IMAGES.glob("*.png")}
    assert all(path.stat().st_size < BYTES_MAX for path in IMAGES.glob("*.png"))
