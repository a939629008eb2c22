"""A small client of our own API, for the command line."""

from typing import Any

import httpx

from ops.config import Config
from ops.errors import OperatorError
from ops.private_process import become_identifiable

TIMEOUT_SECONDS = 30.0


class Client:
    """Speaks to the API that the settings name."""

    def __init__(self, config: Config, timeout: float = TIMEOUT_SECONDS) -> None:
        """`timeout`: seconds that an answer may take."""
        headers = {"Authorization": f"Bearer {config.token}"} if config.token else {}
        if not config.token:
            become_identifiable()
        self._address = config.api_url
        self._http = httpx.Client(base_url=config.api_url, headers=headers, timeout=timeout)

    def ask(self, method: str, path: str, *, query: dict[str, Any] | None = None, body: Any = None) -> Any:
        """The answer's `data`. Raises OperatorError with the API's own detail when it refuses."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        try:
            answer = self._http.request(method, path, params=given, json=body)
        except httpx.HTTPError as error:
            raise OperatorError("client.unreachable", address=self._address, detail=str(error)) from error
        try:
            envelope = answer.json()
        except ValueError as error:
            raise OperatorError("client.not_ours", address=self._address, status=answer.status_code) from error
        if not envelope.get("ok"):
            raise OperatorError("client.refused", code=envelope.get("error"), detail=envelope.get("detail"))
        return envelope["data"]
