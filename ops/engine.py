"""The engine in one process: database, wake-ups, commands, views, and the API over them."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

from api.app import create_app
from api.auth import check_binding
from api.deps import ApiDeps, Limits
from api.server import serve
from api.tokens import TokenStore
from events.commands import Commands
from events.connect import Database
from events.listener import Intervals, Listener
from events.notifier import Notifier
from ops.config import Config, inherited_environment
from ops.logs import known_secrets
from ops.migrate import migrate
from ops.planning import known_definitions, make_planner
from projections.rebuild import rebuild
from projections.views import Views
from runner.redact import Redactor

Progress = Callable[[int, int], None]


def own_version() -> str:
    """The version that is installed; "0" in a checkout that never was."""
    try:
        return version("elruso")
    except PackageNotFoundError:
        return "0"


@asynccontextmanager
async def engine(config: Config, database: Database, progress: Progress) -> AsyncIterator[str]:
    """Everything but runners, until the block is left; yields the API's address.

    Raises:
        Forbidden: the address is not this machine's own and no token exists.
        OSError: the address is taken.
    """
    await migrate(database.connect, rebuild=rebuild, progress=progress)
    notifier = Notifier(database)
    listener = Listener(database, notifier, Intervals(ping=config.ping_seconds, poll=config.deaf_poll_seconds))
    async with (
        database.pool(config.pool_size, config.query_seconds) as pool,
        Commands(database, notifier.wake) as commands,
    ):
        tokens = TokenStore(pool)
        check_binding(config.host, await tokens.any_tokens())
        listener.subscribe(commands.hear)
        notifier.start()
        listener.start()
        secrets = _Environment(config)
        planner = make_planner(config, database, commands, pool, secrets)
        deps = ApiDeps(
            commands=commands,
            views=Views(pool),
            listener=listener,
            tokens=tokens,
            pool=pool,
            lease_seconds=config.lease_seconds,
            version=own_version(),
            limits=Limits(body_bytes=config.body_limit_bytes, wait_seconds=config.wait_limit_seconds),
            planner=planner,
            approval=config.approval,
            redact=secrets.redact,
            definitions=known_definitions(config),
        )
        try:
            async with (
                serve(create_app(deps), config.host, config.port, shutdown_seconds=config.shutdown_seconds) as address,
                planner,  # ends first, so that whoever waits for it is answered
            ):
                yield address
        finally:
            await listener.stop()
            await notifier.stop()


class _Environment:
    """The secrets of the environment."""

    def __init__(self, config: Config) -> None:
        self._redactor = Redactor(known_secrets(config))

    def get(self, name: str) -> str | None:
        return inherited_environment().get(name) or None

    def redact(self, text: str) -> str:
        return self._redactor.redact(text)


async def until_stopped() -> None:
    """Returns at the first SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
