"""Whom to ask what became of a run: only the log decides what a result in git is worth."""

from typing import Protocol

from events.run_state import RunState


class RunLookup(Protocol):
    """The log, as far as a workspace needs it."""

    async def run_state(self, run_id: int) -> RunState | None:
        """The run, or None: this log has no such run. Waits while the engine cannot be reached."""


class NoRuns:
    """A log without runs."""

    async def run_state(self, run_id: int) -> RunState | None:
        """There is none."""
        return None
