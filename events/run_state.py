"""What the log says of a run."""

from msgspec import Struct


class RunState(Struct, frozen=True):
    """`status`: running, done, failed, requeued, blocked or cancelled. `commit_hash`: as the run's end event says."""

    status: str
    task_id: str
    commit_hash: str | None = None
