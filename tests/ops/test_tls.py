"""TLS to the database: as strict as DATABASE_URL says, and refused with what to look at.

The embedded PostgreSQL is built without TLS, so the other end is a pooler that insists on it, as providers have it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Struct

from events.commands import Commands
from events.connect import Database
from events.errors import Unavailable
from events.task import TaskCreated
from ops.config import read_config
from ops.database import given_database
from ops.postgres.account import choose_account
from ops.postgres.server import Server
from tests.support import certificates
from tests.support.certificates import make_authority, make_certificate
from tests.support.pooler import PROGRAM, Pooler, pooler
from tests.support.postgres import scratch_folder

pytestmark = [
    pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is not installed (apt-get install pgbouncer)"),
    pytest.mark.skipif(certificates.PROGRAM is None, reason="openssl is not installed (apt-get install openssl)"),
]


class Guarded(Struct):
    """A server that takes TLS connections only, the authority that vouches for it, and one that does not."""

    pooler: Pooler
    authority: Path
    stranger: Path


@pytest.fixture
def guarded(postgres: Server) -> Iterator[Guarded]:
    """A server that takes TLS connections only, as 127.0.0.1."""
    with scratch_folder() as folder:
        choose_account().own(folder)
        authority, stranger = make_authority(folder, "authority"), make_authority(folder, "stranger")
        certificate = make_certificate(folder, "authority", "server", "IP:127.0.0.1")
        tls = {"client_tls_cert_file": certificate, "client_tls_key_file": certificate.with_suffix(".key")}
        with pooler(postgres, folder, 2, client_tls_sslmode="require", **tls) as running:
            yield Guarded(running, authority, stranger)


def reached(address: str) -> Database:
    """The database as the settings have it."""
    return given_database(read_config({"DATABASE_URL": address, "ELRUSO_POOLER": "1"}), "elruso")


def named(url: str) -> str:
    """The name of the test's database."""
    return url.partition("@/")[2].partition("?")[0]


async def is_encrypted(database: Database) -> bool:
    """Whether a connection and a pool's connection speak TLS."""
    connection = await database.connect()
    async with database.pool(1) as pool, pool.acquire() as pooled:
        transports = [connection._transport, pooled._transport]
        answer = all(transport.get_extra_info("ssl_object") for transport in transports)
    await connection.close()
    return answer


async def test_require(guarded: Guarded, database: str) -> None:
    """With sslmode=require connections are encrypted, and tasks can be created over them."""
    encrypted = reached(f"{guarded.pooler.url(named(database))}?sslmode=require&connect_timeout=5")
    assert await is_encrypted(encrypted)
    async with Commands(encrypted) as commands:
        assert (await commands.create_tasks([("t", TaskCreated("a task"))], "human:test"))[0].created


async def test_verify_full(guarded: Guarded, database: str) -> None:
    """With sslmode=verify-full the authority that sslrootcert names is enough."""
    address = f"{guarded.pooler.url(named(database))}?sslmode=verify-full&sslrootcert={guarded.authority}"
    assert await is_encrypted(reached(address))


async def test_an_authority_that_does_not_vouch(guarded: Guarded, database: str) -> None:
    """A certificate by another authority is refused, and the refusal names the options of TLS."""
    address = f"{guarded.pooler.url(named(database))}?sslmode=verify-full&sslrootcert={guarded.stranger}"
    with pytest.raises(Unavailable, match=r"certificate verify failed.*check sslmode and sslrootcert"):
        await reached(address).connect()
    with pytest.raises(Unavailable, match="check sslmode and sslrootcert"):
        async with reached(address).pool(1):
            pass


async def test_a_certificate_for_another_host(guarded: Guarded, database: str) -> None:
    """verify-full refuses a certificate that is not the host's; verify-ca takes it."""
    address = guarded.pooler.url(named(database)).replace("127.0.0.1", "localhost")
    with pytest.raises(Unavailable, match="check sslmode and sslrootcert"):
        await reached(f"{address}?sslmode=verify-full&sslrootcert={guarded.authority}").connect()
    assert await is_encrypted(reached(f"{address}?sslmode=verify-ca&sslrootcert={guarded.authority}"))


async def test_a_missing_authority(guarded: Guarded, database: str) -> None:
    """An sslrootcert that is not there is said to be missing."""
    address = f"{guarded.pooler.url(named(database))}?sslmode=verify-full&sslrootcert=/missing.crt"
    with pytest.raises(Unavailable, match="missing: sslrootcert"):
        await reached(address).connect()


async def test_no_tls_where_it_is_demanded(guarded: Guarded, postgres: Server, database: str) -> None:
    """Neither side gives in: not the server to sslmode=disable, nor sslmode=require to a server without TLS."""
    with pytest.raises(Unavailable, match="SSL required"):
        await reached(f"{guarded.pooler.url(named(database))}?sslmode=disable").connect()
    with pytest.raises(Unavailable, match="rejected SSL upgrade"):
        await reached(f"{postgres.tcp_url(named(database))}?sslmode=require").connect()
