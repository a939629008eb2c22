"""A service that is not the owner appends and reads; nothing else."""

from datetime import UTC, datetime

import asyncpg
import pytest
from asyncpg import Connection
from msgspec.structs import replace

from events import task
from events.commands import Commands, OutputChunk
from events.connect import Database
from events.directive import PlannedTask
from events.directives import Decision, Proposals
from events.draft import Draft, DraftTask
from events.planner import PlannerFailed
from events.reports import Report
from events.request import RequestProvided
from events.requests import Wanted
from ops.migrate import migrate, read_schema
from ops.postgres.server import SUPERUSER, Server
from projections.rebuild import rebuild

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
# The role belongs to the whole server, and workers test at once.
CREATE_ROLE = """
    DO $$ BEGIN
        CREATE ROLE elruso_service NOLOGIN;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END $$
"""
FORBIDDEN = [
    "UPDATE log.events SET actor = 'nobody'",
    "DELETE FROM log.events",
    "TRUNCATE log.events",
    "ALTER TABLE log.events DISABLE TRIGGER events_are_final",
    "INSERT INTO log.transitions VALUES ('task.x', 'task', '{done}', 'ready')",
    "UPDATE log.transitions SET sources = '{done}'",
    "UPDATE log.output SET data = ''",
    "DELETE FROM log.output",
    "INSERT INTO log.artifacts (run_id, kind, content) VALUES (1, 'patch', 'forged')",
    "UPDATE log.artifacts SET content = 'forged'",
    "DELETE FROM log.artifacts",
    "INSERT INTO log.tokens (name, role, digest) VALUES ('n', 'admin', 'x')",
    "UPDATE log.tokens SET role = 'admin'",
    "UPDATE log.runner_ids SET token = 'eve'",
    "DELETE FROM log.runner_ids",
    "UPDATE log.sessions SET expires_at = 'infinity'",
    "INSERT INTO view.tasks SELECT * FROM view.tasks",
    "UPDATE view.tasks SET priority = 0",
    "DELETE FROM view.tasks",
    "UPDATE view.ended_runs SET error = NULL",
    "UPDATE view.task_counts SET done = 0",
    "DELETE FROM view.running",
    "TRUNCATE view.ready",
    "SET session_replication_role = replica",
    "CREATE TABLE view.mine ()",
    "CREATE FUNCTION log.mine() RETURNS integer LANGUAGE sql RETURN 1",
    "DROP SCHEMA view CASCADE",
]


class ServiceDatabase(Database, frozen=True):
    """Connections that have only the service's rights."""

    async def connect_writer(self) -> Connection:
        """As production's, in the service's role."""
        connection = await Database.connect_writer(self)
        await connection.execute("SET ROLE elruso_service")
        return connection


@pytest.fixture
async def service(postgres: Server, empty_database: str) -> ServiceDatabase:
    """A migrated database on a server that has the role."""
    name = empty_database.partition("?")[0].rpartition("/")[2]
    superuser = await asyncpg.connect(postgres.url(name, SUPERUSER))
    await superuser.execute(CREATE_ROLE)
    await migrate(lambda: asyncpg.connect(empty_database))
    await superuser.close()
    return ServiceDatabase(postgres.url(name, SUPERUSER))


async def work(database: Database) -> None:
    """Everything a service does."""
    async with Commands(database) as commands:
        await commands.create_tasks(
            [("a", task.TaskCreated("a")), ("b", task.TaskCreated("b", depends_on=["a"]))], "gpt"
        )
        await commands.create_tasks([("c", task.TaskCreated("c"))], "gpt")
        await commands.runner_started("r", {}, "runner:r", 15)
        claimed = (await commands.claim("r", 5, "runner:r")).tasks
        assert ["a", "c"] == [each.task_id for each in claimed]
        [a, c] = [each.run_id for each in claimed]
        await commands.append_output([OutputChunk("a", a, 1, 1, "stdout", "text")])
        await commands.save_artifact(a, "patch", "patch")
        reports = [Report("a", a, task.TaskStarted(a), "runner:r"), Report("a", a, task.TaskDone(a), "runner:r")]
        assert [None, None] == await commands.report(reports)
        assert [None] == await commands.report([Report("c", c, task.TaskFailed(c, "boom"), "runner:r")])
        b = await commands.claim_task("r", "b", "runner:r")
        assert ["b"] == await commands.hand_back([("b", b.run_id)], "drain", "runner:r")
        await commands.cancel("c", None, "human:ana")
        await commands.requeue("c", actor="human:ana", backoff_seconds=0.001)
        assert {"b", "c"} == {
            each.task_id for _ in range(3) for each in (await commands.claim("r", 5, "runner:r")).tasks
        }
        await commands.sweep(15)
        await commands.pause("lunch", "human:ana")
        await commands.resume("human:ana")
        await commands.requests.open([Wanted("REQ-009")], "gpt")
        await commands.requests.provide("REQ-009", RequestProvided(["OPENAI_API_KEY"]), "human:ana")
        draft = Draft("d", "t", None, [], [], [], [DraftTask(PlannedTask(id="", title="planned"), 1)])
        other = replace(draft, id="e", title="other")
        await commands.directives.propose(Proposals([draft, other], "gpt", "auto"))
        await commands.directives.apply(Decision("d", "human:ana"))
        await commands.directives.reject(Decision("e", "human:ana"))
        await commands.directives.record_failure("p", PlannerFailed(outcome="timeout", error="late", model="m"), "gpt")
        await commands.runner_stopped("r", None, "runner:r", 15)


async def test_service_does_its_work(service: ServiceDatabase) -> None:
    """Every command works with the service's rights."""
    await work(service)


async def test_service_does_nothing_else(service: ServiceDatabase) -> None:
    """It changes neither history nor views, nor what guards them; what it writes by hand the log still judges."""
    connection = await service.connect_writer()
    for statement in FORBIDDEN:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    with pytest.raises(asyncpg.PostgresError) as raised:
        await connection.execute(
            "INSERT INTO log.events (kind, id, version, type, actor, data)"
            " VALUES ('task', 'x', 1, 'task.done', 'human:eve', '{}')"
        )
    assert "ER002" == raised.value.sqlstate
    await connection.close()


async def test_rights_outlive_a_rebuild(service: ServiceDatabase, empty_database: str) -> None:
    """The views that a rebuild puts in place grant the same."""
    await rebuild(lambda: asyncpg.connect(empty_database), read_schema().view, lambda done, total: None)
    await work(service)
