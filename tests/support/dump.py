"""Everything a database holds, as text, by PostgreSQL's own pg_dump."""

import asyncio
import subprocess

from ops.postgres.account import choose_account
from ops.postgres.binaries import find_binaries
from tests.support.postgres import MAJOR


async def dump(url: str) -> str:
    """The database's schema and all its rows."""
    pg_dump = find_binaries(MAJOR, choose_account()) / "pg_dump"
    process = await asyncio.create_subprocess_exec(pg_dump, url, stdout=subprocess.PIPE)
    printed, _ = await process.communicate()
    assert 0 == process.returncode
    return printed.decode()
