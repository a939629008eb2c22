"""What happened of late: ended runs per half hour of the last day."""

from datetime import UTC, datetime, timedelta

from asyncpg import Pool
from msgspec import Struct

from events.statements import load_statements

HOURS = 24
STEP = timedelta(minutes=30)

_sql = load_statements("projections", "activity.sql")


class Activity(Struct, frozen=True):
    """The runs that ended within one step of time, and how many of them failed."""

    at: datetime
    ended: int
    failed: int


async def recent_activity(pool: Pool, now: datetime) -> list[Activity]:
    """The last HOURS, oldest first, without gaps; the last step is the one that `now` is in."""
    minutes = int(STEP.total_seconds() // 60)
    known = {row["at"]: row for row in await pool.fetch(_sql["count_activity"], HOURS, minutes)}
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    last = now - (now - epoch) % STEP
    steps = [last - STEP * back for back in reversed(range(int(timedelta(hours=HOURS) / STEP)))]
    counts = [(at, known.get(at)) for at in steps]
    return [Activity(at, row["ended"] if row else 0, row["failed"] if row else 0) for at, row in counts]
