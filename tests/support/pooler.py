"""A transaction-mode pooler (PgBouncer) in front of the test server."""

import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from ops.postgres.account import choose_account
from ops.postgres.place import free_port
from ops.postgres.server import ROLE, Server
from tests.support.waiting import eventually_now

PROGRAM = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin:/usr/local/sbin:/opt/homebrew/bin")
# What some poolers do: they swallow the settings that a client starts with.
SWALLOW = (
    "elruso.managed, timezone, jit, tcp_keepalives_idle, tcp_keepalives_interval, tcp_keepalives_count, "
    "idle_in_transaction_session_timeout, plan_cache_mode, enable_seqscan, enable_bitmapscan, enable_hashjoin, "
    "enable_mergejoin"
)


class Pooler(Struct, frozen=True):
    """Where it listens."""

    port: int

    def url(self, database: str) -> str:
        """The address of a database through the pooler, which asks for no password."""
        return f"postgresql://{ROLE}@127.0.0.1:{self.port}/{database}"


@contextmanager
def pooler(server: Server, folder: Path, sessions: int, **more: str | Path) -> Iterator[Pooler]:
    """A pooler with that many server sessions per database and `more` settings of PgBouncer.

    Its files lie in `folder`, which is given to its account and which that can enter.
    """
    assert PROGRAM is not None
    port = free_port()
    settings = folder / "pgbouncer.ini"
    account = choose_account()
    account.own(folder)
    account.write(settings, _settings(server, port, sessions, more))
    process = subprocess.Popen(
        [PROGRAM, settings],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user=account.uid if account.switch else None,
        group=account.gid if account.switch else None,
        extra_groups=[] if account.switch else None,
    )
    try:
        eventually_now(lambda: _answers(port) or process.poll() is not None, describe="the pooler answers")
        yield Pooler(port)
    finally:
        process.kill()
        process.wait()


def _settings(server: Server, port: int, sessions: int, more: Mapping[str, str | Path]) -> str:
    return f"""
[databases]
* = host={server.socket} port={server.port} user={ROLE} password={server.password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {sessions}
""" + "".join(f"{name} = {value}\n" for name, value in more.items())


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
