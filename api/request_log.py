"""Around every request: its id, one line in the log, and the last net under every error.

The lines are written some hundredths of a second later, all of them together: under load one at a time would cost more
than many an answer.
"""

import asyncio
import random
import re
import time
from collections.abc import Callable, Sequence

import structlog
from msgspec import Struct
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import answer_error

log = structlog.get_logger(__name__)

HEADER = b"x-request-id"
ACCEPTABLE = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
CLIENT_LEFT = 499  # never sent: nginx's number for it, for the log
EVENT = "http.request"
GATHER_SECONDS = 0.05


class RequestLine(Struct, frozen=True, gc=False):
    """What the log says of one request. `at`: when it ended, seconds since 1970."""

    at: float
    method: str
    path: str
    status: int
    duration_ms: float
    request_id: str


Write = Callable[[Sequence[RequestLine]], None]


def write_singly(lines: Sequence[RequestLine]) -> None:
    """Each line as any other line of the log."""
    for line in lines:
        log.info(
            EVENT,
            method=line.method,
            path=line.path,
            status=line.status,
            duration_ms=line.duration_ms,
            request_id=line.request_id,
        )


class RequestLog:
    """ASGI middleware. Binds `request_id` for every log line below it, and answers what was raised."""

    def __init__(self, app: ASGIApp, write: Write = write_singly) -> None:
        self.app = app
        self._write = write
        self._lines: list[RequestLine] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; at the end of the application's life, write what is gathered."""
        if scope["type"] != "http":
            try:
                await self.app(scope, receive, send)
            finally:
                self._write_all()
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

        name = request_id.decode()
        structlog.contextvars.bind_contextvars(request_id=name)  # the request has a context of its own
        try:
            await self.app(scope, receive, send_noted)
        except ClientDisconnect:
            pass
        except Exception as error:
            if status is not None:  # half an answer is out: all that is left is to cut it off
                raise
            await answer_error(error)(scope, receive, send_noted)
        finally:
            self._note(scope, CLIENT_LEFT if status is None else status, started, name)

    def _note(self, scope: Scope, status: int, started: float, request_id: str) -> None:
        duration_ms = round((time.perf_counter() - started) * 1000, 3)
        line = RequestLine(time.time(), scope["method"], scope["path"], status, duration_ms, request_id)
        if not self._lines:
            asyncio.get_running_loop().call_later(GATHER_SECONDS, self._write_all)
        self._lines.append(line)

    def _write_all(self) -> None:
        lines, self._lines = self._lines, []
        if lines:
            self._write(lines)


def _request_id(scope: Scope) -> bytes:
    """The client's own id if it is a sane one, else a new one."""
    for name, value in scope["headers"]:
        if name == HEADER and ACCEPTABLE.fullmatch(value):
            return bytes(value)
    return b"%032x" % random.getrandbits(128)
