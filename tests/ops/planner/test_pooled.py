"""The planner behind a transaction-mode pooler that hands every transaction to another session."""

import asyncio
import re

import pytest

from events.connect import Database
from ops.postgres.server import Server
from tests.ops.planner.planning import planning
from tests.support.openai_server import OpenAiServer, proposes
from tests.support.pooler import PROGRAM, pooler
from tests.support.postgres import scratch_folder

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is not installed (apt-get install pgbouncer)")

SESSIONS = 4
GOOD = {"title": "Green builds", "tasks_to_create": [{"title": "build", "body": "b"}]}


async def test_one_at_a_time_through_a_pooler(postgres: Server, database: str, model: OpenAiServer) -> None:
    """The lock is one transaction's, so it holds there too; the second is refused, and afterwards it is free again."""
    found = re.search(r"@/(\w+)\?", database)
    assert found
    with scratch_folder() as folder, pooler(postgres, folder, SESSIONS) as running:
        through = Database(running.url(found[1]), pooled=True)
        async with planning(database, model, through) as desk:
            model.will(proposes(GOOD, stalls=True))
            first = asyncio.create_task(desk.run())
            await model.saw(1)
            running_id = (await desk.api.get("/ops/gpt/status"))["running"]["run_id"]
            status, refusal = await desk.fail()
            assert (409, running_id) == (status, refusal["meta"]["run_id"])

            model.released.set()
            done = await first
            assert (1, 1) == (done["directives_created"], done["tasks_created"])
            model.will(proposes())
            assert 0 == (await desk.run())["directives_created"]
