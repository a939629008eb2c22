"""PostgreSQL's client programs, those that come along: psql, pg_dump, pg_restore."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from events.connect import Database
from ops.postgres.account import Account
from ops.postgres.binaries import MAJORS, find_binaries


def find_program(name: str, server_version: int) -> Path:
    """The program of the server's own major version (server_version_num), or of the next one we have."""
    major = next((major for major in sorted(MAJORS) if major >= server_version // 10_000), max(MAJORS))
    return find_binaries(major, Account(os.geteuid(), os.getegid(), switch=False)) / name


def address_for_libpq(database: Database) -> tuple[str, dict[str, str]]:
    """The address without its password, and that as an environment: who lists processes must not see it."""
    url = database.direct_url or database.url
    password = urlsplit(url).password
    if not password:
        return url, {}
    return url.replace(f":{password}@", "@", 1), {"PGPASSWORD": unquote(password)}
