"""A runner that an operator drains: it finishes what it executes, is handed nothing, and stays."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from events.claims import ClaimAnswer
from events.commands import Commands
from events.connect import Database
from events.errors import Draining, IllegalTransition, NotFound
from events.notifier import Notifier
from tests.api.serving import serving
from tests.runner.test_http_link import working_over
from tests.runner.working import Ledger, runner_process, working_on
from tests.support.waiting import eventually

OPERATOR = "human:ana"
LONG = {"heartbeat_seconds": 30, "lease_seconds": 90}  # no heartbeat tells it in time


@asynccontextmanager
async def operator(url: str) -> AsyncIterator[Commands]:
    """Commands whose hints are sent, as those of the API are."""
    async with Notifier(Database(url)) as notifier, Commands(Database(url), notifier.wake) as commands:
        yield commands


async def the_runner(tasks: Ledger) -> str:
    """The id of the only runner, once it is there."""
    await eventually(lambda: tasks.connection.fetchval("SELECT count(*) FROM view.runners"), deadline=20)
    return str(await tasks.connection.fetchval("SELECT id FROM view.runners"))


async def test_a_drained_process_finishes_and_another_takes_the_rest(
    database: str, tasks: Ledger, tmp_path: Path
) -> None:
    """A process that is told to drain ends its run well, claims none of what is added, and stays; another one takes
    it all. Resumed, it works again."""
    async with runner_process(database, tmp_path / "one") as process, operator(database) as commands:
        name = await the_runner(tasks)
        await tasks.shell(2, f"until [ -e {tmp_path}/go ]; do sleep 0.02; done", prefix="held")
        await eventually(lambda: tasks.count("running"), deadline=20)
        await commands.runners.drain(name, "maintenance", OPERATOR)
        await eventually(lambda: "runner.draining" in (tmp_path / "one" / "log").read_text())
        await tasks.shell(5, "true", prefix="rest")
        (tmp_path / "go").touch()
        await eventually(lambda: tasks.count("done"), deadline=20)
        assert {"done": 2, "ready": 5} == await _settled(tasks, done=2)

        async with working_on(database):
            await eventually(lambda: _has_done(tasks, 7), deadline=20)
        assert [name] == await _executors(tasks, "held%")
        assert name not in await _executors(tasks, "rest%")
        assert process.returncode is None

        await commands.runners.resume(name, OPERATOR)
        await tasks.shell(1, "true", prefix="again")
        await eventually(lambda: _has_done(tasks, 8), deadline=20)
        assert [name] == await _executors(tasks, "again%")


async def test_it_is_told_at_once(database: str, tasks: Ledger) -> None:
    """A runner with a long heartbeat hears of a drain and of its end by their hints."""
    async with working_on(database, **LONG, runner_id="r") as work, operator(database) as commands:
        await work.worker.started.wait()
        await eventually(lambda: _listens(tasks))
        await commands.runners.drain("r", None, OPERATOR)
        await eventually(lambda: _beats(tasks, 1), deadline=10)
        await tasks.shell(1, "true")
        assert {"ready": 1} == await tasks.statuses()
        await commands.runners.resume("r", OPERATOR)
        await eventually(lambda: _has_done(tasks, 1), deadline=10)


async def test_over_http(database: str, tasks: Ledger) -> None:
    """Its long poll is answered at once, nothing is handed to it; its next heartbeat tells it that it may go on."""
    async with serving(database) as api, working_over(api.url, runner_id="r") as work:
        await work.worker.started.wait()
        await api.post("/runners/r/drain", {"reason": "moving"})
        await eventually(lambda: work.worker.draining)
        await tasks.shell(1, "true")
        await eventually(lambda: _beats(tasks, 2))
        assert {"ready": 1} == await tasks.statuses()
        await api.post("/runners/r/resume")
        await eventually(lambda: _has_done(tasks, 1), deadline=10)


async def test_what_is_not_begun_goes_back(database: str, tasks: Ledger) -> None:
    """Tasks that came in the answer to a claim of before are ready again, not begun, and their attempt not counted."""
    async with working_on(database, runner_id="r") as work:
        await work.worker.started.wait()
        link = work.worker._link
        asked, answer = asyncio.Event(), asyncio.Event()

        async def slow_claim(limit: int) -> ClaimAnswer:
            found = await tasks.commands.claim("r", limit, "runner:r")
            if found.tasks:
                asked.set()
                await answer.wait()
            return found

        link.claim = slow_claim  # type: ignore[method-assign]
        await tasks.shell(3, "true")
        await eventually(asked.is_set)
        await tasks.commands.runners.drain("r", None, OPERATOR)
        await eventually(lambda: work.worker.draining)
        answer.set()
        await eventually(lambda: _all_ready(tasks, 3))
    assert ["created", "claimed", "requeued"] == await tasks.types("t1")
    assert 0 == await tasks.connection.fetchval("SELECT max(attempts) FROM view.tasks")


async def test_a_restart_under_its_name_clears_it(database: str, tasks: Ledger) -> None:
    """A runner that starts again under the same id takes work; so does one that was stopped while it drained."""
    commands = tasks.commands
    for leave in (False, True):
        await commands.runner_started("r", {}, "runner:r", 15)
        await commands.runners.drain("r", None, OPERATOR)
        assert (await commands.heartbeat("r", None, "runner:r", 15)).draining
        if leave:
            await commands.runner_stopped("r", None, "runner:r", 15)
            with pytest.raises(IllegalTransition, match="stopped"):
                await commands.runners.drain("r", None, OPERATOR)
        beat = await commands.runner_started("r", {}, "runner:r", 15)
        assert not beat.draining
        assert not (await commands.heartbeat("r", None, "runner:r", 15)).draining


async def test_nothing_is_handed_to_it_whoever_asks(database: str, tasks: Ledger) -> None:
    """The claim itself refuses a draining runner, by number and by name; others go on; twice is once; it is no life."""
    commands, connection = tasks.commands, tasks.connection
    await tasks.shell(2, "true")
    await commands.runner_started("r", {}, "runner:r", 15)
    seen = await connection.fetchval("SELECT last_seen_at FROM view.runners")
    for _ in range(2):
        await commands.runners.drain("r", "why", OPERATOR)
    row = await connection.fetchrow("SELECT * FROM view.runners")
    assert (seen, "why", OPERATOR, 2) == (
        row["last_seen_at"],
        row["draining_reason"],
        row["draining_by"],
        row["version"],
    )
    answer = await commands.claim("r", 5, "runner:r")
    assert ([], True) == (answer.tasks, answer.draining)
    with pytest.raises(Draining, match="resume"):
        await commands.claim_task("r", "t1", "runner:r")
    assert 2 == len((await commands.claim("s", 5, "runner:s")).tasks)
    with pytest.raises(NotFound, match="nobody"):
        await commands.runners.drain("nobody", None, OPERATOR)
    for _ in range(2):
        await commands.runners.resume("r", OPERATOR)
    assert not (await commands.claim("r", 5, "runner:r")).draining


async def _all_ready(tasks: Ledger, number: int) -> bool:
    return {"ready": number} == await tasks.statuses()


async def _settled(tasks: Ledger, done: int) -> dict[str, int]:
    """The statuses once so many are done and the runner has been asked about work twice more."""
    await eventually(lambda: _has_done(tasks, done), deadline=20)
    before = await _beat_count(tasks)
    await eventually(lambda: _beats(tasks, before + 2), deadline=20)
    return await tasks.statuses()


async def _has_done(tasks: Ledger, number: int) -> bool:
    return number == await tasks.count("done")


async def _beat_count(tasks: Ledger) -> int:
    return int(await tasks.connection.fetchval("SELECT count(*) FROM log.events WHERE type = 'runner.heartbeat'"))


async def _beats(tasks: Ledger, number: int) -> bool:
    return number <= await _beat_count(tasks)


async def _executors(tasks: Ledger, like: str) -> list[str]:
    query = "SELECT DISTINCT runner FROM view.runs WHERE task_id LIKE $1"
    return [row[0] for row in await tasks.connection.fetch(query, like)]


async def _listens(tasks: Ledger) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
    return bool(await tasks.connection.fetchval(query))
