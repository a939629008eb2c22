"""Who is there.

A browser shows its token once, in the form of the sign-in page, and is given a session instead: a cookie that opens
nothing but this panel, that no script can read and that no other site can make the browser send (HttpOnly,
SameSite=Strict). Browsers send a cookie to every port of a host, so its name has the port in it, and a session is only
valid under the host and port of its sign-in (docs/adr/0021). A form is only taken from a page of this panel.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from api.auth import SAFE_METHODS, Identity, local_caller
from api.errors import CrossSite
from api.sessions import SESSION_LIFETIME, SessionStore
from api.tokens import TokenStore

COOKIE = "elruso_session"
PATH = "/panel"
TOKEN_COOKIE = "elruso_session"
"""Held the API token itself until there were sessions; removed wherever it is seen."""


async def find_caller(request: Request, tokens: TokenStore, sessions: SessionStore) -> Identity | None:
    """The visitor, or None: it has to sign in.

    Raises:
        CrossSite: a form of another site; or, without tokens, a browser that was led here by a strange name.
    """
    check_origin(request.method, request.headers)
    if not await tokens.any_tokens():
        return local_caller(request.method, request.headers)
    return await sessions.find(session_id(request), audience(request))


def check_origin(method: str, headers: Headers) -> None:
    """Refuse to act on what a page of another site sent. Raises CrossSite."""
    if method in SAFE_METHODS:
        return
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    same = origin is not None and urlsplit(origin).netloc == headers.get("host")
    if not same or site not in (None, "same-origin"):
        raise CrossSite("a page of another site must not change anything here; open the panel and do it there")


def session_id(request: Request) -> str:
    """What the browser shows, or nothing."""
    return request.cookies.get(cookie_name(request), "")


def audience(request: Request) -> str:
    """The host and port by which the browser came."""
    return request.headers.get("host", "").lower()


def let_in(request: Request, response: Response, session: str) -> None:
    """From now on this browser shows the session by itself."""
    secure = _secure(request)
    response.set_cookie(
        cookie_name(request),
        session,
        max_age=int(SESSION_LIFETIME.total_seconds()),
        path="/" if secure else PATH,
        httponly=True,
        samesite="strict",
        secure=secure,
    )
    remove_token_cookie(request, response)


def let_out(request: Request, response: Response) -> None:
    """This browser shows no session any more."""
    secure = _secure(request)
    response.delete_cookie(
        cookie_name(request), path="/" if secure else PATH, httponly=True, samesite="strict", secure=secure
    )
    remove_token_cookie(request, response)


def remove_token_cookie(request: Request, response: Response) -> None:
    """Have the browser forget a cookie of before, which holds a token."""
    if TOKEN_COOKIE in request.cookies:
        response.delete_cookie(TOKEN_COOKIE, path=PATH, httponly=True, samesite="strict")


def cookie_name(request: Request) -> str:
    """One of its own for every port; by TLS one that only this host itself can have set (`__Host-`)."""
    secure = _secure(request)
    port = audience(request).rpartition("]")[2].partition(":")[2]
    port = port if port.isdigit() else "443" if secure else "80"
    return f"{'__Host-' if secure else ''}{COOKIE}_{port}"


def _secure(request: Request) -> bool:
    """Whether the browser came by TLS, to us or to the proxy in front of us."""
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
