"""A stand-in for what operators put before the API: forwards requests, or answers them itself, as a proxy does that is
in the way (413), has no API behind it (502, HTML), or is somebody else's (404, HTML)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

Picks = Callable[[bytes], bool]
"""Whether a request, head and body, is answered by the proxy."""


class HttpProxy:
    """Forwards to `port`, one request per connection; `hits` counts those that it answered itself."""

    def __init__(self, port: int) -> None:
        self.url = ""
        self.hits = 0
        self.clients: set[asyncio.Task[None]] = set()
        self._port = port
        self._picks: Picks = lambda _request: False
        self._answer = b""

    def answer(self, status: int, body: str, picks: Picks, headers: str = "Content-Type: text/html\r\n") -> None:
        """From now on answer what is picked so."""
        head = f"HTTP/1.1 {status} Status\r\n{headers}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        self.hits, self._picks, self._answer = 0, picks, (head + body).encode()

    def mend(self) -> None:
        """Forward everything again."""
        self._picks = lambda _request: False

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client."""
        task = asyncio.current_task()
        assert task is not None
        self.clients.add(task)
        task.add_done_callback(self.clients.discard)
        try:
            request = await _read_request(reader)
            if self._picks(request):
                self.hits += 1
                writer.write(self._answer)
            else:
                await self._forward(request, writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _forward(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            requests.write(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            writer.write(await answers.read(-1))
        finally:
            requests.close()


async def _read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    lengths = [line.partition(b":")[2] for line in lines if line.lower().startswith(b"content-length:")]
    body = await reader.readexactly(int(lengths[0]) if lengths else 0)
    return b"\r\n".join(lines) + body


@asynccontextmanager
async def http_proxy(port: int) -> AsyncIterator[HttpProxy]:
    """An HttpProxy on a port of its own."""
    proxy = HttpProxy(port)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        for task in tuple(proxy.clients):
            task.cancel()
        await asyncio.gather(*proxy.clients, return_exceptions=True)
        await server.wait_closed()
