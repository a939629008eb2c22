"""What one item meets delays no other: locks of other sessions, servers that do not answer."""

import asyncio
from collections.abc import Sequence
from urllib.parse import urlsplit

import asyncpg
import pytest
import structlog
from asyncpg import Connection

from events import committer as committing
from events.commands import Commands
from events.committer import Batch, Committer
from events.connect import Database
from events.errors import ElRusoError, Unavailable
from events.hint import Hint
from events.reports import Report
from events.task import Step, TaskCreated, TaskDone, TaskStarted, TaskStep
from ops.postgres.server import Server
from tests.support.fault_proxy import counts_commands, fault_proxy
from tests.support.waiting import eventually

TASK = TaskCreated("a task", steps=[Step("s", "true")])
HUMAN = "human:test"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for locks, and for a database that does not answer, are short."""
    for name in ("LOCK_SECONDS", "RETRY_LOCK_SECONDS"):
        monkeypatch.setattr(committing, name, 0.1)
    monkeypatch.setattr(committing, "WRITE_SECONDS", 1.0)


async def lock(connection: Connection, *task_ids: str) -> None:
    """Hold the rows of tasks, as an operator's forgotten transaction does."""
    await connection.execute("BEGIN")
    await connection.execute("SET application_name = 'forgotten'")
    names = ", ".join(f"'{task_id}'" for task_id in task_ids)
    await connection.execute(f"SELECT FROM view.tasks WHERE id IN ({names}) FOR UPDATE")


@pytest.mark.parametrize("locked", [1, 20])
@pytest.mark.usefixtures("quick")
async def test_a_foreign_lock_delays_only_what_needs_it(database: str, stranger: Connection, locked: int) -> None:
    """Reports of other runs, claims and creations go on; what waits is written in order once the lock is gone."""
    async with Commands(Database(database), patient=True) as commands:
        await commands.create_tasks([(f"t{n}", TASK) for n in range(1, 41)], HUMAN)
        claimed = {task.task_id: task for task in (await commands.claim("r", 40, "runner:r")).tasks}
        held = [f"t{n}" for n in range(7, 7 + locked)]
        await lock(stranger, *held)
        answers: dict[str, list[ElRusoError | Exception | None]] = {task_id: [] for task_id in claimed}
        with structlog.testing.capture_logs() as lines:
            for task_id, task in claimed.items():
                events = (TaskStarted(task.run_id), TaskStep(task.run_id, 1, "s"), TaskDone(task.run_id))
                for event in events:
                    report = Report(task_id, task.run_id, event, "runner:r")
                    commands.post(report, lambda refusal, error, of=task_id: answers[of].append(refusal or error))
            await eventually(
                lambda: 40 - locked == sum(len(each) == 3 for each in answers.values()), describe="the others"
            )
            await commands.create_tasks([("later", TASK)], HUMAN)
            assert ["later"] == [task.task_id for task in (await commands.claim("r", 1, "runner:r")).tasks]
            named = await eventually(lambda: [line for line in lines if line["event"] == "database.locked"])
            assert [] == [answer for task_id in held for answer in answers[task_id]]
            await stranger.execute("ROLLBACK")
            await eventually(lambda: all(len(answers[task_id]) == 3 for task_id in held), describe="the last")
    assert {None} == {answer for each in answers.values() for answer in each}
    assert f"pid {stranger.get_server_pid()} (forgotten," in named[0]["holders"]
    assert "SELECT FROM view.tasks WHERE id IN ('t7'" in named[0]["holders"]
    episodes = [line["event"] for line in lines if line["event"] in ("database.unavailable", "database.available")]
    assert ["database.unavailable", "database.available"] == episodes
    written = await stranger.fetch("SELECT type FROM log.events WHERE kind = 'task' AND id = 't7' ORDER BY version")
    assert ["created", "claimed", "started", "step", "done"] == [row["type"].removeprefix("task.") for row in written]


