"""The log over HTTP: pages of it, and the stream that leaves nothing out."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest

from api.deps import Limits
from tests.api.serving import Served, refusal_of, serving
from tests.support.waiting import eventually

Received = tuple[int, str, Any]
STARTED = """
    INSERT INTO log.events (kind, id, version, type, actor, data)
    VALUES ('runner', $1, 1, 'runner.started', 'system', '{}')
"""


async def test_events_are_read_in_pages(api: Served) -> None:
    """In order of position, by kind and stream; `meta.next` is where to go on."""
    await api.post("/ops/tasks", [{"id": str(number), "title": "T"} for number in range(4)])
    await api.post("/ops/runner/heartbeat", {"runner_id": "0"})

    page = (await api.client.get("/ops/events?limit=3")).json()
    rest = (await api.client.get("/ops/events", params={"after": page["meta"]["next"]})).json()
    events = page["data"] + rest["data"]
    assert ["0", "1", "2", "3", "0"] == [event["id"] for event in events]
    assert rest["meta"]["next"] is None
    assert events == sorted(events, key=lambda event: event["seq"])
    assert ["task.created", "runner.heartbeat"] == [event["type"] for event in await api.get("/ops/events?id=0")]
    [first, *_] = await api.get("/ops/events?kind=task&id=0")
    assert ("task", 1, "human:local", {"title": "T"}) == tuple(
        first[key] for key in ("kind", "version", "actor", "data")
    )


async def test_the_stream_tells_what_happens(api: Served) -> None:
    """From now on, each event as it is written: its seq as id, its type as name, itself as data."""
    await api.post("/ops/tasks", {"id": "before", "title": "T"})
    async with watching(api) as received:
        await api.post("/ops/tasks", {"id": "after", "title": "T"})
        seq, name, event = await anext(received)

    assert ("task.created", "after", seq) == (name, event["id"], event["seq"])


async def test_a_stream_is_resumed_where_it_broke_off(api: Served) -> None:
    """Behind Last-Event-ID: first what was missed, then what happens, nothing twice and nothing left out."""
    await api.post("/ops/tasks", [{"id": str(number), "title": "T"} for number in range(1200)])
    seqs = [event["seq"] for event in await api.get("/ops/events?limit=1000")]
    async with watching(api, last=seqs[9]) as received:
        missed = [await anext(received) for _ in range(1190)]
        await api.post("/ops/tasks", {"id": "live", "title": "T"})
        live = await anext(received)

    assert [str(number) for number in range(10, 1200)] == [event["id"] for _seq, _name, event in missed]
    assert "live" == live[2]["id"]


async def test_after_in_the_address_begins_a_stream(api: Served) -> None:
    """For those who cannot set a header; the header comes first."""
    await api.post("/ops/tasks", [{"id": str(number), "title": "T"} for number in range(3)])
    seqs = [event["seq"] for event in await api.get("/ops/events")]

    async with watching(api, after=0) as received:
        assert "0" == (await anext(received))[2]["id"]
    async with watching(api, after=0, last=seqs[1]) as received:
        assert "2" == (await anext(received))[2]["id"]


async def test_a_stream_never_skips_what_commits_late(api: Served, database: str) -> None:
    """An event whose seq was drawn first and committed last is delivered, and in its place."""
    late = await asyncpg.connect(database)
    async with watching(api) as received:
        transaction = late.transaction()
        await transaction.start()
        await late.execute(
            "INSERT INTO log.events (kind, id, version, type, actor, data) "
            "VALUES ('runner', 'late', 1, 'runner.started', 'system', '{\n}')"
        )
        await api.post("/ops/tasks", {"id": "early", "title": "T"})
        await transaction.commit()
        both = [await anext(received) for _ in range(2)]
    await late.close()

    assert ["late", "early"] == [event["id"] for _seq, _name, event in both]


async def test_what_is_in_flight_when_a_stream_opens_is_not_missed(api: Served, database: str) -> None:
    """Its seq lies before the last one by then, and it is committed afterwards; one taken back holds nobody up."""
    late, given_up = await asyncpg.connect(database), await asyncpg.connect(database)
    writing, taken_back = late.transaction(), given_up.transaction()
    await writing.start()
    await taken_back.start()
    await given_up.execute(STARTED, "given up")
    await late.execute(STARTED, "late")
    await api.post("/ops/tasks", {"id": "before", "title": "T"})
    async with watching(api) as received:
        await taken_back.rollback()
        await writing.commit()
        await api.post("/ops/tasks", {"id": "after", "title": "T"})
        both = [await anext(received) for _ in range(2)]
    await late.close()
    await given_up.close()

    assert ["late", "after"] == [event["id"] for _seq, _name, event in both]


async def test_beyond_the_end_of_the_log_there_is_nothing_to_wait_for(api: Served) -> None:
    """After a backup was restored, say: it is refused, with the place where the log ends; its end itself is fine."""
    await api.post("/ops/tasks", {"id": "a", "title": "T"})
    [event] = await api.get("/ops/events")
    stream = "/ops/events/stream"
    for address, last in ((f"{stream}?after=1000", ""), (stream, "1000"), ("/ops/events?after=1000", "")):
        response = await api.client.get(address, headers={"Last-Event-ID": last})
        refused = response.json()
        assert (409, "beyond_the_log") == (response.status_code, refused["error"])
        assert {"last_seq": event["seq"]} == refused["meta"]
    assert [] == await api.get(f"/ops/events?after={event['seq']}")
    async with watching(api, after=event["seq"]) as received:
        await api.post("/ops/tasks", {"id": "b", "title": "T"})
        assert "b" == (await anext(received))[2]["id"]


async def test_every_viewer_sees_the_same(api: Served) -> None:
    """One follower serves them all; when the last one leaves, nothing is followed any more."""
    async with watching(api) as one, watching(api) as other:
        await api.post("/ops/tasks", {"id": "a", "title": "T"})
        assert await anext(one) == await anext(other)
        assert api.app.state.live.broadcast.is_following

    await eventually(lambda: not api.app.state.live.broadcast.is_following)


async def test_a_silent_stream_says_that_it_is_there(database: str) -> None:
    """Comments keep proxies from closing it."""
    async with (
        serving(database, Limits(keep_alive_seconds=0.05)) as api,
        api.client.stream("GET", "/ops/events/stream") as response,
    ):
        assert "text/event-stream" == response.headers["content-type"].partition(";")[0]
        lines = response.aiter_lines()
        comments = [line async for line in until(lines, 2, lambda line: line.startswith(":"))]

    assert 2 == len(comments)


async def test_a_viewer_that_does_not_read_is_dropped(database: str) -> None:
    """It costs a bounded queue and then its connection; others go on watching."""
    big = {"title": "T", "body": "x" * 500_000}
    async with serving(database, Limits(viewer_events=3, body_bytes=1 << 24)) as api:
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port, limit=1024)
        writer.write(b"GET /ops/events/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await eventually(lambda: api.app.state.live.broadcast.viewers == 1)
        async with watching(api) as received:
            for number in range(40):
                await api.post("/ops/tasks", big | {"id": str(number)})
                assert str(number) == (await anext(received))[2]["id"]
            await eventually(lambda: api.app.state.live.broadcast.viewers == 1, describe="only the other one is left")
        writer.close()
        assert not reader.at_eof()


async def test_too_many_viewers_are_told_so(database: str) -> None:
    """A 503, while those who watch go on."""
    async with serving(database, Limits(streams=1)) as api, watching(api):
        response = await api.client.get("/ops/events/stream")
        assert (503, "busy") == refusal_of(response)[:2]
        assert "5" == response.headers["retry-after"]


@pytest.mark.parametrize("last", ["x", "-1", "1e3", "9" * 30])
async def test_a_last_event_id_that_is_none(api: Served, last: str) -> None:
    """A 400 that says what it should be."""
    response = await api.client.get("/ops/events/stream", headers={"Last-Event-ID": last})

    assert (400, "invalid_input") == refusal_of(response)[:2]


@asynccontextmanager
async def watching(
    api: Served, *, last: int | None = None, after: int | None = None
) -> AsyncIterator[AsyncIterator[Received]]:
    """A stream for as long as the block runs: yields what is received."""
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    query = {} if after is None else {"after": after}
    async with api.client.stream("GET", "/ops/events/stream", headers=headers, params=query) as response:
        assert response.is_success
        received = parse(response)
        yield received
        await received.aclose()


async def parse(response: httpx.Response) -> Any:
    """The events of a stream, comments left out."""
    seq, name, data = 0, "", ""
    async for line in response.aiter_lines():
        field, _, value = line.partition(": ")
        match field:
            case "id":
                seq = int(value)
            case "event":
                name = value
            case "data":
                data += value
            case "" if data:
                yield seq, name, json.loads(data)
                seq, name, data = 0, "", ""


async def until(lines: AsyncIterator[str], count: int, wanted: Any) -> AsyncIterator[str]:
    """The first `count` lines that are wanted."""
    async for line in lines:
        if wanted(line):
            yield line
            count -= 1
        if not count:
            return
