"""The artifacts of a run, its patch and its diffstat (log.store_artifact, docs/adr/0020)."""

from collections.abc import Sequence
from typing import Any

from events.errors import Conflict, LeaseLost, NotFound

Commits = tuple[str | None, str | None]
"""The commits before an artifact and with it, as its runner names them."""


def check_stored(rows: Sequence[Any], run_id: int, kind: str) -> bool:
    """Check the result of log.store_artifact: whether the run's end seals it, or did. Storing it again is no error.

    Raises:
        Conflict: the run has another content of this kind.
        LeaseLost: the run has ended.
        NotFound: there is no such run.
    """
    [row] = rows
    match row["outcome"]:
        case "stored" | "late":
            return bool(row["outcome"] == "stored")
        case "taken":
            raise Conflict(f"run {run_id} has another {kind} already; an artifact is stored once")
        case "ended":
            raise LeaseLost(f"run {run_id} has ended, which sealed its artifacts; store the {kind} before the end")
    raise NotFound(f"there is no run {run_id}")
