"""How a runner speaks to the engine, whatever lies between them: the database itself, or the API."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from events.beats import Beat
from events.claims import ClaimAnswer
from events.commands import OutputChunk
from events.committer import Answered
from events.errors import ElRusoError
from events.hint import Hint
from events.reports import Report
from events.run_state import RunState


class Pulse(Protocol):
    """A way of its own for heartbeats, used in their own thread and event loop."""

    async def beat(self, meta: dict[str, Any] | None) -> Beat:
        """One heartbeat; `meta`: what the runner says of itself, if that has changed. Raises Unavailable."""


class Link(Protocol):
    """One runner's way to the engine. While the engine cannot be reached, all but `pulse` and `stopped` wait for it."""

    @property
    def mode(self) -> str:
        """How the runner learns of work: "listening", "polling" or "long poll"."""

    @property
    def actor(self) -> str:
        """In whose name it reports."""

    def subscribe(self, callback: Callable[[Hint], None]) -> Callable[[], None]:
        """Have `callback` told where to look for work. Call what this returns to end that."""

    def pulse(self) -> AbstractAsyncContextManager[Pulse]:
        """Opens the way of the heartbeats, in the event loop that calls it."""

    async def started(self, meta: dict[str, Any]) -> Beat:
        """The runner came up."""

    async def stopped(self, reason: str) -> None:
        """The runner leaves in an orderly way. Raises Unavailable."""

    async def claim(self, limit: int) -> ClaimAnswer:
        """Up to `limit` tasks. An empty answer means: look again when there is a hint, or after `due_seconds`."""

    def report(self, report: Report, answered: Answered[ElRusoError | None]) -> None:
        """Sends a report, after those of the same run that were sent before.

        `answered` is called with None once it is written; else with why not, or why nobody knows.
        """

    async def run_state(self, run_id: int) -> RunState | None:
        """What the log says of a run; None: it knows no such run."""

    async def output(self, chunks: Sequence[OutputChunk]) -> None:
        """Stores output."""

    async def save_artifact(self, run_id: int, kind: str, content: str) -> None:
        """Stores a run's "patch" or "diffstat"."""

    async def release(self, runs: Sequence[int] | None, reason: str) -> None:
        """Gives back the tasks of these runs, or (None) every task that this runner holds."""

    async def sweep(self) -> None:
        """Has stuck tasks taken back from whoever holds them."""
