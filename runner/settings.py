"""What one runner is told at its start."""

import os
import platform
import secrets
from typing import Any

import msgspec
from msgspec import Struct, structs

from runner.workspace.fitness import Fault


def new_runner_id() -> str:
    """host-pid-random: one per start of a process, so that a new one is never taken for its predecessor."""
    host = platform.node().partition(".")[0][:100] or "localhost"
    return f"{host}-{os.getpid()}-{secrets.token_hex(2)}"


class Settings(Struct, frozen=True, kw_only=True):
    """Seconds, and how many tasks run at once. `labels` are shown beside the runner.

    A lease must outlast two heartbeats; `client_lease_seconds` is that of runners over HTTP that send none while they
    work (None: the same). A stopping runner lets its runs go on for `drain_seconds`.
    """

    runner_id: str = msgspec.field(default_factory=new_runner_id)
    concurrency: int = 4
    heartbeat_seconds: float = 7.0
    lease_seconds: float = 15.0
    client_lease_seconds: float | None = None
    drain_seconds: float = 0.0
    labels: dict[str, Any] = msgspec.field(default_factory=dict)

    def meta(self, mode: str, fault: Fault | None = None) -> dict[str, Any]:
        """What the runner says of itself. `fault`: it is unfit, and why."""
        own = {"host": platform.node(), "pid": os.getpid(), "concurrency": self.concurrency, "mode": mode}
        unfit = {} if fault is None else {"unfit": structs.asdict(fault)}
        return own | {"heartbeat_seconds": self.heartbeat_seconds} | self.labels | unfit
