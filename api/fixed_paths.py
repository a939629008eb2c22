"""A short way to the addresses that are always the same: looked up, not matched against one pattern after the other."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send


class FixedPaths:
    """ASGI application: `resources` by their path, and for all other requests the `rest`."""

    def __init__(self, resources: Mapping[str, ASGIApp], rest: ASGIApp) -> None:
        self._resources = resources
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        found = self._resources.get(scope["path"]) if scope["type"] == "http" else None
        await (found or self._rest)(scope, receive, send)
