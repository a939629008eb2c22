"""A bench on the tests' server, and sizes so small that only the shape of a result means anything."""

from collections.abc import AsyncIterator, Iterator

import pytest

from ops.postgres.server import Server
from tests.bench.plan import Plan, Sizes, voice
from tests.bench.server import Bench, prepared

TINY = Sizes(
    repository_files=1_000,
    repository_commits=10,
    lifecycle_tasks=60,
    lifecycle_workers=(2,),
    concurrency=20,
    wakeups=3,
    wakeup_gap_ms=(1.0, 2.0),
    settle_seconds=0.2,
    created=50,
    request_tasks=(20,),
    created_singly=10,
    backlogs=(50, 100),
    claims=10,
    claim_batches=(1, 10),
    rebuilt_tasks=60,
    idle_seconds=1.0,
    idle_settle_seconds=0.2,
    cost_tasks=50,
    page_tasks=300,
    page_requests=2,
    page_warm_up=0,
    redacted_megabytes=1,
    viewers=7,
    listeners=3,
    news=4,
    news_gap_seconds=0.002,
    endurance_seconds=1.2,
    endurance_peak_seconds=0.4,
    endurance_ahead=50,
    endurance_window_seconds=0.05,
    histories=6,
    history_steps=5,
    api_tasks=(40, 60),
    api_kinds=("GET /ops/tasks, 304",),
    api_connections=2,
    api_seconds=1.0,
)


@pytest.fixture
async def bench(postgres: Server) -> AsyncIterator[Bench]:
    """The tests' server, with a migrated template of its own."""
    async with prepared(postgres, None) as ready:
        yield ready


@pytest.fixture
def plan() -> Iterator[Plan]:
    """One run of next to nothing."""
    with voice() as silent:
        yield Plan(1, TINY, silent)
