"""A morning at El Ruso: tasks of every status, made by real commands and a real runner in a real repository."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

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


DIRECTIVES: list[dict[str, Any]] = [
    {
        "id": "D-2026-11-24-b",
        "title": "Let customers pay an invoice by card",
        "body": "The invoice page gets a button; the payment provider calls us back when the money has arrived.",
        "acceptance_criteria": ["A test card pays an invoice", "A refused card leaves the invoice open"],
        "risks": ["The provider's callback may come twice: it must be idempotent"],
        "required_requests": [{"request_id": "REQ-020", "reason": "to create payments"}],
        "tasks_to_create": [
            {
                "title": "Model a payment",
                "phase": 3,
                "steps": [{"name": "test", "cmd": "make test"}],
                "allowed_scope": ["payments/"],
            },
            {
                "title": "Call the provider",
                "phase": 3,
                "steps": [{"name": "test", "cmd": "pytest tests/test_provider.py"}],
                "depends_on": ["Model a payment"],
                "params": {"secrets": ["PAYMENTS_KEY"]},
                "allowed_scope": ["payments/provider.py"],
            },
            {
                "title": "Take the provider's callback",
                "phase": 3,
                "steps": [{"name": "test", "cmd": "pytest tests/test_callback.py"}],
                "depends_on": ["Model a payment"],
            },
            {
                "title": "A button on the invoice page",
                "phase": 3,
                "body": "Put a button under the total. Disabled once it is paid.",
                "depends_on": ["Call the provider", "Take the provider's callback"],
            },
        ],
    },
    {
        "id": "D-2026-11-23-c",
        "title": "Rewrite the ledger in another language",
        "tasks_to_create": [{"title": "Begin anew", "steps": [{"name": "x", "cmd": "true"}]}],
    },
]
REQUEST: dict[str, Any] = {
    "id": "REQ-020",
    "service": "Payment provider",
    "type": "api_key",
    "scopes": ["PAYMENTS_KEY", "PAYMENTS_WEBHOOK_SECRET"],
    "purpose": "Create payments and know the provider's callbacks.",
    "where_to_set": "Dashboard of the provider, Developers, API keys. A restricted key is enough.",
    "validation_cmd": 'test -n "$PAYMENTS_KEY" && echo ok',
}


async def play_morning(served: Served) -> None:
    """Create the tasks and wait until the runner has dealt with them; propose directives (approval: manual)."""
    await served.post("/ops/requests", REQUEST)
    for directive in DIRECTIVES:
        await served.post("/ops/directives", directive)
    await served.patch(
        f"/ops/directives/{DIRECTIVES[1]['id']}", {"status": "REJECTED", "rejection_reason": "Not this year."}
    )
    await served.commands.create_tasks(TASKS, "human:ana")
    await served.commands.cancel("old-report", "nobody asks for it any more", "human:ana")

    async def settled() -> bool:
        counts = (await served.get("/ops/metrics"))["tasks"]
        return bool(counts["ready"] == counts["running"] == 0)

    await eventually(settled, deadline=30, describe="the morning is over")


# The runs of a day, each half hour as many as a number below; every twelfth failed. Made by events, at their own times.
LOAD = [3, 2, 2, 1, 1, 0, 1, 2, 4, 7, 9, 12, 11, 10, 13, 15, 14, 9, 8, 11, 12, 14, 16, 13]
JOBS = ["Check links of the shop", "Reconcile payments", "Refresh the search index", "Send reminders", "Rotate logs"]
CREATE = """
    INSERT INTO log.events (kind, id, version, type, actor, data)
    SELECT 'task', $1 || n, 1, 'task.created', 'human:ana', json_build_object('title', $3::text, 'phase', 'ops')
    FROM generate_series(1, $2::integer) n
"""
CLAIM = """
    INSERT INTO log.events (kind, id, version, type, actor, data)
    SELECT 'task', t.id, t.version + 1, 'task.claimed', 'runner:taller-1', '{"runner":"taller-1","attempt":1}'
    FROM view.tasks t WHERE t.status = 'ready' AND t.id LIKE $1 || '%' ORDER BY t.id
"""
END = """
    INSERT INTO log.events (kind, id, version, type, actor, data)
    SELECT 'task', t.id, t.version + 1, CASE t.run_id % 12 WHEN 0 THEN 'task.failed' ELSE 'task.done' END, 'x',
           json_build_object('run_id', t.run_id, 'duration_ms', t.run_id % 9000,
                             CASE t.run_id % 12 WHEN 0 THEN 'error' ELSE 'summary' END, 'late')
    FROM view.tasks t WHERE t.status = 'running' AND t.id LIKE $1 || '%' ORDER BY t.id
"""
REQUEUE = """
    INSERT INTO log.events (kind, id, version, type, actor, data)
    SELECT 'task', t.id, t.version + 1, 'task.cancelled', 'human:ana', '{"reason":"not needed any more"}'
    FROM view.tasks t WHERE t.status = 'failed' ORDER BY t.id
"""


async def play_yesterday(url: str) -> None:
    """The day before the morning, hour by hour, with the database's clock set to it."""
    connection = await asyncpg.connect(url)
    try:
        for place, load in enumerate(LOAD):
            name, at = f"job-{place:02}-", datetime.now(UTC) - timedelta(hours=len(LOAD) - place - 1, minutes=20)
            await connection.execute("SELECT set_config('elruso.now', $1, false)", at.isoformat())
            await connection.execute(CREATE, name, load, JOBS[place % len(JOBS)])
            for statement in (CLAIM, END):
                await connection.execute(statement, name)
        await connection.execute(REQUEUE)
    finally:
        await connection.close()
