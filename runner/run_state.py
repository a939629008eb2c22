"""Look up what the log says about a run, which decides what becomes of its result in git."""

from typing import Protocol

from events.run_state import RunState


class RunLookup(Protocol):
    """The part of a link to the log that workspaces use."""

    async def run_state(self, run_id: int) -> RunState | None:
        """The state of a run; None: the log has no such run. Waits while the engine cannot be reached."""


class NoRuns:
    """A RunLookup that knows no runs."""

    async def run_state(self, run_id: int) -> RunState | None:
        """Always None."""
        return None
