"""The panel's event stream: small, resumable, and one follower for all who watch."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from api.panel.live import BEHIND_MAX
from events.task import TaskCreated
from tests.api.serving import Served
from tests.support.waiting import eventually


@asynccontextmanager
async def watching(api: Served, **options: str) -> AsyncIterator[AsyncIterator[str]]:
    """The lines of the stream that say something."""
    async with api.client.stream("GET", "/panel/live", **options) as response:  # type: ignore[arg-type]
        lines = response.aiter_lines()

        async def said() -> AsyncIterator[str]:
            async for line in lines:
                if line and not line.startswith((":", "retry")):
                    yield line

        yield said()


async def test_it_says_what_changed_and_nothing_of_it(api: Served) -> None:
    """Kind, id and type, of what happened after the page was made; the body of the task stays where it is."""
    seq = (await api.get("/ops/events"))[-1:]
    await api.commands.create_tasks([("a", TaskCreated("secret title", body="x" * 10_000))], "human:ana")
    async with watching(api, params={"after": "0"}) as said:  # type: ignore[arg-type]
        lines = [await anext(said), await anext(said)]
    assert [] == seq
    assert ["id: 1", ["task", "a", "task.created"]] == [lines[0], json.loads(lines[1].removeprefix("data: "))]


async def test_it_goes_on_behind_the_last_event(api: Served) -> None:
    """What the browser remembers comes before what the page knew."""
    await api.commands.create_tasks([(name, TaskCreated("T")) for name in "abc"], "human:ana")
    async with watching(api, params={"after": "0"}, headers={"Last-Event-ID": "2"}) as said:  # type: ignore[arg-type]
        assert "id: 3" == await anext(said)


async def test_who_slept_for_long_looks_at_everything(api: Served) -> None:
    """More than BEHIND_MAX events are not told one by one."""
    tasks = [(f"t{place}", TaskCreated("T")) for place in range(BEHIND_MAX + 10)]
    await api.commands.create_tasks(tasks, "human:ana")
    async with watching(api, params={"after": "1"}) as said:  # type: ignore[arg-type]
        assert [f"id: {BEHIND_MAX + 10}", "event: everything"] == [await anext(said), await anext(said)]
        await api.commands.create_tasks([("fresh", TaskCreated("T"))], "human:ana")
        assert f"id: {BEHIND_MAX + 11}" in [await anext(said), await anext(said)]


async def test_heartbeats_are_left_out(api: Served) -> None:
    """They would wake every page every few seconds and change nothing on it."""
    async with watching(api) as said:
        await eventually(lambda: api.app.state.live.broadcast.live == 1)
        await api.post("/ops/runner/heartbeat", {"runner_id": "r"})
        await api.commands.create_tasks([("a", TaskCreated("T"))], "human:ana")
        assert "id: 2" == await anext(said)


async def test_all_who_watch_share_one_listener(api: Served, database: str) -> None:
    """Twenty pages and one API stream: one session of the database listens."""
    connection = await asyncpg.connect(database)
    streams = [watching(api) for _ in range(20)]
    for stream in streams:
        await stream.__aenter__()
    await eventually(lambda: api.app.state.live.broadcast.live == 20)
    query = "SELECT count(*) FROM pg_stat_activity WHERE query ILIKE 'LISTEN%' AND datname = current_database()"
    assert await connection.fetchval(query) <= 1
    await api.commands.create_tasks([("a", TaskCreated("T"))], "human:ana")
    for stream in streams:
        await stream.__aexit__(None, None, None)
    await eventually(lambda: api.app.state.live.broadcast.viewers == 0)
    assert not api.app.state.live.broadcast.is_following
    await connection.close()
