"""Cross-origin requests of browsers: the pages that an operator allows to use the API (ELRUSO_ALLOWED_ORIGINS).

An allowed page shows a token in the Authorization header, as any other client. Credentials that a browser adds by
itself are never allowed (no Access-Control-Allow-Credentials), and the panel takes no part in this.
"""

import re

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

PANEL = "/panel"
METHODS = ("GET", "HEAD", "POST", "PATCH")
REQUEST_HEADERS = ("authorization", "idempotency-key", "if-none-match", "last-event-id", "x-request-id")
RESPONSE_HEADERS = ("etag", "retry-after", "x-request-id")

_ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?")


def is_origin(text: str) -> bool:
    """Whether a text is an origin as browsers send it: scheme, host and perhaps port, in lower case, without a path."""
    return _ORIGIN.fullmatch(text) is not None


class CrossOrigin(CORSMiddleware):
    """ASGI middleware around the whole API: answers preflight requests, and lets allowed pages read the answers."""

    def __init__(self, app: ASGIApp, origins: frozenset[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=REQUEST_HEADERS,
            expose_headers=RESPONSE_HEADERS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith(PANEL):
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)
