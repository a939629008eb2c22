"""One row of the route table, and how a request becomes the call of a handler.

A handler says by its parameters what it reads: `call` first, then names of its path, `query` (a Struct of the query
string), `body` (a Struct of the JSON body, or a class with its own `read`). The contract in /openapi.json is made from
the same parameters.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.auth import ANYONE, LOCAL, authenticate
from api.body import decode_body, read_body
from api.call import Call
from api.deps import ApiDeps
from api.entry import Entry
from api.errors import MethodNotAllowed
from api.live import Live
from api.screening import screened
from api.transfer import spare
from events.errors import ElRusoError, InvalidInput, NotFound


class Endpoint(Entry, frozen=True, dict=True):
    """An entry that speaks JSON; its handler is given the `call` first."""

    @cached_property
    def decode(self) -> Callable[[bytes], Any] | None:
        """What makes the handler's `body`; None when it reads none."""
        body = self.reads.get("body")
        if body is None:
            return None
        return getattr(body, "read", None) or msgspec.json.Decoder(body).decode

    async def answer(self, request: Request, deps: ApiDeps, live: Live) -> Response:
        """Authenticate, read, call the handler."""
        caller = LOCAL
        if self.roles is not ANYONE:
            caller = await authenticate(request.method, request.headers, self.roles, deps.tokens)
        arguments: dict[str, Any] = {name: self._path_value(name, request) for name in self.path_names}
        if "query" in self.reads:
            arguments["query"] = read_query(request.query_params, self.reads["query"])
        if self.decode is not None:
            body = screened(await read_body(request, deps.limits.body_bytes), self.secrets, deps.screen)
            arguments["body"] = decode_body(body, self.decode)
        return await self.handler(Call(request, deps, live, caller), **arguments)

    def _path_value(self, name: str, request: Request) -> Any:
        text = request.path_params[name]
        if "\0" in text:
            raise InvalidInput(f"{name} contains a NUL character")
        try:
            return msgspec.convert(text, self.reads[name], strict=False)
        except msgspec.ValidationError:
            raise NotFound(f"there is no {name.removesuffix('_id')} {text[:200]}") from None


class Resource:
    """All endpoints of one path, as an ASGI application."""

    def __init__(self, endpoints: Mapping[str, Endpoint], deps: ApiDeps, live: Live) -> None:
        self._endpoints = endpoints
        self._deps = deps
        self._live = live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request to this path."""
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        endpoint = self._endpoints.get(method)
        if endpoint is None:
            allow = ", ".join(sorted(self._endpoints))
            raise MethodNotAllowed(f"{scope['method']} is not possible here; {allow} is", allow=allow)
        try:
            request = Request(scope, receive, send)
            response = spare(request, await endpoint.answer(request, self._deps, self._live))
        except ElRusoError as refusal:
            refusal.detail = self._deps.screen.redact(refusal.detail)  # it may quote what was asked
            raise
        await response(scope, receive, send)


def read_query(parameters: Mapping[str, str], struct: Any) -> Any:
    """The query string as a Struct. Raises InvalidInput naming the parameter."""
    given = {name: value for name, value in parameters.items() if value != ""}
    if any("\0" in text for item in given.items() for text in item):
        raise InvalidInput("the query string contains a NUL character")
    try:
        return msgspec.convert(given, struct, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"query string: {error}") from None
