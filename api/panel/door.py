"""Who is there.

A browser shows its token once, in the form of the sign-in page, and is given it back as a cookie that no script can
read and that no other site can make it send (HttpOnly, SameSite=Strict). A form is only taken from a page of this
panel.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from api.auth import LOCAL, SAFE_METHODS, Identity, check_local
from api.errors import CrossSite
from api.tokens import TokenStore

COOKIE = "elruso_session"
COOKIE_SECONDS = 30 * 24 * 3600


async def find_caller(request: Request, tokens: TokenStore) -> Identity | None:
    """The visitor, or None: it has to sign in.

    Raises:
        CrossSite: a form of another site; or, without tokens, a browser that was led here by a strange name.
    """
    check_origin(request.method, request.headers)
    if not await tokens.any_tokens():
        check_local(request.method, request.headers)
        return LOCAL
    found = await tokens.find_token(request.cookies.get(COOKIE, ""))
    return None if found is None else Identity(found.name, found.role)


def check_origin(method: str, headers: Headers) -> None:
    """Refuse to act on what a page of another site sent. Raises CrossSite."""
    if method in SAFE_METHODS:
        return
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    same = origin is not None and urlsplit(origin).netloc == headers.get("host")
    if not same or site not in (None, "same-origin"):
        raise CrossSite("a page of another site must not change anything here; open the panel and do it there")


def let_in(request: Request, response: Response, token: str) -> None:
    """From now on this browser shows the token by itself."""
    response.set_cookie(
        COOKIE, token, max_age=COOKIE_SECONDS, path="/panel", httponly=True, samesite="strict", secure=_secure(request)
    )


def let_out(response: Response) -> None:
    """This browser shows no token any more."""
    response.delete_cookie(COOKIE, path="/panel", httponly=True, samesite="strict")


def _secure(request: Request) -> bool:
    """Whether the browser came by TLS, to us or to the proxy in front of us."""
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
