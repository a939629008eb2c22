"""A TCP proxy that can fall silent, as a network does: nothing is forwarded any more, nothing is closed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

CHUNK = 65_536


class Proxy:
    """Forwards every connection to `port` until `freeze()`; connections made after that are forwarded again.

    `url` is the address of what lies behind it, by way of the proxy. `turns` counts how often a client spoke after its
    server had: each is a round trip.
    """

    def __init__(self, port: int) -> None:
        self.url = ""
        self.turns = 0
        self._target = port
        self._frozen = asyncio.Event()
        self._is_cut = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    def freeze(self) -> None:
        """Swallow from now on what comes over the connections that there are, their end included."""
        self._frozen.set()
        self._frozen = asyncio.Event()

    def cut(self) -> None:
        """End all connections, and every new one at once, until `mend()`."""
        self._is_cut = True
        for writer in self._writers:
            writer.close()

    def mend(self) -> None:
        """Take connections again."""
        self._is_cut = False

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client: a connection of its own to the server."""
        if self._is_cut:
            writer.close()
            return
        onward, outward = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers += [writer, outward]
        talk = Talk(self)
        for source, sink, spoke in ((reader, outward, talk.asked), (onward, writer, talk.answered)):
            task = asyncio.create_task(_pump(source, sink, self._frozen, spoke))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Close every connection."""
        for task in tuple(self._tasks):
            task.cancel()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), *self._tasks, return_exceptions=True)


class Talk:
    """Who spoke last on one connection."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._is_answered = True

    def asked(self) -> None:
        """The client spoke."""
        self._proxy.turns += self._is_answered
        self._is_answered = False

    def answered(self) -> None:
        """The server spoke."""
        self._is_answered = True


@asynccontextmanager
async def proxy_before(url: str) -> AsyncIterator[Proxy]:
    """A proxy, on a port of its own, before a server of this machine."""
    port = urlsplit(url).port
    assert port is not None
    proxy = Proxy(port)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.url = url.replace(f":{port}/", f":{server.sockets[0].getsockname()[1]}/")
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
        await server.wait_closed()


async def _pump(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, frozen: asyncio.Event, spoke: Callable[[], None]
) -> None:
    try:
        while chunk := await source.read(CHUNK):
            spoke()
            if not frozen.is_set():
                sink.write(chunk)
                await sink.drain()
        if not frozen.is_set():
            sink.close()
    except OSError:
        if not frozen.is_set():
            sink.close()
