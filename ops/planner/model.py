"""One question to an OpenAI-compatible server, through the official client.

The client retries what is worth it (429, 5xx, lost connections) and waits as long as the server says in Retry-After;
all of it together may take `seconds`. A server that does not know `response_format` or `max_completion_tokens` is asked
again without the first, or with the second's older name.
"""

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from events.errors import InvalidInput
from events.planner import Failure, Usage
from ops.planner.schema import answer_schema
from ops.prices import tokens_in
from runner.http_environment import client_options, environment_explained

if TYPE_CHECKING:
    import openai

RETRIES = 4
CONNECT_SECONDS = 10.0
RESPONSE_FORMAT: Any = {
    "type": "json_schema",
    "json_schema": {"name": "directives", "strict": True, "schema": answer_schema()},
}
Messages = list[dict[str, str]]
Tell = Callable[[str], Awaitable[None]]
"""Is told of what goes on meanwhile: a server that answers late, or with an error."""


class ModelSettings(Struct, frozen=True):
    """Which model, where (None: OpenAI's own server), how long one question may take and how long its answer may be."""

    model: str
    base_url: str | None = None
    seconds: float = 180.0
    output_tokens: int = 16_384
    retries: int = RETRIES


class Answer(Struct, frozen=True):
    """What the model said. `complete` False: it was cut off at the cap. `refusal`: why it will not answer."""

    text: str
    usage: Usage
    complete: bool = True
    refusal: str | None = None


class ModelFailure(Exception):
    """There is no answer. `outcome` is the sort of failure, `billed` says that the tokens may have to be paid."""

    def __init__(self, outcome: Failure, detail: str, billed: bool = False) -> None:
        super().__init__(detail)
        self.outcome: Failure = outcome
        self.detail = detail
        self.billed = billed


class Model:
    """Asks; keeps nothing between two questions."""

    def __init__(self, settings: ModelSettings) -> None:
        self.settings = settings

    async def ask(self, key: str, messages: Messages, tell: Tell) -> Answer:
        """The model's answer. Raises ModelFailure."""
        if not key.isascii():  # it could not be put into a header: a placeholder, or quotes from a text
            raise ModelFailure("unauthorized", "the key has characters that no key has; store a valid one for REQ-009")
        library = await asyncio.to_thread(import_module, "openai")  # half a second, and only those who plan pay it
        try:
            async with asyncio.timeout(self.settings.seconds), self._client(library, key, tell) as client:
                completion = await self._complete(library, client, messages)
        except TimeoutError:
            raise ModelFailure("timeout", self._late(), billed=True) from None
        except library.OpenAIError as error:
            raise self._failure(library, error) from error
        except ValueError as error:  # the body says it is JSON, and is none
            raise ModelFailure("model_error", f"the server's answer cannot be read: {error}") from error
        return self._read(completion, messages)

    def _client(self, library: Any, key: str, tell: Tell) -> "openai.AsyncOpenAI":
        async def watch(response: Any) -> None:
            if response.status_code >= 400:
                wait = response.headers.get("retry-after")
                await tell(f"the server said {response.status_code}{f', again in {wait} s' if wait else ''}")

        address = self.settings.base_url or "https://api.openai.com/v1"
        try:
            with environment_explained():
                http = library.DefaultAsyncHttpxClient(event_hooks={"response": [watch]}, **client_options(address))
        except InvalidInput as error:
            raise ModelFailure("unreachable", f"{self._where()} cannot be asked: {error.detail}") from error
        client: openai.AsyncOpenAI = library.AsyncOpenAI(
            api_key=key,
            base_url=address,
            max_retries=self.settings.retries,
            timeout=self.settings.seconds,
            http_client=http,
        )
        return client

    async def _complete(self, library: Any, client: "openai.AsyncOpenAI", messages: Messages) -> Any:
        asked: dict[str, Any] = {
            "model": self.settings.model,
            "messages": messages,
            "max_completion_tokens": self.settings.output_tokens,
            "response_format": RESPONSE_FORMAT,
        }
        while True:
            try:
                return await client.chat.completions.create(**asked)
            except library.BadRequestError as error:
                if not _made_simpler(asked, str(error)):
                    raise

    def _read(self, completion: Any, messages: Messages) -> Answer:
        choices = getattr(completion, "choices", None)
        if not choices or choices[0].message is None:
            raise ModelFailure("model_error", "the server's answer is not a chat completion; check OPENAI_BASE_URL")
        message, reason = choices[0].message, choices[0].finish_reason
        text = message.content or ""
        refusal = message.refusal or ("its content filter stopped the answer" if reason == "content_filter" else None)
        return Answer(text, _usage(completion.usage, messages, text), reason != "length", refusal)

    def _failure(self, library: Any, error: Exception) -> ModelFailure:
        match error:
            case library.APITimeoutError():
                return ModelFailure("timeout", self._late(), billed=True)
            case library.APIConnectionError():
                reason = error.__cause__ or error
                return ModelFailure("unreachable", f"{self._where()} cannot be reached: {reason}")
            case library.AuthenticationError() | library.PermissionDeniedError():
                return ModelFailure(
                    "unauthorized", f"the key was refused ({_said(error)}); store a valid one for REQ-009"
                )
            case library.RateLimitError():
                wait = error.response.headers.get("retry-after")
                told = f"; the server says: again in {wait} s" if wait else ""
                return ModelFailure("rate_limited", f"too many requests, or no credit left: {_said(error)}{told}")
        return ModelFailure("model_error", f"{self._where()} failed: {_said(error)}")

    def _late(self) -> str:
        return f"no answer from {self._where()} within {self.settings.seconds:g} s; see ELRUSO_PLANNER_SECONDS"

    def _where(self) -> str:
        return self.settings.base_url or "OpenAI"


def _made_simpler(asked: dict[str, Any], complaint: str) -> bool:
    """Leave out what an older or smaller server does not know; False when that was not what it complained about."""
    if "max_completion_tokens" in complaint and "max_completion_tokens" in asked:
        asked["max_tokens"] = asked.pop("max_completion_tokens")
        return True
    if any(word in complaint for word in ("response_format", "json_schema")):
        return asked.pop("response_format", None) is not None
    return False


def _usage(usage: Any, messages: Messages, text: str) -> Usage:
    """As the server counted, else the most that it can have been."""
    if usage is None or usage.prompt_tokens is None:
        return Usage(tokens_of(messages), tokens_in(text), estimated=True)
    details = getattr(usage, "prompt_tokens_details", None)
    cached = (getattr(details, "cached_tokens", None) or 0) if details is not None else 0
    return Usage(usage.prompt_tokens, usage.completion_tokens or 0, min(cached, usage.prompt_tokens))


def tokens_of(messages: Messages) -> int:
    """How many tokens messages have at most, nearly always."""
    return sum(tokens_in(message["content"]) for message in messages)


def _said(error: Exception) -> str:
    status = getattr(error, "status_code", None)
    return f"{status}: {str(error)[:500]}" if status else str(error)[:500]
