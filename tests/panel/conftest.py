"""Fixtures of the panel's tests."""

from collections.abc import AsyncIterator

import pytest

from tests.api.serving import Served, serving


@pytest.fixture
async def api(database: str) -> AsyncIterator[Served]:
    """A served API with its panel, without tokens, over a database of its own."""
    async with serving(database) as served:
        yield served
