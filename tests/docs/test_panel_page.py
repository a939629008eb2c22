"""docs/panel.md names every page of the panel."""

import re
from pathlib import Path

from api.panel.pages import PAGES

DOCS = Path(__file__).parent.parent.parent / "docs"
MACHINERY = {"/panel/static/{name}", "/panel/{rest}", "/panel/runs/{run_id}/output"}  # of the pages, not for people
DOWNLOADS = {f"/panel/runs/{{run_id}}/{name}" for name in ("output.log", "changes.patch", "result.json")}


def test_every_page_is_told_of() -> None:
    """Its address stands there, as one reads it."""
    text = (DOCS / "panel.md").read_text()
    paths = {re.sub(r":\w+", "", page.path) for page in PAGES if page.method == "GET"} - MACHINERY - DOWNLOADS
    paths -= {"/panel/tasks/bulk"}  # where the buttons of the list lead
    assert [] == sorted(path for path in paths if f"`{path}`" not in text)
