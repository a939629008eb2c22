"""The API as a runner sees it: one question, one answer, asked again while the API is away."""

import asyncio
from typing import Any

import httpx
import msgspec
import structlog

from events.backoff import Backoff
from events.errors import ElRusoError, Unavailable
from runner.http_environment import client_options, environment_explained

TIMEOUT_SECONDS = 30.0
CONNECT_SECONDS = 5.0
CONNECTIONS = 100

log = structlog.get_logger(__name__)


class HttpClient:
    """Speaks to one API, in the event loop that uses it first."""

    def __init__(self, address: str, token: str | None) -> None:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        self._address = address
        with environment_explained():
            self._http = httpx.AsyncClient(base_url=address, headers=headers, limits=limits, **client_options(address))
        self._impatient = asyncio.Event()

    def lose_patience(self) -> None:
        """From now on an API that is away is Unavailable at once."""
        self._impatient.set()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def ask(self, method: str, path: str, body: dict[str, Any], wait_seconds: float = 0.0) -> Any:
        """The answer's `data`. `wait_seconds`: how long the API may think about it beyond the ordinary.

        Raises the API's refusal as the exception that it was there; Unavailable.
        """
        backoff = Backoff(0.1, 5.0)
        content = msgspec.json.encode(body)
        timeout = httpx.Timeout(TIMEOUT_SECONDS + wait_seconds, connect=CONNECT_SECONDS)
        while True:
            try:
                answer = await self._http.request(method, path, content=content, timeout=timeout)
                return _data(answer)
            except (httpx.TransportError, Unavailable) as error:
                detail = f"the API at {self._address} does not answer ({str(error) or type(error).__name__})"
                if self._impatient.is_set():
                    raise Unavailable(detail) from error
                log.warning("api.unavailable", path=path, error=detail)
                await self._rest(backoff.next_delay())

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._impatient.wait()
        except TimeoutError:
            pass


def _data(answer: httpx.Response) -> Any:
    try:
        envelope = msgspec.json.decode(answer.content)
    except msgspec.DecodeError as error:
        raise Unavailable(f"status {answer.status_code} without JSON") from error
    if not isinstance(envelope, dict) or answer.status_code >= 500:
        raise Unavailable(f"status {answer.status_code}: {envelope}")
    if not envelope.get("ok"):
        raise _refusal(envelope)
    return envelope["data"]


def _refusal(envelope: dict[str, Any]) -> ElRusoError:
    """The exception behind an `error` code; a code of a newer API becomes a plain ElRusoError."""
    kind = _by_code(ElRusoError).get(str(envelope.get("error")), ElRusoError)
    return kind(str(envelope.get("detail")))


def _by_code(base: type[ElRusoError]) -> dict[str, type[ElRusoError]]:
    codes = {base.code: base}
    for kind in base.__subclasses__():
        if kind.__module__ == base.__module__:  # those of events.errors take one detail
            codes |= _by_code(kind)
    return codes
