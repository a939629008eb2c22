"""Noticing that a client has gone, and making one go."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request
from starlette.types import Receive, Scope


async def wait_for_disconnect(receive: Receive) -> None:
    """Returns when the client has gone. To be called only after the body was read."""
    while (await receive())["type"] != "http.disconnect":
        pass


@contextmanager
def leaving(request: Request) -> Iterator["asyncio.Task[None]"]:
    """A task that is done when the client has gone; it lives as long as the block."""
    task = asyncio.create_task(wait_for_disconnect(request.receive))
    try:
        yield task
    finally:
        task.cancel()  # it ends by itself; the answer need not wait for that


def cut_connection(scope: Scope) -> None:
    """End the connection at once, whatever is still to be sent. Only our own server knows how (api/server.py)."""
    cut = scope.get("state", {}).get("cut_connection")
    if cut is not None:
        cut()
