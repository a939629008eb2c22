"""One row of the panel's table, and how a request becomes the call of its handler.

A handler says by its parameters what it reads, as those of the API do (api/endpoint.py): `visit` first, then names of
its path, `query` (a Struct of the query string), `form` (a Struct of the fields of a posted form). What is refused is
told on a page of its own, with the right status.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, get_args, get_origin
from urllib.parse import parse_qsl, quote

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from api.body import read_body
from api.deps import ApiDeps
from api.entry import Entry
from api.errors import MethodNotAllowed, as_refusal
from api.live import Live
from api.panel.door import find_caller
from api.panel.engine import said_of_refusal
from api.panel.paper import HEADERS, render
from api.panel.texts import MESSAGES
from api.panel.visit import Visit
from api.peer import refuse_steps
from api.permissions import ANYONE
from api.screening import refuse_secrets
from events.errors import ElRusoError, Forbidden, InvalidInput, NotFound

FORM_BYTES = 4 << 20
FIELDS_MAX = 20_000
SIGN_IN = "/panel/sign-in"
# A link from another site comes without the strict cookie; asked again by ourselves, the browser shows it.
AGAIN = '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0"><title>El Ruso</title>'

log = structlog.get_logger(__name__)


class Page(Entry, frozen=True, dict=True):
    """An entry that speaks HTML and forms; its handler is given the `visit` first."""

    async def answer(self, request: Request, deps: ApiDeps, live: Live) -> Response:
        """Find out who it is, read, call the handler; tell refusals on a page."""
        visit = Visit(request, deps, live, None)
        try:
            caller = await find_caller(request, deps.tokens, live.sessions)
            if caller is not None and caller.trusted:
                await refuse_steps(request.scope)
            visit.caller = caller
            if self.roles is not ANYONE and visit.caller is None:
                return await _send_to_sign_in(visit)
            if self.roles is not ANYONE and not visit.may(self.roles):
                raise Forbidden(visit.text("error.role", roles=", ".join(sorted(self.roles))))
            return await self.handler(visit, **await self._read(request, deps))
        except Exception as error:
            return _tell(visit, error)

    async def _read(self, request: Request, deps: ApiDeps) -> dict[str, Any]:
        found: dict[str, Any] = {name: self._path_value(name, request) for name in self.path_names}
        if "query" in self.reads:
            found["query"] = read_fields(request.query_params.multi_items(), self.reads["query"])
        if "form" in self.reads:
            fields = _form_fields(await read_body(request, FORM_BYTES))
            if self.secrets == "refuse":
                await asyncio.to_thread(refuse_secrets, [value for _, value in fields], deps.screen)
            found["form"] = read_fields(fields, self.reads["form"])
        return found

    def _path_value(self, name: str, request: Request) -> Any:
        text = request.path_params[name]
        try:
            if "\0" in text:
                raise NotFound(text)
            return msgspec.convert(text, self.reads[name], strict=False)
        except (msgspec.ValidationError, NotFound):
            raise NotFound(f"there is no {name.removesuffix('_id')} {text[:200]}") from None


class Desk:
    """All pages of one path, as an ASGI application."""

    def __init__(self, pages: Mapping[str, Page], deps: ApiDeps, live: Live) -> None:
        self._pages = pages
        self._deps = deps
        self._live = live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request to this path."""
        request = Request(scope, receive, send)
        page = self._pages.get("GET" if scope["method"] == "HEAD" else scope["method"])
        if page is None:
            allow = ", ".join(sorted(self._pages))
            refusal = MethodNotAllowed(f"{scope['method']} is not possible here; {allow} is", allow=allow)
            response = _tell(Visit(request, self._deps, self._live, None), refusal)
        else:
            response = await page.answer(request, self._deps, self._live)
        await response(scope, receive, send)


def read_fields(fields: list[tuple[str, str]], struct: Any) -> Any:
    """Fields of a form or query string as a Struct; empty ones count as not given, lists may be given many times.

    Raises InvalidInput naming the field.
    """
    lists = {field.name for field in msgspec.structs.fields(struct) if get_origin(_bare(field.type)) is list}
    given: dict[str, Any] = {}
    for name, value in fields:
        if "\0" in name or "\0" in value:
            raise InvalidInput("a field contains a NUL character")
        if name in lists:
            given.setdefault(name, []).append(value)
        elif value != "":
            given[name] = value
    try:
        return msgspec.convert(given, struct, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput(str(error)) from None


def _bare(hint: Any) -> Any:
    """The type inside Annotated."""
    return get_args(hint)[0] if hasattr(hint, "__metadata__") else hint


def _form_fields(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except (UnicodeDecodeError, ValueError):
        raise InvalidInput("this is not a form, or has too many fields") from None


async def _send_to_sign_in(visit: Visit) -> Response:
    request = visit.request
    if request.method == "GET" and request.headers.get("sec-fetch-site") == "cross-site":
        return HTMLResponse(AGAIN, headers=HEADERS)
    if request.headers.get("accept", "").startswith("text/event-stream") or request.headers.get("x-panel"):
        return Response("signed out", 401, HEADERS)
    return RedirectResponse(f"{SIGN_IN}?back={quote(visit.path() if request.method == 'GET' else '/panel')}", 303)


def _tell(visit: Visit, error: Exception) -> Response:
    """The page that tells of a refusal; what nobody foresaw is logged and kept from the visitor."""
    refusal = as_refusal(error)
    if refusal is None:
        log.error("http.error", error=type(error).__name__, exc_info=error)
        refusal = ElRusoError(visit.text("error.internal"))
    response = render(
        visit,
        "error.html",
        status=refusal.http_status,
        code=refusal.code,
        title=visit.text(f"error.{refusal.code}" if f"error.{refusal.code}" in MESSAGES else "error.title"),
        detail=said_of_refusal(visit.deps.screen.redact(refusal.detail), visit.language),
    )
    if "allow" in refusal.facts:
        response.headers["allow"] = refusal.facts["allow"]
    return response
