"""A whole API for one test: database, notifier, listener, commands, HTTP server on a free port of the loopback."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from asyncpg import Pool
from msgspec import Struct

from api.app import create_app
from api.connections import ConnectionLimits
from api.deps import ApiDeps, Limits
from api.server import DEFAULT_LIMITS, serve
from api.tokens import TokenStore
from events.commands import Commands
from events.connect import Database
from events.listener import Listener
from events.notifier import Notifier
from ops.actions import LocalActions
from ops.config import Config
from ops.vault.desk import Definitions, Desk
from ops.vault.keyring import Keyring
from ops.vault.vault import Vault
from projections.views import Views

LEASE_SECONDS = 15.0
LIMITS = Limits()
STEPS = [{"name": "s", "cmd": "true", "timeout_seconds": 2}]
WHOLE = {
    **{
        "id": "whole",
        "title": 'ñ "quoted" \\ \u2028 / \x7f',
        "body": "line\nline\ttab\x1f",
        "phase": 3,
        "task_type": "shell",
    },
    **{"steps": STEPS, "params": {"n": 1.50, "deep": {"a": [None, True]}}, "priority": 7, "max_attempts": 9},
    **{"timeout_seconds": 60, "blocked_by": ["REQ-001"], "branch": "b", "allowed_scope": ["src/**"]},
    "acceptance": {"expected_files": ["f"], "checks": STEPS},
}
"""A task with all that can be asked for, but for parents and a time."""


class Served(Struct):
    """A served API, and what it is made of."""

    url: str
    client: httpx.AsyncClient
    commands: Commands
    pool: Pool
    tokens: TokenStore
    app: Any
    vault: Vault

    @property
    def port(self) -> int:
        """Its port."""
        return int(self.url.rpartition(":")[2])

    async def get(self, path: str, **options: Any) -> Any:
        """The data behind an address; the request must succeed."""
        return data_of(await self.client.get(path, **options))

    async def post(self, path: str, body: Any = None, **options: Any) -> Any:
        """The data that a POST answers; it must succeed."""
        return data_of(await self.client.post(path, json={} if body is None else body, **options))

    async def patch(self, path: str, body: Any, **options: Any) -> Any:
        """The data that a PATCH answers; it must succeed."""
        return data_of(await self.client.patch(path, json=body, **options))

    async def claim(self, runner: str = "r1", **more: Any) -> Any:
        """What a runner is handed."""
        return await self.post("/ops/tasks/claim", {"runner_id": runner, **more})


def data_of(response: httpx.Response) -> Any:
    """The data of an answer that is a success."""
    body = response.json()
    assert response.is_success, f"{response.status_code}: {body}"
    assert body["ok"] is True
    return body["data"]


def bare(response: httpx.Response) -> str:
    """The data of an answer, as it was sent."""
    return response.text.removeprefix('{"ok":true,"data":').removesuffix("}")


def refusal_of(response: httpx.Response) -> tuple[int, str, str]:
    """Status, code and detail of an answer that is a refusal."""
    body = response.json()
    assert body.keys() == {"ok", "error", "detail"}
    assert body["ok"] is False
    return response.status_code, body["error"], body["detail"]


@asynccontextmanager
async def serving(
    url: str,
    limits: Limits = LIMITS,
    keyring: Keyring | None = None,
    definitions: Definitions = tuple,
    workspace: Path | None = None,
    connections: ConnectionLimits = DEFAULT_LIMITS,
    **given: Any,
) -> AsyncIterator[Served]:
    """Serve the database at `url`; with an empty vault, without REQUESTS.json and workspace unless they are given.

    What else the API is `given`, see ApiDeps.
    """
    database = Database(url)
    async with AsyncExitStack() as stack:
        notifier = await stack.enter_async_context(Notifier(database))
        listener = Listener(database, notifier)
        listener.start()
        stack.push_async_callback(listener.stop)
        commands = await stack.enter_async_context(Commands(database, notifier=notifier))
        listener.subscribe(commands.hear)
        pool = await stack.enter_async_context(database.pool(4))
        tokens = TokenStore(pool)
        folder = Path(stack.enter_context(TemporaryDirectory()))
        keyring = keyring or Keyring(Vault(folder / "vault"))
        desk = Desk(keyring, commands, Views(pool), definitions)
        actions = LocalActions(Config(workspace=workspace or folder), database, keyring, notifier.wake)
        deps = ApiDeps(
            commands=commands,
            views=Views(pool),
            listener=listener,
            tokens=tokens,
            pool=pool,
            lease_seconds=LEASE_SECONDS,
            version="0.0.0",
            actions=actions,
            credentials=desk,
            screen=keyring,
            limits=limits,
            **given,
        )
        app = create_app(deps)
        serving = serve(app, "127.0.0.1", 0, shutdown_seconds=5, limits=connections)
        address = await stack.enter_async_context(serving)
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=address, timeout=30))
        yield Served(address, client, commands, pool, tokens, app, keyring.vault)
