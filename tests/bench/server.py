"""A PostgreSQL to measure on: one of our own with the settings of production, or a given one; databases in it."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psutil
from msgspec import Struct

from events.connect import Database
from ops.migrate import migrate
from ops.postgres import control
from ops.postgres.server import ROLE, SUPERUSER, Server
from projections.rebuild import rebuild

CONNECT_SECONDS = 20.0
KEPT = "elruso_bench_kept_"
OBSERVER = "bench-observer"  # the application name of sessions that only look


class Bench(Struct, frozen=True):
    """A server to measure on. `admin_url` may create databases; `server` is None when it was given to us.

    `keep`: what takes long to make stays there.
    """

    admin_url: str
    template: str
    server: Server | None = None
    keep: bool = False

    @property
    def own(self) -> bool:
        """Whether nobody but us uses it."""
        return self.server is not None

    @asynccontextmanager
    async def database(self, *, empty: bool = False) -> AsyncIterator[Database]:
        """A fresh database, migrated unless `empty`; dropped afterwards, whoever is still connected."""
        name = f"elruso_bench_{secrets.token_hex(5)}"
        template = "template0" if empty else self.template
        await self.administer(f"CREATE DATABASE {name} TEMPLATE {template}{self._owner()}")
        try:
            yield Database(self._url(name), application="elruso-bench")
        finally:
            await self.administer(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    @asynccontextmanager
    async def kept(self, name: str, fill: Callable[[Database], Awaitable[None]]) -> AsyncIterator[Database]:
        """A database that takes long to fill. With `keep` it stays on the server, and is used again the next time."""
        if not self.keep:
            async with self.database() as database:
                await fill(database)
                await self.settle(database)
                yield database
            return
        database = Database(self._url(f"{KEPT}{name}"), application="elruso-bench")
        if not await self._has(f"{KEPT}{name}"):
            begun = f"{KEPT}{name}_begun"
            await self.administer(f"DROP DATABASE IF EXISTS {begun} WITH (FORCE)")
            await self.administer(f"CREATE DATABASE {begun} TEMPLATE {self.template}{self._owner()}")
            await fill(Database(self._url(begun), application="elruso-bench"))
            await self.administer(f"ALTER DATABASE {begun} RENAME TO {KEPT}{name}")
        await migrate(database.connect, rebuild=rebuild)  # it may have been made by another commit
        await self.settle(database)
        yield database

    async def _has(self, name: str) -> bool:
        connection = await asyncpg.connect(self.admin_url, timeout=CONNECT_SECONDS)
        try:
            return bool(await connection.fetchval("SELECT $1::text IN (SELECT datname FROM pg_database)", name))
        finally:
            await connection.close()

    async def settle(self, database: Database) -> None:
        """Statistics, visibility and a checkpoint: the state a database in use is in anyway."""
        connection = await asyncpg.connect(self._as_admin(database), timeout=CONNECT_SECONDS)
        try:
            await connection.execute("VACUUM (ANALYZE)")
            with suppress(asyncpg.InsufficientPrivilegeError):  # not ours to order on a managed server
                await connection.execute("CHECKPOINT")
        finally:
            await connection.close()

    async def administer(self, statement: str) -> None:
        """Carry out one statement as administrator."""
        connection = await asyncpg.connect(self.admin_url, timeout=CONNECT_SECONDS)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def processes(self) -> list[int]:
        """The server's processes, when it runs on this machine for us alone; else none."""
        if self.server is None:
            return []
        postmaster = int((self.server.data / "postmaster.pid").read_text().splitlines()[0])
        return [postmaster, *(child.pid for child in psutil.Process(postmaster).children())]

    def _owner(self) -> str:
        return f" OWNER {ROLE}" if self.own else ""

    def _url(self, name: str) -> str:
        return self.server.url(name) if self.server else in_database(self.admin_url, name)

    def _as_admin(self, database: Database) -> str:
        name = urlsplit(database.url).path.lstrip("/")
        return self.server.url(name, SUPERUSER) if self.server else database.url


@contextmanager
def own_server(home: Path, major: int, announce: control.Announce) -> Iterator[Server]:
    """A server of production's settings in a new cluster under `home`, on the disk that production uses; then removed.

    What an earlier benchmark left behind when it was killed is removed first.
    """
    folder = home / "bench"
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    for left in folder.iterdir():
        control.remove_unused(left, int(left.name.rpartition("-")[2]))
    cluster = folder / f"{secrets.token_hex(4)}-{major}"
    try:
        with control.use(cluster, major, announce=announce) as server:
            yield server
    finally:
        control.remove_unused(cluster, major)


@asynccontextmanager
async def prepared(server: Server | None, given_url: str | None, keep: bool = False) -> AsyncIterator[Bench]:
    """The bench on that server, with a migrated template for its databases."""
    template = f"elruso_bench_template_{secrets.token_hex(4)}"
    admin_url = server.url("postgres", SUPERUSER) if server else given_url or ""
    bench = Bench(admin_url, template, server, keep)
    await bench.administer(f"CREATE DATABASE {template} TEMPLATE template0{bench._owner()}")
    try:
        url = server.url(template) if server else in_database(admin_url, template)
        await migrate(lambda: asyncpg.connect(url, timeout=CONNECT_SECONDS))
        yield bench
    finally:
        await asyncio.shield(bench.administer(f"DROP DATABASE IF EXISTS {template} WITH (FORCE)"))


async def observe(database: Database) -> asyncpg.Connection:
    """A connection that is not part of what is measured."""
    settings = {"application_name": OBSERVER}
    return await asyncpg.connect(database.url, timeout=CONNECT_SECONDS, server_settings=settings)


def in_database(url: str, name: str) -> str:
    """The same address with another database's name."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
