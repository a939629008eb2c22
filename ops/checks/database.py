"""The database: its server, its schema, and transactions that somebody forgot."""

from collections.abc import AsyncIterator

from events.errors import Unavailable
from ops.checks.finding import Finding
from ops.config import Config
from ops.database import embedded_folder, running_database
from ops.migrate import read_schema, state_of
from ops.postgres import control
from ops.settings import without_password
from projections import horizon


async def check_database(config: Config) -> AsyncIterator[Finding]:
    """Whether it answers and is up to date. Starts nothing."""
    database = running_database(config, "elruso-doctor")
    if database is None:
        folder = embedded_folder(config)
        died = control.has_died(folder, config.postgres_major)
        yield (
            Finding("fault", "doctor.server_died", {"folder": folder})
            if died
            else Finding("fine", "doctor.server_stopped")
        )
        return
    try:
        connection = await database.connect()
    except Unavailable as error:
        yield Finding("fault", "doctor.unreachable", {"detail": error.detail})
        return
    try:
        version = await connection.fetchval("SHOW server_version")
        yield Finding("fine", "doctor.server", {"version": version, "address": without_password(database.url)})
        if await connection.fetchval("SHOW transaction_read_only") == "on":
            standby = await connection.fetchval("SELECT pg_is_in_recovery()")
            yield Finding("fault", "doctor.standby" if standby else "doctor.read_only")
        state = await state_of(connection, read_schema())
        yield Finding("fine" if state == "current" else "fault", f"doctor.schema_{state}")
        for holder in await horizon.list_holders(connection, horizon.FORGOTTEN_SECONDS):
            facts = {"name": holder.name, "minutes": round(holder.seconds / 60), "remedy": holder.remedy}
            yield Finding("fault", "doctor.holder", facts)
    finally:
        await connection.close()
    if database.direct_url is None:
        yield Finding("note", "doctor.no_listener")
