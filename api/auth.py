"""Who calls, and may they?

Once a token has ever been made, every request that is not public needs one, in the Authorization header and nowhere
else. Before that, whoever reaches the API may do everything; so it is only reachable from its own machine
(`check_binding`), under a name of that machine, and not through a browser that shows another site.
"""

import ipaddress
from urllib.parse import urlsplit

from msgspec import Struct
from starlette.datastructures import Headers

from api.errors import CrossSite
from api.permissions import Roles
from api.tokens import Role, Token, TokenStore
from events.errors import Forbidden, Unauthorized

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_PAGE = ("same-origin", "none")


class Identity(Struct, frozen=True):
    """The caller. `trusted`: there are no tokens yet, the caller sits at this machine.

    `token`, `session`: the SHA-256 of what proved it, to be looked at again while a stream or a wait is open.
    """

    name: str
    role: Role
    trusted: bool = False
    token: bytes = b""
    session: bytes | None = None

    @classmethod
    def of(cls, token: Token, session: bytes | None = None) -> "Identity":
        """Whoever showed this token, now or when the session began."""
        return cls(token.name, token.role, token=token.digest, session=session)

    @property
    def actor(self) -> str:
        """The actor of events that this caller causes."""
        return f"{'runner' if self.role == 'runner' else 'human'}:{self.name}"

    def acting_as(self, runner: str) -> str:
        """The actor of what the runner of this id reports; without tokens its word is taken for it."""
        return f"runner:{runner}" if self.trusted else self.actor


LOCAL = Identity("local", "admin", trusted=True)


async def authenticate(method: str, headers: Headers, roles: Roles, tokens: TokenStore) -> Identity:
    """The caller of a request that needs one of `roles`.

    Raises:
        Unauthorized: there is no token, or not a valid one.
        Forbidden: its role may not do this; or, without tokens, the request comes from elsewhere.
    """
    if not await tokens.any_tokens():
        return local_caller(method, headers)
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthorized("this needs a token: send the header `Authorization: Bearer elr_…`")
    found = await tokens.find_token(token.strip())
    if found is None:
        raise Unauthorized("this token is unknown, revoked or expired; make one with `elruso token create`")
    if found.role not in roles:
        raise Forbidden(f"this needs the role {' or '.join(sorted(roles))}; the token {found.name} is a {found.role}'s")
    return Identity.of(found)


def local_caller(method: str, headers: Headers) -> Identity:
    """Before the first token: who reaches the API from its own machine may do everything. Raises CrossSite."""
    check_local(method, headers)
    return LOCAL


def check_local(method: str, headers: Headers) -> None:
    """Refuse what a browser was talked into by another site: by a form or script, or by a name that leads here.

    Raises:
        CrossSite: the request was not made by a program of this machine, nor by a page of this API.
    """
    host = headers.get("host", "")
    if not is_loopback(_host_name(host)):
        raise CrossSite(f"without tokens this API is served as localhost only, not as {host!r}; see `elruso token`")
    origin = headers.get("origin")
    if origin and urlsplit(origin).netloc != host:
        raise CrossSite(
            f"a page of {origin} may use this API only with a token, if ELRUSO_ALLOWED_ORIGINS names it; "
            "make one with `elruso token create`, or use a page of this API"
        )
    if method not in SAFE_METHODS and headers.get("sec-fetch-site", "none") not in OWN_PAGE:
        raise CrossSite("a page of another site must not change anything here; send a token, or use a page of this API")


def check_binding(host: str, any_tokens: bool) -> None:
    """Refuse to listen to the network while anybody could do anything.

    Raises:
        Forbidden: `host` is not a loopback address and no token has been made.
    """
    if not any_tokens and not is_loopback(host):
        raise Forbidden(
            f"refusing to listen on {host}: no token exists, so anyone who reaches it could do anything. "
            "Make one first (`elruso token create NAME --role admin`), or listen on 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """True for localhost and addresses that only this machine can reach."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _host_name(host: str) -> str:
    """The name in a Host header, without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
