"""The planner of a process, made from its settings."""

from collections.abc import Callable

from asyncpg import Pool

from events.commands import Commands
from events.connect import Database
from events.directives import Definitions
from events.errors import Unprocessable
from ops.config import Config
from ops.errors import OperatorError
from ops.planner.model import ModelSettings
from ops.planner.planner import Planner, PlannerSettings, Secrets, World
from ops.prices import read_prices
from ops.vault.desk import definitions_of
from projections.views import Views


def make_planner(config: Config, database: Database, commands: Commands, pool: Pool, secrets: Secrets) -> Planner:
    """The planner; it works when it is asked to."""
    settings = PlannerSettings(
        model=ModelSettings(
            model=config.planner_model,
            base_url=config.openai_base_url,
            seconds=config.planner_seconds,
            output_tokens=config.planner_output_tokens,
        ),
        prices=read_prices(config.planner_prices),
        budget=config.planner_budget,
        approval=config.approval,
        workspace=config.workspace,
        prompt_characters=config.planner_prompt_characters,
        directives=config.planner_directives,
    )
    # A lock that is held for minutes: around a pooler where that is possible, so that its limits do not end it.
    connect = database.connect_direct if database.direct_url else database.connect
    world = World(commands, Views(pool), pool, connect, secrets, known_requests(config))
    return Planner(settings, world)


def known_requests(config: Config) -> Callable[[], Definitions]:
    """Reads the requests that are defined, as they are now. Raises Unprocessable when the file will not do."""

    definitions = definitions_of(config)

    def read() -> Definitions:
        try:
            found = definitions()
        except OperatorError as error:
            raise Unprocessable(str(error)) from error
        return {definition.id: definition.asked for definition in found}

    return read
