"""The files that a run changed, on its page."""

from events.task import FILE_CHANGES_MAX, TaskCreated
from tests.api.serving import Served
from tests.panel.test_pages import page


async def test_more_changed_files_than_are_listed(api: Served) -> None:
    """The page says that it lists the first of them, and how many there were."""
    await api.commands.create_tasks([("t", TaskCreated("T"))], "human:ana")
    run = (await api.claim("r"))["run_id"]
    changes = [{"path": f"f{number}", "change": "added"} for number in range(FILE_CHANGES_MAX)]
    end = {"status": "done", "summary": "2500 files changed, +2500 -0", "file_changes": changes}
    await api.patch(f"/runs/{run}", end)
    shown = await page(api, f"/panel/runs/{run}")
    assert "Show the first 2,000 files" in shown
    assert "At most 2,000 files are recorded. In all: 2500 files changed, +2500 -0." in shown
    spanish = await page(api, f"/panel/runs/{run}", headers={"Accept-Language": "es"})
    assert "En total: 2500 files changed" in spanish
