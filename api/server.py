"""The HTTP server: uvicorn on uvloop and httptools, bounded, without signals and logs of its own."""

import asyncio
import contextlib
import resource
import socket
from collections.abc import AsyncIterator, Generator
from functools import partial
from typing import Any

import structlog
import uvicorn
from msgspec.structs import replace
from starlette.applications import Starlette

from api.connections import ConnectionLimits, ConnectionTable
from api.protocol import BoundedProtocol

BACKLOG = 1024
OTHER_DESCRIPTORS = 256  # of the database, logs, and connections that are being closed
TICKS_PER_CHECK = 10  # uvicorn ticks every 0.1 s

log = structlog.get_logger(__name__)


DEFAULT_LIMITS = ConnectionLimits()


class Server(uvicorn.Server):
    """Serves one application until `stop`. Whoever starts it owns the signals."""

    def __init__(self, app: Starlette, shutdown_seconds: float, limits: ConnectionLimits) -> None:
        self._table = ConnectionTable(limits)
        protocol: Any = partial(BoundedProtocol, self._table)
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol,
                ws="none",
                lifespan="on",
                interface="asgi3",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=round(limits.idle_seconds),
                timeout_graceful_shutdown=max(1, round(shutdown_seconds)),
            )
        )
        self._app = app
        self._table.use(self.server_state.connections)

    async def on_tick(self, counter: int) -> bool:
        """Called by uvicorn's main loop; True ends it."""
        if counter % TICKS_PER_CHECK == 0:
            self._table.check_times(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    def stop(self) -> None:
        """Ask it to end: long polls and streams end at once, other requests may finish."""
        self._app.state.live.close()
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals alone."""
        yield


@contextlib.asynccontextmanager
async def serve(
    app: Starlette,
    host: str,
    port: int,
    *,
    shutdown_seconds: float = 10.0,
    limits: ConnectionLimits = DEFAULT_LIMITS,
) -> AsyncIterator[str]:
    """Serve while the block runs; yields the address, like http://127.0.0.1:8787. Port 0 picks a free one.

    Leaving the block ends it: long polls and streams at once, other requests within `shutdown_seconds`.

    Raises:
        OSError: the address cannot be listened on.
    """
    listening = bind(host, port)
    server = Server(app, shutdown_seconds, within_descriptors(limits))
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


def within_descriptors(limits: ConnectionLimits) -> ConnectionLimits:
    """The limits with as many connections as this process may open; raises its own limit of descriptors if it can.

    Without descriptors left, a server cannot even accept a connection in order to refuse it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.connections + OTHER_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
            soft = allowed
        if soft < wanted:
            log.warning("http.few_descriptors", descriptors=soft, wanted=wanted)
            return replace(limits, connections=max(1, soft - OTHER_DESCRIPTORS))
    return limits


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
