"""Back up a database into one file, and restore it from there, with PostgreSQL's own programs.

A backup holds the log and the views as they were at one moment, while everybody goes on working. What lies beside the
database is not in it: the vault, the workspace, the settings.
"""

import asyncio
import fcntl
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from asyncpg import Connection

from events.connect import Database
from events.statements import load_statements
from ops.config import client_environment
from ops.errors import OperatorError
from ops.postgres.clients import address_for_libpq, find_program

_sql = load_statements("ops", "backup.sql")

PIECE_BYTES = 1 << 20
OUR_SCHEMAS = ("--schema=log", "--schema=view")


async def back_up(database: Database, file: Path) -> None:
    """Write a backup to `file`, whole or not at all, readable by its owner only.

    Raises OperatorError; Unavailable, also where only a pooler is known.
    """
    connection = await database.connect_direct()
    try:
        if await connection.fetchval(_sql["is_empty"]):
            raise OperatorError("backup.nothing")
        program = find_program("pg_dump", await connection.fetchval(_sql["server_version"]))
    finally:
        await connection.close()
    await asyncio.to_thread(_dump, program, database, file)


def _dump(program: Path, database: Database, file: Path) -> None:
    try:
        _remove_abandoned(file)
        with _draft_of(file) as (draft, descriptor):
            options = ["--format=custom", "--no-owner", *OUR_SCHEMAS, f"--file={draft}"]
            _run([program, *options], database, descriptor)
            os.fsync(descriptor)
            draft.replace(file)
    except OSError as error:
        raise OperatorError("backup.unwritable", file=file, detail=error.strerror) from error


@contextmanager
def _draft_of(file: Path) -> Iterator[tuple[Path, int]]:
    """A private file beside `file`, and its descriptor. A lock on it says that it is being written."""
    draft = file.with_name(f"{_draft_prefix(file)}{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield draft, descriptor
    finally:
        os.close(descriptor)
        draft.unlink(missing_ok=True)


def _draft_prefix(file: Path) -> str:
    return f".{file.name}."


def _remove_abandoned(file: Path) -> None:
    """Remove the drafts of killed backups to this file. pg_dump, which may outlive us, has the lock while it writes."""
    pattern = re.compile(re.escape(_draft_prefix(file)) + "[0-9a-f]{8}")
    for draft in [entry for entry in file.absolute().parent.iterdir() if pattern.fullmatch(entry.name)]:
        descriptor = os.open(draft, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            draft.unlink()
        except BlockingIOError:
            pass
        finally:
            os.close(descriptor)


async def restore(database: Database, file: Path) -> None:
    """Fill an empty database from a backup, in one transaction: whoever is killed, it stays empty.

    The log goes on a million positions later: what was lost with the old database may have used the next ones.

    Raises OperatorError: the database is not empty, or the file is no backup. Unavailable, as `back_up`.
    """
    connection = await database.connect_direct()
    try:
        if not await connection.fetchval(_sql["is_empty"]):
            raise OperatorError("backup.not_empty")
        grants = [] if await _has_service_role(connection) else ["--no-acl"]
        version = await connection.fetchval(_sql["server_version"])
    finally:
        await connection.close()
    reader: list[str | Path] = [
        find_program("pg_restore", version),
        "--file=-",
        "--exit-on-error",
        "--no-owner",
        *grants,
        file,
    ]
    await asyncio.to_thread(_pour, reader, find_program("psql", version), database)


async def _has_service_role(connection: Connection) -> bool:
    await connection.execute(_sql["make_service_role"])
    return bool(await connection.fetchval(_sql["has_service_role"]))


def _pour(reader: Sequence[str | Path], psql: Path, database: Database) -> None:
    """Feed what the reader prints to psql, in one transaction that only its good end commits.

    Whichever of the three processes is killed, nothing remains: without our COMMIT psql rolls back at the end of input.
    """
    address, secret = address_for_libpq(database)
    options = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--dbname={address}", "--file=-"]
    with tempfile.TemporaryFile() as complaints:
        source = subprocess.Popen(
            reader, env=_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints
        )
        sink = subprocess.Popen(
            [psql, *options],
            env=_environment() | secret,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
        )
        _copy(source, sink)
        if any([source.wait(), sink.wait()]):
            complaints.seek(0)
            raise OperatorError("backup.not_restored", output=complaints.read().decode(errors="replace").strip())


def _copy(source: "subprocess.Popen[bytes]", sink: "subprocess.Popen[bytes]") -> None:
    assert source.stdout is not None
    assert sink.stdin is not None
    with suppress(BrokenPipeError), sink.stdin as script:  # psql ended, and has said why
        script.write(b"BEGIN;\n")
        shutil.copyfileobj(source.stdout, script, PIECE_BYTES)
        if source.wait() == 0:
            script.write(f"{_sql['move_on'].rstrip().rstrip(';')};\nCOMMIT;\n".encode())
    source.stdout.close()


def _run(command: Sequence[str | Path], database: Database, inherited: int) -> None:
    """Run pg_dump, which inherits a descriptor."""
    address, secret = address_for_libpq(database)
    done = subprocess.run(
        [*command, f"--dbname={address}"],
        env=_environment() | secret,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        pass_fds=(inherited,),
    )
    if done.returncode:
        raise OperatorError("backup.failed", output=done.stderr.decode(errors="replace").strip())


def _environment() -> dict[str, str]:
    """In English, which we pass on."""
    return client_environment() | {"LC_ALL": "C"}
