"""`db backup`, `db restore` and `db rebuild` are killed, or lose the database, in the middle."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from events.commands import Commands
from events.connect import Database
from events.task import TaskCreated
from ops.backup import back_up
from projections.audit import audit
from tests.support.waiting import eventually

ROOT = Path(__file__).parent.parent.parent
OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
WAITING = f"{OTHERS} AND wait_event_type = 'Lock'"


@asynccontextmanager
async def running(url: str, *arguments: str, **variables: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """One command of ours, its errors in a pipe; killed when the block ends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "ops", *arguments),
        env=os.environ | {"DATABASE_URL": url, "PYTHONPATH": str(ROOT), "ELRUSO_LANG": "en"} | variables,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def finish(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    """Its exit status, and what it said."""
    _, errors = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, errors.decode()


def names_in(folder: Path) -> set[str]:
    """What lies in it."""
    return {entry.name for entry in folder.iterdir()}


@pytest.fixture
async def filled(database: str) -> str:
    """A database with ten tasks."""
    async with Commands(Database(database)) as commands:
        await commands.create_tasks([(f"t{number}", TaskCreated("t")) for number in range(10)], "human:ana")
    return database


async def test_a_killed_restore_leaves_the_database_empty(filled: str, empty_database: str, tmp_path: Path) -> None:
    """Killed in the middle, a restore leaves nothing; the next one is whole, its sequence moved on."""
    await back_up(Database(filled), tmp_path / "backup")
    connection = await asyncpg.connect(empty_database)
    blocking = connection.transaction()
    await blocking.start()
    await connection.execute("CREATE SCHEMA log")
    async with running(empty_database, "db", "restore", str(tmp_path / "backup")) as restore:
        await eventually(lambda: _sees(empty_database, WAITING), 60, "a restore that waits")
        restore.kill()
        await restore.wait()
    await blocking.rollback()
    await eventually(lambda: _is_alone(connection), 60, "the end of every session of the restore")
    assert await connection.fetchval("SELECT to_regnamespace('log') IS NULL")
    async with running(empty_database, "db", "restore", str(tmp_path / "backup")) as restore:
        assert 0 == (await finish(restore))[0]
    next_seq = "SELECT nextval(pg_get_serial_sequence('log.events', 'seq'))"
    assert 1_000_000 < await connection.fetchval(next_seq)
    await connection.close()
    assert (await audit(Database(empty_database).connect_direct, lambda *_: None)).identical


async def _is_alone(connection: asyncpg.Connection) -> bool:
    return await connection.fetchval(OTHERS) == 0


async def test_a_killed_backup_is_cleaned_up_by_the_next(filled: str, tmp_path: Path) -> None:
    """What a killed backup left is removed by the next one to the same file."""
    file = tmp_path / "backup"
    connection = await asyncpg.connect(filled)
    blocking = connection.transaction()
    await blocking.start()
    await connection.execute("LOCK log.events IN ACCESS EXCLUSIVE MODE")
    async with running(filled, "db", "backup", str(file)) as backup:
        await eventually(lambda: _sees(filled, WAITING), 60, "a backup that waits")
        backup.kill()
        await backup.wait()
    assert set() != names_in(tmp_path)
    await blocking.rollback()
    await eventually(lambda: _is_alone(connection), 60, "the end of pg_dump")
    await connection.close()
    (tmp_path / ".backup.0123abcd").touch()  # of an older version
    (tmp_path / ".backup.notes").touch()  # of the operator
    await back_up(Database(filled), file)
    assert {file.name, ".backup.notes"} == names_in(tmp_path)


async def test_a_rebuild_that_loses_its_sessions_says_so(filled: str) -> None:
    """Its backends killed, a rebuild ends with a sentence; nothing has changed, and the next one works."""
    connection = await asyncpg.connect(filled)
    blocking = connection.transaction()
    await blocking.start()
    await connection.execute("LOCK log.events IN ROW EXCLUSIVE MODE")
    async with running(filled, "db", "rebuild") as rebuild:
        await eventually(lambda: _sees(filled, "SELECT to_regnamespace('rebuild') IS NOT NULL"), 60, "a rebuild")
        ours = "datname = current_database() AND application_name = 'elruso-rebuild'"
        await connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}")
        status, said = await finish(rebuild)
    await blocking.rollback()
    await connection.close()
    assert 1 == status
    assert "Traceback" not in said
    assert "repeat it" in said
    assert (await audit(Database(filled).connect_direct, lambda *_: None)).identical
    async with running(filled, "db", "rebuild") as rebuild:
        assert 0 == (await finish(rebuild))[0]


async def _sees(url: str, query: str) -> bool:
    connection = await asyncpg.connect(url)
    try:
        return bool(await connection.fetchval(query))
    finally:
        await connection.close()
