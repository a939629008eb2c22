"""The database the settings speak of: a given server, or our own, running for as long as it is used."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from events.connect import Database
from ops.config import Config
from ops.home import make_home_private
from ops.postgres import control
from ops.postgres.control import Announce
from ops.stopping import sigterm_unwinds

# Options of libpq and of other drivers that providers put into the addresses they hand out, and that asyncpg would
# send to the server as settings, which refuses them. TLS and its certificates are asyncpg's own and stay.
NOT_THE_DRIVERS = {
    *("channel_binding", "connect_timeout", "fallback_application_name", "gssencmode", "keepalives"),
    *("keepalives_count", "keepalives_idle", "keepalives_interval", "load_balance_hosts", "replication"),
    *("require_auth", "requirepeer", "sslcertmode", "sslcompression", "sslcrldir", "sslsni", "tcp_user_timeout"),
    *("connection_limit", "pgbouncer", "pool_timeout", "statement_cache_size", "supa"),
}


@contextmanager
def use_database(
    config: Config, announce: Announce, application: str = "elruso", *, watched: bool = False
) -> Iterator[Database]:
    """The database for as long as the block lasts; blocking, for use at start-up. Raises OperatorError.

    `watched`: our own server is started again if it is killed meanwhile.
    """
    if config.database_url:
        yield given_database(config, application)
        return
    make_home_private(config.home)
    folder = embedded_folder(config)
    with (
        sigterm_unwinds() if watched else nullcontext(),
        control.use(folder, config.postgres_major, announce=announce, watched=watched) as server,
    ):
        yield Database(url=server.url(), application=application)


def running_database(config: Config, application: str) -> Database | None:
    """The same if it is there without our doing: a given server, or our own when it runs; starts nothing."""
    if config.database_url:
        return given_database(config, application)
    server = control.find_running(embedded_folder(config), config.postgres_major)
    return Database(url=server.url(), application=application) if server else None


def given_database(config: Config, application: str) -> Database:
    """The server that DATABASE_URL names."""
    assert config.database_url is not None
    return Database(
        url=driver_address(config.database_url),
        listen_url=config.listen_url and driver_address(config.listen_url),
        pooled=config.pooler,
        application=application,
    )


def embedded_folder(config: Config) -> Path:
    """Where our own server lives; each major version in a folder of its own."""
    return config.home / f"postgres-{config.postgres_major}"


def driver_address(url: str) -> str:
    """The address without the options that asyncpg does not know."""
    address, _mark, query = url.partition("?")
    options = [option for option in query.split("&") if option and option.partition("=")[0] not in NOT_THE_DRIVERS]
    return f"{address}?{'&'.join(options)}" if options else address
