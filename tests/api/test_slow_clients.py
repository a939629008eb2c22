"""Clients that send slowly, read slowly, or only hold connections: others are served."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
import structlog

from api.connections import ConnectionLimits
from api.deps import Limits
from events.task import TaskCreated
from tests.api.serving import Served, refusal_of, serving
from tests.support.waiting import eventually

HALF_A_HEAD = b"POST /ops/tasks HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
HALF_A_BODY = b"POST /ops/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
PATIENCE = ConnectionLimits(
    head_seconds=0.8, body_seconds=0.8, body_bytes_per_second=1e9, idle_seconds=0.8, unread_seconds=0.8
)
FEW = ConnectionLimits(connections=40)


class Connections:
    """Connections that stay open, whatever they are answered."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.open: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def add(self, count: int, first: bytes = b"") -> None:
        """Open so many more, each of which sends `first`."""
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(first)
            self.open.append((reader, writer))

    def close(self) -> None:
        """Close all of them."""
        for _reader, writer in self.open:
            writer.transport.abort()


@pytest.fixture
async def small(database: str) -> AsyncIterator[tuple[Served, Connections]]:
    """An API that takes few connections, and somebody who opens many."""
    async with serving(database, connections=FEW) as api:
        held = Connections(api.port)
        yield api, held
        held.close()


async def test_half_open_connections_keep_nobody_out(small: tuple[Served, Connections]) -> None:
    """Many more connections than there may be, of which none completes a request: the oldest are closed."""
    api, held = small
    for first in (b"", HALF_A_HEAD, HALF_A_BODY):
        for _ in range(4):
            await held.add(FEW.connections, first)
            async with httpx.AsyncClient(base_url=api.url, timeout=30) as operator:  # over a new connection
                assert (await operator.get("/ops/tasks")).is_success


async def test_idle_connections_keep_nobody_out(small: tuple[Served, Connections]) -> None:
    """Those whose requests were answered are closed as well."""
    api, held = small
    for _ in range(3):
        await held.add(FEW.connections, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for reader, _writer in held.open[-5:]:
            assert b"200" in await asyncio.wait_for(reader.readline(), 20)
        async with httpx.AsyncClient(base_url=api.url, timeout=30) as operator:
            assert (await operator.get("/ops/tasks")).is_success


async def test_a_flood_does_not_end_requests_that_are_under_way(small: tuple[Served, Connections]) -> None:
    """A claim that waits for work is handed it."""
    api, held = small
    claim = asyncio.create_task(api.claim(wait_seconds=60))
    await eventually(lambda: len(api.app.state.live.waiting) == 1)
    await held.add(3 * FEW.connections, HALF_A_HEAD)
    await api.commands.create_tasks([("a", _task())], "human:x")

    assert "a" == (await asyncio.wait_for(claim, 20))["id"]


SLOW = [
    (b"", b""),
    (b"\r\n", b"408"),
    (HALF_A_HEAD, b"408"),
    (HALF_A_BODY, b"408"),
    (b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", b"200"),
]


async def test_a_slow_client_is_closed(database: str) -> None:
    """With a 408 in the contract's shape if it had begun a request."""
    async with serving(database, connections=PATIENCE) as api:
        held = Connections(api.port)
        for first, _status in SLOW:
            await held.add(1, first)
        answers = [await asyncio.wait_for(reader.read(), 20) for reader, _writer in held.open]
        held.close()

    assert [status for _first, status in SLOW] == [answer[9:12] for answer in answers]
    assert ["request_timeout"] * 3 == [_body(answer)["error"] for answer in answers if answer[9:12] == b"408"]


async def test_a_client_that_reads_nothing_is_closed(database: str) -> None:
    """Its answer waits in the server's memory."""
    with structlog.testing.capture_logs() as lines:
        async with serving(database, connections=PATIENCE) as api:
            await api.commands.create_tasks([(str(n), _task("x" * 500_000)) for n in range(20)], "human:x")
            _reader, writer = await asyncio.open_connection("127.0.0.1", api.port, limit=1024)
            writer.write(b"GET /ops/tasks HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await eventually(lambda: [line for line in lines if line["event"] == "http.connections_closed"])
            writer.transport.abort()

    assert [1] == [line["unread"] for line in lines if line["event"] == "http.connections_closed"]


async def test_one_caller_cannot_take_all_streams(database: str) -> None:
    """Half of them is the limit for one token, and viewers leave a tenth to operators."""
    async with serving(database, Limits(streams=20)) as api, AsyncExitStack() as stack:
        tokens = {
            name: await api.tokens.create_token(name, "operator" if name == "boss" else "viewer")
            for name in ("one", "two", "three", "boss")
        }

        async def open_streams(name: str, count: int) -> list[httpx.Response]:
            headers = {"Authorization": f"Bearer {tokens[name]}"}
            streams = [api.client.stream("GET", "/ops/events/stream", headers=headers) for _ in range(count)]
            return [await stack.enter_async_context(stream) for stream in streams]

        assert [200] * 10 + [503] == [each.status_code for each in await open_streams("one", 11)]
        assert [200] * 8 + [503] == [each.status_code for each in await open_streams("two", 9)]
        [refused] = await open_streams("three", 1)
        await refused.aread()
        assert (503, "busy") == refusal_of(refused)[:2]
        assert [200] * 2 + [503] == [each.status_code for each in await open_streams("boss", 3)]


async def test_one_caller_cannot_take_all_waits(database: str) -> None:
    """A claim beyond the limit is refused instead of waiting; one that finds work is answered all the same."""
    async with serving(database, Limits(waiting_claims=4)) as api:
        waiting = [asyncio.create_task(api.claim("greedy", wait_seconds=60)) for _ in range(2)]
        await eventually(lambda: len(api.app.state.live.waiting) == 2)
        third = await api.client.post("/ops/tasks/claim", json={"runner_id": "greedy", "wait_seconds": 60})
        assert (503, "busy") == refusal_of(third)[:2]
        assert await api.claim("greedy") is None
        waiting.append(asyncio.create_task(api.claim("modest", wait_seconds=60)))
        await eventually(lambda: len(api.app.state.live.waiting) == 3)
        api.app.state.live.close()
        assert [None] * 3 == await asyncio.gather(*waiting)


@pytest.mark.parametrize("parts", [1, 2])
async def test_headers_of_70_kb(api: Served, parts: int) -> None:
    """Are refused, whether they come in one piece or several."""
    head = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 70_000 + b"\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    for part in (head[: len(head) // parts], head[len(head) // parts :]):
        writer.write(part)
        await writer.drain()
    told = await asyncio.wait_for(reader.read(), 20)
    writer.close()

    assert (b"431", "headers_too_large") == (told[9:12], _body(told)["error"])


def _task(body: str = "") -> TaskCreated:
    return TaskCreated(title="T", body=body)


def _body(answer: bytes) -> Any:
    return json.loads(answer.partition(b"\r\n\r\n")[2])
