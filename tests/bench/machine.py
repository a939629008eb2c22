"""Where, when and of what a measurement was made: without that a number says nothing."""

import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import psutil
from msgspec import Struct

from ops.settings import without_password

ROOT = Path(__file__).parent.parent.parent
TOLD_SETTINGS = (
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "shared_buffers",
    "max_wal_size",
    "wal_level",
    "wal_sync_method",
    "autovacuum",
    "data_checksums",
    "max_connections",
    "jit",
)


class Machine(Struct, frozen=True):
    """The computer. `load` is its one-minute load average when the measurement began; memory in GiB."""

    cpu: str
    cores: int
    memory_gib: float
    kernel: str
    python: str
    asyncpg: str
    load: float


class Source(Struct, frozen=True):
    """The commit; `dirty` when the checkout differed from it."""

    commit: str
    dirty: bool


class Postgres(Struct, frozen=True):
    """The server and the settings that decide its speed. `own`: started for this measurement, nobody else used it."""

    version: str
    own: bool
    settings: dict[str, str]


class Circumstances(Struct, frozen=True):
    """All of it, and the command line."""

    command: str
    at: datetime
    source: Source
    machine: Machine
    postgres: Postgres


async def circumstances(connection: asyncpg.Connection, own: bool) -> Circumstances:
    """Those of this moment."""
    command = shlex.join(["elruso", *map(without_password, sys.argv[1:])])
    return Circumstances(command, datetime.now(UTC), source(), machine(), await postgres(connection, own))


def machine() -> Machine:
    """This computer."""
    return Machine(
        cpu=_cpu_model(),
        cores=psutil.cpu_count() or 1,
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        asyncpg=asyncpg.__version__,
        load=round(psutil.getloadavg()[0], 2),
    )


def source() -> Source:
    """This checkout; the commit is "unknown" outside of git."""
    commit = _git("rev-parse", "HEAD")
    return Source(commit or "unknown", bool(_git("status", "--porcelain")))


async def postgres(connection: asyncpg.Connection, own: bool) -> Postgres:
    """The server at the other end."""
    rows = await connection.fetch("SELECT name, current_setting(name) FROM pg_settings")
    settings = dict(rows)
    return Postgres(settings["server_version"], own, {name: settings[name] for name in TOLD_SETTINGS})


def _git(*arguments: str) -> str:
    try:
        outcome = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return outcome.stdout.strip() if outcome.returncode == 0 else ""


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