@pytest.mark.usefixtures("quick")
async def test_claims_pass_by_a_locked_task(database: str, stranger: Connection) -> None:
    """The first task in claim order is locked: a claim gets the next ones, and the first once the lock is gone."""
    async with Commands(Database(database)) as commands:
        await commands.create_tasks([("first", TASK), ("second", TASK)], HUMAN)
        await lock(stranger, "first")
        assert ["second"] == [task.task_id for task in (await commands.claim("r", 2, "runner:r", shown=True)).tasks]
        await stranger.execute("ROLLBACK")
        commands.hear(Hint.everything)
        assert ["first"] == [task.task_id for task in (await commands.claim("r", 2, "runner:r", shown=True)).tasks]


@pytest.mark.usefixtures("quick")
async def test_a_caller_hears_who_holds_the_lock(database: str, stranger: Connection) -> None:
    """A command that waits for a lock in vain is refused with the session that holds it, and the next step."""
    async with Commands(Database(database)) as commands:
        await commands.create_tasks([("t", TASK)], HUMAN)
        await lock(stranger, "t")
        with pytest.raises(Unavailable, match=rf"pid {stranger.get_server_pid()} \(forgotten.*End its transaction"):
            await commands.cancel("t", None, HUMAN)


async def test_one_that_fails_in_passing_keeps_its_order(database: str) -> None:
    """While an item of a key is tried again, later ones of its key wait, and those of other keys do not."""
    written: list[str] = []
    failing = {"a1"}

    async def write(_connection: Connection, items: Sequence[str], _resent: bool) -> list[str]:
        if failing.intersection(items):
            raise asyncpg.QueryCanceledError("for a while")
        written.extend(items)
        return list(items)

    batch: Batch[str, str] = Batch("write", write, key=lambda item: item[0])
    async with Committer(Database(database).connect_writer, patient=True) as committer:
        first = [committer.submit(batch, item) for item in ("a1", "b1", "a2", "b2")]
        await first[3]
        third = [committer.submit(batch, item) for item in ("a3", "b3")]
        await third[1]
        assert ["b1", "b2", "b3"] == written
        failing.clear()
        assert ["a1", "a2", "a3"] == [await each for each in (first[0], first[2], third[0])]
    assert ["b1", "b2", "b3", "a1", "a2", "a3"] == written


async def test_a_callback_that_raises_ends_nothing(database: str) -> None:
    """The committer goes on, and says in the log what was wrong with the callback."""

    async def write(_connection: Connection, items: Sequence[int], _resent: bool) -> list[int]:
        return list(items)

    batch: Batch[int, int] = Batch("write", write)
    with structlog.testing.capture_logs() as lines:
        async with Committer(Database(database).connect_writer) as committer:
            committer.post(batch, 1, lambda _answer, _error: 1 / 0)  # type: ignore[arg-type, return-value]
            assert 2 == await committer.submit(batch, 2)
    assert ["committer.callback_failed"] == [line["event"] for line in lines]


@pytest.mark.usefixtures("quick")
async def test_a_black_hole_has_one_deadline(postgres: Server, database: str) -> None:
    """A database that swallows everything refuses each caller once, with a reason; those behind it in line as well."""
    name = urlsplit(database).path.removeprefix("/")
    async with fault_proxy(int(urlsplit(postgres.tcp_url(name)).port or 5432), counts_commands) as proxy:
        url = postgres.tcp_url(name).replace(f":{proxy.target}/", f":{proxy.port}/")
        async with Commands(Database(url)) as commands:
            proxy.silence()
            asked = [asyncio.ensure_future(commands.create_tasks([(None, TASK)], HUMAN)) for _ in range(3)]
            asked.append(asyncio.ensure_future(commands.claim("r", 1, "runner:r")))  # type: ignore[arg-type]
            refusals = await asyncio.gather(*asked, return_exceptions=True)
            proxy.mend()
            await commands.create_tasks([("after", TASK)], HUMAN)
    for refusal in refusals:
        assert isinstance(refusal, Unavailable)
        assert "()" not in refusal.detail
