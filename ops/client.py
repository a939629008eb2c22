"""A small client of our own API, for the command line."""

from typing import Any

import httpx

from api.panel.engine import said_of_refusal
from events.errors import InvalidInput, explain
from ops.config import Config
from ops.errors import OperatorError
from ops.help_formatter import LANGUAGE
from ops.private_process import become_identifiable
from runner.http_environment import client_options, environment_explained

TIMEOUT_SECONDS = 30.0


class Client:
    """Speaks to the API that the settings name."""

    def __init__(self, config: Config, timeout: float = TIMEOUT_SECONDS) -> None:
        """`timeout`: seconds that an answer may take."""
        headers = {"Authorization": f"Bearer {config.token}"} if config.token else {}
        if not config.token:
            become_identifiable()
        self._address = config.api_url
        self._has_token = bool(config.token)
        options = {"headers": headers, "timeout": timeout, **client_options(config.api_url)}
        try:
            with environment_explained():
                self._http = httpx.Client(base_url=config.api_url, **options)
        except InvalidInput as error:
            raise OperatorError("client.environment", detail=str(error.__cause__)) from error

    def ask(self, method: str, path: str, *, query: dict[str, Any] | None = None, body: Any = None) -> Any:
        """The answer's `data`. Raises OperatorError with the API's own detail when it refuses."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        try:
            answer = self._http.request(method, path, params=given, json=body)
        except httpx.HTTPError as error:
            raise OperatorError("client.unreachable", address=self._address, detail=explain(error)) from error
        try:
            envelope = answer.json()
        except ValueError as error:
            raise OperatorError("client.not_ours", address=self._address, status=answer.status_code) from error
        if not envelope.get("ok"):
            raise self._refusal(envelope)
        return envelope["data"]

    def _refusal(self, envelope: dict[str, Any]) -> OperatorError:
        """The API's words, or where the command line has a next step of its own, that."""
        code, detail = str(envelope.get("error")), str(envelope.get("detail"))
        if code == "unauthorized":
            return OperatorError("client.wrong_token" if self._has_token else "client.no_token")
        if code == "openai_key_missing":
            return OperatorError("client.no_model_key", address=self._address)
        return OperatorError("client.refused", code=code, detail=said_of_refusal(detail, LANGUAGE.get()))
