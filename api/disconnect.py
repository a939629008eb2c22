"""Noticing that a client has gone, and making one go."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request
from starlette.types import Receive, Scope


async def wait_for_disconnect(receive: Receive) -> None:
    """Returns when the client has gone. To be called only after the body was read."""
    while (await receive())["type"] != "http.disconnect":
        pass


@asynccontextmanager
async def leaving(request: Request) -> AsyncIterator["asyncio.Task[None]"]:
    """A task that is done when the client has gone; it lives as long as the block."""
    task = asyncio.create_task(wait_for_disconnect(request.receive))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


def cut_connection(scope: Scope) -> None:
    """End the connection at once, whatever is still to be sent. Only our own server knows how (api/server.py)."""
    cut = scope.get("state", {}).get("cut_connection")
    if cut is not None:
        cut()
