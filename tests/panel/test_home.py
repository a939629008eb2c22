"""The first page says what needs the operator now."""

import asyncpg
import pytest

from projections import horizon
from tests.api.serving import Served


async def test_a_forgotten_transaction_is_named_with_its_remedy(
    api: Served, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as it is open; the sentence holds the statement that ends it."""
    monkeypatch.setattr(horizon, "FORGOTTEN_SECONDS", 0.0)
    forgotten = await asyncpg.connect(database, server_settings={"application_name": "nightly <report>"})
    await forgotten.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM log.transitions")
    pid = forgotten.get_server_pid()
    seen = (await api.client.get("/panel")).text
    assert f"SELECT pg_terminate_backend({pid})" in seen
    assert "nightly &lt;report&gt;" in seen
    await forgotten.close()
    assert f"pg_terminate_backend({pid})" not in (await api.client.get("/panel")).text
