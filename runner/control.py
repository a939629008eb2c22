"""What the executors of runs may ask of the runner about a run."""

from typing import Protocol


class RunControl(Protocol):
    """One per process, for all its runs."""

    def is_cancelled(self, run_id: int) -> bool:
        """Whether the runner cancelled the run: it was taken away, or the runner stops."""

    def abandon(self, run_id: int, reason: str) -> None:
        """Fail a run that ignores its cancellation, and give its slot to others. No-op when it has ended."""


class NoControl:
    """A RunControl of runs that no runner executes."""

    def is_cancelled(self, run_id: int) -> bool:
        """Always True: whoever executes the run may cancel it."""
        return True

    def abandon(self, run_id: int, reason: str) -> None:
        """Does nothing."""
