"""What long-lived processes do first: bring the database up to date, and wait for one that is away."""

import asyncio

import asyncpg

from events.backoff import Backoff
from events.connect import Database
from events.database_errors import DRIVER_ERRORS, from_database
from events.errors import Unavailable
from ops.migrate import Outcome, Progress, migrate
from ops.postgres.control import Announce
from projections.rebuild import rebuild

LINE_SECONDS = 60.0  # between two lines about a database that stays away
# SQLSTATE classes that no waiting mends: wrong password or role, no such database, no right to do it.
FINAL = ("28", "3D", "42")


async def migrate_when_reachable(
    database: Database, announce: Announce, progress: Progress | None = None, line_seconds: float = LINE_SECONDS
) -> Outcome:
    """Migrate; while the database is away, try again every few seconds, and say so every `line_seconds`.

    Raises:
        Unavailable: the server refuses us for a reason that stays: the password, the database's name.
        OperatorError: see migrate.
    """
    backoff = Backoff(0.2, 5.0)
    loop = asyncio.get_running_loop()
    next_line = loop.time()
    while True:
        try:
            return await migrate(database.connect, rebuild=rebuild, progress=progress)
        except (Unavailable, *DRIVER_ERRORS) as error:
            ours = from_database(error)
            if not isinstance(ours, Unavailable) or _stays(error):
                raise
            if loop.time() >= next_line:
                announce("serve.waiting_for_database", detail=ours.detail)
                next_line = loop.time() + line_seconds
        await asyncio.sleep(backoff.next_delay())


def _stays(error: BaseException) -> bool:
    cause = error.__cause__ or error
    return isinstance(cause, asyncpg.PostgresError) and str(cause.sqlstate or "")[:2] in FINAL
