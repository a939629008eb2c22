"""The HTTP server: uvicorn on uvloop and httptools, bounded, without signals and logs of its own."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Generator

import uvicorn
from starlette.applications import Starlette

from api.protocol import BoundedProtocol

CONNECTIONS_MAX = 2000
IDLE_SECONDS = 75
BACKLOG = 1024


class Server(uvicorn.Server):
    """Serves one application until `stop`. Whoever starts it owns the signals."""

    def __init__(self, app: Starlette, shutdown_seconds: float) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=BoundedProtocol,
                ws="none",
                lifespan="on",
                interface="asgi3",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=CONNECTIONS_MAX,
                timeout_keep_alive=IDLE_SECONDS,
                timeout_graceful_shutdown=max(1, round(shutdown_seconds)),
            )
        )
        self._app = app

    def stop(self) -> None:
        """Ask it to end: long polls and streams end at once, other requests may finish."""
        self._app.state.live.close()
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals alone."""
        yield


@contextlib.asynccontextmanager
async def serve(app: Starlette, host: str, port: int, *, shutdown_seconds: float = 10.0) -> AsyncIterator[str]:
    """Serve while the block runs; yields the address, like http://127.0.0.1:8787. Port 0 picks a free one.

    Leaving the block ends it: long polls and streams at once, other requests within `shutdown_seconds`.

    Raises:
        OSError: the address cannot be listened on.
    """
    listening = bind(host, port)
    server = Server(app, shutdown_seconds)
    serving = asyncio.create_task(server.serve(sockets=[listening]), name="http")
    try:
        while not server.started:
            await asyncio.wait({serving}, timeout=0.01)
            if serving.done():
                raise RuntimeError("the HTTP server ended before it had begun") from serving.exception()
        yield address_of(listening)
    finally:
        server.stop()
        await asyncio.wait({serving})
        listening.close()


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError."""
    family, _kind, _protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listening = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    # Connections inherit it. uvloop sets it anyway; asyncio does not see that this is TCP, and a body that is sent
    # after its head would wait 40 ms for the client to acknowledge that.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
    return listening


def address_of(listening: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
