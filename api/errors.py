"""Exception -> answer, in one place. The exceptions of the engine bring their status and code (events/errors.py)."""

import structlog
from starlette.exceptions import HTTPException

from api.envelope import JsonResponse, refuse
from events.database_errors import DRIVER_ERRORS, from_database
from events.errors import DatabaseFault, ElRusoError, Forbidden, InvalidInput, NotFound, Unavailable
from events.outage import Outage

log = structlog.get_logger(__name__)
reads = Outage("database.reads")


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
    """The response to `error`. An unexpected error is logged, and its details are kept from the caller."""
    refusal = as_refusal(error)
    if refusal is None or isinstance(refusal, DatabaseFault):
        log_bug(error)
        return refuse("internal", "an error on our side; the server's log has it under the X-Request-ID", status=500)
    meta = refusal.facts if refusal.tells else None
    return refuse(refusal.code, refusal.detail, status=refusal.http_status, headers=_headers(refusal), meta=meta)


def log_bug(error: Exception) -> None:
    """One line; with its traceback, unless the error comes from the database, where a traceback shows nothing."""
    ours = from_database(error)
    if isinstance(ours, DatabaseFault):
        log.error("http.error", error=ours.detail)
    else:
        log.error("http.error", error=type(error).__name__, exc_info=error)


def as_refusal(error: Exception) -> ElRusoError | None:
    """`error` as one of ours, or None if it is a bug. A transient condition of a query is noted in the log."""
    if isinstance(error, HTTPException) and error.status_code == 404:
        return RouteUnknown("nothing is served at this address; GET /openapi.json lists what is")
    ours = from_database(error)
    if isinstance(ours, Unavailable) and isinstance(error, DRIVER_ERRORS):
        reads.fail_for_now("queries", ours)
    return ours if isinstance(ours, ElRusoError) else None


def _headers(refusal: ElRusoError) -> dict[str, str] | None:
    match refusal.http_status:
        case 401:
            return {"www-authenticate": "Bearer"}
        case 405:
            return {"allow": refusal.facts["allow"]}
        case 503:
            return {"retry-after": str(refusal.facts.get("retry_after", 1))}
    return None
