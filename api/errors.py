"""Exception -> answer, in one place. The exceptions of the engine bring their status and code (events/errors.py)."""

import asyncpg
import structlog
from starlette.exceptions import HTTPException

from api.envelope import JsonResponse, refuse
from events.connect import LOST_CONNECTION, unavailable
from events.errors import ElRusoError, Forbidden, InvalidInput, NotFound, Unavailable, from_postgres

log = structlog.get_logger(__name__)


class RouteUnknown(NotFound):
    """No route leads there. A code of its own: a runner must not take a wrong address for a run that is unknown."""

    code = "no_such_route"


class MethodNotAllowed(ElRusoError):
    """The path is right, the method is not. `facts["allow"]` lists those that are."""

    http_status = 405
    code = "method_not_allowed"


class RequestTimeout(ElRusoError):
    """The client took too long to send its request."""

    http_status = 408
    code = "request_timeout"


class HeadersTooLarge(ElRusoError):
    """The request line and headers exceed the limit."""

    http_status = 431
    code = "headers_too_large"


class NotHttp(InvalidInput):
    """The bytes are not an HTTP request."""


class Busy(Unavailable):
    """All slots for long requests are taken, or all that this caller may have."""

    code = "busy"


class CrossSite(Forbidden):
    """A browser sent this on behalf of another site."""

    code = "cross_site"


class InsideRun(Forbidden):
    """A process that a runner started sent this, and shows no token."""

    code = "inside_run"


def answer_error(error: Exception) -> JsonResponse:
    """The response that tells of `error`. What nobody foresaw is logged with its traceback and kept from the caller."""
    refusal = as_refusal(error)
    if refusal is None:
        log.error("http.error", error=type(error).__name__, exc_info=error)
        return refuse("internal", "an error on our side; the server's log has it under the X-Request-ID", status=500)
    meta = refusal.facts if refusal.tells else None
    return refuse(refusal.code, refusal.detail, status=refusal.http_status, headers=_headers(refusal), meta=meta)


def as_refusal(error: Exception) -> ElRusoError | None:
    """`error` as one of ours, or None if it is a bug."""
    match error:
        case ElRusoError():
            return error
        case HTTPException(status_code=404):
            return RouteUnknown("nothing is served at this address; GET /openapi.json lists what is")
        case asyncpg.PostgresError():
            known = from_postgres(error)
            return known if known or not isinstance(error, LOST_CONNECTION) else unavailable(error)
        case _ if isinstance(error, LOST_CONNECTION):
            return unavailable(error)
    return None


def _headers(refusal: ElRusoError) -> dict[str, str] | None:
    match refusal.http_status:
        case 401:
            return {"www-authenticate": "Bearer"}
        case 405:
            return {"allow": refusal.facts["allow"]}
        case 503:
            return {"retry-after": str(refusal.facts.get("retry_after", 1))}
    return None
