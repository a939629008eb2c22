"""What the API can have done on its own machine. Whoever starts it passes an object that can (ops/actions.py)."""

from typing import Protocol

from msgspec import Struct


class ActionResult(Struct, frozen=True, rename="camel"):
    """How a command ended: what it printed, and its exit status, 0 when it is `ok`."""

    ok: bool
    output: str
    exit_code: int


class Actions(Protocol):
    """Commands an operator may start from afar. A refusal is a result; only an unreachable database raises."""

    async def migrate(self) -> ActionResult:
        """Bring the database up to date."""

    async def sync_push(self, actor: str, dry_run: bool) -> ActionResult:
        """Bring TASKS.json and REQUESTS.json into the log."""

    async def sync_pull(self, only_open: bool, dry_run: bool) -> ActionResult:
        """Write into TASKS.json and REQUESTS.json what the log says."""
