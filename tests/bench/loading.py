"""A large history in a database: COPY into the log, then the views folded from it as `elruso db rebuild` does."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg

from events.connect import Database
from events.statements import load_statements
from ops.migrate import read_schema
from projections.rebuild import rebuild
from tests.bench.history import World
from tests.bench.lives import LONG_RUN, Extent, fill
from tests.bench.plan import Voice
from tests.bench.server import observe

SQL = load_statements("tests.bench", "history.sql")
COLUMNS = ("seq", "at", "cause", "version", "kind", "id", "type", "actor", "data")
SEED = 20261124
EVENTS_PER_TASK = 10  # about; for the progress bar


async def load_history(database: Database, extent: Extent, voice: Voice) -> None:
    """Fill an empty, migrated database. A million tasks take some minutes and 12 GB."""
    connection = await observe(database)
    try:
        voice.say(f"a history of {extent.tasks:,} tasks: the log")
        await connection.execute(SQL["silence_log"])
        world = World(SEED, datetime.now(UTC))
        fill(world, extent)
        lines = _shown(world, extent, voice)
        await connection.copy_to_table("events", schema_name="log", columns=COLUMNS, source=lines)
        await connection.execute(SQL["heed_log"])
        await connection.fetchval(SQL["continue_seq"])
        voice.say(f"a history of {extent.tasks:,} tasks: the views")
        await rebuild(database.connect, read_schema().view, voice.show)
        await _write_output(connection, extent)
    finally:
        await connection.close()


async def _shown(world: World, extent: Extent, voice: Voice) -> AsyncIterator[bytes]:
    for lines in world.lines():
        yield lines
        voice.show(world.seq, extent.tasks * EVENTS_PER_TASK)


async def _write_output(connection: asyncpg.Connection, extent: Extent) -> None:
    """Output and patches are not events: they lie beside the log."""
    await connection.execute(SQL["write_output"])
    run_id = await connection.fetchval(SQL["find_run"], LONG_RUN)
    await connection.execute(SQL["write_long_output"], run_id, 2 * extent.long)
    await connection.execute(SQL["write_patch"], run_id, extent.long)
