"""A transient condition of something that this process depends on: one line in the log as it begins, one as it ends."""

import asyncio
import time

import structlog

from events.errors import explain

QUIET_SECONDS = 10.0  # longer than any back-off

log = structlog.get_logger(__name__)


class Outage:
    """`name` says what is away: `<name>.unavailable`, `<name>.available`. It lasts until each user has recovered."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._failing: set[object] = set()
        self._waiting: dict[object, asyncio.TimerHandle] = {}
        self._began = self._last = 0.0
        self._failures = 0

    def __bool__(self) -> bool:
        """Whether it lasts."""
        return bool(self._failing)

    def fail(self, user: object, error: BaseException) -> None:
        """Something that `user` tried met the condition."""
        if not self._failing:
            self._began, self._failures = time.monotonic(), 0
            log.warning(f"{self._name}.unavailable", error=explain(error))
        self._last = time.monotonic()
        self._failing.add(user)
        self._failures += 1

    def fail_for_now(self, user: object, error: BaseException, quiet_seconds: float = QUIET_SECONDS) -> None:
        """The same for users whose success nobody notes: they have recovered once none fails for so long."""
        self.fail(user, error)
        if (waiting := self._waiting.get(user)) is not None:
            waiting.cancel()
        loop = asyncio.get_running_loop()
        self._waiting[user] = loop.call_later(quiet_seconds, self.recover, user)

    def recover(self, user: object) -> None:
        """`user` goes on, or has given up."""
        if user not in self._failing:
            return
        self._failing.discard(user)
        if not self._failing:
            seconds = round(self._last - self._began, 1)
            log.info(f"{self._name}.available", seconds=seconds, failures=self._failures)


database_outage = Outage("database")
"""Of all the committers of this process."""
