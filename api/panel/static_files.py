"""The stylesheet, the script and the icon. Their addresses change with their content, so browsers may keep them."""

from starlette.responses import Response

from api.panel.paper import HEADERS, static_bytes
from api.panel.visit import Visit
from events.errors import NotFound

TYPES = {
    "panel.css": "text/css; charset=utf-8",
    "panel.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


async def show_file(visit: Visit, name: str) -> Response:
    """One of the files."""
    if name not in TYPES:
        raise NotFound(f"there is no file {name}")
    kept = "public, max-age=31536000, immutable" if "v" in visit.request.query_params else "no-cache"
    return Response(static_bytes(name), media_type=TYPES[name], headers=HEADERS | {"cache-control": kept})
