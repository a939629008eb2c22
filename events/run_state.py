"""The state of a run in the log."""

from msgspec import Struct


class RunState(Struct, frozen=True):
    """`status`: running, done, failed, requeued, blocked or cancelled. `commit_hash`: from the run's end event."""

    status: str
    task_id: str
    commit_hash: str | None = None
