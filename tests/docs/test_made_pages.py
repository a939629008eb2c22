"""The pages that are made from the program say what the program does today."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.config import SETTINGS
from tests.support.documents import commands_page, settings_page
from tests.support.event_documents import events_page, machines_page
from tests.support.http_documents import http_page

DOCS = Path(__file__).parent.parent.parent / "docs"


PAGES = {
    "settings.md": settings_page,
    "commands.md": commands_page,
    "events.md": events_page,
    "state-machines.md": machines_page,
    "http.md": http_page,
}


@pytest.mark.parametrize(("name", "page"), PAGES.items())
def test_page_is_current(name: str, page: Callable[[], str]) -> None:
    """The page in docs/ is the one the program makes."""
    if os.environ.get("ELRUSO_TEST_WRITE_DOCS"):
        (DOCS / name).write_text(page())
    assert page() == (DOCS / name).read_text()


def test_every_setting_has_a_row() -> None:
    """No setting is missing from the page."""
    page = settings_page()
    assert [] == [name for setting in SETTINGS for name in setting.names if f"`{name}`" not in page]
