"""Around every request: its id, one line in the log, and the last net under every error."""

import re
import time
import uuid

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import answer_error

log = structlog.get_logger(__name__)

HEADER = b"x-request-id"
ACCEPTABLE = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
CLIENT_LEFT = 499  # never sent: nginx's number for it, for the log


class RequestLog:
    """ASGI middleware. Binds `request_id` for every log line below it, and answers what was raised."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        status: int | None = None

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (HEADER, request_id)]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id.decode()):
            try:
                await self.app(scope, receive, send_noted)
            except ClientDisconnect:
                pass
            except Exception as error:
                if status is not None:  # half an answer is out: all that is left is to cut it off
                    raise
                await answer_error(error)(scope, receive, send_noted)
            finally:
                _note(scope, CLIENT_LEFT if status is None else status, started)


def _note(scope: Scope, status: int, started: float) -> None:
    duration_ms = round((time.perf_counter() - started) * 1000, 3)
    log.info("http.request", method=scope["method"], path=scope["path"], status=status, duration_ms=duration_ms)


def _request_id(scope: Scope) -> bytes:
    """The client's own id if it is a sane one, else a new one."""
    given = next((value for name, value in scope["headers"] if name == HEADER), b"")
    return given if ACCEPTABLE.fullmatch(given) else uuid.uuid4().hex.encode()
