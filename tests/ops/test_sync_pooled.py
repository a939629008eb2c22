"""`sync` behind a transaction-mode pooler that hands every transaction to another session."""

import re
from pathlib import Path

import pytest

from events.connect import Database
from ops.postgres.server import Server
from projections.audit import audit
from tests.support.pooler import PROGRAM, pooler
from tests.support.postgres import scratch_folder
from tests.support.project import Project

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is not installed (apt-get install pgbouncer)")


async def test_push_and_pull_through_a_pooler(postgres: Server, database: str, tmp_path: Path) -> None:
    """Statuses arrive, and a push of what was pulled appends nothing, as over a direct connection."""
    found = re.search(r"@/(\w+)\?", database)
    assert found
    project = Project(tmp_path, database)
    project.write({"id": "b", "title": "b", "depends_on": ["a"]}, {"id": "a", "title": "a", "status": "done"})
    project.write_requests({"id": "REQ-009", "service": "OpenAI"})
    with scratch_folder() as folder, pooler(postgres, folder, 2) as running:
        project.database = Database(running.url(found[1]), pooled=True)
        await project.push()
        await project.pull()
        before = await project.events()
        await project.push()
        assert before == await project.events()
        assert {"a": "done", "b": "ready"} == await project.statuses()
    assert (await audit(Database(database).connect_direct, lambda *_: None)).identical
