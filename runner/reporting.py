"""To whom a run tells how it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from events.run_state import RunState
from events.task import TaskStarted, TaskStep
from runner.output import Stream

if TYPE_CHECKING:
    from runner.outcome import Outcome


class Reporter(Protocol):
    """One per process, for all its runs. A method may return before its report is stored.

    Any of them may raise LeaseLost: the run was taken away, and is stopped at once.
    """

    async def started(self, task_id: str, event: TaskStarted) -> None:
        """The run begins to execute."""

    async def step(self, task_id: str, event: TaskStep) -> None:
        """A step ended."""

    async def output(self, run_id: int, step: int, stream: Stream, text: str) -> None:
        """A step printed something. Redacted, without NUL, at most 64 KiB; often a single line: collect them."""

    async def end(self, run_id: int, outcome: Outcome) -> None:
        """The run ended."""

    async def confirmed_end(self, run_id: int, outcome: Outcome) -> RunState | None:
        """Report the end and wait until the log accepts it; the run's state. None: there is no log to accept it."""


class Unheard:
    """The Reporter of runs that nobody listens to."""

    async def started(self, task_id: str, event: TaskStarted) -> None:
        """Goes unheard."""

    async def step(self, task_id: str, event: TaskStep) -> None:
        """Goes unheard."""

    async def output(self, run_id: int, step: int, stream: Stream, text: str) -> None:
        """Goes unheard."""

    async def end(self, run_id: int, outcome: Outcome) -> None:
        """Goes unheard."""

    async def confirmed_end(self, run_id: int, outcome: Outcome) -> RunState | None:
        """Goes unheard."""
        return None
