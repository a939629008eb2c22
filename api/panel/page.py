"""One row of the panel's table, and how a request becomes the call of its handler.

A handler says by its parameters what it reads, as those of the API do (api/endpoint.py): `visit` first, then names of
its path, `query` (a Struct of the query string), `form` (a Struct of the fields of a posted form). A refused form is
shown again on its page, with what was typed and the reason beside it (status 422, or that of the refusal); any other
refusal has a page of its own.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Any, get_args, get_origin
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from api.auth import SAFE_METHODS
from api.body import read_body
from api.deps import ApiDeps
from api.entry import Entry
from api.errors import MethodNotAllowed, as_refusal, log_bug
from api.live import Live
from api.panel.door import find_caller
from api.panel.engine import said_of_refusal
from api.panel.paper import HEADERS, render
from api.panel.texts import MESSAGES
from api.panel.typed_form import Refusal, TypedForm
from api.panel.visit import Visit
from api.peer import refuse_steps
from api.permissions import ANYONE
from api.screening import refuse_secrets
from events.errors import DatabaseFault, ElRusoError, Forbidden, InvalidInput, NotFound
from events.ids import from_path, in_path

FORM_BYTES = 4 << 20
FIELDS_MAX = 20_000
SIGN_IN = "/panel/sign-in"
# A link from another site comes without the strict cookie; asked again by ourselves, the browser shows it.
AGAIN = '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0"><title>El Ruso</title>'


class Page(Entry, frozen=True, dict=True):
    """An entry that speaks HTML and forms; its handler is given the `visit` first."""

    async def answer(self, request: Request, deps: ApiDeps, live: Live, form_page: "Page | None" = None) -> Response:
        """Find out who it is, read, call the handler. A refused form is shown again on `form_page`."""
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
            found = await self._read(visit, request, deps)
            async with asyncio.timeout(self.seconds if request.method in SAFE_METHODS else None):
                return await self.handler(visit, **found)
        except ClientDisconnect:
            raise
        except Exception as error:
            refusal = _as_refusal(visit, error)
            again = await form_page.show_again(visit, refusal) if form_page is not None else None
            return again or _tell(visit, refusal)

    async def show_again(self, visit: Visit, refusal: ElRusoError) -> Response | None:
        """This page with a form on it that was refused. None where the page cannot be shown."""
        if visit.form is None or not (self.roles is ANYONE or visit.may(self.roles)):
            return None
        request, form = visit.request, visit.form
        page = self._address(request)
        fields = _query_of_page(form, page, request, self.reads.get("query"))
        form.page = f"{page}?{urlencode(fields)}" if fields else page
        form.refusal = Refusal(*_words(visit, refusal), field=_field_of(refusal))
        form.fields = [(name, visit.deps.screen.redact(value)) for name, value in form.fields]
        try:
            given: dict[str, Any] = {name: self._path_value(name, request) for name in self.path_names}
            if "query" in self.reads:
                given["query"] = read_fields(fields, self.reads["query"])
            response = await self.handler(visit, **given)
        except ElRusoError:
            response = None
        if response is None or response.status_code != 200:
            form.page, form.refusal = "", None
            return None
        response.status_code = 422 if isinstance(refusal, InvalidInput) else refusal.http_status
        return response

    async def _read(self, visit: Visit, request: Request, deps: ApiDeps) -> dict[str, Any]:
        found: dict[str, Any] = {name: self._path_value(name, request) for name in self.path_names}
        if "query" in self.reads:
            found["query"] = read_fields(request.query_params.multi_items(), self.reads["query"])
        if request.method == "POST":
            fields = _form_fields(await read_body(request, FORM_BYTES))
            visit.form = TypedForm(self._address(request), fields)
        if "form" in self.reads:
            if self.secrets == "refuse":
                await asyncio.to_thread(refuse_secrets, [value for _, value in fields], deps.screen)
            found["form"] = read_fields(fields, self.reads["form"])
        return found

    def _address(self, request: Request) -> str:
        """The path of this page for the ids of a request, as templates write it."""
        ids = request.path_params
        return re.sub(r"\{(\w+)(?::path)?\}", lambda name: in_path(from_path(ids[name[1]])), self.path)

    def _path_value(self, name: str, request: Request) -> Any:
        text = from_path(request.path_params[name])
        try:
            if "\0" in text:
                raise NotFound(text)
            return msgspec.convert(text, self.reads[name], strict=False)
        except (msgspec.ValidationError, NotFound):
            raise NotFound(f"there is no {name.removesuffix('_id')} {text[:200]}") from None


class Desk:
    """All pages of one path, as an ASGI application."""

    def __init__(self, pages: Mapping[str, Page], form_page: Page | None, deps: ApiDeps, live: Live) -> None:
        self._pages = pages
        self._form_page = form_page
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
            response = await page.answer(request, self._deps, self._live, self._form_page)
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


def _query_of_page(form: TypedForm, page: str, request: Request, struct: Any) -> list[tuple[str, str]]:
    """The query string of the page that the form stood on: carried in its fields, or in the browser's Referer."""
    if struct is None:
        return []
    names = {field.name for field in msgspec.structs.fields(struct)}
    carried = [(name, value) for name, value in form.fields if name in names and value]
    came_from = urlsplit(request.headers.get("referer", ""))
    same = (came_from.netloc, came_from.path) == (request.headers.get("host"), page)
    return carried or (parse_qsl(came_from.query, max_num_fields=FIELDS_MAX) if same else [])


def _field_of(refusal: ElRusoError) -> str | None:
    """The field that is wrong: as the engine says, or at the end of what msgspec says."""
    found = re.search(r"at `\$\.(\w+)", refusal.detail)
    return refusal.facts.get("field") or (found[1] if found else None)


def _as_refusal(visit: Visit, error: Exception) -> ElRusoError:
    """An unexpected error is logged, and its details are kept from the visitor."""
    refusal = as_refusal(error)
    if refusal is None or isinstance(refusal, DatabaseFault):
        log_bug(error)
        return ElRusoError(visit.text("error.internal"))
    return refusal


def _words(visit: Visit, refusal: ElRusoError) -> tuple[str, str]:
    """A refusal in the visitor's language: its title and its detail."""
    title = visit.text(f"error.{refusal.code}" if f"error.{refusal.code}" in MESSAGES else "error.title")
    return title, said_of_refusal(visit.deps.screen.redact(refusal.detail), visit.language)


def _tell(visit: Visit, refusal: ElRusoError) -> Response:
    """The page that tells of a refusal."""
    title, detail = _words(visit, refusal)
    response = render(visit, "error.html", refusal.http_status, code=refusal.code, title=title, detail=detail)
    if "allow" in refusal.facts:
        response.headers["allow"] = refusal.facts["allow"]
    return response
