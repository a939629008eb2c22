"""Many who have the panel open: one session listens for all of them, and nobody waits for one who does not read."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg

from api.broadcast import Broadcast
from api.deps import Limits
from api.panel.live import small_frame
from events.task import TaskCreated
from tests.api.serving import Served, serving
from tests.support.waiting import eventually

VIEWERS = 100
POOL = 4  # sessions that tests/api/serving.py gives the read side
BATCH = 400
LISTENERS = "SELECT count(*) FROM pg_stat_activity WHERE query ILIKE 'listen%' AND datname = current_database()"
SESSIONS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
)
REQUEST = b"GET /panel/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@asynccontextmanager
async def open_page(api: Served, reads: bool = True) -> AsyncIterator[asyncio.StreamReader | socket.socket]:
    """The stream of one open page; one that never `reads` has hardly any room in its socket either."""
    ends = socket.socket()
    if not reads:
        ends.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    ends.setblocking(False)
    await asyncio.get_running_loop().sock_connect(ends, ("127.0.0.1", api.port))
    await asyncio.get_running_loop().sock_sendall(ends, REQUEST)
    if not reads:
        yield ends
        ends.close()
        return
    reader, writer = await asyncio.open_connection(sock=ends)
    yield reader
    writer.close()


async def create(api: Served, batch: int) -> str:
    """Tasks with ids as long as ids may be; the last one's."""
    ids = [f"{batch}-{place}-".ljust(200, "x") for place in range(BATCH)]
    await api.commands.create_tasks([(each, TaskCreated("T")) for each in ids], "human:ana")
    return ids[-1]


async def hear(reader: asyncio.StreamReader, word: str) -> None:
    """Read on until a line that has the word in it."""
    async with asyncio.timeout(20):
        while word.encode() not in await reader.readline():
            pass


async def test_a_page_that_does_not_read_is_dropped_and_not_waited_for(database: str) -> None:
    """While it reads nothing, another one is told of every event at once; its stream is ended when its queue is full,
    and its connection too, so that nothing of it is left."""
    async with serving(database, Limits(viewer_events=BATCH + 100)) as api, open_page(api, reads=False):
        broadcast: Broadcast = api.app.state.live.broadcast
        await eventually(lambda: broadcast.live == 1)
        async with open_page(api) as reader:
            assert isinstance(reader, asyncio.StreamReader)
            await eventually(lambda: broadcast.live == 2)
            batch = 0
            while broadcast.live == 2:
                assert batch < 100, "it is never dropped"
                await hear(reader, await create(api, batch))
                assert broadcast.waiting <= 2 * (BATCH + 100)
                batch += 1
            await hear(reader, await create(api, batch))
            await eventually(lambda: broadcast.viewers == 1, describe="its connection is ended")
        await eventually(lambda: broadcast.viewers == 0)


async def test_a_hundred_pages_cost_the_database_what_one_costs(database: str) -> None:
    """One session listens for all of them, the pool is all that others may add, and all are told of every event."""
    async with serving(database) as api, AsyncExitStack() as pages:
        broadcast: Broadcast = api.app.state.live.broadcast
        connection = await asyncpg.connect(database)
        await create(api, 0)  # whatever writes is connected now
        readers = [await pages.enter_async_context(open_page(api))]
        await eventually(lambda: broadcast.live == 1)
        before = await connection.fetchval(SESSIONS)
        readers += [await pages.enter_async_context(open_page(api)) for _ in range(VIEWERS - 1)]
        await eventually(lambda: broadcast.live == VIEWERS)
        last = await create(api, 1)
        await asyncio.gather(*(hear(reader, last) for reader in readers if isinstance(reader, asyncio.StreamReader)))
        assert 1 == await connection.fetchval(LISTENERS)
        assert await connection.fetchval(SESSIONS) <= before + POOL
        assert 0 == broadcast.waiting
        await connection.close()


async def test_what_waits_is_bounded_and_shared(database: str) -> None:
    """However much happens, a viewer that takes nothing has `viewer_events` waiting at most; and what waits for a
    hundred of them are the same bytes, made once."""
    async with serving(database, Limits(viewer_events=50)) as api, AsyncExitStack() as stack:
        broadcast: Broadcast = api.app.state.live.broadcast
        viewers = [stack.enter_context(broadcast.viewer(small_frame)) for _ in range(VIEWERS)]
        streams = [broadcast.frames(viewer, None, 60.0) for viewer in viewers]
        asked = [asyncio.ensure_future(anext(stream)) for stream in streams]
        await eventually(lambda: broadcast.live == VIEWERS)
        await api.commands.create_tasks([("first", TaskCreated("T"))], "human:ana")
        assert {True} == {b'"first"' in frame for frame in await asyncio.gather(*asked)}
        for number in range(40):
            await api.commands.create_tasks([(f"t{number}", TaskCreated("T"))], "human:ana")
        await eventually(lambda: broadcast.waiting == 40 * VIEWERS)
        assert 40 == len({id(frame) for viewer in viewers for frame in viewer.frames})
        await create(api, 1)
        await eventually(lambda: broadcast.live == 0, describe="all of them are dropped")
        assert 50 == max(len(viewer.frames) for viewer in viewers)
        for stream in streams:
            await stream.aclose()
