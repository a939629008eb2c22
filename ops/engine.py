"""The engine in one process: database, wake-ups, commands, views, and the API over them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

import structlog

from api.app import create_app
from api.auth import check_binding
from api.connections import ConnectionLimits
from api.deps import ApiDeps, Limits
from api.panel.paper import prepare_templates
from api.server import serve
from api.tokens import TokenStore
from events.commands import Commands
from events.connect import Database
from events.errors import ElRusoError
from events.listener import Intervals, Listener
from events.notifier import Notifier
from ops.actions import LocalActions
from ops.collector import spare_the_server
from ops.config import Config
from ops.errors import OperatorError
from ops.logs import request_writer
from ops.planning import known_requests, make_planner
from ops.vault.desk import Desk, definitions_of
from ops.vault.keyring import Keyring
from projections.views import Views

log = structlog.get_logger(__name__)


def own_version() -> str:
    """The version that is installed; "0" in a checkout that never was."""
    try:
        return version("elruso")
    except PackageNotFoundError:
        return "0"


@asynccontextmanager
async def engine(config: Config, database: Database) -> AsyncIterator[str]:
    """Everything but runners, on a migrated database, until the block is left; yields the API's address.

    Raises:
        Forbidden: the address is not this machine's own and no token exists.
        OperatorError: the address cannot be listened on.
    """
    notifier = Notifier(database)
    listener = Listener(database, notifier, Intervals(ping=config.ping_seconds, poll=config.deaf_poll_seconds))
    async with (
        database.pool(config.pool_size, config.query_seconds) as pool,
        Commands(database, notifier=notifier) as commands,
    ):
        tokens = TokenStore(pool)
        check_binding(config.host, await tokens.any_tokens())
        listener.subscribe(commands.hear)
        notifier.start()
        listener.start()
        views, keyring = Views(pool), Keyring.of(config)
        desk = Desk(keyring, commands, views, definitions_of(config), config.validation_seconds, config.workspace)
        await settle(desk)
        planner = make_planner(config, database, commands, pool, keyring)
        deps = ApiDeps(
            commands=commands,
            views=views,
            listener=listener,
            tokens=tokens,
            pool=pool,
            lease_seconds=config.lease_seconds,
            client_lease_seconds=config.client_lease_seconds,
            version=own_version(),
            actions=LocalActions(config, database, keyring, notifier.wake),
            credentials=desk,
            screen=keyring,
            limits=limits_of(config),
            allowed_origins=config.origins,
            planner=planner,
            approval=config.approval,
            known_requests=known_requests(config),
            log_requests=request_writer(config),
        )
        prepare_templates()  # a page that is the first of its kind is not slower than the next
        try:
            async with (
                _serve(config, deps) as address,
                planner,  # ends first, so that whoever waits for it is answered
            ):
                spare_the_server()
                yield address
        finally:
            await listener.stop()
            await notifier.stop()


@asynccontextmanager
async def _serve(config: Config, deps: ApiDeps) -> AsyncIterator[str]:
    async with AsyncExitStack() as stack:
        serving = serve(
            create_app(deps),
            config.host,
            config.port,
            shutdown_seconds=config.shutdown_seconds,
            limits=ConnectionLimits(config.connection_limit),
        )
        try:
            address = await stack.enter_async_context(serving)
        except OSError as error:
            detail = error.strerror or str(error)
            raise OperatorError("serve.address_taken", host=config.host, port=config.port, detail=detail) from error
        yield address


def limits_of(config: Config) -> Limits:
    """What one request may ask for. Long requests never hold all connections."""
    half = config.connection_limit // 2
    return Limits(config.body_limit_bytes, config.wait_limit_seconds, streams=half, waiting_claims=half)


async def settle(desk: Desk) -> None:
    """Note what was stored while no engine ran. A vault that does not open must not keep the engine from starting."""
    try:
        await desk.settle("system")
    except ElRusoError as refusal:
        log.warning("vault.unsettled", detail=refusal.detail)
