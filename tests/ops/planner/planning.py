"""An API with a planner, over a database of its own and a model's server that a test scripts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from events.commands import Commands
from events.connect import Database
from events.request import RequestDefinition
from ops.config import Config
from ops.planner.model import ModelSettings
from ops.planner.planner import Planner, PlannerSettings, World
from ops.prices import read_prices
from projections.views import Views
from runner.redact import Redactor
from tests.api.serving import Served, serving
from tests.support.openai_server import OpenAiServer

KEY = "sk-test-0123456789abcdefghij"
DEFINITIONS = {"REQ-009": RequestDefinition("OpenAI", scopes=["OPENAI_API_KEY"])}


class Drawer:
    """Secrets that a test puts in and takes out, as the vault would."""

    def __init__(self, **values: str) -> None:
        self.values = values

    def get(self, name: str) -> str | None:
        """The value now."""
        return self.values.get(name)

    def redact(self, text: str) -> str:
        """Without the values it has now."""
        return Redactor(self.values.values()).redact(text)


class Desk(Struct):
    """An API, its planner's secrets, and the model's server."""

    api: Served
    secrets: Drawer
    model: OpenAiServer
    planner: Planner

    async def run(self, **body: str) -> Any:
        """A run that must succeed."""
        return await self.api.post("/ops/gpt/run", body)

    async def fail(self, **body: str) -> tuple[int, dict[str, Any]]:
        """Status and envelope of a run that must not."""
        response = await self.api.client.post("/ops/gpt/run", json=body)
        assert response.json()["ok"] is False, response.text
        return response.status_code, response.json()

    async def events(self, kind: str) -> list[dict[str, Any]]:
        """All events of a kind."""
        found: list[dict[str, Any]] = await self.api.get("/ops/events", params={"kind": kind})
        return found

    async def created(self) -> tuple[int, int]:
        """How many directives and tasks there are."""
        return len(await self.events("directive")), len(await self.events("task"))


def settings(model: OpenAiServer, **more: Any) -> PlannerSettings:
    """Quick ones, with El Ruso's own prices."""
    asked = {name: more.pop(name) for name in ("seconds", "output_tokens", "retries", "name") if name in more}
    name = asked.pop("name", "gpt-4.1")
    defaults = {"prices": read_prices(Config().planner_prices), "budget": 5.0, "approval": "auto"}
    return PlannerSettings(model=ModelSettings(name, model.url, **({"seconds": 20.0} | asked)), **(defaults | more))


@asynccontextmanager
async def planning(url: str, model: OpenAiServer, through: Database | None = None, **more: Any) -> AsyncIterator[Desk]:
    """Serve the database at `url` with a planner, which may reach it `through` a pooler; `more` are its settings."""
    chosen = settings(model, **more)
    secrets = Drawer(OPENAI_API_KEY=KEY)
    database = through or Database(url)
    async with database.pool(2) as pool, Commands(database) as commands:
        world = World(commands, Views(pool), pool, database.connect, secrets, lambda: DEFINITIONS)
        async with Planner(chosen, world) as planner:
            given = {"planner": planner, "approval": chosen.approval, "known_requests": lambda: DEFINITIONS}
            async with serving(url, **given) as api:
                yield Desk(api, secrets, model, planner)


def write_memory(workspace: Path, **files: str) -> None:
    """Put memory files into a workspace's `ops/`."""
    (workspace / "ops").mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (workspace / "ops" / f"{name}.md").write_text(text)
