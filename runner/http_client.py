"""The API as a runner sees it: one question, one answer, asked again while the API is away.

away        no connection, no answer in time, 408, 425, 429, 502, 503, 504, 520 to 530: asked again for as long as
            it takes, after the Retry-After of the answer if that is longer than the back-off
failed      any other 5xx, an answer that is not the API's: asked again, TRIES times in all
refused     a refusal of the API, a 413 of anybody: not asked again
"""

import asyncio
from typing import Any

import httpx
import msgspec

from events.backoff import Backoff, jittered
from events.errors import ElRusoError, TooLarge, Unavailable, explain
from events.outage import Outage
from runner.http_environment import client_options, environment_explained

TIMEOUT_SECONDS = 30.0
CONNECT_SECONDS = 5.0
CONNECTIONS = 100
TRIES = 5
FAILED_SECONDS = 0.5  # until the second of these tries; each next one waits for twice as long
RETRY_AFTER_SECONDS_MAX = 30
AWAY = frozenset({408, 425, 429, 502, 503, 504, *range(520, 531)})
SHOWN_CHARACTERS = 200


class ApiFailed(ElRusoError):
    """The API, or what stands before it, answers with something that no other try would change."""

    http_status = 502
    code = "api_failed"


class ApiAway(Unavailable):
    """The API does not answer, or says that it cannot now. `facts["retry_after"]`: seconds that it asks for."""


class HttpClient:
    """Speaks to one API, in the event loop that uses it first."""

    def __init__(self, address: str, token: str | None, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        self._address = address
        self._timeout_seconds = timeout_seconds
        with environment_explained():
            self._http = httpx.AsyncClient(base_url=address, headers=headers, limits=limits, **client_options(address))
        self._impatient = asyncio.Event()
        self._outage = Outage("api")

    def lose_patience(self) -> None:
        """From now on each question is asked once."""
        self._impatient.set()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def ask(self, method: str, path: str, body: dict[str, Any], wait_seconds: float = 0.0) -> Any:
        """The answer's `data`. `wait_seconds`: how long the API may think about it beyond the ordinary.

        Raises the API's refusal as the exception that it was there; ApiFailed; Unavailable once patience is lost.
        """
        backoff, failed_backoff = Backoff(0.1, 5.0), Backoff(FAILED_SECONDS)
        content = msgspec.json.encode(body)
        failures = 0
        user = object()
        try:
            while True:
                try:
                    return _data(await self._request(method, path, content, wait_seconds))
                except ApiAway as error:
                    if self._impatient.is_set():
                        raise
                    self._outage.fail(user, error)
                    await self._rest(max(backoff.next_delay(), jittered(error.facts.get("retry_after", 0))))
                except ApiFailed:
                    failures += 1
                    if self._impatient.is_set() or failures == TRIES:
                        raise
                    await self._rest(failed_backoff.next_delay())
        finally:
            self._outage.recover(user)

    async def _request(self, method: str, path: str, content: bytes, wait_seconds: float) -> httpx.Response:
        """One request; all of it within its time, however slowly the answer comes. Raises ApiAway, ApiFailed."""
        seconds = self._timeout_seconds + wait_seconds
        timeout = httpx.Timeout(seconds, connect=CONNECT_SECONDS)
        try:
            async with asyncio.timeout(seconds):
                return await self._http.request(method, path, content=content, timeout=timeout)
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL) as error:
            raise ApiFailed(f"{self._address} cannot be asked ({explain(error)}); check ELRUSO_API") from error
        except (httpx.RequestError, TimeoutError) as error:
            raise ApiAway(f"the API at {self._address} does not answer ({explain(error)})") from error

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._impatient.wait()
        except TimeoutError:
            pass


def _data(answer: httpx.Response) -> Any:
    status = answer.status_code
    envelope = _envelope(answer)
    if status in AWAY:
        seconds = answer.headers.get("retry-after", "")
        retry_after = min(int(seconds), RETRY_AFTER_SECONDS_MAX) if seconds.isdecimal() else 0
        raise ApiAway(f"the API cannot answer now ({_shown(answer, envelope)})", retry_after=retry_after)
    if status < 400 and envelope is not None and envelope["ok"] and "data" in envelope:
        return envelope["data"]
    if envelope is not None and 400 <= status < 500:
        raise _refusal(envelope)
    if status == 413:
        raise TooLarge(f"a proxy before the API refuses so large a request ({_shown(answer, envelope)})")
    if envelope is None:
        raise ApiFailed(f"something else than the API answers ({_shown(answer, envelope)}); check ELRUSO_API")
    raise ApiFailed(f"the API failed ({_shown(answer, envelope)}); its log says why")


def _envelope(answer: httpx.Response) -> dict[str, Any] | None:
    """The answer in the contract's shape; None: it has another, so something else than the API answered."""
    try:
        envelope = msgspec.json.decode(answer.content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return envelope if isinstance(envelope, dict) and "ok" in envelope else None


def _shown(answer: httpx.Response, envelope: dict[str, Any] | None) -> str:
    if envelope is not None:
        return f"status {answer.status_code}: {envelope.get('detail')}"
    beginning = " ".join(answer.text[:SHOWN_CHARACTERS].split())
    return f"status {answer.status_code} without JSON: {beginning}" if beginning else f"status {answer.status_code}"


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
