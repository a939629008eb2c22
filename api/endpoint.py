"""One row of the route table, and how a request becomes the call of a handler.

A handler says by its parameters what it reads: `call` first, then names of its path, `query` (a Struct of the query
string), `body` (a Struct of the JSON body, or a class with its own `read`). The contract in /openapi.json is made from
the same parameters.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any

import msgspec
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.auth import LOCAL, SAFE_METHODS, Identity, authenticate
from api.body import decode_body, read_body
from api.call import Call
from api.deps import ApiDeps
from api.entry import Entry
from api.envelope import JsonResponse
from api.errors import MethodNotAllowed
from api.live import Live
from api.peer import refuse_steps
from api.permissions import ANYONE
from api.screening import screen_body
from api.sharing import Sharing
from api.transfer import Packed
from events.errors import ElRusoError, InvalidInput, NotFound, Unavailable
from events.ids import from_path

SMALL_BODY_BYTES = 2 << 20  # any single text with its escapes


class Endpoint(Entry, frozen=True, dict=True):
    """An entry that speaks JSON; its handler is given the `call` first.

    `shared`: who may be sent the same answer (api/sharing.py); it must depend on nothing but the address.
    """

    shared: Sharing = "none"
    body_bytes: int | None = SMALL_BODY_BYTES
    """The largest body; None: as ELRUSO_BODY_LIMIT_BYTES says, which limits all of them."""

    @cached_property
    def decode(self) -> Callable[[bytes], Any] | None:
        """What makes the handler's `body`; None when it reads none."""
        body = self.reads.get("body")
        if body is None:
            return None
        return getattr(body, "read", None) or msgspec.json.Decoder(body).decode

    async def answer(self, scope: Scope, receive: Receive, deps: ApiDeps, live: Live) -> Response | Packed:
        """Authenticate, read, call the handler; or share what another call of it answers."""
        caller = LOCAL
        if self.roles is not ANYONE:
            caller = await authenticate(scope["method"], Headers(scope=scope), self.roles, deps.tokens)
            if caller.trusted:
                await refuse_steps(scope)
        if self.shared == "none":
            response = await self._call(Call(Request(scope, receive), deps, live, caller))
            return _packed(response) if scope["method"] in SAFE_METHODS else response
        make = partial(self._make, scope, receive, deps, live, caller)
        return await live.answers.answer((scope["path"], scope["query_string"]), make, kept=self.shared == "log")

    async def _call(self, call: Call) -> Response:
        arguments: dict[str, Any] = {name: self._path_value(name, call.request) for name in self.path_names}
        if "query" in self.reads:
            arguments["query"] = read_query(call.request.query_params, self.reads["query"])
        if self.decode is not None:
            arguments["body"] = await self._read_body(call, self.decode)
        try:
            async with asyncio.timeout(self.seconds):
                return await self.handler(call, **arguments)
        except TimeoutError as error:
            raise Unavailable("the database did not answer in time; send it again") from error

    async def _read_body(self, call: Call, decode: Callable[[bytes], Any]) -> Any:
        most = call.deps.limits.body_bytes
        body = await read_body(call.request, most if self.body_bytes is None else min(most, self.body_bytes))
        if self.secrets != "refuse":
            return decode_body(await screen_body(body, self.secrets, call.deps.screen), decode)
        value = decode_body(body, decode)  # the limits of its fields first: they cost less than a search
        await screen_body(body, self.secrets, call.deps.screen)
        return value

    async def _make(self, scope: Scope, receive: Receive, deps: ApiDeps, live: Live, caller: Identity) -> Packed:
        made = _packed(await self._call(Call(Request(scope, receive), deps, live, caller)))
        assert isinstance(made, Packed), "only successful JSON is shared"
        return made

    def _path_value(self, name: str, request: Request) -> Any:
        text = from_path(request.path_params[name])
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
            answer = await endpoint.answer(scope, receive, self._deps, self._live)
        except ElRusoError as refusal:
            refusal.detail = self._deps.screen.redact(refusal.detail)  # it may quote what was asked
            raise
        if isinstance(answer, Packed):
            await answer.send(scope["headers"], send)
        else:
            await answer(scope, receive, send)


def _packed(response: Response) -> Response | Packed:
    """A successful answer in JSON as it is sent to those who may have it already; any other as it is."""
    if response.status_code == 200 and isinstance(response, JsonResponse):
        return Packed(bytes(response.body))
    return response


def read_query(parameters: QueryParams, struct: Any) -> Any:
    """The query string as a Struct. Raises InvalidInput naming the parameter."""
    items = [(name, value) for name, value in parameters.multi_items() if value != ""]
    given = dict(items)
    if len(given) < len(items):
        twice = next(name for name in given if sum(name == each for each, _value in items) > 1)
        raise InvalidInput(f"query string: {twice[:200]} is given twice; give it once")
    if any("\0" in text for item in given.items() for text in item):
        raise InvalidInput("the query string contains a NUL character")
    try:
        return msgspec.convert(given, struct, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"query string: {error}") from None
