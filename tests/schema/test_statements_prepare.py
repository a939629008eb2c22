"""No statement names a column or a table that is not there."""

from pathlib import Path

import pytest
from asyncpg import Connection

from events.statements import load_statements
from ops.migrate import read_schema

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("events", "projections", "api", "runner", "ops")
FILES = sorted(
    path.relative_to(ROOT)
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.sql")
    if path.name != "schema.sql" and path.parent.name != "migrations"
)
# Several commands at once, for a rebuild; its own tests carry them out.
SCRIPTS = {
    "hold_lock",
    "drop_leftovers",
    "create_schema",
    "create_doors",
    "drop_indexes",
    "tune_feeding",
    "stop_writers",
    "swap",
}


@pytest.mark.parametrize("path", FILES, ids=str)
async def test_every_statement_prepares(connection: Connection, path: Path) -> None:
    """Each named statement of the file prepares on a fresh schema; beside the views there is a rebuild under way."""
    rebuild = load_statements("projections", "rebuild.sql")
    async with connection.transaction():
        await connection.execute(rebuild["create_schema"])
        await connection.execute(read_schema().view)
        await connection.execute(rebuild["create_doors"])
    statements = load_statements(".".join(path.parent.parts), path.name)
    assert statements
    for name in statements.keys() - SCRIPTS:
        await connection.prepare(statements[name])
