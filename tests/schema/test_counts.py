"""What every operation costs, in counts that do not depend on the machine: a regression shows here before it is slow.

The shapes of the plans are told in test_plans.py and in tests/projections/test_statements.py. EXPECTED is meant to be
edited: whoever makes an operation cheaper lowers its limits, in the same commit.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any
from unittest.mock import patch

import asyncpg
import pytest
from msgspec import Struct
from msgspec.structs import replace

from events import claims
from events.commands import Commands
from events.notifier import Notifier
from events.reports import Report, RunEvent
from events.task import TaskCreated, TaskDone, TaskStarted
from ops.migrate import migrate
from ops.postgres.control import use
from ops.postgres.server import SUPERUSER
from projections.views import Views
from tests.events.test_handover import Queue
from tests.schema.meter import Cost, Meter, metered
from tests.support.postgres import MAJOR, scratch_folder


class Limit(Struct, frozen=True):
    """What an operation may cost. Statements, round trips and commits are exact, the others are upper bounds.

    `dead`: row versions left behind, by updates and deletions; `cold`: updates that an index had to learn of.
    """

    statements: Mapping[str, int]
    round_trips: int
    commits: int
    inserted: int = 0
    dead: int = 0
    cold: int = 0
    wal_bytes: int = 0


EXPECTED: dict[str, Limit] = {
    "create 1": Limit({"create_and_tell": 1}, 1, 2, inserted=3, dead=1, wal_bytes=1_200),
    "create 1, for one that waits": Limit({"create_and_claim": 1}, 1, 1, inserted=6, dead=4, cold=0, wal_bytes=2_200),
    "create 100": Limit({"create_tasks": 1}, 1, 1, inserted=300, dead=1, wal_bytes=96_000),
    "claim 1": Limit({"claim_tasks": 1}, 1, 1, inserted=3, dead=3, cold=0, wal_bytes=1_150),
    "claim 1, after a rest": Limit({"claim_tasks": 1}, 1, 1, inserted=3, dead=3, cold=0, wal_bytes=1_150),
    "claim 1, shown": Limit({"claim_and_show": 1}, 1, 1, inserted=3, dead=3, cold=0, wal_bytes=1_150),
    "claim 100": Limit({"claim_tasks": 1}, 1, 1, inserted=300, dead=201, cold=0, wal_bytes=92_000),
    "start 100": Limit({"report_runs": 1}, 1, 1, inserted=100, dead=200, cold=0, wal_bytes=60_500),
    "done 100": Limit({"report_runs": 1}, 1, 1, inserted=200, dead=202, cold=0, wal_bytes=80_000),
    "life of 100": Limit(
        {"create_tasks": 1, "claim_tasks": 1, "report_runs": 2},
        4,
        4,
        inserted=800,
        dead=604,
        cold=0,
        wal_bytes=320_000,
    ),
    "heartbeat": Limit({"beat": 1}, 1, 1, inserted=1, dead=1, wal_bytes=520),
    "GET /ops/tasks": Limit({"count_tasks": 1, "list_newest": 1, "count_fitting": 1, "tasks_by_id": 1}, 4, 4),
    "GET /ops/tasks?status=ready": Limit(
        {"count_tasks": 1, "list_ready": 1, "count_fitting": 1, "tasks_by_id": 1}, 4, 4
    ),
    "GET /ops/tasks/{id}": Limit({"tasks_by_id": 1}, 1, 1),
    "GET /runs": Limit({"list_newest": 1, "count_fitting": 1, "runs_by_id": 1}, 3, 3),
    "GET /runs/{id}": Limit({"run_with_steps": 1}, 1, 1),
    "GET /ops/metrics": Limit({"show_metrics": 1}, 1, 1),
    "nothing has changed": Limit({"show_state": 1}, 1, 1),
}
LOOK = {  # where to look when an operation has become dearer, by how its name begins
    "create": "events/creation.py, events/handover.py, and fold_creations in schema.sql",
    "claim": "events/claims.py, and fold_claims in schema.sql",
    "start": "events/reports.py, and fold_endings in schema.sql",
    "done": "events/reports.py, and fold_endings in schema.sql",
    "life": "the counts of its parts, create, claim, start and done",
    "heartbeat": "events/beats.py, and the folds of runners in schema.sql",
    "GET /runs": "projections/runs.py and runs.sql",
    "GET /ops/tasks": "projections/tasks.py and tasks.sql",
    "GET /ops/metrics": "projections/metrics.sql",
    "nothing": "projections/system.sql and api/sharing.py",
}

NUMBERS = {"title": "no-op", "task_type": "python", "params": {"handler": "noop"}}
Operation = Callable[[], Awaitable[Any]]


class Workshop:
    """Every operation by its name. Those that need tasks make them first, so that what is measured is one call."""

    def __init__(self, meter: Meter, commands: Commands, views: Views) -> None:
        self.meter = meter
        self.commands = commands
        self.views = views
        self.claimed: list[tuple[str, int]] = []

    def operations(self) -> dict[str, Operation]:
        """All of them, in the order in which they can be carried out."""
        return {
            "create 1": lambda: self.create(1),
            "create 1, for one that waits": self.create_for_one,
            "create 100": lambda: self.create(100),
            "claim 1": lambda: self.claim(1),
            "claim 1, after a rest": self.rest_and_claim,
            "claim 1, shown": lambda: self.claim(1, shown=True),
            "claim 100": lambda: self.claim(100),
            "start 100": lambda: self.report(TaskStarted),
            "done 100": lambda: self.report(TaskDone),
            "life of 100": self.live,
            "heartbeat": lambda: self.commands.heartbeat("r", None, "runner:r", 15.0),
            "GET /ops/tasks": lambda: self.views.tasks(limit=50),
            "GET /ops/tasks?status=ready": lambda: self.views.tasks(status="ready", limit=50),
            "GET /ops/tasks/{id}": lambda: self.views.task(self.claimed[0][0]),
            "GET /runs": lambda: self.views.runs(limit=50),
            "GET /runs/{id}": lambda: self.views.run(self.claimed[0][1]),
            "GET /ops/metrics": self.views.metrics,
            "nothing has changed": self.views.state,
        }

    async def measure(self, name: str) -> Cost:
        """The cost of one of them, after as many of others as it needs; if possible within its limit."""
        operation = self.operations()[name]
        prepare = {"start 100": self.claim_many, "done 100": self.start_many}.get(name)
        return await self.meter.measure(operation, prepare, lambda cost: not complain(EXPECTED[name], cost))

    async def claim_many(self) -> None:
        """What can then be started."""
        await self.claim(100)

    async def start_many(self) -> None:
        """What can then be done."""
        await self.claim(100)
        await self.report(TaskStarted)

    async def create(self, count: int) -> None:
        """Tasks without dependencies."""
        await self.commands.create_tasks([(None, TaskCreated(**NUMBERS)) for _ in range(count)], "human:ana")

    async def create_for_one(self) -> None:
        """A task that comes before all that are ready, while a runner waits."""
        queue = Queue()
        task = TaskCreated(**NUMBERS, priority=0)
        await self.commands.create_tasks([(None, task)], "human:ana", takers=queue)
        assert all(queue.settled)

    async def claim(self, count: int, shown: bool = False) -> None:
        """So many; they are the ones reported next."""
        answer = await self.commands.claim("r", count, "runner:r", shown=shown)
        assert count == len(answer.tasks)
        self.claimed = [(task.task_id, task.run_id) for task in answer.tasks]

    async def rest_and_claim(self) -> None:
        """One, by a process that has not claimed for more than a second."""
        with patch.object(claims, "FLOOR_SECONDS", -1.0):
            await self.claim(1)

    async def report(self, event: Callable[[int], RunEvent]) -> None:
        """The same event of all that was claimed last."""
        reports = [Report(task_id, run_id, event(run_id), "runner:r") for task_id, run_id in self.claimed]
        assert [None] * len(reports) == await self.commands.report(reports)

    async def live(self) -> None:
        """From creation to done, in batches of a hundred."""
        await self.create(100)
        await self.claim(100)
        await self.report(TaskStarted)
        await self.report(TaskDone)


@pytest.fixture
async def workshop() -> AsyncIterator[Workshop]:
    """On a database with some thousand tasks, some of them done.

    The server is its own and does without autovacuum: elsewhere another database's transactions keep pages from being
    pruned, or a checkpoint comes in between, and what is counted would be partly luck.
    """
    with scratch_folder() as folder, use(folder, MAJOR, unsafe=True) as server:
        superuser = await asyncpg.connect(server.url(role=SUPERUSER))
        await superuser.execute("ALTER SYSTEM SET autovacuum = off")
        await superuser.execute("SELECT pg_reload_conf()")
        await migrate(lambda: asyncpg.connect(server.url()))
        async with (
            metered(server.tcp_url(), superuser) as meter,
            Commands(meter.database, notifier=Notifier(meter.database)) as commands,
        ):
            workshop = Workshop(meter, commands, Views(meter.pool))
            for _ in range(3):
                await workshop.live()
            await workshop.create(2000)
            yield workshop
        await superuser.close()


async def test_operations_cost_no_more(workshop: Workshop) -> None:
    """Statements and round trips are what they were; rows written, versions left behind and WAL are no more."""
    assert EXPECTED.keys() == workshop.operations().keys()
    costs = {name: await workshop.measure(name) for name in EXPECTED}
    complaints = [
        f"{name}: {'; '.join(told)}. Look at {look_at(name)}. In all: {cost}"
        for name, cost in costs.items()
        if (told := complain(EXPECTED[name], cost))
    ]
    assert not complaints, "\n".join(complaints)


def test_what_has_grown_is_named() -> None:
    """A statement more, a row more, a byte too many: each is told, with the limit."""
    limit = Limit({"claim_tasks": 1}, 1, 1, inserted=1, dead=1, cold=0, wal_bytes=100)
    rows = {"view.tasks": {"inserted": 1, "updated": 1, "hot": 1, "deleted": 0}}
    well = Cost(Counter({"claim_tasks": 1}), 1, 1, rows, 100)
    assert [] == complain(limit, well)
    more = {**rows, "view.new": {"inserted": 1, "updated": 1, "hot": 0, "deleted": 0}}
    worse = Cost(Counter({"claim_tasks": 1, "look_ahead": 1}), 2, 2, more, 101)
    told = complain(limit, worse)
    assert "statements {'claim_tasks': 1, 'look_ahead': 1}, not {'claim_tasks': 1}" in told
    assert ["round trips", "commits", "inserted", "dead", "cold", "wal_bytes"] == [
        text.partition(":")[0] for text in told[1:]
    ]
    assert "view.new 1" in told[3]
    assert ["wal_bytes: 101 > 100"] == complain(limit, replace(well, wal_bytes=101))


def look_at(name: str) -> str:
    """Where to look when an operation has become dearer."""
    return next(where for beginning, where in LOOK.items() if name.startswith(beginning))


def complain(limit: Limit, cost: Cost) -> list[str]:
    """What has grown beyond the limit, each with what there is and what there may be."""
    told = []
    if cost.statements != Counter(limit.statements):
        told.append(f"statements {dict(cost.statements)}, not {dict(limit.statements)}")
    if cost.round_trips != limit.round_trips:
        told.append(f"round trips: {cost.round_trips}, not {limit.round_trips}")
    if cost.commits != limit.commits:
        told.append(f"commits: {cost.commits}, not {limit.commits}")
    for what in ("inserted", "dead", "cold"):
        if (count := cost.of_rows(what)) > (most := getattr(limit, what)):
            tables = ", ".join(f"{table} {n}" for table in cost.rows if (n := cost.of_table(table, what)))
            told.append(f"{what}: {count} > {most} ({tables})")
    if cost.wal_bytes > limit.wal_bytes:
        told.append(f"wal_bytes: {cost.wal_bytes} > {limit.wal_bytes}")
    return told
