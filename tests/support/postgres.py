"""One PostgreSQL server per test run, shared by its workers; a migrated template; a database per test."""

import fcntl
import os
import secrets
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from ops.migrate import migrate
from ops.postgres.control import remove_unused, stop, use
from ops.postgres.server import ROLE, SUPERUSER, Server

MAJOR = int(os.environ.get("ELRUSO_TEST_POSTGRES_MAJOR", "18"))
TEMPLATE = "elruso_template"
MEMORY = Path("/dev/shm")
ROOM = 4 * 2**30  # bytes; a run needs a quarter of it


@contextmanager
def test_server() -> Iterator[Server]:
    """The run's server, without fsync; the last worker to leave deletes it, and what earlier runs left when killed."""
    runs = _runs_folder()
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid.uuid4().hex)
    folder = runs / f"{run[:12]}-{MAJOR}"
    with _alone(runs / "lock"):
        _sweep(runs, keep=folder)
        server = use(folder, MAJOR, unsafe=True)
        running = server.__enter__()
    try:
        yield running
    finally:
        server.__exit__(None, None, None)
        with _alone(runs / "lock"):
            remove_unused(folder, MAJOR)


async def ensure_template(server: Server) -> None:
    """Create and migrate the template database once per run, whichever worker comes first."""
    with _alone(server.files.parent / "template.lock"):
        admin = await asyncpg.connect(server.url("postgres", SUPERUSER))
        try:
            if await admin.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", TEMPLATE):
                return
            draft = f"{TEMPLATE}_draft"
            await admin.execute(f"DROP DATABASE IF EXISTS {draft} WITH (FORCE)")
            await admin.execute(f"CREATE DATABASE {draft} OWNER {ROLE}")
            await migrate(lambda: asyncpg.connect(server.url(draft)))
            await admin.execute(f"ALTER DATABASE {draft} RENAME TO {TEMPLATE}")
        finally:
            await admin.close()


async def create_database(server: Server, template: str = TEMPLATE) -> str:
    """A fresh copy of the template, owned by our role; its name. File copy takes half the time of WAL copy here."""
    name = f"test_{secrets.token_hex(6)}"
    await _administer(server, f"CREATE DATABASE {name} TEMPLATE {template} OWNER {ROLE} STRATEGY file_copy")
    return name


async def drop_database(server: Server, name: str) -> None:
    """Drop a test's database, whoever is still connected."""
    await _administer(server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


async def _administer(server: Server, statement: str) -> None:
    admin = await asyncpg.connect(server.url("postgres", SUPERUSER))
    try:
        await admin.execute(statement)
    finally:
        await admin.close()


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A short-named folder that PostgreSQL's account can enter, for a test's own server; removed with that server."""
    folder = Path(tempfile.mkdtemp(prefix="elruso-", dir=_place()))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        stop(folder, MAJOR, force=True)
        shutil.rmtree(folder)


def _place() -> Path:
    """Where servers lie: in memory, if there is such a place and room in it.

    On a disk with ext4 a new database takes ten times as long: of the three hundred files that the last one left free
    it may use none for five seconds, and looks at each of them before it takes another.
    """
    has_room = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM
    return MEMORY if has_room else Path(tempfile.gettempdir())


def _runs_folder() -> Path:
    runs = _place() / f"elruso-tests-{os.geteuid()}"
    runs.mkdir(mode=0o711, exist_ok=True)
    return runs


def _sweep(runs: Path, keep: Path) -> None:
    for folder in runs.iterdir():
        if folder.is_dir() and folder != keep:
            remove_unused(folder, int(folder.name.rpartition("-")[2]))


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
