"""Who executes, and what waits for a person."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from events.connect import Database
from events.errors import Unavailable
from ops.checks.finding import Finding
from ops.config import Config
from ops.database import running_database
from ops.migrate import read_schema, state_of
from projections.metrics import Metrics
from projections.runners import UnfitRunner, glance_at_runners

UNFIT_SHOWN = 3


async def check_agent(config: Config) -> AsyncIterator[Finding]:
    """Whether tasks without steps can be executed by runners of these settings."""
    if not config.agent:
        yield Finding("note", "doctor.no_agent")


async def check_work(config: Config) -> AsyncIterator[Finding]:
    """Whether a runner is online while tasks are ready, and how many tasks are blocked."""
    database = running_database(config, "elruso-doctor")
    found = database and await _read_views(database)
    if not found:  # the check of the database says why
        return
    numbers, unfit = found
    ready, blocked = numbers["tasks"]["ready"], numbers["tasks"]["blocked"]
    if online := numbers["runners"]["online"]:
        yield Finding("fine", "doctor.runners", {"number": online})
        if online == numbers["runners"]["draining"]:
            yield Finding("fault" if ready else "note", "doctor.draining")
    elif ready:
        yield Finding("fault", "doctor.no_runner_for_work", {"number": ready})
    else:
        yield Finding("note", "doctor.no_runner")
    for runner in unfit:
        yield Finding("fault", "doctor.unfit", {"id": runner.id, "detail": runner.detail})
    if blocked:
        yield Finding("fault", "doctor.blocked", {"number": blocked})


async def _read_views(database: Database) -> tuple[dict[str, Any], list[UnfitRunner]] | None:
    """The numbers of GET /ops/metrics, and unfit runners; None where the database or its views are not there."""
    try:
        connection = await database.connect()
    except Unavailable:
        return None
    try:
        if await state_of(connection, read_schema()) != "current":
            return None
        numbers: dict[str, Any] = msgspec.json.decode(await Metrics(connection).show())
        return numbers, (await glance_at_runners(connection, UNFIT_SHOWN)).unfit
    finally:
        await connection.close()
