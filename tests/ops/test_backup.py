"""`elruso db backup` and `restore`: a database in one file."""

import os
from pathlib import Path

import asyncpg
import pytest

from events.commands import Commands
from events.connect import Database
from events.errors import Unavailable
from events.task import TaskCreated
from ops.backup import back_up, restore
from ops.errors import OperatorError
from ops.migrate import read_schema, state_of
from projections.audit import audit

HISTORY = "SELECT seq, kind, id, version, type, data::text, actor, at FROM log.events ORDER BY seq"


def size_of(file: Path) -> int:
    """In bytes."""
    return file.stat().st_size


def modes_in(folder: Path) -> dict[str, int]:
    """The permissions of every file in a folder."""
    return {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}


@pytest.fixture
async def backup(database: str, tmp_path: Path) -> Path:
    """A backup of a database with two tasks, one of them running."""
    async with Commands(Database(database)) as commands:
        tasks = [("a", TaskCreated(title="a")), ("b", TaskCreated(title="b", depends_on=["a"]))]
        await commands.create_tasks(tasks, "human:ana")
        await commands.claim("r1", 1, "runner:r1")
    await back_up(Database(database), tmp_path / "backup")
    return tmp_path / "backup"


async def test_a_restored_database_is_the_same(backup: Path, database: str, empty_database: str) -> None:
    """Every event is there with its position and its bytes, the views agree with them, and it may be worked on."""
    await restore(Database(empty_database), backup)
    old, new = await asyncpg.connect(database), await asyncpg.connect(empty_database)
    assert await old.fetch(HISTORY) == await new.fetch(HISTORY)
    assert "current" == await state_of(new, read_schema())
    before = await new.fetchval("SELECT max(seq) FROM log.events")
    async with Commands(Database(empty_database)) as commands:
        await commands.cancel("b", None, "human:ana")
    assert await new.fetchval("SELECT max(seq) FROM log.events") > before + 1_000_000
    with pytest.raises(asyncpg.PostgresError, match="history is final"):
        await new.execute("DELETE FROM log.events")
    await old.close()
    await new.close()
    assert (await audit(Database(empty_database).connect_direct, lambda *_: None)).identical


async def test_a_database_in_use_is_not_overwritten(backup: Path, database: str) -> None:
    """A restore into a database that holds something is refused and changes nothing."""
    connection = await asyncpg.connect(database)
    before = await connection.fetch(HISTORY)
    with pytest.raises(OperatorError, match="not empty"):
        await restore(Database(database), backup)
    assert before == await connection.fetch(HISTORY)
    await connection.close()


async def test_a_damaged_backup_changes_nothing(backup: Path, empty_database: str) -> None:
    """What is no backup, or half of one, is refused with the program's own words, and the database stays empty."""
    os.truncate(backup, size_of(backup) - 2000)
    with pytest.raises(OperatorError, match="pg_restore"):
        await restore(Database(empty_database), backup)
    connection = await asyncpg.connect(empty_database)
    assert await connection.fetchval("SELECT to_regnamespace('log') IS NULL")
    await connection.close()


async def test_a_backup_is_private_and_replaces_the_one_before(backup: Path, database: str) -> None:
    """Only its owner may read a backup; a second backup to the same file replaces it, and no draft is left."""
    os.truncate(backup, 0)
    await back_up(Database(database), backup)
    assert size_of(backup) > 1000
    assert {backup.name: 0o600} == modes_in(backup.parent)


async def test_a_backup_that_cannot_be_made_leaves_the_one_before(tmp_path: Path, empty_database: str) -> None:
    """An empty database, or a folder that is not there, is an error; no file is touched."""
    (tmp_path / "backup").write_text("the one before")
    with pytest.raises(OperatorError, match="nothing to keep"):
        await back_up(Database(empty_database), tmp_path / "backup")
    assert "the one before" == (tmp_path / "backup").read_text()


async def test_a_backup_needs_its_folder(tmp_path: Path, database: str) -> None:
    """A folder that does not exist is named."""
    with pytest.raises(OperatorError, match="nowhere"):
        await back_up(Database(database), tmp_path / "nowhere" / "backup")


async def test_a_pooler_is_no_place_to_back_up_from(backup: Path, database: str) -> None:
    """pg_dump needs a session of its own; where only a pooler is known, the setting for a direct address is named."""
    pooled = Database(database, pooled=True)
    with pytest.raises(Unavailable, match="ELRUSO_LISTEN_URL"):
        await back_up(pooled, backup)
    with pytest.raises(Unavailable, match="ELRUSO_LISTEN_URL"):
        await restore(pooled, backup)
