"""The floor of an HTTP API: one Starlette route that answers with bytes from memory, on uvicorn set up as ours is.

    bare_route PORT METHOD PATH STATUS FILE

It reads the request's body, if there is one, and does nothing with it.
"""

import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


def app(method: str, path: str, status: int, content: bytes) -> Starlette:
    """The route."""

    async def answer(request: Request) -> Response:
        if method != "GET":
            await request.body()
        return Response(content, status, media_type="application/json")

    return Starlette(routes=[Route(path, answer, methods=[method])])


def main(port: str, method: str, path: str, status: str, file: str) -> None:
    """Serve until SIGTERM: the plain protocol on httptools, no log, no header of its own."""
    uvicorn.run(
        app(method, path, int(status), Path(file).read_bytes()),
        host="127.0.0.1",
        port=int(port),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        interface="asgi3",
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
