"""Fixtures of the tests that speak as the first El Ruso's clients do."""

from collections.abc import AsyncIterator

import pytest

from tests.api.serving import Served, serving


@pytest.fixture
async def api(database: str) -> AsyncIterator[Served]:
    """A served API without tokens, over a database of its own."""
    async with serving(database) as served:
        yield served
