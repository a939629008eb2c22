"""A database that swallows everything: each request is answered once its time is over, in the contract's shape."""

import asyncio
from urllib.parse import urlsplit

import pytest
from msgspec import structs

from api import app, tokens
from events import committer
from ops.postgres.server import Server
from tests.api.serving import serving
from tests.support.fault_proxy import counts_commands, fault_proxy

TASK = {"title": "a task", "steps": [{"name": "s", "cmd": "true"}]}


async def test_no_request_waits_for_a_silent_database(
    postgres: Server, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Queries, writes and claims are refused as unavailable, with a reason; afterwards they succeed again."""
    monkeypatch.setattr(committer, "WRITE_SECONDS", 1.0)
    monkeypatch.setattr(tokens, "READ_SECONDS", 1.0)
    quick = [structs.replace(each, seconds=each.seconds and 2.0) for each in app.ENDPOINTS]
    monkeypatch.setattr(app, "ENDPOINTS", quick)
    url = postgres.tcp_url(urlsplit(database).path.removeprefix("/"))
    async with fault_proxy(postgres.port, counts_commands) as proxy:
        behind = url.replace(f":{postgres.port}/", f":{proxy.port}/")
        async with serving(behind) as api:
            proxy.silence()
            asked = [
                api.client.get("/ops/tasks"),
                api.client.post("/ops/tasks", json=TASK),
                api.client.post("/ops/tasks/claim", json={"runner_id": "r"}),
            ]
            answers = await asyncio.gather(*asked, *[api.client.get("/ops/runner/status") for _ in range(10)])
            proxy.mend()
            await api.post("/ops/tasks", TASK)
    for answer in answers:
        body = answer.json()
        assert (503, "unavailable", "1") == (answer.status_code, body["error"], answer.headers["retry-after"])
        assert body["detail"]
        assert "()" not in body["detail"]
