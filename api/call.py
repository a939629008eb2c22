"""One request, as a handler sees it."""

from starlette.requests import Request

from api.auth import Identity
from api.deps import ApiDeps
from api.live import Live


class Call:
    """The caller, and what the API works with. What the request says, the handler has as parameters of its own."""

    def __init__(self, request: Request, deps: ApiDeps, live: Live, caller: Identity) -> None:
        self.request = request
        self.deps = deps
        self.live = live
        self.caller = caller

    @property
    def actor(self) -> str:
        """The actor of events that this call causes."""
        return self.caller.actor

    def header(self, name: str) -> str | None:
        """A request header, or None."""
        return self.request.headers.get(name)
