"""Back up a database into one file, and restore it from there, with PostgreSQL's own programs.

A backup holds the log and the views as they were at one moment, while everybody goes on working. What lies beside the
database is not in it: the vault, the workspace, the settings.
"""

import asyncio
import os
import secrets
import subprocess
from collections.abc import Sequence
from pathlib import Path

from asyncpg import Connection

from events.connect import Database
from events.statements import load_statements
from ops.errors import OperatorError
from ops.postgres.clients import address_for_libpq, find_program

_sql = load_statements("ops", "backup.sql")

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
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        draft.touch(mode=0o600, exist_ok=False)
        _run([program, "--format=custom", "--no-owner", *OUR_SCHEMAS, f"--file={draft}"], database, "backup.failed")
        with draft.open("rb+") as written:
            os.fsync(written.fileno())
        draft.replace(file)
    except OSError as error:
        raise OperatorError("backup.unwritable", file=file, detail=error.strerror) from error
    finally:
        draft.unlink(missing_ok=True)


async def restore(database: Database, file: Path) -> None:
    """Fill an empty database from a backup, in one transaction.

    The log goes on a million positions later: what was lost with the old database may have used the next ones.

    Raises OperatorError: the database is not empty, or the file is no backup. Unavailable, as `back_up`.
    """
    connection = await database.connect_direct()
    try:
        if not await connection.fetchval(_sql["is_empty"]):
            raise OperatorError("backup.not_empty")
        grants = [] if await _has_service_role(connection) else ["--no-acl"]
        program = find_program("pg_restore", await connection.fetchval(_sql["server_version"]))
        options = ["--single-transaction", "--exit-on-error", "--no-owner", *grants]
        await asyncio.to_thread(_run, [program, *options, file], database, "backup.not_restored")
        await connection.execute(_sql["move_on"])
    finally:
        await connection.close()


async def _has_service_role(connection: Connection) -> bool:
    await connection.execute(_sql["make_service_role"])
    return bool(await connection.fetchval(_sql["has_service_role"]))


def _run(command: Sequence[str | Path], database: Database, failure: str) -> None:
    address, secret = address_for_libpq(database)
    environment = {"PATH": os.defpath, "LC_ALL": "C", **secret}
    arguments = [*command, f"--dbname={address}"]
    done = subprocess.run(arguments, env=environment, capture_output=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise OperatorError(failure, output=done.stderr.decode(errors="replace").strip())
