"""Runners: who executes, and who is there."""

from datetime import datetime

import msgspec
from asyncpg import Pool
from msgspec import Struct

from events.statements import load_statements
from projections.ask import Asked, ask

ONLINE_SECONDS = 60.0
"""A runner that was seen within this time is online."""

RUNNERS_MAX = 1000
"""Runners that are listed, and counted, at most: every restart of a container may bring another name."""

_sql = load_statements("projections", "runners.sql")


class RunnerBrief(Struct, frozen=True):
    """A runner as one line; `running` is how many tasks it holds."""

    id: str
    running: int
    draining_since: datetime | None
    unfit: bool


class UnfitRunner(Struct, frozen=True):
    """A runner that claims nothing because of its machine. `code` and `path` of the fault, and a sentence about it."""

    id: str
    code: str | None
    path: str | None
    detail: str | None


class Glance(Struct, frozen=True):
    """The first runners that are online, by name, and those of them that are unfit; how many are gone with tasks."""

    online: list[RunnerBrief]
    unfit: list[UnfitRunner]
    lost: int


_glance = msgspec.json.Decoder(Glance)


async def list_runners(pool: Pool, online_seconds: float = ONLINE_SECONDS, *, past: bool = False) -> bytes:
    """The runners, the one seen last first, at most RUNNERS_MAX, as a JSON array.

    Those of past starts, which left ten minutes or vanished a day ago and hold nothing, only with `past`.
    """
    return await ask(pool, _sql["list_runners"], online_seconds, RUNNERS_MAX, past)


async def find_runner(pool: Pool, runner_id: str, online_seconds: float = ONLINE_SECONDS) -> bytes | None:
    """One runner, or None."""
    return await ask(pool, _sql["find_runner"], online_seconds, runner_id) or None


async def glance_at_runners(asked: Asked, limit: int, online_seconds: float = ONLINE_SECONDS) -> Glance:
    """The first runners that are online, and how many are lost with the tasks they hold."""
    return _glance.decode(await ask(asked, _sql["glance_at_runners"], online_seconds, limit))
