"""Fixtures of the planner's tests."""

from collections.abc import AsyncIterator

import pytest

from tests.api.serving import Served, serving
from tests.ops.planner.planning import Desk, planning
from tests.support.openai_server import OpenAiServer, openai_server


@pytest.fixture
async def model() -> AsyncIterator[OpenAiServer]:
    """A model's server that has been told nothing yet."""
    async with openai_server() as server:
        yield server


@pytest.fixture
async def api(database: str) -> AsyncIterator[Served]:
    """An API without a planner."""
    async with serving(database) as served:
        yield served


@pytest.fixture
async def desk(database: str, model: OpenAiServer) -> AsyncIterator[Desk]:
    """An API with a planner that has a key."""
    async with planning(database, model) as served:
        yield served
