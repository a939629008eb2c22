"""A run of the planner that is under way: one at a time in the whole system, and everybody can see how far it is.

The lock is one of the database's, held by an idle transaction on a connection of its own: whoever is killed loses it
with the connection. How far the run is stands in log.planner_progress, which counts only while the lock is held.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from asyncpg import Connection, Pool
from msgspec import Struct

from events.database_errors import DRIVER_ERRORS
from events.errors import PlannerBusy
from events.session import hang_up, keep_alive
from events.statements import load_statements

LOOKS = 20  # for the name of a run that has just begun
LOOK_SECONDS = 0.05

_sql = load_statements("ops.planner", "flight.sql")


class Pilot(Struct, frozen=True):
    """Who flies: the run, what it asks, for whom."""

    run_id: str
    model: str
    environment: str
    actor: str


class Flight:
    """A run that holds the lock."""

    def __init__(self, pilot: Pilot, pool: Pool, lock: Connection) -> None:
        self.pilot = pilot
        self.stage = "context"
        self._pool = pool
        self._lock = lock

    async def enter(self, stage: str, detail: str | None = None) -> None:
        """The run is this far."""
        self.stage = stage
        await self.tell(detail)

    async def tell(self, detail: str | None) -> None:
        """More about the stage it is in. What cannot be told is not told: nobody depends on it."""
        with contextlib.suppress(*DRIVER_ERRORS):
            await self._pool.execute(_sql["note_progress"], self.pilot.run_id, self.stage, detail)

    async def is_alone(self) -> bool:
        """Whether the lock is still held: a database that restarted meanwhile may have given it to another run."""
        try:
            return bool(await self._lock.fetchval(_sql["still_locked"]))
        except DRIVER_ERRORS:
            return False


@asynccontextmanager
async def take_off(connect: Callable[[], Awaitable[Connection]], pool: Pool, pilot: Pilot) -> AsyncIterator[Flight]:
    """Hold the lock for as long as the block lasts. Raises PlannerBusy, which names the run that holds it."""
    lock = await connect()
    try:
        keep_alive(lock)
        transaction = lock.transaction()
        await transaction.start()
        if not await lock.fetchval(_sql["try_lock"]):
            raise await _busy(pool)
        facts = (pilot.run_id, "context", pilot.model, pilot.environment, pilot.actor)
        await pool.execute(_sql["begin_progress"], *facts)
        try:
            yield Flight(pilot, pool, lock)
        finally:
            with contextlib.suppress(*DRIVER_ERRORS):
                await pool.execute(_sql["end_progress"], pilot.run_id)
    finally:
        await hang_up(lock)  # and with it the lock


async def _busy(pool: Pool) -> PlannerBusy:
    """The refusal that names the run under way; it may not have written its name yet."""
    run_id = None
    for _ in range(LOOKS):
        run_id = await pool.fetchval(_sql["who_flies"])
        if run_id is not None:
            break
        await asyncio.sleep(LOOK_SECONDS)
    return PlannerBusy(
        f"the planner is at work already (run {run_id}); see GET /ops/gpt/status and try again when it has ended",
        run_id=run_id,
    )
