"""The numbers an operator looks at first.

Most of them change only when something is committed, and the others at times that are known beforehand; one is an age.
So a reading is kept, and told again with the age as it is by now: while the database says that nothing was committed
since, and no time has passed that changes another number. Where something is committed all the time the database is
not asked about that, but for the numbers at once.
"""

from datetime import datetime

import msgspec
from msgspec import Struct

from events.statements import load_statements
from projections.ask import Asked
from projections.runners import ONLINE_SECONDS, RUNNERS_MAX

_sql = load_statements("projections", "metrics.sql")
_encode = msgspec.json.Encoder().encode


class Reading(Struct, frozen=True):
    """The numbers as they are in this state of the database, from `since` and until `until`, by its own clock."""

    state: str
    since: datetime
    until: datetime
    oldest_ready_at: datetime | None
    numbers: str

    def tell(self, now: datetime) -> bytes:
        """All of them in JSON."""
        age = None if self.oldest_ready_at is None else max(0.0, (now - self.oldest_ready_at).total_seconds())
        backlog = _encode({"oldest_ready_age_seconds": age})
        return b'%b,"backlog":%b}' % (self.numbers.removesuffix("}").encode(), backlog)


class Metrics:
    """Tasks by status, runners, runs of late, the backlog's age; null where there is nothing to measure yet.

    `runners.total` counts RUNNERS_MAX at most.
    `runs.fail_rate_last_20` counts, of the 20 runs begun last that have ended, those that failed.
    `runs.last_24h` counts ended runs, in steps of five minutes.
    """

    def __init__(self, asked: Asked, online_seconds: float = ONLINE_SECONDS) -> None:
        self._asked = asked
        self._online_seconds = online_seconds
        self._last: Reading | None = None
        self._is_quiet = False

    async def show(self) -> bytes:
        """The numbers as they are now."""
        last = self._last
        if last is not None and self._is_quiet:
            state, now = await self._asked.fetchval(_sql["show_moment"])
            if state == last.state and last.since <= now < last.until:
                return last.tell(now)
        reading = Reading(*await self._asked.fetchval(_sql["show_metrics"], self._online_seconds, RUNNERS_MAX))
        self._is_quiet = last is not None and last.state == reading.state
        self._last = reading
        return reading.tell(reading.since)
