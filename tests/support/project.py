"""A workspace with an ops/ folder, and the log it is pushed to."""

import json
from pathlib import Path
from typing import Any

import asyncpg

from events.connect import Database
from ops.report import Line
from ops.sync.files import Files
from ops.vault.keyring import Keyring
from ops.vault.vault import Vault

Item = dict[str, Any]


class Project:
    """One workspace over one database."""

    def __init__(self, folder: Path, url: str) -> None:
        self.tasks = folder / "ops" / "TASKS.json"
        self.requests = folder / "ops" / "REQUESTS.json"
        self.tasks.parent.mkdir(exist_ok=True)
        self.requests.write_text("[]\n")
        self.files = Files(folder)
        self.database = Database(url)
        self.keyring = Keyring(Vault(folder / "vault"))
        self.hints: list[str] = []

    def write(self, *items: Item) -> None:
        """Make TASKS.json say this."""
        self.tasks.write_text(json.dumps(items, indent=2) + "\n")

    def write_requests(self, *items: Item) -> None:
        """Make REQUESTS.json say this."""
        self.requests.write_text(json.dumps(items, indent=2) + "\n")

    def read(self) -> list[Item]:
        """What TASKS.json says."""
        content: list[Item] = json.loads(self.tasks.read_text())
        return content

    async def push(self, dry_run: bool = False) -> list[Line]:
        """Push; what was said about the tasks and requests, without the names of the files."""
        lines = await self.files.push(self.database, self.keyring, "human:ana", self.hints.append, dry_run)
        return [line for line in lines if line.key not in ("sync.file", "sync.dry_run")]

    async def pull(self, **options: bool) -> list[Line]:
        """Pull; what was said."""
        return await self.files.pull(self.database, **options)

    async def fetch(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """Ask the database."""
        connection = await self.database.connect()
        try:
            rows: list[asyncpg.Record] = await connection.fetch(query, *arguments)
            return rows
        finally:
            await connection.close()

    async def events(self, kind: str = "task") -> list[tuple[str, str]]:
        """(id, type) of every event of that kind, in order."""
        return [
            tuple(row) for row in await self.fetch("SELECT id, type FROM log.events WHERE kind = $1 ORDER BY seq", kind)
        ]

    async def statuses(self) -> dict[str, str]:
        """The status of every task."""
        return {row["id"]: row["status"] for row in await self.fetch("SELECT id, status FROM view.tasks")}
