"""The commands about runners: have one drain, let it go on. Part of `events.commands.Commands`.

A draining runner is handed nothing: the claim itself sees to that, whoever sends it. What it executes it finishes.
An id belongs to one token, or to a runner over PostgreSQL, for good (docs/adr/0020).
"""

from collections.abc import Awaitable, Callable
from typing import Any

from events.catalog import encode, type_name
from events.errors import Draining, Forbidden, IllegalTransition, NotFound
from events.runner import RunnerDraining, RunnerResumed
from events.statements import load_statements

SQL = load_statements("events", "runners.sql")


class Runners:
    """`call` carries out a statement of runners.sql; `wake` sends a hint."""

    def __init__(self, call: Callable[..., Awaitable[list[Any]]], wake: Callable[[str], None]) -> None:
        self._call = call
        self._wake = wake

    async def register(self, runner: str) -> None:
        """Takes the id for a runner over PostgreSQL, so that no token can use it. Raises Forbidden when one does."""
        rows = await self._call("register_runner", runner)
        if rows:
            raise Forbidden(
                f"the runner id {runner} belongs to the token {rows[0]['token']}; choose another ELRUSO_RUNNER_ID"
            )

    async def drain(self, runner: str, reason: str | None, actor: str) -> None:
        """The runner shall claim no more. No-op when it drains. Raises NotFound; IllegalTransition when it has gone."""
        await self._turn(runner, RunnerDraining(reason), actor)

    async def resume(self, runner: str, actor: str) -> None:
        """The runner may claim again. No-op when it may. Raises NotFound; IllegalTransition when it has gone."""
        await self._turn(runner, RunnerResumed(), actor)

    async def is_draining(self, runner: str) -> bool:
        """Whether nothing is handed to this runner; False for one that nobody knows."""
        rows = await self._call("runner_state", runner)
        return bool(rows and rows[0]["draining"])

    async def _turn(self, runner: str, event: RunnerDraining | RunnerResumed, actor: str) -> None:
        name = type_name(event)
        rows = await self._call("turn_runner", runner, name, encode(event).decode(), actor)
        if rows:
            self._wake(f"d,e:{rows[0]['seq']}")
        else:
            await self._settle(runner, name)

    async def _settle(self, runner: str, event_type: str) -> None:
        """Nothing was written: fine when the runner is so already, else a refusal."""
        rows = await self._call("runner_state", runner)
        if not rows:
            raise NotFound(f"there is no runner {runner}; GET /ops/runner/status lists them")
        if rows[0]["status"] == "stopped":
            raise IllegalTransition(f"{event_type} is not possible: runner {runner} is stopped and claims nothing")


def draining(runner: str) -> Draining:
    """The refusal of a claim by a runner that drains."""
    return Draining(f"runner {runner} is draining and is handed nothing; POST /runners/{runner}/resume ends that")
