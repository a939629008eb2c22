"""A stage per test."""

from collections.abc import AsyncIterator

import pytest

from tests.races.stage import Stage, a_stage


@pytest.fixture
async def stage(database: str) -> AsyncIterator[Stage]:
    """A stage on a database of its own."""
    async with a_stage(database) as stage:
        yield stage
