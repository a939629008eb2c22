"""A bare Starlette route for each file of a folder: the least that an HTTP server in Python needs for the same bytes.

Run as a process: `python -m tests.bench.bare PORT FOLDER`. The folder holds files 0, 1, 2 …
"""

import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


def application(folder: Path) -> Starlette:
    """Answers /0 with the file 0, and so on."""
    bodies = {path.name: path.read_bytes() for path in folder.iterdir()}

    async def show(request: Request) -> Response:
        return Response(bodies[request.path_params["name"]], media_type="text/html; charset=utf-8")

    return Starlette(routes=[Route("/{name}", show)])


if __name__ == "__main__":
    uvicorn.run(
        application(Path(sys.argv[2])),
        port=int(sys.argv[1]),
        http="httptools",
        log_config=None,
        timeout_keep_alive=600,  # seconds; the other side is measured meanwhile
    )
