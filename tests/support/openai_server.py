"""An OpenAI-compatible server on the loopback that says what a test wants, spoken to by the real client."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from msgspec import Struct, field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.server import address_of, bind
from tests.support.waiting import eventually

USAGE = {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200}


class Reply(Struct, frozen=True):
    """What the server does about one request. `stalls`: it answers only when the test lets it (`released`)."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    stalls: bool = False


def says(text: str, **more: Any) -> Reply:
    """A chat completion with this text; `finish_reason`, `refusal`, `usage` may be said otherwise."""
    message = {"role": "assistant", "content": text, "refusal": more.get("refusal")}
    completion = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4.1-2025-04-14",
        "choices": [
            {"index": 0, "message": message, "finish_reason": more.get("finish_reason", "stop"), "logprobs": None}
        ],
        "usage": more.get("usage", USAGE),
    }
    return Reply(json.dumps(completion).encode(), stalls=more.get("stalls", False))


def proposes(*directives: dict[str, Any], **more: Any) -> Reply:
    """A completion that proposes these directives."""
    return says(json.dumps({"directives": directives}), **more)


def fails(status: int, message: str = "planted", **headers: str) -> Reply:
    """An error in OpenAI's envelope."""
    body = json.dumps({"error": {"message": message, "type": "server_error", "code": None}}).encode()
    return Reply(body, status, {name.replace("_", "-"): value for name, value in headers.items()})


class OpenAiServer:
    """Answers `replies` one after the other; the last one again and again. `asked` are the bodies it was sent."""

    def __init__(self) -> None:
        self.url = ""
        self.replies: list[Reply] = []
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.released = asyncio.Event()

    def will(self, *replies: Reply) -> None:
        """What it does from now on; what it was asked before is forgotten."""
        self.replies = list(replies)
        self.asked.clear()
        self.keys.clear()

    async def saw(self, number: int) -> None:
        """Wait until it was asked that often."""
        await eventually(lambda: len(self.asked) >= number, describe=f"{number} requests to the model")

    def prompt(self, number: int = 0) -> str:
        """All texts of the request of that number."""
        return "\n".join(message["content"] for message in self.asked[number]["messages"])

    async def answer(self, request: Request) -> Response:
        """POST /v1/chat/completions."""
        self.asked.append(await request.json())
        self.keys.append(request.headers.get("authorization", "").removeprefix("Bearer "))
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if reply.stalls:
            await self.released.wait()
        return Response(reply.body, reply.status, reply.headers, media_type="application/json")


@asynccontextmanager
async def openai_server() -> AsyncIterator[OpenAiServer]:
    """The server, for as long as the block lasts; `url` is what OPENAI_BASE_URL takes."""
    server = OpenAiServer()
    app = Starlette(routes=[Route("/v1/chat/completions", server.answer, methods=["POST"])])
    listening = bind("127.0.0.1", 0)
    web = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
    serving = asyncio.create_task(web.serve(sockets=[listening]))
    server.url = f"{address_of(listening)}/v1"
    try:
        yield server
    finally:
        server.released.set()
        web.should_exit = True
        await serving
        listening.close()
