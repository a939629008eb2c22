"""A morning at El Ruso: tasks of every status, made by real commands and a real runner in a real repository."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from events.connect import Database
from events.task import Step, TaskCreated
from runner.handlers import Handlers
from runner.postgres_link import PostgresLink
from runner.redact import Redactor
from runner.run import Context
from runner.settings import Settings
from runner.worker import Worker
from runner.workspace import Workspaces
from tests.api.serving import Served
from tests.runner.working import Working
from tests.support.waiting import eventually

ESCAPE = "\\033"
COLOURED = (
    f"printf '{ESCAPE}[1mcollected 42 items{ESCAPE}[0m\\n\\n'; "
    f"for n in 1 2 3; do printf 'tests/test_invoice.py::test_total[%s] {ESCAPE}[32mPASSED{ESCAPE}[0m\\n' $n; done; "
    f"printf 'tests/test_invoice.py::test_rounding {ESCAPE}[33mSKIPPED{ESCAPE}[0m (locale es_ES missing)\\n'; "
    f"printf '\\n{ESCAPE}[32m{ESCAPE}[1m41 passed{ESCAPE}[0m, {ESCAPE}[33m1 skipped{ESCAPE}[0m in 0.31s\\n'"
)
BROKEN = f"printf 'psql: {ESCAPE}[31merror{ESCAPE}[0m: relation \"facturas\" already exists\\n' >&2; exit 3"
EDIT = (
    r"printf 'def total(lines):\n    return sum(line.amount for line in lines)\n' > invoice.py; "
    "echo '- rounding' >> NOTES.md"
)

TASKS: list[tuple[str, TaskCreated]] = [
    (
        "invoice-model",
        TaskCreated(
            "Write the invoice model",
            body="An invoice has lines; each line has an amount and a tax rate.\nKeep amounts as integers of cents.",
            phase="1",
            directive_id="D-2026-11-24-a",
            steps=[Step("write", EDIT), Step("test", COLOURED)],
            allowed_scope=["invoice.py", "NOTES.md"],
        ),
    ),
    (
        "invoice-migration",
        TaskCreated(
            "Migrate the invoices table",
            phase="1",
            directive_id="D-2026-11-24-a",
            steps=[Step("migrate", BROKEN)],
            max_attempts=1,
            depends_on=["invoice-model"],
        ),
    ),
    (
        "invoice-api",
        TaskCreated(
            "Serve invoices over HTTP",
            phase="2",
            directive_id="D-2026-11-24-a",
            steps=[Step("test", "make test")],
            depends_on=["invoice-model", "invoice-migration"],
        ),
    ),
    (
        "invoice-pdf",
        TaskCreated("Render invoices as PDF", phase="2", steps=[Step("r", "true")], depends_on=["invoice-api"]),
    ),
    (
        "invoice-mail",
        TaskCreated("Send invoices by mail", phase="2", steps=[Step("s", "true")], depends_on=["invoice-api"]),
    ),
    ("nightly-backup", TaskCreated("Nightly backup of the ledger", phase="ops", steps=[Step("dump", "echo 48 MB")])),
    ("deps-audit", TaskCreated("Check dependencies for advisories", phase="ops", steps=[Step("audit", "echo none")])),
    (
        "old-report",
        TaskCreated("Quarterly report of 2024", phase="ops", next_run_at=datetime.now(UTC) + timedelta(days=1)),
    ),
]


def make_repository(folder: Path) -> Path:
    """A git repository with a commit."""
    folder.mkdir(parents=True)
    (folder / "NOTES.md").write_text("# Invoices\n\n- amounts in cents\n- one tax rate per line\n")
    (folder / "invoice.py").write_text("def total(lines):\n    amount = 0\n    return amount\n")
    for command in (
        ["git", "init", "--quiet", "--initial-branch=main"],
        ["git", "add", "."],
        ["git", "-c", "user.name=Ana", "-c", "user.email=ana@example.org", "commit", "--quiet", "-m", "begin"],
    ):
        subprocess.run(command, cwd=folder, check=True)
    return folder


@asynccontextmanager
async def runner_in(folder: Path, url: str, name: str = "taller-1") -> AsyncIterator[Working]:
    """A runner with a repository of its own, over the database."""
    chosen = Settings(runner_id=name, concurrency=4, labels={"version": "0.1.0", "host": "taller"})
    context = Context(
        workspaces=Workspaces(folder / "runs", make_repository(folder / "repository"), dict(os.environ)),
        redactor=Redactor([]),
        handlers=Handlers(),
        environment=dict(os.environ),
    )
    async with PostgresLink(Database(url), chosen) as link:
        worker = Worker(link, context, chosen)
        work = Working(worker, asyncio.create_task(worker.run()))
        try:
            yield work
        finally:
            await work.stop()


async def play_morning(served: Served) -> None:
    """Create the tasks and wait until the runner has dealt with them."""
    await served.commands.create_tasks(TASKS, "human:ana")
    await served.commands.cancel("old-report", "nobody asks for it any more", "human:ana")

    async def settled() -> bool:
        counts = (await served.get("/ops/metrics"))["tasks"]
        return bool(counts["ready"] == counts["running"] == 0)

    await eventually(settled, deadline=30, describe="the morning is over")
