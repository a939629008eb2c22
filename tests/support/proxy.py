"""A TCP proxy that can fall silent, as a network does: nothing is forwarded any more, nothing is closed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

CHUNK = 65_536


class Proxy:
    """Forwards every connection to `port` until `freeze()`; connections made after that are forwarded again.

    `url` is the address of what lies behind it, by way of the proxy.
    """

    def __init__(self, port: int) -> None:
        self.url = ""
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
        for source, sink in ((reader, outward), (onward, writer)):
            task = asyncio.create_task(_pump(source, sink, self._frozen))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Close every connection."""
        for task in tuple(self._tasks):
            task.cancel()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), *self._tasks, return_exceptions=True)


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


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, frozen: asyncio.Event) -> None:
    try:
        while chunk := await source.read(CHUNK):
            if not frozen.is_set():
                sink.write(chunk)
                await sink.drain()
        if not frozen.is_set():
            sink.close()
    except OSError:
        if not frozen.is_set():
            sink.close()
